"""The sentences that materials add around an author's words (`texts.yml`), read once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("texts.yml")


@lru_cache(maxsize=1)
def _texts() -> dict[str, str]:
    texts: dict[str, str] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return texts


def say(key: str, **values: str) -> str:
    """Return one sentence with its places filled in.

    Raises:
        KeyError: there is no such sentence, or a value is missing.
    """
    return _texts()[key].format(**values)
