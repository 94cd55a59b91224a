"""Reports of how well the model understands: kept, compared with the last one, and drawn as one page for people."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from analytics import charts
from content.fonts import FONTS

if TYPE_CHECKING:
    from nlu.evaluation import Report

KEPT: Final = 20
"""How many reports are kept."""
PREFIX: Final = "evaluation-"
_NUMBER: Final = re.compile(r"[+\-]?[\d.,]*|=")
CSS: Final = """
body { max-width: 760px; margin: 24px auto; padding: 0 20px; color: #1a2321; }
body { font: 16px/1.5 system-ui, "Noto Sans", sans-serif; }
h1 { font-size: 26px; } h2 { margin-top: 36px; font-size: 20px; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid #cfd9d6; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; } p { color: #52605c; }
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a report was written, and how its main figures changed since the last one."""

    page: Path
    changes: dict[str, float]


def main_figures(report: Report) -> dict[str, float]:
    """Return the figures by which two models are compared; each is better the higher it is."""
    found = {f"first: {name}": row.first for name, row in report.accuracy.items()}
    found |= {f"first: {name} (telling)": row.first for name, row in report.kinds.items() if name != "plain"}
    found |= {"first three: clean": report.accuracy["clean"].first_three}
    found |= {"aspect": report.aspect} if report.aspect is not None else {}
    found |= {f"AUROC: {name}": scope.auroc for name, scope in report.scope.items()}
    return found | {"in-scope messages let in": 1 - report.refused_in_scope}


def keep(report: Report, folder: Path, at: datetime) -> Kept:
    """Write a report as JSON and as a page, beside the ones of before; the oldest are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    earlier = sorted(folder.glob(f"{PREFIX}*.json"))
    before: dict[str, float] = json.loads(earlier[-1].read_text(encoding="utf-8"))["main"] if earlier else {}
    figures = main_figures(report)
    changes = {name: value - before[name] for name, value in figures.items() if name in before}
    stem = f"{PREFIX}{at:%Y%m%dT%H%M%SZ}"
    page = folder / f"{stem}.html"
    (folder / f"{stem}.json").write_text(
        json.dumps({"main": figures, **report.as_dict()}, ensure_ascii=False), encoding="utf-8"
    )
    page.write_text(as_page(report, changes, at), encoding="utf-8")
    for old in sorted(folder.glob(f"{PREFIX}*.json"))[:-KEPT]:
        old.unlink()
        old.with_suffix(".html").unlink(missing_ok=True)
    return Kept(page, changes)


def as_page(report: Report, changes: dict[str, float], at: datetime) -> str:
    """Return one page that needs nothing else: tables, and charts as inline SVG."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>How well messages are understood</title><style>{CSS}</style></head><body>",
        "<h1>How well messages are understood</h1>",
        f"<p>{report.examples} messages of the held-out split, {at:%Y-%m-%d %H:%M} UTC. ",
        f"One message takes {report.latency.p50:.2f} ms (median), {report.latency.p95:.2f} ms (95th percentile).</p>",
        "<h2>Main figures</h2>",
        _table(
            ("figure", "value", "change"),
            [(n, f"{v:.3f}", _change(changes.get(n))) for n, v in main_figures(report).items()],
        ),
        "<h2>By how people write</h2>",
        charts.svg(_accuracy(report), FONTS),
        "<h2>Can the confidence be believed?</h2>",
        f"<p>Expected calibration error {report.calibration_error:.3f}. ",
        "On the dashed line, a confidence of 0.8 is right eight times in ten.</p>",
        charts.svg(_reliability(report), FONTS),
        "<h2>Out of scope</h2>",
        _table(
            ("messages", "count", "AUROC", "pass at 95 % recall", "refused"),
            [
                (n, str(s.count), f"{s.auroc:.3f}", f"{s.false_positives:.3f}", f"{s.refused:.3f}")
                for n, s in report.scope.items()
            ],
        ),
        "<h2>Taken for another</h2>",
        _table(("meant", "found", "times"), [(m, f, str(n)) for m, f, n in report.confusions]),
        "<h2>Topics, the hardest first</h2>",
        _table(
            ("topic", "precision", "recall", "F1", "messages"),
            [
                (name, f"{t.precision:.3f}", f"{t.recall:.3f}", f"{t.f1:.3f}", str(t.support))
                for name, t in sorted(report.topics.items(), key=lambda item: item[1].f1)
            ],
        ),
        "</body></html>",
    ]
    return "\n".join(parts)


def _change(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:+.3f}" if abs(value) >= 0.0005 else "="


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table; a column of nothing but numbers stands to the right, its head too."""
    numbers = [all(_NUMBER.fullmatch(row[i]) for row in rows) for i in range(len(columns))]

    def cells(tag: str, row: tuple[str, ...]) -> str:
        return "".join(
            f"<{tag}{' class=n' if number else ''}>{html.escape(cell)}</{tag}>"
            for cell, number in zip(row, numbers, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', columns)}</tr></thead><tbody>{body}</tbody></table>"


def _accuracy(report: Report) -> Any:
    import altair as alt

    rows = [
        {"messages": name, "right": which, "share": share}
        for name, row in [
            *report.accuracy.items(),
            *((f"{k} (telling)", v) for k, v in report.kinds.items() if k != "plain"),
        ]
        for which, share in (("first", row.first), ("first three", row.first_three))
    ]
    base = alt.Chart(alt.InlineData(rows)).encode(
        y=alt.Y("messages:N", sort=None, title=None),
        yOffset=alt.YOffset("right:N", sort=["first three", "first"]),
        x=alt.X("share:Q", title=None, scale=alt.Scale(domain=[0.5, 1.0], clamp=True), axis=alt.Axis(format=".0%")),
        color=alt.Color(
            "right:N",
            title=None,
            scale=alt.Scale(domain=["first", "first three"], range=[charts.ACCENT, "#9fc7bf"]),
            legend=alt.Legend(orient="top"),
        ),
    )
    text = base.mark_text(align="right", dx=-4, fontSize=11).encode(
        text=alt.Text("share:Q", format=".3f"),
        color=alt.condition("datum.right == 'first'", alt.value("white"), alt.value(charts.INK)),
    )
    return charts.dressed(alt.layer(base.mark_bar(), text).properties(width=520, height=alt.Step(15)))


def _reliability(report: Report) -> Any:
    import altair as alt

    rows = [{"confidence": b.confidence, "right": b.right, "count": b.count} for b in report.reliability]
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("confidence:Q", title="confidence", scale=scale)
    y = alt.Y("right:Q", title="share right", scale=scale)
    ideal = alt.Chart(alt.InlineData([{"confidence": 0, "right": 0}, {"confidence": 1, "right": 1}]))
    line = ideal.mark_line(color="#9fb0ab", strokeDash=[5, 4]).encode(x=x, y=y)
    points = (
        alt.Chart(alt.InlineData(rows))
        .mark_circle(color=charts.ACCENT, opacity=0.9)
        .encode(x=x, y=y, size=alt.Size("count:Q", title="messages", scale=alt.Scale(type="sqrt", range=[30, 700])))
    )
    return charts.dressed(alt.layer(line, points).properties(width=380, height=380))
