"""The `stats` command: figures of the last days, on the screen, as a workbook, as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path

from analytics.figures import Figures, figures
from bot.storage.database import Database
from congdanso.app import utc_now
from congdanso.brain import today
from congdanso.settings import Settings
from console.names import CatalogueNames
from console.units import province_of, within
from content import library as libraries
from content import packs
from content.fonts import FONTS
from content.places import Places, load_places
from migrations.upgrade import upgrade


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked on the command line."""

    days: int
    unit: str | None
    xlsx: Path | None
    png: Path | None


async def collect(settings: Settings, wanted: Wanted) -> tuple[Figures, CatalogueNames]:
    """Return the figures and the names to tell them with; files that were asked for are written.

    Raises:
        ValueError: there is no such unit.
        OSError: a file cannot be written.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    places = load_places(settings.province)
    library = libraries.load()
    names = CatalogueNames(library, places, {p.slug: p.title for p in packs.load(topics=set(library)).values()})
    until = today(utc_now())
    since = until - timedelta(days=wanted.days - 1)
    database = Database(settings.url())
    try:
        await upgrade(database)
        async with database.read() as connection:
            found = await figures(connection, since=since, until=until, units=_units(places, wanted.unit))
    finally:
        await database.close()
    if wanted.xlsx is not None:
        from analytics.report import write_xlsx

        book = BytesIO()
        write_xlsx(found, book, names)
        wanted.xlsx.write_bytes(book.getvalue())
    if wanted.png is not None:
        from analytics import charts

        wanted.png.write_bytes(charts.png(charts.by_day(found), FONTS))
    return found, names


def _units(places: Places, unit: str | None) -> tuple[str, ...] | None:
    """The communes of a unit; None for the whole province, where those who chose none are counted too.

    Raises:
        ValueError: there is no such unit.
    """
    if unit is None or unit == province_of(places):
        return None
    if not (units := within(places, unit)):
        raise ValueError(f"không có xã, phường nào có mã {unit!r}; ví dụ: {next(iter(places.wards())).slug}")
    return units
