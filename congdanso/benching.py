"""What every bench prints: figures, their ratios to a peer measured in the same run, and whether the targets hold."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure or ratio should reach; `at_most` says on which side."""

    value: float
    target: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is reached."""
        return self.value <= self.target if self.at_most else self.value >= self.target


@dataclass(frozen=True, slots=True)
class Benched:
    """One run of a bench."""

    bench: str
    figures: Mapping[str, float]
    ratios: Mapping[str, float] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """The object of `--json` (the contract)."""
        return {
            "bench": self.bench,
            "machine": machine(),
            "figures": {name: round(value, 4) for name, value in self.figures.items()},
            "ratios": {name: round(value, 4) for name, value in self.ratios.items()},
            "targets": {
                name: {"value": round(t.value, 4), "target": t.target, "holds": t.holds}
                for name, t in self.targets.items()
            },
        }

    def as_markdown(self) -> str:
        """Tables for people."""
        lines = [f"{self.bench}: {machine()}", "", "| figure | value |", "| --- | ---: |"]
        lines += [f"| {name} | {value:,.2f} |" for name, value in self.figures.items()]
        if self.ratios:
            lines += ["", "| ratio | value |", "| --- | ---: |"]
            lines += [f"| {name} | {value:.2f} × |" for name, value in self.ratios.items()]
        if self.targets:
            lines += ["", "| target | value | wanted | holds |", "| --- | ---: | ---: | --- |"]
            for name, t in self.targets.items():
                side = "≤" if t.at_most else "≥"
                lines.append(f"| {name} | {t.value:,.2f} | {side} {t.target:g} | {'yes' if t.holds else 'NO'} |")
        return "\n".join([*lines, "", *self.notes])


def machine() -> str:
    """Return what the figures were measured on, and how busy it was."""
    cores = len(os.sched_getaffinity(0))
    return f"{platform.machine()}, {cores} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def dies_with_parent(core: int | None = None) -> None:
    """Run in a child before its program: it ends when we do, however we end, and may be kept to one core.

    A measurement that is broken off must not leave a training behind that takes the next one's cores. Linux only; elsewhere
    a child outlives us.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if core is not None:
        os.sched_setaffinity(0, {core})


def ran(
    command: Sequence[str], seconds: float, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it said; it ends with us (see `dies_with_parent`).

    Raises:
        subprocess.TimeoutExpired: it took more than `seconds`.
    """
    return subprocess.run(  # noqa: S603 - our own programs
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        preexec_fn=dies_with_parent,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0
