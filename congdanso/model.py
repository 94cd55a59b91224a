"""Where the trained language model lies, and how it comes there. Nothing here needs a database or the library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from congdanso.settings import Settings
from content.places import Places, load_places

if TYPE_CHECKING:
    from nlu.engine import Engine


def lookups(places: Places) -> dict[str, list[str]]:
    """Return the names that the entity extractor knows."""
    return {"place": sorted(places.names())}


def model_file(settings: Settings, places: Places) -> Path:
    """Return where the model for the present data, lexicons and code belongs."""
    from nlu.engine import fingerprint, training_files

    return settings.data_dir / "models" / f"{fingerprint(training_files(), lookups(places))[:16]}.tar.gz"


def train_in_subprocess() -> None:
    """Train in a process of its own, so that the memory training takes is given back.

    Raises:
        RuntimeError: training failed; its own output says why.
    """
    result = subprocess.run([sys.executable, "-m", "congdanso", "train"], check=False)
    if result.returncode != 0:
        raise RuntimeError("không huấn luyện được mô hình ngôn ngữ")


def load_engine(settings: Settings, places: Places | None = None) -> Engine:
    """Load the model for the present data; train it first if there is none.

    Raises:
        ValueError: there is no such province.
        RuntimeError: training failed.
    """
    archive = model_file(settings, places or load_places(settings.province))
    if not archive.is_file():
        print("Đang huấn luyện mô hình ngôn ngữ lần đầu, khoảng một phút…", file=sys.stderr, flush=True)
        train_in_subprocess()
    return open_engine(archive)


def open_engine(archive: Path) -> Engine:
    """Load a model from its archive.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no model.
    """
    import tarfile

    from nlu.engine import Engine

    try:
        return Engine.load(archive)
    except FileNotFoundError:
        raise FileNotFoundError(f"không có tệp mô hình {archive}") from None
    except (tarfile.TarError, KeyError) as error:
        raise ValueError(f"{archive}: không phải mô hình ngôn ngữ ({error})") from error
