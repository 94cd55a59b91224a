"""Communes and wards: what a citizen writes ("tt. bằng lũng", "vi huong bach thong") to the unit of today.

`load_places` builds the units of one province with the old ones merged into them; `Places.resolve` reads a text. A name
is never invented: what is not a unit of the province, or is said together with a place elsewhere, stays unresolved.
Here live the data and the matching only; finding a place inside a long message is the NLU's work.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Final, Literal

from rapidfuzz.distance import OSA

DATA: Final = Path(__file__).parent / "data" / "places"

MAX_CHARS: Final = 400
"""A longer text is no place name; it is not read."""
MAX_TOKENS: Final = 60
MAX_TOKENS_MISSPELT: Final = 20
"""In a longer text slips of the key are not looked for."""
MAX_SYLLABLES: Final = 6
"""The longest names ("Văn Miếu - Quốc Tử Giám") have five syllables; one more for slips of the key."""
SHORTEST_JOINED: Final = 4
"""Letters a name written together needs ("nari")."""
LONGEST_JOINED: Final = 40
SHORTEST_MISSPELT: Final = 5
"""Letters a name needs before a wrong accent or two swapped letters are forgiven; one more for any other slip."""

Role = Literal["new", "old", "district", "province", "foreign"]
_WARD_ROLES: Final = ("new", "old")
_ROLES_OF_KIND: Final[Mapping[str, tuple[Role, ...]]] = {
    "xã": ("new", "old"),
    "phường": ("new", "old"),
    "thị trấn": ("old",),
    "đặc khu": ("new", "old"),
    "huyện": ("district",),
    "quận": ("district",),
    "thị xã": ("district",),
    "thành phố": ("district", "province", "foreign"),
    "tỉnh": ("province", "foreign"),
}
_LENIENT_KINDS: Final[Mapping[str, tuple[Role, ...]]] = {"thị trấn": ("new",)}
"""Roles tried where the strict ones give nothing: people go on saying "thị trấn Chợ Mới"."""
_KIND_WORDS: Final[Mapping[str, str]] = {
    "xã": "xã", "x": "xã", "phường": "phường", "p": "phường", "ph": "phường", "phg": "phường", "f": "phường",
    "thị trấn": "thị trấn", "tt": "thị trấn", "ttr": "thị trấn", "t t": "thị trấn", "đặc khu": "đặc khu",
    "huyện": "huyện", "h": "huyện", "quận": "quận", "q": "quận", "thị xã": "thị xã", "tx": "thị xã", "t x": "thị xã",
    "thành phố": "thành phố", "tp": "thành phố", "t p": "thành phố", "tỉnh": "tỉnh",
}  # fmt: skip
_JOINED_KINDS: Final = ("thitran", "thanhpho", "phuong", "dackhu", "huyen", "thixa", "tinh", "quan", "xa")
"""Kind words that people write together with the name ("xavihuong")."""

_WHERE: Final = "ở, tại, quê, ngụ, trú, về, từ, đến, tới, sang, lên, xuống, vùng, ubnd, thuộc"
_POLITE: Final = "dạ, vâng, ạ, thưa, ờ, à, ừ, là, đây"
_FILLERS: Final = (
    "em, tôi, tui, mình, tớ, cháu, con, bác, cô, chú, anh, chị, ông, bà, bọn, chúng, ta, nhà, gia, đình, sống, sinh, "
    "thường, tạm, địa, chỉ, người, dân, hiện, đang, bây, giờ, nay, ủy, uỷ, ban, nhân, hộ, khẩu, gốc, của, bên, trên, "
    "dưới, cũ, mới, trước, khu, vực, bàn, trụ, sở, cư, nơi, bố, mẹ, chồng, vợ, cả, việt, nam, vn, này, đó, kia, thì, "
    "chào, xin"
)
_TAIL_WORDS: Final = (
    "ạ, a, nhé, nha, nhá, ơi, cũ, mới, này, đó, kia, đây, trước, nay, em, anh, chị, cô, chú, bác, ad, admin, bot, "
    "việt, nam, vn, thuộc, của, cả, luôn, thôi, đấy, vâng, dạ"
)
_CONNECTIVES: Final = (
    "thì, muốn, cần, là, có, phải, được, nộp, làm, đăng, hỏi, xin, bị, đã, sẽ, đang, hiện, giờ, sáp, nhập, đổi, vào, "
    "chưa, để, cho, ra, đi, gì, nào, đâu, sao, mà, và, nhưng, vì, nếu, khi, hay, cảm, bây, sau, thành, tên, ở, tại"
)
"""Words after a name that begin the rest of a sentence ("Vi Hương nay là xã nào"); other words spoil the match."""
_BELOW_COMMUNE: Final = "thôn, xóm, tổ, bản, khu, số, ngõ, ngách, đường, phố, ấp, khóm, tdp, đội, pác, khuổi, nà, sn"
_EVERYDAY: Final = frozenset({"cho moi", "chợ mới", "phu do", "ban dat"})
"""Names that are everyday words too and are missing in the dictionary."""

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "Bắc Kạn": ("Bắc Cạn", "BK"),
    "Thái Nguyên": ("TN", "Bắc Thái"),
    "Hồ Chí Minh": ("Sài Gòn", "HCM", "SG"),
    "Hà Nội": ("HN", "Hà Tây"),
    "Đắk Lắk": ("Đắc Lắc", "Daklak"),
    "Đắk Nông": ("Đắc Nông",),
    "Huế": ("Thừa Thiên Huế",),
    "Bà Rịa - Vũng Tàu": ("Vũng Tàu", "Bà Rịa"),
}
"""Other names of provinces and towns: older spellings, abbreviations, and provinces given up before 2025."""

_TONES: Final = frozenset("\u0300\u0301\u0303\u0309\u0323")
_HOI_NGA: Final = frozenset("\u0303\u0309")
_LETTERS: Final[Mapping[tuple[str, str], str]] = {
    ("a", "\u0302"): "â", ("e", "\u0302"): "ê", ("o", "\u0302"): "ô",
    ("a", "\u0306"): "ă", ("o", "\u031b"): "ơ", ("u", "\u031b"): "ư",
}  # fmt: skip
_BARE: Final = str.maketrans("âêôăơưđ", "aeoaoud")
_HARD: Final = frozenset(',;\n\r\t()[]{}/|:!?<>"')
_SILENT: Final = frozenset("'’‘`´ʼ")


class UnknownProvince(ValueError):
    """There is no province of this slug; the message lists the known ones."""


@dataclass(frozen=True, slots=True)
class Ward:
    """A commune, ward or special zone of today; `former` are the full names of the old units (or pieces) in it."""

    code: str
    name: str
    kind: str
    former: tuple[str, ...]
    slug: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several units a text may mean; `old_ward` where an old name leads there."""

    ward: str
    code: str
    old_ward: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """Return the shape of the command `place`."""
        return {"ward": self.ward, "code": self.code, "old_ward": self.old_ward}


