"""When a repeated announcement comes again: rules by the clock of the province, moments computed, no clock read.

Vietnam keeps one time (UTC+7) all year; a rule is nevertheless kept as local time and turned into a moment at the end, so
that "the last day of the month at 7:30" means the province's last day, not that of UTC.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal

from bot.announcements.hours import QUIET_FROM, QUIET_UNTIL
from bot.announcements.texts import told
from bot.clock import ZONE

Every = Literal["day", "week", "month"]
LAST: Final = 0
"""As `day` of a monthly rule: the last day of the month, whichever number it has."""
LONGEST: Final = timedelta(days=366)
"""A rule that nobody looks at again ends after a year."""
_TIME: Final = re.compile(r"([01]?\d|2[0-3])[:h]([0-5]\d)?")


class BadSchedule(ValueError):
    """A rule that cannot be; the message says why, for the officer."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A rule: every day, on some weekdays (0 = Monday), or on a day of each month, at a time, within two days."""

    every: Every
    at: time
    since: date
    until: date
    weekdays: tuple[int, ...] = ()
    day: int = 1
    """1 to 31, or LAST. In a month that has fewer days, the last one."""

    def as_json(self) -> dict[str, Any]:
        """Return the rule for storage; `repeat_of` reads it."""
        return {
            "every": self.every,
            "at": f"{self.at:%H:%M}",
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "weekdays": list(self.weekdays),
            "day": self.day,
        }

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first moment of the rule that is later than another; None if there is none any more."""
        local = moment.astimezone(ZONE)
        day = max(self.since, local.date())
        while day <= self.until:
            if self._on(day):
                found = datetime.combine(day, self.at, ZONE)
                if found > moment:
                    return found
            day += timedelta(days=1)
        return None

    def in_words(self) -> str:
        """Return the rule as an officer reads it: "thứ Hai, thứ Năm hằng tuần lúc 7 giờ 30"."""
        words = {"at": _clock(self.at), "since": _day(self.since), "until": _day(self.until)}
        if self.every == "week":
            words["weekdays"] = ", ".join(told("weekdays", str(w)) for w in self.weekdays)
        if self.every == "month":
            words["day"] = told("repeats", "last_day") if self.day == LAST else told("repeats", "nth", day=self.day)
        return told("repeats", self.every, **words)

    def _on(self, day: date) -> bool:
        if self.every == "week":
            return day.weekday() in self.weekdays
        if self.every == "month":
            length = calendar.monthrange(day.year, day.month)[1]
            return day.day == (length if self.day == LAST else min(self.day, length))
        return True


def repeat_of(given: Mapping[str, Any], *, today: date, urgent: bool = False) -> Repeat:
    """Read a rule from what a form, a command or the database holds.

    Args:
        today: the first day where none is given.
        urgent: whether it may come at night.

    Raises:
        BadSchedule: it cannot be, for a reason told in words.
    """
    unknown = set(given) - {"every", "at", "since", "until", "weekdays", "day"}
    if unknown:
        raise BadSchedule(told("schedule_problems", "unknown", what=", ".join(sorted(map(str, unknown)))))
    every = given.get("every")
    if every not in ("day", "week", "month"):
        raise BadSchedule(told("schedule_problems", "every"))
    at = _time(given.get("at"))
    if not urgent and (at >= QUIET_FROM or at < QUIET_UNTIL):
        raise BadSchedule(told("schedule_problems", "night"))
    since = _date(given.get("since"), today)
    until = _date(given.get("until"), since + LONGEST)
    if until < since:
        raise BadSchedule(told("schedule_problems", "order"))
    if until - since > LONGEST:
        raise BadSchedule(told("schedule_problems", "long"))
    weekdays = given.get("weekdays") or ()
    if not isinstance(weekdays, list | tuple) or any(type(w) is not int or not 0 <= w <= 6 for w in weekdays):
        raise BadSchedule(told("schedule_problems", "weekdays"))
    if (every == "week") != bool(weekdays):
        raise BadSchedule(told("schedule_problems", "weekdays"))
    day = given.get("day", 1)
    if type(day) is not int or not 0 <= day <= 31:
        raise BadSchedule(told("schedule_problems", "day"))
    rule = Repeat(every, at, since, until, tuple(sorted(set(weekdays))), day)
    if rule.next_after(datetime.combine(since, time(), ZONE) - timedelta(seconds=1)) is None:
        raise BadSchedule(told("schedule_problems", "never"))
    return rule


def _time(given: Any) -> time:
    match = _TIME.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None:
        raise BadSchedule(told("schedule_problems", "at"))
    return time(int(match.group(1)), int(match.group(2) or 0))


def _date(given: Any, default: date) -> date:
    if given is None:
        return default
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        raise BadSchedule(told("schedule_problems", "date")) from None


def moment_of(given: str) -> datetime:
    """Read a moment by the clock of the province: "2026-12-01 08:00", or with its own zone.

    Raises:
        BadSchedule: it is none.
    """
    try:
        found = datetime.fromisoformat(given.strip())
    except ValueError:
        raise BadSchedule(told("schedule_problems", "moment")) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=ZONE)


def _clock(at: time) -> str:
    return f"{at.hour} giờ {at.minute:02}" if at.minute else f"{at.hour} giờ"


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"
