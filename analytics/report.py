"""Figures as people read them: lines in a terminal, a workbook, JSON. Names come from the caller: they live elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Protocol

from analytics.figures import Figures, GroupRow
from analytics.texts import day, number, say, share

MOST: Final = 15
"""Rows of a table in the terminal; the workbook has all."""


class Names(Protocol):
    """What people call things; each returns the code itself for one it does not know."""

    def topic(self, slug: str) -> str: ...
    def unit(self, slug: str) -> str: ...
    def pack(self, slug: str) -> str: ...


def channel_name(channel: str | None) -> str:
    """Return what a channel is called."""
    if channel is None:
        return say("no_channel")
    try:
        return say("channels", channel)
    except KeyError:
        return channel


def overview(figures: Figures) -> list[tuple[str, str]]:
    """Return the headline figures, (what, value) in words."""
    answered, unknown = figures.statuses.get("answered", 0), figures.statuses.get("unknown", 0)
    deliveries = sum(row.deliveries for row in figures.by_channel)
    values = {
        "askers": number(figures.askers),
        "newcomers": number(figures.newcomers),
        "questions": number(figures.questions),
        "answered": f"{number(answered)} ({share(figures.answered_share)})",
        "unknown": f"{number(unknown)} ({share(figures.unknown_share)})",
        "officer_answers": number(figures.officer_answers),
        "materials": number(figures.given),
        "deliveries": number(deliveries),
        "communes_chosen": number(figures.communes_chosen),
        "subscribed": number(figures.subscribed),
        "unsubscribed": number(figures.unsubscribed),
    }
    return [(say("overview", key), value) for key, value in values.items()]


def as_text(figures: Figures, names: Names) -> str:
    """Return the figures as lines for a terminal."""
    units = ", ".join(names.unit(u) for u in figures.units) if figures.units else say("all_units")
    lines = [
        say("title", since=day(figures.since), until=day(figures.until)),
        say("of_units", units=units),
        "",
        *_aligned(overview(figures)),
    ]
    tables: list[tuple[str, list[tuple[str, ...]]]] = [
        ("topics", [(names.topic(r.topic), number(r.questions)) for r in figures.topics[:MOST]]),
        ("units", [(_unit(r, names), number(r.questions)) for r in figures.by_unit[:MOST]]),
        ("channels", [(channel_name(r.key), number(r.questions)) for r in figures.by_channel]),
        (
            "materials",
            [
                (f"{names.pack(r.pack)}, {r.item}, {channel_name(r.channel)}", number(r.given))
                for r in figures.materials[:MOST]
            ],
        ),
        (
            "announcements",
            [
                (f"{say('columns', 'announcement')} {r.announcement_id}: {state}", number(count))
                for r in figures.announcements[:MOST]
                for state, count in r.states.items()
            ],
        ),
    ]
    for sheet, rows in tables:
        if rows:
            lines += ["", say("sheets", sheet), *_aligned(rows)]
    return "\n".join(lines)


def as_dict(figures: Figures) -> dict[str, Any]:
    """Return the figures as JSON values; days as 2026-11-22."""
    found = asdict(figures) | {"answered_share": figures.answered_share, "unknown_share": figures.unknown_share}
    found["since"], found["until"] = figures.since.isoformat(), figures.until.isoformat()
    for row in found["by_day"]:
        row["day"] = row["day"].isoformat()
    return found


def write_xlsx(figures: Figures, target: Path | BytesIO, names: Names) -> None:
    """Write a workbook, one sheet for each table; numbers are numbers, texts are never formulas.

    Raises:
        OSError: the file cannot be written.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    book = xlsxwriter.Workbook(target if isinstance(target, BytesIO) else str(target), options)
    bold = book.add_format({"bold": True, "bottom": 1})
    whole = book.add_format({"num_format": "#,##0"})
    dated = book.add_format({"num_format": "dd/mm/yyyy"})

    def sheet(key: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        page = book.add_worksheet(say("sheets", key))
        page.freeze_panes(1, 0)
        for i, column in enumerate(columns):
            page.write_string(0, i, say("columns", column), bold)
            widest = max((len(str(row[i])) for row in rows), default=0)
            page.set_column(i, i, min(60, max(12, widest + 2)))
        for i, row in enumerate(rows, 1):
            for j, value in enumerate(row):
                if isinstance(value, bool | str) or value is None:
                    page.write_string(i, j, say("hidden", least=5) if value is None else str(value))
                elif isinstance(value, int):
                    page.write_number(i, j, value, whole)
                else:
                    page.write_datetime(i, j, value, dated)

    grouped = ("askers", "questions", "answered", "unknown", "materials", "deliveries")
    sheet("overview", ("what", "value"), overview(figures))
    sheet(
        "topics",
        ("topic", "questions", "answered", "unknown"),
        [(names.topic(r.topic), r.questions, r.answered, r.unknown) for r in figures.topics],
    )
    sheet("units", ("unit", *grouped), [(_unit(r, names), *_grouped(r)) for r in figures.by_unit])
    sheet("channels", ("channel", *grouped), [(channel_name(r.key), *_grouped(r)) for r in figures.by_channel])
    sheet(
        "days",
        ("day", "askers", "questions", "materials", "deliveries"),
        [(r.day, r.askers, r.questions, r.materials, r.deliveries) for r in figures.by_day],
    )
    sheet(
        "materials",
        ("pack", "item", "topic", "unit", "channel", "given"),
        [
            (
                names.pack(r.pack),
                r.item,
                names.topic(r.topic) if r.topic else say("no_topic"),
                names.unit(r.unit) if r.unit else say("no_unit"),
                channel_name(r.channel),
                r.given,
            )
            for r in figures.materials
        ],
    )
    sheet(
        "announcements",
        ("announcement", "state", "total"),
        [(str(r.announcement_id), state, count) for r in figures.announcements for state, count in r.states.items()],
    )
    try:
        book.close()
    except FileCreateError as error:
        raise OSError(str(error)) from error


def _grouped(row: GroupRow) -> tuple[int | None, ...]:
    return row.askers, row.questions, row.answered, row.unknown, row.materials, row.deliveries


def _unit(row: GroupRow, names: Names) -> str:
    return names.unit(row.key) if row.key else say("no_unit")


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widest = max(len(row[0]) for row in rows)
    return [f"  {row[0].ljust(widest)}  {row[1]:>12}" for row in rows]