@dataclass(frozen=True, slots=True)
class PlaceMatch:
    """What a text means. Without `ward`: what it may mean; without candidates: no place of the province."""

    text: str
    ward: str | None = None
    code: str | None = None
    old_ward: str | None = None
    candidates: tuple[Candidate, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return the shape of the command `place` (the contract)."""
        return {
            "text": self.text,
            "ward": self.ward,
            "code": self.code,
            "old_ward": self.old_ward,
            "candidates": [candidate.as_dict() for candidate in self.candidates],
        }


@dataclass(frozen=True, slots=True)
class _Row:
    """One old unit (or a piece of it) and the unit of today it went to."""

    code: str
    ward: str
    old_ward: str
    district: str
    province: str
    share: str


@dataclass(frozen=True, slots=True)
class _Syllable:
    """A syllable read in three depths: `base` "thuy", `shape` without the tone, `tone` mark. Mĩ = Mỹ, hoà = hòa."""

    base: str
    shape: str
    tone: str
    hard: bool = False
    """A comma, bracket or line end stands before it."""
    punct: bool = False
    """Some other mark, such as a hyphen, stands before it."""
    capital: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """Something a name may stand for."""

    role: Role
    kind: str
    full: str
    codes: tuple[str, ...] = ()
    """Of a unit of today: its own. Of an old one, a district, a province: where it went, the largest piece first."""
    district: tuple[str, str] = ("", "")
    """Of an old unit or a district: (province, district)."""
    province: str = ""


@dataclass(slots=True)
class _Name:
    """One spelling with everything it stands for."""

    syllables: tuple[_Syllable, ...]
    units: list[_Unit] = field(default_factory=list)

    @property
    def base(self) -> str:
        return "".join(s.base for s in self.syllables)


@dataclass(frozen=True, slots=True)
class _Item:
    """A piece of the text: a known name (with its kind word), or a word."""

    start: int
    end: int
    names: tuple[_Name, ...] = ()
    units: tuple[_Unit, ...] = ()
    kind: str = ""

    def having(self, *roles: Role) -> tuple[_Unit, ...]:
        return tuple(unit for unit in self.units if unit.role in roles)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One unit of today a name may mean, by way of an old unit or directly (`unit` is then the unit of today)."""

    code: str
    unit: _Unit


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a text may mean. It is `settled` if it means one unit; else the citizen has to choose, even from one."""

    readings: tuple[_Reading, ...]
    settled: bool

    @property
    def is_old(self) -> bool:
        return self.readings[0].unit.role == "old"


@dataclass(frozen=True, slots=True)
class _Context:
    """What stands around a name."""

    areas: tuple[_Item, ...]
    hint: str
    """"cũ", "mới" or nothing."""
    anchored: bool
    """The text says by its words that a place is meant."""
    needs_area: bool
    """The name may only be believed if a district or province agrees."""
    sentence: bool
    """A sentence goes on after the name."""


def syllables_of(text: str) -> list[_Syllable]:
    """Cut a text into syllables. Never fails; anything that is no letter or digit separates."""
    found: list[_Syllable] = []
    base: list[str] = []
    shape: list[str] = []
    tone = ""
    hard = punct = capital = False

    def close() -> None:
        nonlocal tone, hard, punct
        if base:
            found.append(_syllable("".join(base), "".join(shape), tone, hard, punct, capital))
            base.clear()
            shape.clear()
            tone, hard, punct = "", False, False

    for letter in unicodedata.normalize("NFKD", text):
        char = letter.lower()
        if char in _TONES:
            tone = char
        elif unicodedata.combining(char):
            if base and (marked := _LETTERS.get((base[-1], char))):
                shape[-1] = marked
        elif char.isalnum():
            if base and char.isdigit() != base[-1].isdigit():
                close()
            capital = letter.isupper() if not base else capital
            base.append("d" if char in "đð" else char)
            shape.append("đ" if char in "đð" else char)
        elif char in _SILENT or unicodedata.category(char) == "Cf":
            continue
        else:
            close()
            hard = hard or char in _HARD
            punct = punct or not (char.isspace() or char in "._")
    close()
    return found


def _syllable(base: str, shape: str, tone: str, hard: bool, punct: bool, capital: bool) -> _Syllable:
    if base.isdigit():
        base = shape = base.lstrip("0") or "0"
    elif base.endswith("y") and len(base) > 1 and (base[-2] not in "aeou" or base == "quy"):
        base, shape = base[:-1] + "i", shape[:-1] + "i"
    return _Syllable(base, shape, tone, hard, punct, capital)


def _unlike(typed: Sequence[_Syllable], name: Sequence[_Syllable]) -> tuple[int, bool]:
    """Compare syllables of equal letters: (how many carry a wrong mark, whether all marks are there).

    A mark left out is not wrong: "Duc Xuân" is Đức Xuân.
    """
    wrong = 0
    full = True
    if len(typed) == len(name) and all(t.base == n.base for t, n in zip(typed, name, strict=True)):
        for t, n in zip(typed, name, strict=True):
            if t.shape != n.shape or t.tone != n.tone:
                full = False
                wrong += not _may_be(t, n)
        return wrong, full
    left, right = _joined(t.shape for t in typed), _joined(n.shape for n in name)
    tones = Counter(t.tone for t in typed if t.tone)
    # One token carries one tone mark only, whatever was written: of names written together the letters decide.
    wrong += any(a not in (b, b.translate(_BARE)) for a, b in zip(left, right, strict=True))
    wrong += bool(tones - Counter(n.tone for n in name if n.tone))
    return wrong, left == right and not wrong and bool(tones) == any(n.tone for n in name)


def _joined(parts: Iterable[str]) -> str:
    """Write syllables together. Inside such a word nobody can tell which y stands for i, so all do."""
    return "".join(parts).replace("y", "i")


def _cut_alike(typed: Sequence[_Syllable], name: _Name) -> bool:
    """Whether words end where syllables of the name do: "vihuong" does, "va nhan" is no Văn Hán."""
    if len(typed) >= len(name.syllables):
        return [t.base for t in typed] == [n.base for n in name.syllables]
    ends = set(accumulate(len(n.base) for n in name.syllables))
    return len(name.base) >= SHORTEST_JOINED and ends.issuperset(accumulate(len(t.base) for t in typed))


def _may_be(typed: _Syllable, name: _Syllable) -> bool:
    return typed.tone in ("", name.tone) and all(
        a in (b, b.translate(_BARE)) for a, b in zip(typed.shape, name.shape, strict=True)
    )


def _is_marked(typed: Iterable[_Syllable]) -> bool:
    return any(s.tone or s.shape != s.base for s in typed)


def _plain(typed: Iterable[_Syllable]) -> str:
    return " ".join(s.base for s in typed)


def _spelt(typed: Iterable[_Syllable]) -> str:
    """One spelling with its marks, in a form to compare (tones after the syllable)."""
    return " ".join(s.shape + s.tone for s in typed)


def _lexicon(words: str) -> Mapping[str, tuple[tuple[_Syllable, ...], ...]]:
    """Words by their letters; see `_is_word`."""
    found: dict[str, tuple[tuple[_Syllable, ...], ...]] = {}
    for word in words.split(", "):
        syllables = tuple(syllables_of(word))
        found[_plain(syllables)] = (*found.get(_plain(syllables), ()), syllables)
    return found


def _is_word(typed: Sequence[_Syllable], lexicon: Mapping[str, tuple[tuple[_Syllable, ...], ...]]) -> bool:
    return any(not _unlike(typed, word)[0] for word in lexicon.get(_plain(typed), ()))


_WHERE_LEXICON: Final = _lexicon(_WHERE)
_OPENING_LEXICON: Final = _lexicon(f"{_WHERE}, {_POLITE}, nhà, quê")
_HOME_LEXICON: Final = _lexicon("ở, quê, ngụ")
_LEAD_LEXICON: Final = _lexicon(f"{_WHERE}, {_POLITE}, {_FILLERS}")
_TAIL_LEXICON: Final = _lexicon(_TAIL_WORDS)
_CONNECTIVE_LEXICON: Final = _lexicon(_CONNECTIVES)
_PLACE_LEXICON: Final = _lexicon("ở, tại")
_ASKING_LEXICON: Final = _lexicon("nào, gì, mới, cũ, này, đâu, chỗ, đây, đó, mấy")
_BELOW_LEXICON: Final = _lexicon(_BELOW_COMMUNE)
_OLD_LEXICON: Final = _lexicon("cũ")
_NEW_LEXICON: Final = _lexicon("mới")
_KIND_LEXICON: Final = {
    _plain(syllables_of(word)): (tuple(syllables_of(word)), kind) for word, kind in _KIND_WORDS.items()
}


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """What only looks like a place of the province: names of the whole country, words of the dictionary."""

    provinces: tuple[str, ...]
    spelt_names: frozenset[str]
    plain_names: frozenset[str]
    spelt_words: frozenset[str]
    plain_words: frozenset[str]
    syllables: frozenset[str]
    """Both spellings of every syllable of the dictionary."""

    def knows(self, typed: Sequence[_Syllable]) -> bool:
        """Whether a (misspelt?) name is a name or word in its own right."""
        if _is_marked(typed):
            return _spelt(typed) in self.spelt_names or _spelt(typed) in self.spelt_words
        return _plain(typed) in self.plain_names or _plain(typed) in self.plain_words

    def is_sound(self, typed: Sequence[_Syllable], name: Sequence[_Syllable]) -> bool:
        """Whether the syllables that differ from a name's are good syllables: then they may be meant as they stand.

        Hỏi for ngã and ngã for hỏi is how many people speak, and counts as a slip.
        """
        for t, n in zip(typed, name, strict=False):
            if (t.base == n.base and _may_be(t, n)) or (t.shape == n.shape and {t.tone, n.tone} == _HOI_NGA):
                continue
            if (t.shape + t.tone if _is_marked(typed) else t.base) in self.syllables:
                return True
        return False

    def is_word(self, typed: Sequence[_Syllable]) -> bool:
        """Whether it is an everyday word too ("thành công", "công bằng")."""
        spelt = _spelt(typed)
        known = spelt in self.spelt_words if _is_marked(typed) else _plain(typed) in self.plain_words
        return known or spelt in _EVERYDAY_SPELT


_EVERYDAY_SPELT: Final = frozenset(_spelt(syllables_of(word)) for word in _EVERYDAY)


class Places:
    """The units of one province, by code and by slug, and the reader of what people call them."""

    def __init__(self, title: str, rows: Sequence[_Row], elsewhere: _Elsewhere) -> None:
        self.title = title
        self._elsewhere = elsewhere
        slugs = _slugs(rows)
        former: dict[str, dict[str, None]] = {}
        for row in rows:
            former.setdefault(row.code, {}).setdefault(row.old_ward)
        self._wards: dict[str, Ward] = {}
        for row in rows:
            kind, _ = split_kind(row.ward)
            self._wards.setdefault(row.code, Ward(row.code, row.ward, kind, tuple(former[row.code]), slugs[row.code]))
        self._by_slug = {ward.slug: ward for ward in self._wards.values()}
        self._by_key: dict[str, _Name] = {}
        self._index: dict[str, list[_Name]] = {}
        self._districts_of: dict[str, set[tuple[str, str]]] = {}
        self._provinces_of: dict[str, set[str]] = {}
        self._old_provinces = {split_kind(row.province)[1] for row in rows} - {title}
        for row in rows:
            self._districts_of.setdefault(row.code, set()).add((row.province, row.district))
            self._provinces_of.setdefault(row.code, set()).add(split_kind(row.province)[1])
        names: dict[str, None] = {}
        for full, unit in _units(title, rows, elsewhere.provinces):
            for spelling in (full, *_ALIASES.get(full, ())):
                self._name(spelling).units.append(unit)
            if unit.role in _WARD_ROLES:
                names.setdefault(full)
        self._names = tuple(names)
        self._misspelt = _neighbourhood(
            name for name in self._by_key.values() if any(unit.role in _WARD_ROLES for unit in name.units)
        )

    def _name(self, spelling: str) -> _Name:
        syllables = tuple(replace(s, hard=False, punct=False, capital=False) for s in syllables_of(spelling))
        key = _spelt(syllables)
        if key not in self._by_key:
            name = self._by_key[key] = _Name(syllables)
            self._index.setdefault(_joined([name.base]), []).append(name)
        return self._by_key[key]

    def ward(self, code: str) -> Ward:
        """Return a unit of today by its five-digit code.

        Raises:
            KeyError: the province has no such unit.
        """
        return self._wards[code]

    def by_slug(self, slug: str) -> Ward:
        """Return a unit of today by its slug ("phu-thong").

        Raises:
            KeyError: the province has no such unit.
        """
        return self._by_slug[slug]

    def wards(self) -> tuple[Ward, ...]:
        """Return all units of today, by code."""
        return tuple(self._wards.values())

    def names(self) -> tuple[str, ...]:
        """Return all names of communes and wards, old and new, without the kind ("Phủ Thông"), each once."""
        return self._names

    def former(self, code: str) -> tuple[str, ...]:
        """Return the full names of the old units merged into a unit of today.

        Raises:
            KeyError: the province has no such unit.
        """
        return self._wards[code].former

    def resolve(self, text: str) -> PlaceMatch:
        """Say which unit of today a text names. Takes any text and never fails."""
        trimmed = text.strip()
        if not trimmed or len(trimmed) > MAX_CHARS:
            return PlaceMatch(text)
        tokens = syllables_of(trimmed)
        if not tokens or len(tokens) > MAX_TOKENS:
            return PlaceMatch(text)
        items = self._segment(tokens)
        found = self._by_wards(tokens, items)
        if found is None and not any(_is_foreign(item) for item in items):
            found = self._by_misspelling(tokens)
        if found is None:
            found = self._by_areas(tokens, items)
        if found is None:
            return PlaceMatch(text)
        candidates = tuple(dict.fromkeys(self._candidate(reading) for reading in found.readings))
        if found.settled:
            return PlaceMatch(text, candidates[0].ward, candidates[0].code, candidates[0].old_ward)
        return PlaceMatch(text, candidates=candidates)

    def _candidate(self, reading: _Reading) -> Candidate:
        ward = self._wards[reading.code]
        old = reading.unit.full if reading.unit.role == "old" and reading.unit.full != ward.name else None
        return Candidate(ward.name, ward.code, old)

    # --- cutting a text into names and words ---

    def _segment(self, tokens: Sequence[_Syllable]) -> list[_Item]:
        items: list[_Item] = []
        marked = _is_marked(tokens)
        i = 0
        while i < len(tokens):
            item = self._name_at(tokens, i, i, "", marked)
            if kind := _kind_at(tokens, i):
                word, width = kind
                named = self._name_at(tokens, i, i + width, word, marked)
                if item is None or (named and named.end > item.end):  # "phuong tien phong" is no Phượng Tiến
                    item = named or _Item(i, i + width, kind=word)
            if item is None and 2 * SHORTEST_JOINED - 2 < len(tokens[i].base) <= LONGEST_JOINED:
                pieces = self._unjoin(tokens[i].base, tokens[i].shape, i)
                if pieces:
                    items.extend(pieces)
                    i += 1
                    continue
            item = item or _Item(i, i + 1)
            items.append(item)
            i = item.end
        return items

    def _name_at(self, tokens: Sequence[_Syllable], start: int, at: int, kind: str, marked: bool) -> _Item | None:
        """Return the longest name that begins at `at`, if it can bear the kind word that began at `start`."""
        base = ""
        best: _Item | None = None
        for end in range(at + 1, min(at + MAX_SYLLABLES, len(tokens)) + 1):
            if end - 1 > at and tokens[end - 1].hard:
                break
            base += tokens[end - 1].base
            spelt: dict[bool, list[_Name]] = {}
            for name in self._index.get(_joined([base]), ()):
                typed = tokens[at:end]
                if not _cut_alike(typed, name):
                    continue
                if len(base) <= 2 and not kind and not _is_marked(typed):
                    continue
                if base.isdigit() and not kind:
                    continue
                wrong, full = _unlike(typed, name.syllables)
                if not wrong:
                    spelt.setdefault(full and marked, []).append(name)
            names = spelt.get(True) or spelt.get(False)
            if names and (units := _bearing(names, kind)):
                best = _Item(start, end, tuple(names), units, kind)
        return best

    def _unjoin(self, base: str, shape: str, at: int) -> list[_Item]:
        """Read kind, name and district written in one word ("xavihuongbachthong"); empty if letters are left over."""
        for kind in _JOINED_KINDS:
            if base.startswith(kind) and (rest := self._unjoin_names(base[len(kind) :], shape[len(kind) :], at)):
                word = next(k for k in _ROLES_OF_KIND if "".join(s.base for s in syllables_of(k)) == kind)
                if units := _bearing(rest[0].names, word):
                    return [replace(rest[0], kind=word, units=units), *rest[1:]]
        return self._unjoin_names(base, shape, at)

    def _unjoin_names(self, base: str, shape: str, at: int) -> list[_Item]:
        for end in range(len(base), SHORTEST_JOINED - 1, -1):
            names = tuple(
                name
                for name in self._index.get(_joined([base[:end]]), ())
                if all(
                    a in (b, b.translate(_BARE))
                    for a, b in zip(_joined([shape]), _joined(s.shape for s in name.syllables), strict=False)
                )
            )
            if not names:
                continue
            rest = self._unjoin_names(base[end:], shape[end:], at) if end < len(base) else []
            if rest or end == len(base):
                return [_Item(at, at + 1, names, _bearing(names, "")), *rest]
        return []

    # --- reading them ---

    def _by_wards(self, tokens: Sequence[_Syllable], items: Sequence[_Item]) -> _Finding | None:
        """Read the names of communes; where the text contradicts all of them, they stay as candidates."""
        best: _Finding | None = None
        contradicted: dict[_Reading, None] = {}
        wards = [k for k, item in enumerate(items) if item.having(*_WARD_ROLES)]
        # A name that was a district's too ("Cao Kỳ, Chợ Mới") is the commune only if no other name is.
        for areas in (False, True):
            for k in wards if best is None else ():
                if bool(items[k].having("district", "province")) != areas:
                    continue
                context = self._context(tokens, items, k)
                if context is None:
                    continue
                found = self._read(items[k], context)
                if found is not None:
                    if best is None or _says_more(found, best):
                        best = found
                elif not context.needs_area and (alone := self._read(items[k], replace(context, areas=()))):
                    contradicted.update(dict.fromkeys(alone.readings))
        if best is None and contradicted:
            return _Finding(tuple(contradicted), settled=False)
        return best

    def _context(self, tokens: Sequence[_Syllable], items: Sequence[_Item], k: int) -> _Context | None:
        """Look at what stands around a name; None if the text does not mean a place of the province by it."""
        item = items[k]
        left: list[_Item] = []
        j = k - 1
        while j >= 0 and items[j].units:
            if _is_foreign(items[j]):
                return None
            left.append(items[j])
            j -= 1
        head = items[: j + 1]
        first = left[-1] if left else item
        tail = self._tail(tokens, items, k + 1)
        if tail is None:
            return None
        areas, hint, sentence = tail
        if len(head) == 1 and not item.kind and tokens[0].base.isdigit() and tokens[0].base in self._index:
            return None  # "6, Gò Vấp" is the old ward 6 more likely than the ward Gò Vấp
        everyday = not item.kind and self._elsewhere.is_word(tokens[item.start : item.end])
        anchored = bool(item.kind) or any(a.kind for a in (*left, *areas))
        needs_area = where = False
        if head:
            words = [tokens[h.start : h.end] for h in head]
            where = not head[-1].kind and _is_word(words[-1], _WHERE_LEXICON)
            led = [h.kind or _is_word(w, _LEAD_LEXICON) for h, w in zip(head, words, strict=True)]
            if item.kind or first.kind or where:
                anchored = True
            elif everyday:
                return None
            elif all(led) and any(_is_word(w, _OPENING_LEXICON) for w in words):
                anchored = True
            elif not (tokens[first.start].hard or tokens[first.start].punct):
                needs_area = True
        if everyday and sentence and not anchored:
            return None
        short = max(len(name.base) for name in item.names) <= 2
        if short and not item.kind and not where and len(items) > 1:
            return None  # "Đu": so short a name is believed with its kind, after "ở", or alone
        return _Context((*left, *areas), hint, anchored, needs_area, sentence)

    def _tail(
        self, tokens: Sequence[_Syllable], items: Sequence[_Item], i: int
    ) -> tuple[tuple[_Item, ...], str, bool] | None:
        """Read what follows a name: districts, "cũ", a sentence going on. None if it is foreign or unknown."""
        areas: list[_Item] = []
        hint = ""
        begin = i
        while i < len(items):
            item = items[i]
            word = tokens[item.start : item.end]
            if item.units:
                if _is_foreign(item):
                    return None
                areas.append(item)
            elif item.kind:
                return (tuple(areas), hint, True) if self._asks(tokens, items, i + 1) else None
            elif i == begin and _is_word(word, _OLD_LEXICON):
                hint = "cũ"
            elif i == begin and _is_word(word, _NEW_LEXICON) and i + 1 == len(items):
                hint = "mới"
            elif (word[0].hard or word[0].punct) and _is_word(word, _BELOW_LEXICON):
                while i + 1 < len(items) and not tokens[items[i + 1].start].hard:
                    i += 1
            elif _is_word(word, _PLACE_LEXICON) and i + 1 < len(items) and items[i + 1].units:
                pass  # "Vi Hương ở Bạch Thông": the next piece decides
            elif _is_word(word, _CONNECTIVE_LEXICON):
                return (tuple(areas), hint, True) if self._goes_on(tokens, items, i) else None
            elif not (word[0].base.isdigit() or _is_word(word, _TAIL_LEXICON)):
                return None
            i += 1
        return tuple(areas), hint, False

    def _goes_on(self, tokens: Sequence[_Syllable], items: Sequence[_Item], i: int) -> bool:
        """Whether the sentence that begins with the word `i` leaves the name before it what it is."""
        if _is_word(tokens[items[i].start : items[i].end], _PLACE_LEXICON):
            return self._asks(tokens, items, i + 1)
        if i + 1 == len(items):
            return True
        follows = items[i + 1]
        return not _is_foreign(follows) and (
            not follows.kind or bool(follows.units) or self._asks(tokens, items, i + 2)
        )

    @staticmethod
    def _asks(tokens: Sequence[_Syllable], items: Sequence[_Item], i: int) -> bool:
        """Whether the text goes on as a question ("… là xã nào") or ends."""
        return i >= len(items) or _is_word(tokens[items[i].start : items[i].end], _ASKING_LEXICON)

    def _read(self, item: _Item, context: _Context) -> _Finding | None:
        """Decide between the units a name stands for; None if the areas named with it contradict them all."""
        readings = [
            _Reading(code, unit)
            for unit in sorted(item.having(*_WARD_ROLES), key=lambda u: u.role != "new")
            for code in unit.codes
        ]
        if context.hint:
            role = "old" if context.hint == "cũ" else "new"
            readings = [r for r in readings if r.unit.role == role] or readings
        certain: set[_Reading] = set()
        agreed = False
        for area in context.areas:
            fits = {reading: fit for reading in readings if (fit := self._fits(reading, area))}
            if not fits:
                return None
            agreed = True
            certain.update(reading for reading, fit in fits.items() if fit > 1)
            readings = list(fits)
        if context.needs_area and not agreed:
            return None
        if item.kind:
            readings = [r for r in readings if r.unit.kind == item.kind] or readings
        readings = [r for r in readings if r in certain] or readings
        readings = _absorb(readings)
        settled = len({reading.code for reading in readings}) == 1
        district = item.having("district")
        if not item.kind and district and readings[0].unit.role == "new" and self._is_old_system(context.areas):
            # "Bạch Thông, Bắc Kạn": before the merger that was the district.
            readings += [_Reading(code, _AREA) for unit in district for code in unit.codes]
            settled = False
        if item.having("foreign") and not context.anchored and not agreed:
            # "Hòa Bình" alone is a province first, the old commune of Đồng Hỷ perhaps.
            settled = False
        return _Finding(tuple(readings), settled)

    def _fits(self, reading: _Reading, area: _Item) -> int:
        """Whether a unit lies in an area: 0 no, 1 yes, 2 yes and only by its old name."""
        best = 0
        old = reading.unit.role == "old"
        sure = 1 if area.having("province") else 2  # "Thái Nguyên" without a kind is not surely the old city
        for unit in area.units:
            if unit.role == "district":
                if old and unit.district == reading.unit.district:
                    best = sure
                elif not old and unit.district in self._districts_of[reading.code]:
                    best = max(best, 1)
            elif unit.role == "province":
                provinces = {reading.unit.province} if old else self._provinces_of[reading.code]
                if unit.province == self.title or unit.province in provinces:
                    best = max(best, 1)
            elif unit.role in _WARD_ROLES and reading.code in unit.codes:
                best = max(best, 1)
        return best

    def _is_old_system(self, areas: Iterable[_Item]) -> bool:
        return any(unit.province in self._old_provinces for area in areas for unit in area.having("province"))

    def _by_areas(self, tokens: Sequence[_Syllable], items: Sequence[_Item]) -> _Finding | None:
        """Read a district or province named alone: the units that came from it, of the narrowest one named."""
        best: _Finding | None = None
        for k, item in enumerate(items):
            units = (*item.having("district"), *item.having("province"))
            if not units or max(len(name.base) for name in item.names) < SHORTEST_JOINED - 1:
                continue
            context = self._context(tokens, items, k)
            if context is None or context.needs_area or (context.sentence and not context.anchored):
                continue
            same = [unit for unit in units if unit.kind == item.kind] or units
            codes = dict.fromkeys(code for unit in same for code in unit.codes)
            if best is None or len(codes) < len(best.readings):
                best = _Finding(tuple(_Reading(code, _AREA) for code in codes), settled=False)
        return best

    # --- small slips of the key ---

    def _by_misspelling(self, tokens: Sequence[_Syllable]) -> _Finding | None:
        """Read a name with one wrong letter or one wrong accent, if only one name of the province is so near."""
        near: dict[str, _Finding] = {}
        for start in range(len(tokens) if len(tokens) <= MAX_TOKENS_MISSPELT else 0):
            head = self._segment(tokens[:start])
            if start and not head[-1].kind and not (tokens[start].hard or tokens[start].punct):
                words = [tokens[h.start : h.end] for h in head]
                if not _is_word(words[-1], _WHERE_LEXICON) and not all(_is_word(w, _LEAD_LEXICON) for w in words):
                    continue
            for end in range(start + 1, min(start + MAX_SYLLABLES - 1, len(tokens)) + 1):
                typed = tokens[start:end]
                if any(t.hard for t in typed[1:]):
                    break
                for name in self._near(typed):
                    if _is_slip(typed, name) and (found := self._read_misspelt(tokens, head, start, end, name)):
                        near[_spelt(name.syllables)] = found
        return next(iter(near.values())) if len(near) == 1 else None

    def _near(self, typed: Sequence[_Syllable]) -> Iterable[_Name]:
        shorter = _shortened("".join(t.base for t in typed))
        return {id(name): name for form in shorter for name in self._misspelt.get(form, ())}.values()

    def _read_misspelt(
        self, tokens: Sequence[_Syllable], head: list[_Item], start: int, end: int, name: _Name
    ) -> _Finding | None:
        kind = head[-1].kind if head and not head[-1].units else ""
        units = _bearing([name], kind)
        if not units:
            return None
        before = head[:-1] if kind else head
        item = _Item(head[-1].start if kind else start, end, (name,), units, kind)
        after = [replace(i, start=i.start + end, end=i.end + end) for i in self._segment(tokens[end:])]
        context = self._context(tokens, [*before, item, *after], len(before))
        if context is None or context.needs_area or context.sentence:
            return None
        if not context.areas:
            proper = all(t.capital for t in tokens[start:end])
            home = bool(before) and _is_word(tokens[before[-1].start : before[-1].end], _HOME_LEXICON)
            if self._elsewhere.knows(tokens[start:end]):
                return None
            if not (kind or home or proper) and self._elsewhere.is_sound(tokens[start:end], name.syllables):
                return None
        return self._read(item, context)


_AREA: Final = _Unit("district", "", "")
"""Stands for the way by a district or province in a reading."""


def _is_foreign(item: _Item) -> bool:
    return bool(item.units) and all(unit.role == "foreign" for unit in item.units)


def _says_more(found: _Finding, than: _Finding) -> bool:
    """Whether a finding is clearer: one unit instead of several, an old name instead of its new one."""
    if found.settled != than.settled:
        return found.settled
    return found.settled and found.is_old and not than.is_old


def _absorb(readings: list[_Reading]) -> list[_Reading]:
    """Drop old units that the unit of today of the same name took in: the new one is meant."""
    new = {r.code for r in readings if r.unit.role == "new"}
    return [r for r in readings if r.unit.role == "new" or not new.intersection(r.unit.codes)]


def _bearing(names: Iterable[_Name], kind: str) -> tuple[_Unit, ...]:
    """Return the units of these names that may bear a kind word."""
    units = [unit for name in names for unit in name.units]
    if not kind:
        return tuple(units)
    strict = [unit for unit in units if unit.role in _ROLES_OF_KIND[kind]]
    if any(unit.kind == kind and unit.role not in _WARD_ROLES for unit in strict):
        strict = [unit for unit in strict if unit.kind == kind or unit.role == "foreign"]
    return tuple(strict or (unit for unit in units if unit.role in _LENIENT_KINDS.get(kind, ())))


def _kind_at(tokens: Sequence[_Syllable], i: int) -> tuple[str, int] | None:
    for width in (2, 1):
        typed = tokens[i : i + width]
        if len(typed) == width and (known := _KIND_LEXICON.get(_plain(typed))):
            word, kind = known
            if not any(t.hard for t in typed[1:]) and not _unlike(typed, word)[0]:
                return kind, width
    return None


def _shortened(base: str) -> Iterator[str]:
    yield base
    for i in range(len(base)):
        yield base[:i] + base[i + 1 :]


def _neighbourhood(names: Iterable[_Name]) -> dict[str, list[_Name]]:
    """Index names by their letters with one letter left out: two spellings one slip apart share such a form."""
    near: dict[str, list[_Name]] = {}
    for name in names:
        if len(name.base) >= SHORTEST_MISSPELT:
            for shorter in dict.fromkeys(_shortened(name.base)):
                near.setdefault(shorter, []).append(name)
    return near


def _is_slip(typed: Sequence[_Syllable], name: _Name) -> bool:
    """Whether one slip lies between what was typed and a name: a wrong accent, a wrong letter, a space moved."""
    left, right = "".join(t.base for t in typed), name.base
    if left == right:
        return _unlike(typed, name.syllables)[0] == int(_cut_alike(typed, name))
    if len(typed) != len(name.syllables) or OSA.distance(left, right, score_cutoff=1) != 1:
        return False
    swapped = sorted(left) == sorted(right)
    return len(right) >= SHORTEST_MISSPELT + (not swapped) and all(
        _may_be(t, n) if t.base == n.base else t.tone in ("", n.tone)
        for t, n in zip(typed, name.syllables, strict=True)
    )


# --- the data ---


def split_kind(full: str) -> tuple[str, str]:
    """Split a full name into the kind in lower case and the bare name: ("thị trấn", "Bằng Lũng").

    >>> split_kind("Thị trấn Bằng Lũng")
    ('thị trấn', 'Bằng Lũng')
    """
    for kind in _ROLES_OF_KIND:
        if full.lower().startswith(kind + " "):
            return kind, full[len(kind) + 1 :]
    return "", full


def slug_of(name: str) -> str:
    """Return a name in ASCII for addresses: "Phủ Thông" → "phu-thong"."""
    decomposed = unicodedata.normalize("NFD", name.lower()).replace("đ", "d")
    bare = "".join(char if char.isalnum() else " " for char in decomposed if not unicodedata.combining(char))
    return "-".join(bare.split())


def _slugs(rows: Sequence[_Row]) -> dict[str, str]:
    """Give each unit of today a slug; units that would share one get the old district added, at need the code."""
    plain = {row.code: slug_of(split_kind(row.ward)[1]) for row in rows}
    for lengthen in (
        {row.code: slug_of(split_kind(row.district)[1]) for row in reversed(rows)},
        {code: code for code in plain},
    ):
        taken = Counter(plain.values())
        plain = {code: f"{slug}-{lengthen[code]}" if taken[slug] > 1 else slug for code, slug in plain.items()}
    return plain


def _units(title: str, rows: Sequence[_Row], provinces: Sequence[str]) -> Iterator[tuple[str, _Unit]]:
    """Yield every (bare name, unit) of a province, and the other provinces' names."""
    new: dict[str, str] = {}
    old: dict[tuple[str, str, str], list[_Row]] = {}
    districts: dict[tuple[str, str], list[str]] = {}
    from_province: dict[str, list[str]] = {}
    for row in rows:
        new.setdefault(row.code, row.ward)
        old.setdefault((row.province, row.district, row.old_ward), []).append(row)
        districts.setdefault((row.province, row.district), []).append(row.code)
        from_province.setdefault(row.province, []).append(row.code)
    for code, full in new.items():
        kind, bare = split_kind(full)
        yield bare, _Unit("new", kind, full, (code,))
    for (province, district, full), pieces in old.items():
        kind, bare = split_kind(full)
        codes = tuple(row.code for row in sorted(pieces, key=lambda row: row.share == "part"))
        yield bare, _Unit("old", kind, full, codes, (province, district), split_kind(province)[1])
    for key, into in districts.items():
        kind, bare = split_kind(key[1])
        yield bare, _Unit("district", kind, key[1], tuple(dict.fromkeys(into)), key, split_kind(key[0])[1])
    own = {title}
    for full, into in from_province.items():
        kind, bare = split_kind(full)
        if bare != title:
            own.add(bare)
            yield bare, _Unit("province", kind, full, tuple(dict.fromkeys(into)), province=bare)
    yield title, _Unit("province", "tỉnh", title, tuple(new), province=title)
    for name in provinces:
        if name not in own:
            yield name, _Unit("foreign", "", name)


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
def _elsewhere() -> _Elsewhere:
    """Collect the names of the whole country (underthesea's table) and the words of its dictionary."""
    folder = _underthesea()
    table = json.loads((folder / "address" / "data" / "mapping.json").read_text(encoding="utf-8"))
    provinces = [info["short"] for part in ("province_names", "old_province_names") for info in table[part].values()]
    names = {row[key] for row in table["ward_mapping"] for key in ("old_ward", "new_ward", "old_district")}
    bare = {split_kind(unicodedata.normalize("NFC", name))[1].lower() for name in names}
    words = {
        word
        for line in (folder / "corpus" / "data" / "Viet74K.txt").read_text(encoding="utf-8-sig").splitlines()
        if " " in (word := unicodedata.normalize("NFC", line.strip())) and word.islower()
    }
    spelt_names, plain_names = _folded(bare)
    spelt_words, plain_words = _folded(words)
    syllables = frozenset(piece for word in (*spelt_words, *plain_words) for piece in word.split())
    return _Elsewhere(tuple(dict.fromkeys(provinces)), spelt_names, plain_names, spelt_words, plain_words, syllables)


def _folded(words: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return words as `_spelt` and as `_plain` write them."""
    spelt: set[str] = set()
    plain: set[str] = set()
    known: dict[str, tuple[str, str]] = {}
    for word in words:
        pieces = []
        for piece in word.split():
            if piece not in known:
                syllables = syllables_of(piece)
                known[piece] = (_spelt(syllables), _plain(syllables))
            pieces.append(known[piece])
        spelt.add(" ".join(piece[0] for piece in pieces))
        plain.add(" ".join(piece[1] for piece in pieces))
    return frozenset(spelt), frozenset(plain)


def _national_rows(province: str) -> list[_Row]:
    """Read a province out of underthesea's table; codes and the few names missing there come from our own files."""
    today = [row for row in _read_table(DATA / "viet-nam.tsv") if row["province"] == province]
    by_name = {row["name"].lower().replace(" ", ""): row for row in today}
    missing = {
        (row["province_key"], row["district_key"], row["ward_key"]): row["name"]
        for row in _read_table(DATA / "old-names.tsv")
    }
    table = json.loads((_underthesea() / "address" / "data" / "mapping.json").read_text(encoding="utf-8"))
    rows = []
    for record in table["ward_mapping"]:
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
        rows.append(_Row(new["code"], new["name"], old, record["old_district"], record["old_province"], share))
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
            _Row(r["code"], r["ward"], r["old_ward"], r["old_district"], r["old_province"], r["share"])
            for r in _read_table(own)
        ]
    else:
        rows = _national_rows(known[province])
    return Places(title, rows, _elsewhere())
