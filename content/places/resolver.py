"""The reader of what people call the units of one province."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from content.places.cutting import Cutter
from content.places.elsewhere import Elsewhere
from content.places.naming import slugs_of, split_kind, units_of
from content.places.reading import (
    AREA,
    absorb,
    bearing,
    is_foreign,
    is_slip,
    neighbourhood,
    says_more,
    shortened,
)
from content.places.spelling import (
    ASKING_LEXICON,
    BELOW_LEXICON,
    CONNECTIVE_LEXICON,
    HOME_LEXICON,
    LEAD_LEXICON,
    NEW_LEXICON,
    OLD_LEXICON,
    OPENING_LEXICON,
    PLACE_LEXICON,
    TAIL_LEXICON,
    WHERE_LEXICON,
    as_heard,
    is_word,
    joined_up,
    spelling_of,
    syllables_of,
)
from content.places.units import Candidate, Context, Finding, Item, Name, PlaceMatch, Reading, Row, Syllable, Ward
from content.places.words import (
    ALIASES,
    MAX_CHARS,
    MAX_SYLLABLES,
    MAX_TOKENS,
    MAX_TOKENS_MISSPELT,
    SHORTEST_JOINED,
    WARD_ROLES,
)


class Places:
    """The units of one province, by code and by slug, and the reader of what people call them."""

    def __init__(self, title: str, rows: Sequence[Row], elsewhere: Elsewhere) -> None:
        self.title = title
        self._elsewhere = elsewhere
        slugs = slugs_of(rows)
        former: dict[str, dict[str, None]] = {}
        for row in rows:
            former.setdefault(row.code, {}).setdefault(row.old_ward)
        self._wards: dict[str, Ward] = {}
        for row in rows:
            kind, _ = split_kind(row.ward)
            self._wards.setdefault(row.code, Ward(row.code, row.ward, kind, tuple(former[row.code]), slugs[row.code]))
        self._by_slug = {ward.slug: ward for ward in self._wards.values()}
        self._by_key: dict[str, Name] = {}
        self._index: dict[str, list[Name]] = {}
        self._districts_of: dict[str, set[tuple[str, str]]] = {}
        self._provinces_of: dict[str, set[str]] = {}
        self._old_provinces = {split_kind(row.province)[1] for row in rows} - {title}
        for row in rows:
            self._districts_of.setdefault(row.code, set()).add((row.province, row.district))
            self._provinces_of.setdefault(row.code, set()).add(split_kind(row.province)[1])
        names: dict[str, None] = {}
        for full, unit in units_of(title, rows, elsewhere.provinces):
            for spelling in (full, *ALIASES.get(full, ())):
                self._name(spelling).units.append(unit)
            if unit.role in WARD_ROLES:
                names.setdefault(full)
        self._names = tuple(names)
        self._cutter = Cutter(self._index)
        of_wards = [name for name in self._by_key.values() if any(unit.role in WARD_ROLES for unit in name.units)]
        self._misspelt = neighbourhood(of_wards)
        self._heard: dict[str, list[Name]] = {}
        for name in of_wards:
            self._heard.setdefault("".join(as_heard(s.base) for s in name.syllables), []).append(name)

    def _name(self, spelling: str) -> Name:
        syllables = tuple(replace(s, hard=False, punct=False, capital=False) for s in syllables_of(spelling))
        key = spelling_of(syllables)
        if key not in self._by_key:
            name = self._by_key[key] = Name(syllables)
            self._index.setdefault(joined_up([name.base]), []).append(name)
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
        items = self._cutter.segment(tokens)
        found = self._by_wards(tokens, items)
        if found is None and not any(is_foreign(item) for item in items):
            found = self._by_misspelling(tokens)
        if found is None:
            found = self._by_areas(tokens, items)
        if found is None:
            return PlaceMatch(text)
        candidates = tuple(dict.fromkeys(self._candidate(reading) for reading in found.readings))
        if found.settled:
            return PlaceMatch(text, candidates[0].ward, candidates[0].code, candidates[0].old_ward)
        return PlaceMatch(text, candidates=candidates)

    def _candidate(self, reading: Reading) -> Candidate:
        ward = self._wards[reading.code]
        old = reading.unit.full if reading.unit.role == "old" and reading.unit.full != ward.name else None
        return Candidate(ward.name, ward.code, old)

    # --- reading them ---

    def _by_wards(self, tokens: Sequence[Syllable], items: Sequence[Item]) -> Finding | None:
        """Read the names of communes; where the text contradicts all of them, they stay as candidates."""
        best: Finding | None = None
        contradicted: dict[Reading, None] = {}
        wards = [k for k, item in enumerate(items) if item.having(*WARD_ROLES)]
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
                    if best is None or says_more(found, best):
                        best = found
                elif not context.needs_area and (alone := self._read(items[k], replace(context, areas=()))):
                    contradicted.update(dict.fromkeys(alone.readings))
        if best is None and contradicted:
            return Finding(tuple(contradicted), settled=False)
        return best

    def _context(self, tokens: Sequence[Syllable], items: Sequence[Item], k: int) -> Context | None:
        """Look at what stands around a name; None if the text does not mean a place of the province by it."""
        item = items[k]
        left: list[Item] = []
        j = k - 1
        while j >= 0 and items[j].units:
            if is_foreign(items[j]):
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
            where = not head[-1].kind and is_word(words[-1], WHERE_LEXICON)
            village = any(is_word(w, BELOW_LEXICON) for w in words)
            led = [
                h.kind or is_word(w, LEAD_LEXICON) or (village and (w[0].base.isdigit() or is_word(w, BELOW_LEXICON)))
                for h, w in zip(head, words, strict=True)
            ]
            if item.kind or first.kind or where:
                anchored = True
            elif everyday:
                return None
            elif all(led) and (village or any(is_word(w, OPENING_LEXICON) for w in words)):
                anchored = True
            elif not (tokens[first.start].hard or tokens[first.start].punct):
                needs_area = True
        if everyday and sentence and not anchored:
            return None
        short = max(len(name.base) for name in item.names) <= 2
        if short and not item.kind and not where and len(items) > 1:
            return None  # "Đu": so short a name is believed with its kind, after "ở", or alone
        return Context((*left, *areas), hint, anchored, needs_area, sentence)

    def _tail(
        self, tokens: Sequence[Syllable], items: Sequence[Item], i: int
    ) -> tuple[tuple[Item, ...], str, bool] | None:
        """Read what follows a name: districts, "cũ", a sentence going on. None if it is foreign or unknown."""
        areas: list[Item] = []
        hint = ""
        begin = i
        while i < len(items):
            item = items[i]
            word = tokens[item.start : item.end]
            if item.units:
                if is_foreign(item):
                    return None
                areas.append(item)
            elif item.kind:
                return (tuple(areas), hint, True) if self._asks(tokens, items, i + 1) else None
            elif i == begin and is_word(word, OLD_LEXICON):
                hint = "cũ"
            elif i == begin and is_word(word, NEW_LEXICON) and i + 1 == len(items):
                hint = "mới"
            elif (word[0].hard or word[0].punct) and is_word(word, BELOW_LEXICON):
                while i + 1 < len(items) and not tokens[items[i + 1].start].hard:
                    i += 1
            elif is_word(word, PLACE_LEXICON) and i + 1 < len(items) and items[i + 1].units:
                pass  # "Vi Hương ở Bạch Thông": the next piece decides
            elif is_word(word, CONNECTIVE_LEXICON):
                return (tuple(areas), hint, True) if self._goes_on(tokens, items, i) else None
            elif not (word[0].base.isdigit() or is_word(word, TAIL_LEXICON)):
                return None
            i += 1
        return tuple(areas), hint, False

    def _goes_on(self, tokens: Sequence[Syllable], items: Sequence[Item], i: int) -> bool:
        """Whether the sentence that begins with the word `i` leaves the name before it what it is."""
        if is_word(tokens[items[i].start : items[i].end], PLACE_LEXICON):
            return self._asks(tokens, items, i + 1)
        if i + 1 == len(items):
            return True
        follows = items[i + 1]
        return not is_foreign(follows) and (not follows.kind or bool(follows.units) or self._asks(tokens, items, i + 2))

    @staticmethod
    def _asks(tokens: Sequence[Syllable], items: Sequence[Item], i: int) -> bool:
        """Whether the text goes on as a question ("… là xã nào") or ends."""
        return i >= len(items) or is_word(tokens[items[i].start : items[i].end], ASKING_LEXICON)

    def _read(self, item: Item, context: Context) -> Finding | None:
        """Decide between the units a name stands for; None if the areas named with it contradict them all."""
        readings = [
            Reading(code, unit)
            for unit in sorted(item.having(*WARD_ROLES), key=lambda u: u.role != "new")
            for code in unit.codes
        ]
        if context.hint:
            role = "old" if context.hint == "cũ" else "new"
            readings = [r for r in readings if r.unit.role == role] or readings
        certain: set[Reading] = set()
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
        readings = absorb(readings)
        settled = len({reading.code for reading in readings}) == 1
        district = item.having("district")
        if not item.kind and district and readings[0].unit.role == "new" and self._is_old_system(context.areas):
            # "Bạch Thông, Bắc Kạn": before the merger that was the district.
            readings += [Reading(code, AREA) for unit in district for code in unit.codes]
            settled = False
        if item.having("foreign") and not context.anchored and not agreed:
            # "Hòa Bình" alone is a province first, the old commune of Đồng Hỷ perhaps.
            settled = False
        return Finding(tuple(readings), settled)

    def _fits(self, reading: Reading, area: Item) -> int:
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
            elif unit.role in WARD_ROLES and reading.code in unit.codes:
                best = max(best, 1)
        return best

    def _is_old_system(self, areas: Iterable[Item]) -> bool:
        return any(unit.province in self._old_provinces for area in areas for unit in area.having("province"))

    def _by_areas(self, tokens: Sequence[Syllable], items: Sequence[Item]) -> Finding | None:
        """Read a district or province named alone: the units that came from it, of the narrowest one named."""
        best: Finding | None = None
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
                best = Finding(tuple(Reading(code, AREA) for code in codes), settled=False)
        return best

    # --- small slips of the key ---

    def _by_misspelling(self, tokens: Sequence[Syllable]) -> Finding | None:
        """Read a name with one wrong letter or one wrong accent, if only one name of the province is so near."""
        near: dict[str, Finding] = {}
        for start in range(len(tokens) if len(tokens) <= MAX_TOKENS_MISSPELT else 0):
            head = self._cutter.segment(tokens[:start])
            if start and not head[-1].kind and not (tokens[start].hard or tokens[start].punct):
                words = [tokens[h.start : h.end] for h in head]
                if not is_word(words[-1], WHERE_LEXICON) and not all(is_word(w, LEAD_LEXICON) for w in words):
                    continue
            for end in range(start + 1, min(start + MAX_SYLLABLES - 1, len(tokens)) + 1):
                typed = tokens[start:end]
                if any(t.hard for t in typed[1:]):
                    break
                for name in self._near(typed):
                    if is_slip(typed, name) and (found := self._read_misspelt(tokens, head, start, end, name)):
                        near[spelling_of(name.syllables)] = found
        return next(iter(near.values())) if len(near) == 1 else None

    def _near(self, typed: Sequence[Syllable]) -> Iterable[Name]:
        shorter = shortened("".join(t.base for t in typed))
        near = {id(name): name for form in shorter for name in self._misspelt.get(form, ())}
        heard = self._heard.get("".join(as_heard(t.base) for t in typed), ())
        return {**near, **{id(name): name for name in heard}}.values()

    def _read_misspelt(
        self, tokens: Sequence[Syllable], head: list[Item], start: int, end: int, name: Name
    ) -> Finding | None:
        kind = head[-1].kind if head and not head[-1].units else ""
        units = bearing([name], kind)
        if not units:
            return None
        before = head[:-1] if kind else head
        item = Item(head[-1].start if kind else start, end, (name,), units, kind)
        after = [replace(i, start=i.start + end, end=i.end + end) for i in self._cutter.segment(tokens[end:])]
        context = self._context(tokens, [*before, item, *after], len(before))
        if context is None or context.needs_area or context.sentence:
            return None
        if not context.areas:
            proper = all(t.capital for t in tokens[start:end])
            home = bool(before) and is_word(tokens[before[-1].start : before[-1].end], HOME_LEXICON)
            if self._elsewhere.knows(tokens[start:end]):
                return None
            if not (kind or home or proper) and self._elsewhere.is_sound(tokens[start:end], name.syllables):
                return None
        return self._read(item, context)
