"""A model archive laid out for serving: unpacked once, beside itself, and loaded from there.

Rasa unpacks an archive into a temporary folder at each start, reads it through twice for safety, and imports what only training
needs; together that was half of the time from start to the first answer.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tarfile
import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

from nlu.lazy import without

with warnings.catch_warnings(), without("redis", "rich"):
    # Rasa's imports warn; these are not ours to fix. Portalocker brings the redis client if there is one, structlog draws
    # tracebacks with rich if there is one: a quarter of the whole start for nothing we use.
    warnings.simplefilter("ignore")
    from rasa.engine.graph import GraphSchema
    from rasa.engine.storage.local_model_storage import LocalModelStorage

_SUFFIX: Final = ".unpacked"


def open_archive(archive: Path) -> tuple[LocalModelStorage, dict[str, Any], GraphSchema]:
    """Return the storage, the metadata and the prediction graph of a model.

    Raises:
        FileNotFoundError: there is no such archive.
        tarfile.TarError: it is none.
    """
    folder = unpacked(archive)
    metadata: dict[str, Any] = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    # The training graph names classes whose modules serving must not import.
    return LocalModelStorage(folder / "components"), metadata, GraphSchema.from_dict(metadata["predict_schema"])


def unpacked(archive: Path) -> Path:
    """Return the folder with the archive's content, unpacking it where that has not happened yet.

    The folder's name is made of the archive's time and size, so that a replaced archive is unpacked anew and a renamed one is
    not; folders of archives that are gone are removed. Where nothing may be written beside the archive, a temporary folder lives as long as the process.
    """
    folder = _folder(archive)
    if folder.is_dir():
        return folder
    try:
        partial = Path(tempfile.mkdtemp(prefix=".", suffix=".partial", dir=archive.parent))
    except OSError:
        elsewhere = Path(tempfile.mkdtemp(suffix=_SUFFIX))
        atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
        _extract(archive, elsewhere)
        return elsewhere
    try:
        _extract(archive, partial)
        try:
            partial.rename(folder)
        except OSError:
            # Another process was faster; what it unpacked is the same.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _clean(archive.parent)
    return folder


def _folder(archive: Path) -> Path:
    stat = archive.stat()
    return archive.with_name(f"{stat.st_mtime_ns:x}-{stat.st_size:x}{_SUFFIX}")


def _extract(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, "r:gz") as tar:
        tar.extractall(folder, filter="data")


def _clean(parent: Path) -> None:
    wanted = {_folder(archive) for archive in parent.glob("*.tar.gz")}
    for folder in parent.glob(f"*{_SUFFIX}"):
        if folder not in wanted:
            shutil.rmtree(folder, ignore_errors=True)
