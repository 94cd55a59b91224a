"""Draws a pack's leaflet: one A4 page as PDF, or as a picture to look at.

Typst sets it (`leaflet.typ`): small, fast, and the text goes in as data, never as markup. The same pack, place and day
give the same bytes.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import segno
import typst

from content.fonts import FONTS
from content.library import ContentError
from content.packs import Leaflet, Pack
from content.texts import say

TEMPLATE: Final = Path(__file__).with_name("leaflet.typ")


@dataclass(frozen=True, slots=True)
class Imprint:
    """Whose leaflet it is.

    `publisher` is a unit with its kind ("Tỉnh Thái Nguyên", "Xã Phủ Thông"), `link` where its QR code leads: the bot,
    with the pack's campaign; "" leaves the code out.
    """

    publisher: str
    link: str = ""


def campaign_link(public_url: str, pack: str, unit: str = "") -> str:
    """Return the address that opens the web chat with a pack; "" while no public address is set."""
    if not public_url:
        return ""
    return f"{public_url.rstrip('/')}/?c=c_{pack}" + (f"_{unit}" if unit else "")


def render(pack: Pack, imprint: Imprint, *, form: Literal["pdf", "png"] = "pdf", ppi: float = 110.0) -> bytes:
    """Return the leaflet of a pack.

    Raises:
        ContentError: its words do not fit one page in type that can be read.
    """
    inputs = {"leaflet": json.dumps(_data(pack, imprint), ensure_ascii=False)}
    try:
        drawn = typst.compile(
            str(TEMPLATE),
            root=str(TEMPLATE.parent),
            font_paths=[str(FONTS)],
            ignore_system_fonts=True,
            format=form,
            ppi=ppi if form == "png" else None,
            sys_inputs=inputs,
        )
    except typst.TypstError as error:
        raise ContentError(f"{pack.slug}: không vẽ được tờ rơi: {error}") from error
    assert isinstance(drawn, bytes), "one page, one file"
    return drawn


def _data(pack: Pack, imprint: Imprint) -> dict[str, Any]:
    leaflet = pack.leaflet.leaflet
    assert isinstance(leaflet, Leaflet)
    newest = max(source.seen_on for source in pack.sources.values())
    return {
        "title": pack.leaflet.title,
        "pack": pack.title,
        "publisher": imprint.publisher,
        "keywords": list(pack.topics),
        **leaflet.model_dump(),
        "ask": say("leaflet_ask_scan" if imprint.link else "leaflet_ask"),
        "source_line": say(
            "leaflet_sources",
            titles="; ".join(source.title for source in pack.sources.values()),
            seen=f"{newest:%d/%m/%Y}",
        ),
        "made_by": say("leaflet_made_by", publisher=imprint.publisher, reviewed=f"{pack.reviewed_on:%d/%m/%Y}"),
        "qr": _qr(imprint.link),
        "qr_says": say("leaflet_qr", link=imprint.link) if imprint.link else "",
    }


def _qr(link: str) -> str:
    """Return a QR code as SVG text; "" for no link."""
    if not link:
        return ""
    out = io.BytesIO()
    segno.make(link, error="m", micro=False).save(out, kind="svg", scale=4, border=1, dark="#0b5a50", xmldecl=False)
    return out.getvalue().decode("utf-8")
