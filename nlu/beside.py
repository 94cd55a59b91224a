"""One computation in a process of its own, beside another in this one: training has two that need nothing of each other."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")


@contextmanager
def beside(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """Begin `work` in a forked process; yield what returns its result.

    Where there is one core, or no fork, the work is done when its result is asked for. A child that dies is made good here.
    """
    if len(os.sched_getaffinity(0)) < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield work
        return
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)

    def child() -> None:
        here.close()
        there.send(work())
        there.close()

    process = context.Process(target=child, daemon=True)
    process.start()
    there.close()

    def result() -> Result:
        try:
            found: Result = here.recv()
        except EOFError:
            found = work()
        process.join(10)
        return found

    try:
        yield result
    except BaseException:
        process.kill()
        raise
