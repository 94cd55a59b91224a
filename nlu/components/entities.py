"""Entities: places of the lookup table, dossier codes, personal numbers (whose value is never passed on)."""

from __future__ import annotations

from typing import Any, Final

from rasa.shared.nlu.constants import ENTITIES as RASA_ENTITIES
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from nlu import personal
from nlu.components.base import TrainedComponent, TrainingData
from nlu.components.keys import ENTITIES, NORMALIZED
from nlu.text.normalizer import Normalized, Normalizer
from nlu.text.syllable import strip_marks
from nlu.understanding import Entity

PLACE: Final = "place"
_PLACE_WORDS = frozenset(
    {"xa", "phuong", "thi", "tran", "huyen", "tp", "pho", "o", "tai", "ve", "ubnd", "thon", "ban", "xom", "que"}
)
"""Bare words after which a place name is expected; a name of one syllable or of everyday words counts only behind one."""


class EntityExtractor(TrainedComponent):
    """Finds entities and their places in the original text.

    The lookup table `place` holds names without their kind ("Phủ Thông"); matching ignores marks, and where the citizen typed
    marks they must agree. Tables of other kinds are matched alike, but need no word in front that announces them.
    """

    def learn(self, training_data: TrainingData) -> None:
        normalize = Normalizer({})
        names: dict[str, tuple[str, str]] = {}
        for table in training_data.lookup_tables:
            for name in table["elements"]:
                if regular := normalize(name).text:
                    names.setdefault(regular, (table["name"], name))
        self._set(names)

    def _set(self, names: dict[str, tuple[str, str]]) -> None:
        self._names = names
        self._by_bare: dict[tuple[str, ...], list[str]] = {}
        for regular in names:
            self._by_bare.setdefault(tuple(strip_marks(regular).split()), []).append(regular)
        self._longest: dict[str, int] = {}
        for key in self._by_bare:
            self._longest[key[0]] = max(self._longest.get(key[0], 0), len(key))

    def understand(self, message: Message) -> None:
        text: str = message.get(TEXT) or ""
        found = [Entity("dossier_code", text[s:e], s, e) for s, e in personal.find_dossier_codes(text)]
        found += [Entity(f.kind, personal.MASKS[f.kind], f.start, f.end) for f in personal.find(text)]
        found += self._named(message.get(NORMALIZED))
        found.sort(key=lambda e: e.start)
        message.set(ENTITIES, found)
        if found:
            # Rasa's own form, for its command line.
            named = [{"entity": e.kind, "value": e.value, "start": e.start, "end": e.end} for e in found]
            message.set(RASA_ENTITIES, named, add_to_output=True)

    def _named(self, normalized: Normalized) -> list[Entity]:
        bare = [strip_marks(text) for text in normalized.texts]
        if self._longest.keys().isdisjoint(bare):
            return []
        found: list[Entity] = []
        behind = 0
        for at, word in enumerate(bare):
            if at < behind or word not in self._longest:
                continue
            for length in range(min(self._longest[word], len(bare) - at), 0, -1):
                named = self._match(tuple(bare[at : at + length]), normalized.texts[at : at + length], at, bare)
                if named is not None:
                    behind = at + length
                    syllables = normalized.syllables[at:behind]
                    found.append(Entity(*named, syllables[0].start, syllables[-1].end))
                    break
        return found

    def _match(self, key: tuple[str, ...], typed: list[str], at: int, bare: list[str]) -> tuple[str, str] | None:
        """The kind and the name that some syllables are, if any."""
        names = self._by_bare.get(key)
        if names is None:
            return None
        announced = at > 0 and bare[at - 1] in _PLACE_WORDS
        unmarked = all(t.isascii() for t in typed)
        for regular in names:
            kind, name = self._names[regular]
            marks_agree = " ".join(typed) == regular
            expected = announced or kind != PLACE
            if len(key) == 1 and not (announced if kind == PLACE else marks_agree):
                continue
            if marks_agree or (unmarked and (expected or len(key) > 2 or len(bare) == len(key))):
                return kind, name
        return None

    def dump(self) -> dict[str, Any]:
        return {"names": {regular: list(named) for regular, named in self._names.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        self._set({regular: (kind, name) for regular, (kind, name) in state["names"].items()})
