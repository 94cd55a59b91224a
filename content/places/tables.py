"""Reads the tables of units, old and new, of any of the 34 provinces."""

from __future__ import annotations

import csv
import importlib.util
import json
import threading
import unicodedata
from collections.abc import Generator, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from content.places.elsewhere import Elsewhere, Nation
from content.places.naming import slug_of, split_kind
from content.places.resolver import Places
from content.places.spelling import plain_of, spelling_of, syllables_of
from content.places.units import Row, UnknownProvince
from content.places.words import DATA


def _read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(
            csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE)
        )


def _underthesea() -> Path:
    """Return the folder of the installed underthesea without importing it (its import costs half a second)."""
    spec = importlib.util.find_spec("underthesea")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("underthesea is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


@lru_cache(maxsize=1)
def _mapping() -> Any:
    """Return underthesea's table of units, old and new."""
    return json.loads((_underthesea() / "address" / "data" / "mapping.json").read_text(encoding="utf-8"))


def _provinces() -> tuple[str, ...]:
    """Return the names of all provinces, old and new."""
    parts = ("province_names", "old_province_names")
    return tuple(dict.fromkeys(info["short"] for part in parts for info in _mapping()[part].values()))


def nation() -> Nation:
    """Return the names of the whole country (underthesea's table) and the words of its dictionary; kept once read."""
    while (known := _NATION.known) is None:
        _NATION.step()
    return known


def read_nation_a_little() -> bool:
    """Read on for a millisecond or two, so that nobody who asks for it later waits half a second; False when all is read."""
    return _NATION.step()


class NationReader:
    """Reads once, whoever asks, in steps that a server can take between two messages."""

    def __init__(self) -> None:
        self.known: Nation | None = None
        self._reading = _reading()
        self._lock = threading.Lock()

    def step(self) -> bool:
        with self._lock:
            if self.known is None:
                try:
                    next(self._reading)
                except StopIteration as read:
                    self.known = read.value
            return self.known is None


def _reading() -> Generator[None, None, Nation]:
    folder, table = _underthesea(), _mapping()
    names = {row[key] for row in table["ward_mapping"] for key in ("old_ward", "new_ward", "old_district")}
    yield
    lines = (folder / "corpus" / "data" / "Viet74K.txt").read_text(encoding="utf-8-sig").splitlines()
    yield
    bare = (split_kind(unicodedata.normalize("NFC", name))[1].lower() for name in names)
    spelt_names, plain_names, _ = yield from _folded(bare)
    words = (word for line in lines if " " in (word := unicodedata.normalize("NFC", line.strip())) and word.islower())
    spelt_words, plain_words, syllables = yield from _folded(words)
    return Nation(spelt_names, plain_names, spelt_words, plain_words, syllables)


def _folded(words: Iterable[str]) -> Generator[None, None, tuple[set[str], set[str], set[str]]]:
    """Return words as `spelling_of` and as `plain_of` write them, and their syllables, both ways."""
    spelt: set[str] = set()
    plain: set[str] = set()
    known: dict[str, tuple[str, str]] = {}
    for number, word in enumerate(words):
        if number % STEP == 0:
            yield
        pieces = []
        for piece in word.split():
            if piece not in known:
                syllables = syllables_of(piece)
                known[piece] = (spelling_of(syllables), plain_of(syllables))
            pieces.append(known[piece])
        spelt.add(" ".join(piece[0] for piece in pieces))
        plain.add(" ".join(piece[1] for piece in pieces))
    return spelt, plain, {s for both in known.values() for spelling in both for s in spelling.split()}


STEP: Final = 250
"""Words that are read before others get a turn."""
_NATION: Final = NationReader()


def _national_rows(province: str) -> list[Row]:
    """Read a province out of underthesea's table; codes and the few names missing there come from our own files."""
    today = [row for row in _read_table(DATA / "viet-nam.tsv") if row["province"] == province]
    by_name = {row["name"].lower().replace(" ", ""): row for row in today}
    missing = {
        (row["province_key"], row["district_key"], row["ward_key"]): row["name"]
        for row in _read_table(DATA / "old-names.tsv")
    }
    rows = []
    for record in _mapping()["ward_mapping"]:
        if record["new_province"] != province:
            continue
        record = {
            key: unicodedata.normalize("NFC", value) if isinstance(value, str) else value
            for key, value in record.items()
        }
        new = by_name[(record["new_ward"] or record["new_ward_key"]).lower().replace(" ", "")]
        old = record["old_ward"] or missing.get(
            (record["old_province_key"], record["old_district_key"], record["old_ward_key"]), record["old_district"]
        )
        share = "whole" if record["mapping_type"] != "divided" else "main" if record.get("is_default") else "part"
        rows.append(Row(new["code"], new["name"], old, record["old_district"], record["old_province"], share))
    return sorted(rows, key=lambda row: row.code)


@lru_cache(maxsize=34)
def load_places(province: str = "thai-nguyen") -> Places:
    """Build the units of a province of today by its slug ("thai-nguyen", "ha-noi", "ho-chi-minh"); kept once built.

    Thái Nguyên comes from the project's own file, every other province from the table in underthesea (Apache-2.0).

    Raises:
        UnknownProvince: there is no province of this slug.
    """
    own = DATA / f"{province}.tsv"
    provinces = dict.fromkeys(row["province"] for row in _read_table(DATA / "viet-nam.tsv"))
    known = {slug_of(split_kind(name)[1]): name for name in provinces}
    if province not in known:
        raise UnknownProvince(f"không có tỉnh {province!r}; các tỉnh: {', '.join(sorted(known))}")
    title = split_kind(known[province])[1]
    if own.exists():
        rows = [
            Row(r["code"], r["ward"], r["old_ward"], r["old_district"], r["old_province"], r["share"])
            for r in _read_table(own)
        ]
    else:
        rows = _national_rows(known[province])
    return Places(title, rows, Elsewhere(_provinces(), nation))
