"""Labelled examples as files hold them: blocks of Rasa's YAML format, and TSV files for measuring.

One reader serves training and evaluation. It understands of Rasa's format what names intents and entities (intent, metadata,
examples as a literal block or a list, annotated entities, lookup tables); synonyms and regular expressions are passed over.
Rasa's own reader takes seven times as long, most of it in validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from nlu.understanding import ASPECTS, OUT_OF_SCOPE

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ITEM: Final = re.compile(r"^\s*- ?(.*)$")
_ENTITY: Final = re.compile(r"\[(?P<said>[^\[\]]+)\](?:\((?P<kind>[^()\s]+)\)|(?P<more>\{[^{}]*\}))")
_KIND: Final = re.compile(r'"entity"\s*:\s*"([^"]+)"')
_NO_INTENT: Final = frozenset({"lookup", "synonym", "regex"})
_NO_TOPIC: Final = frozenset({"", "-", "null", "none", "out", "oos", "out_of_scope", "out-of-scope", OUT_OF_SCOPE})


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance with its labels.

    `intent` is a topic's slug, `ngoai-pham-vi` or `hoi-tiep`; `kind` says how the text was told (`plain`, `indirect`, `long`);
    `near` is True for out-of-scope texts that sound like public services, False for those that do not, None in scope. An ambiguous
    text ("làm lại giấy tờ bị mất") belongs to all its `topics` alike, of which `intent` is one.
    """

    text: str
    intent: str
    aspects: tuple[str, ...] = ()
    kind: str = "plain"
    near: bool | None = None
    topics: tuple[str, ...] = ()

    @property
    def out_of_scope(self) -> bool:
        return self.intent == OUT_OF_SCOPE


class DataError(ValueError):
    """A data file is not what it must be; the message names the file."""


def read(paths: Iterable[Path]) -> list[Example]:
    """Return the examples of YAML and TSV files, told apart by their ending.

    Raises:
        DataError: a file cannot be parsed, a block has no intent, or an aspect is unknown.
    """
    examples: list[Example] = []
    for path in paths:
        examples += _tsv(path) if path.suffix == ".tsv" else _yaml(path)
    return examples


def read_lookups(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Return the names by kind that YAML files give: their lookup tables, and what their examples mark as an entity.

    Raises:
        DataError: a file cannot be parsed.
    """
    found: dict[str, dict[str, None]] = {}
    for path in paths:
        for block in _blocks(path) if path.suffix != ".tsv" else ():
            if isinstance(block.get("lookup"), str):
                names = _items(block.get("examples") or "")
                found.setdefault(block["lookup"], {}).update(dict.fromkeys(names))
            elif "intent" in block:
                for line in _items(block.get("examples") or ""):
                    for match in _ENTITY.finditer(line):
                        kind = match["kind"] or next(iter(_KIND.findall(match["more"])), "")
                        if kind:
                            found.setdefault(kind.split(":")[0], {})[match["said"]] = None
    return {kind: list(names) for kind, names in found.items()}


def _blocks(path: Path) -> Iterator[dict[str, Any]]:
    try:
        blocks = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)["nlu"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a Rasa NLU file: {error}") from error
    for block in blocks or ():
        if not isinstance(block, dict):
            raise DataError(f"{path}: a block without an intent: {str(block)[:80]}")
        yield block


def _yaml(path: Path) -> Iterator[Example]:
    for block in _blocks(path):
        if _NO_INTENT & block.keys():
            continue
        if not isinstance(block.get("intent"), str):
            raise DataError(f"{path}: a block without an intent: {str(block)[:80]}")
        metadata: dict[str, Any] = block["metadata"] if isinstance(block.get("metadata"), dict) else {}
        intent = block["intent"]
        near = bool(metadata.get("near")) if intent == OUT_OF_SCOPE else None
        aspects = _checked(metadata.get("aspects") or (), f"{path}, {intent}")
        topics = tuple(metadata.get("topics") or ())
        for line in _items(block.get("examples") or ""):
            text = _ENTITY.sub(lambda match: match["said"], line)
            yield Example(text, intent, aspects, metadata.get("kind") or "plain", near, topics)


def _items(examples: str | list[Any]) -> Iterator[str]:
    if isinstance(examples, list):
        for item in examples:
            yield str(item["text"] if isinstance(item, dict) else item).strip().removeprefix("- ")
        return
    for line in examples.splitlines():
        if (match := _ITEM.match(line)) and match.group(1).strip():
            yield match.group(1).strip()


def _tsv(path: Path) -> Iterator[Example]:
    """`text<TAB>topic[<TAB>aspect[,aspect…][<TAB>kind]]`; no topic means out of scope, its kind then being `near` or `far`."""
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) < 2:
            raise DataError(f"{path}, line {number}: no tab between text and topic")
        if number == 1 and cells[:2] == ["text", "topic"]:
            continue
        text, topic, aspects, kind = (*cells, "", "")[:4]
        names = [a.strip() for a in aspects.split(",") if a.strip() not in ("", "-", "null")]
        if topic.lower() in _NO_TOPIC:
            yield Example(text, OUT_OF_SCOPE, (), "plain", kind == "near")
        else:
            yield Example(text, topic, _checked(names, f"{path}, line {number}"), kind or "plain")


def _checked(aspects: Sequence[str], where: str) -> tuple[str, ...]:
    if unknown := [a for a in aspects if a not in ASPECTS]:
        raise DataError(f"{where}: unknown aspects {unknown}")
    return tuple(aspects)
