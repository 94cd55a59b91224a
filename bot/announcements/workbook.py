"""Tables as a workbook: one sheet each, numbers as numbers, and nothing that a citizen or officer wrote becomes a formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from bot.announcements.texts import told

_WIDTHS: Final = {"reason": 70}
"""Of columns, in characters."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table. `key` and `columns` are keys of the catalogue (`report.sheet_…`, `report.column_…`); floats are shares, 0 to 1."""

    key: str
    columns: Sequence[str]
    rows: Iterable[Sequence[object]]


def write_workbook(sheets: Sequence[Sheet], target: Path | BytesIO) -> None:
    """Write a workbook.

    Raises:
        OSError: the file cannot be written.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    options = {"strings_to_formulas": False, "strings_to_urls": False, "in_memory": True}
    book = xlsxwriter.Workbook(target if isinstance(target, BytesIO) else str(target), options)
    bold = book.add_format({"bold": True, "bottom": 1})
    shares = book.add_format({"num_format": "0.0%"})
    for sheet in sheets:
        page = book.add_worksheet(told("report", f"sheet_{sheet.key}"))
        page.freeze_panes(1, 0)
        for i, column in enumerate(sheet.columns):
            page.write_string(0, i, told("report", f"column_{column}"), bold)
            page.set_column(i, i, _WIDTHS.get(column, 40 if i == 0 else 16))
        for i, row in enumerate(sheet.rows, 1):
            for j, value in enumerate(row):
                if isinstance(value, float):
                    page.write_number(i, j, value, shares)
                elif isinstance(value, int):
                    page.write_number(i, j, value)
                else:
                    page.write_string(i, j, told("report", "hidden") if value is None else str(value))
    try:
        book.close()
    except FileCreateError as error:
        raise OSError(str(error)) from error
