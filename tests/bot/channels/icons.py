"""Draws the app's icons from `icon.svg`: `uv run python -m tests.bot.channels.icons` after the drawing has changed."""

from __future__ import annotations

import io
import re
from pathlib import Path

import vl_convert
from PIL import Image

STATIC = Path(__file__).parents[3] / "bot" / "channels" / "web" / "static"
GROUND = '<path fill="#0b5a50" d="M-99 -99h300v300h-300z"/>'
ICONS = {
    "icon-192.png": (192, "0 0 40 40"),
    "icon-512.png": (512, "0 0 40 40"),
    # A phone cuts any shape out of these, so the ground goes to the edge and the sign stands well inside.
    "icon-180.png": (180, "-7 -6.5 54 54"),
    "icon-maskable-512.png": (512, "-14 -13.5 68 68"),
}


def draw(name: str) -> Image.Image:
    """One icon, in full colours."""
    size, box = ICONS[name]
    found = re.search(r"<svg[^>]*>(.*)</svg>", (STATIC / "icon.svg").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    sign = found.group(1)
    if not box.startswith("0 0"):
        sign = GROUND + sign.replace("#0b5a50", "#x").replace("#fff", "#0b5a50").replace("#x", "#fff")
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" viewBox="{box}">{sign}</svg>'
    return Image.open(io.BytesIO(vl_convert.svg_to_png(svg, scale=1.0, ppi=72))).convert("RGBA")


if __name__ == "__main__":
    for icon in ICONS:
        draw(icon).quantize(48, method=Image.Quantize.FASTOCTREE).save(STATIC / icon, optimize=True)
