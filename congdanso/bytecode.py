"""Keeps the compiled form of the libraries where Python itself may not (PYTHONDONTWRITEBYTECODE, as in many containers).

Without it, every start compiles some two thousand modules again: half of the time to the first answer. The setting speaks
of what Python does by itself while it imports; this is done once, beside the program, and asked for by name.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Final

COMPILE: Final = (
    "import os, sys, compileall; os.nice(19); [compileall.compile_file(f.rstrip(), quiet=2) for f in sys.stdin]"
)


def missing(modules: Iterable[ModuleType] | None = None) -> list[Path]:
    """Return the files of modules (None: of all that are imported) whose compiled form was not kept."""
    found = []
    for module in list(sys.modules.values()) if modules is None else modules:
        file = getattr(module, "__file__", None)
        if not file or not file.endswith(".py"):
            continue
        try:
            kept = Path(importlib.util.cache_from_source(file))
            if not kept.exists() or kept.stat().st_mtime < Path(file).stat().st_mtime:
                found.append(Path(file))
        except (OSError, NotImplementedError):
            continue
    return found


def keep(modules: Iterable[ModuleType] | None = None) -> subprocess.Popen[bytes] | None:
    """Begin to compile what is missing, in a process of its own at the lowest priority; None if there is nothing to do.

    A folder that may not be written to is no error: then everything stays as slow as it is.
    """
    files = missing(modules) if sys.dont_write_bytecode else []
    if not files:
        return None
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", COMPILE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write("\n".join(map(str, files)).encode())
    process.stdin.close()
    # Somebody has to hear of its end, and nobody may wait for it.
    threading.Thread(target=process.wait, daemon=True).start()
    return process
