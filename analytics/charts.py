"""Charts of the figures by Altair, drawn by vl-convert without any network; readable on a phone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import altair as alt
import vl_convert

from analytics.figures import Figures
from analytics.report import Names
from analytics.texts import number, say

FONT: Final = "Be Vietnam Pro"
ACCENT: Final = "#0b5a50"
SECOND: Final = "#d08a2e"
INK: Final = "#1a2321"
WIDTH: Final = 640
TOPICS: Final = 10
LABEL: Final = 34
"""Characters of a topic's name beside its bar; the table has the whole."""
_DOTS: Final = "replace(format(datum.value, ',.0f'), /,/g, '.')"


def by_day(figures: Figures, *, width: int = WIDTH) -> Any:
    """Return questions and askers of each day as lines."""
    rows: list[dict[str, Any]] = []
    for row in figures.by_day:
        rows.append({"day": row.day.isoformat(), "what": say("charts", "questions"), "number": row.questions})
        if row.askers is not None:
            rows.append({"day": row.day.isoformat(), "what": say("charts", "askers"), "number": row.askers})
    order = [say("charts", "questions"), say("charts", "askers")]
    few = len(figures.by_day) <= 14
    chart = (
        alt.Chart(alt.InlineData(rows), title=say("charts", "by_day"))
        .mark_line(point=few, strokeWidth=2.5)
        .encode(
            x=alt.X(
                "day:T",
                title=None,
                scale=alt.Scale(type="utc"),
                axis=alt.Axis(format="%d/%m", labelOverlap="greedy", labelSeparation=10, grid=False),
            ),
            y=alt.Y(
                "number:Q",
                title=None,
                scale=alt.Scale(domainMin=0, nice=True),
                axis=alt.Axis(tickMinStep=1, labelExpr=_DOTS, tickCount=5),
            ),
            color=alt.Color(
                "what:N",
                title=None,
                sort=order,
                scale=alt.Scale(domain=order, range=[ACCENT, SECOND]),
                legend=alt.Legend(orient="top", symbolStrokeWidth=3),
            ),
            strokeDash=alt.StrokeDash("what:N", sort=order, legend=None),
        )
        .properties(width=width, height=240)
    )
    return dressed(chart)


def by_topic(figures: Figures, names: Names, *, width: int = WIDTH) -> Any:
    """Return the topics asked most as bars, the number at the end of each."""
    rows = [
        {"topic": _short(names.topic(row.topic)), "questions": row.questions, "label": number(row.questions)}
        for row in figures.topics[:TOPICS]
    ] or [{"topic": say("charts", "nothing"), "questions": 0, "label": "0"}]
    base = alt.Chart(alt.InlineData(rows), title=say("charts", "by_topic")).encode(
        y=alt.Y(
            "topic:N", sort=None, title=None, axis=alt.Axis(labelLimit=300, labelPadding=6, ticks=False, domain=False)
        ),
        x=alt.X("questions:Q", title=None, axis=None, scale=alt.Scale(domainMin=0)),
    )
    bars = base.mark_bar(color=ACCENT, cornerRadiusEnd=2, size=18)
    values = base.mark_text(align="left", dx=5, fontSize=14, color=INK).encode(text=alt.Text("label:N"))
    chart = alt.layer(bars, values).properties(width=width - 260, height=alt.Step(28))
    return dressed(chart)


def png(chart: Any, fonts: Path, *, scale: float = 2) -> bytes:
    """Draw a chart as a picture."""
    _use_fonts(fonts)
    return bytes(vl_convert.vegalite_to_png(chart.to_dict(), scale=scale))


def svg(chart: Any, fonts: Path) -> str:
    """Draw a chart as SVG, with the letters as paths' text in our own font and a fallback."""
    _use_fonts(fonts)
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


@lru_cache(maxsize=8)
def _use_fonts(fonts: Path) -> None:
    vl_convert.register_font_directory(str(fonts))


def _short(text: str) -> str:
    return text if len(text) <= LABEL else text[: LABEL - 1].rstrip() + "…"


def dressed(chart: Any) -> Any:
    """Give a chart the house's letters and colours."""
    return (
        chart.configure(font=f"{FONT}, Noto Sans, sans-serif", background="#ffffff", padding=12)
        .configure_axis(
            labelFontSize=14, labelColor=INK, gridColor="#e3eae8", domainColor="#9fb0ab", tickColor="#9fb0ab"
        )
        .configure_title(fontSize=17, anchor="start", color=INK, offset=12)
        .configure_legend(labelFontSize=14, labelColor=INK)
        .configure_view(stroke=None)
    )
