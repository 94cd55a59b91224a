"""Two computations side by side: the result is the same, whatever becomes of the child."""

from __future__ import annotations

import os
import signal

import pytest

from nlu.beside import beside


def test_the_result_comes_from_another_process() -> None:
    with beside(os.getpid) as other:
        mine = os.getpid()
    found = other()
    assert found != mine or len(os.sched_getaffinity(0)) < 2


def test_a_child_that_dies_is_made_good_here() -> None:
    parent = os.getpid()

    def work() -> int:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return 7

    with beside(work) as other:
        pass
    assert other() == 7


def test_an_error_in_the_work_is_raised_here() -> None:
    def work() -> int:
        raise ValueError("no")

    with beside(work) as other:
        pass
    with pytest.raises(ValueError, match="no"):
        other()


def test_on_one_core_it_is_done_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with beside(os.getpid) as other:
        pass
    assert other() == os.getpid()
