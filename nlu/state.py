"""Arrays and JSON values of a component, written to a folder and read back. No pickle: a model file must not run code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write a nested dict of arrays and JSON values: `state.json`, and one `.npy` file for each array."""
    folder.mkdir(parents=True, exist_ok=True)

    def strip(value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            name = f"{path}.npy"
            np.save(folder / name, value, allow_pickle=False)
            return {"$array": name}
        if isinstance(value, dict):
            return {key: strip(inner, f"{path}.{key}" if path else key) for key, inner in value.items()}
        return value

    plain = strip(state, "")
    (folder / "state.json").write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")


def load(folder: Path) -> dict[str, Any]:
    """Read what `save` wrote. Arrays are mapped into memory, read-only: several processes share them, and start at once."""

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {"$array"}:
                return np.asarray(np.load(folder / value["$array"], mmap_mode="r", allow_pickle=False))
            return {key: fill(inner) for key, inner in value.items()}
        return value

    state: dict[str, Any] = fill(json.loads((folder / "state.json").read_text(encoding="utf-8")))
    return state
