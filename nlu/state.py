"""Arrays and JSON values of a component, written to a folder and read back. No pickle: a model file must not run code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write a nested dict of arrays and JSON values as `state.json` and `arrays.npz`."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def strip(value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            arrays[path] = value
            return {"$array": path}
        if isinstance(value, dict):
            return {key: strip(inner, f"{path}.{key}") for key, inner in value.items()}
        return value

    plain = strip(state, "")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")
    with (folder / "arrays.npz").open("wb") as file:
        np.savez(file, **arrays)


def load(folder: Path) -> dict[str, Any]:
    """Read what `save` wrote."""
    plain = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:

        def fill(value: Any) -> Any:
            if isinstance(value, dict):
                if value.keys() == {"$array"}:
                    return arrays[value["$array"]]
                return {key: fill(inner) for key, inner in value.items()}
            return value

        state: dict[str, Any] = fill(plain)
    return state
