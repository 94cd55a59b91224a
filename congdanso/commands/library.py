"""`content`: the shared library."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from congdanso.commands.base import Failure
from congdanso.settings import Settings


@click.group()
def content() -> None:
    """Kho nội dung dùng chung."""


@content.command("check")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=None)
def content_check(folder: Path | None) -> None:
    """Soát ngày hết hạn, nguồn, liên kết, tên chủ đề."""
    from congdanso.brain import today
    from content.check import check, read_expected
    from content.library import DATA

    expected = read_expected(DATA / "topics.tsv") if folder is None else None
    problems = check(folder or DATA, today(datetime.now(UTC)), expected)
    for problem in problems:
        click.echo(
            f"{problem.severity}: {problem.file}: {problem.where}: {problem.message}", err=problem.severity == "error"
        )
    errors = sum(p.severity == "error" for p in problems)
    click.echo(f"{errors} lỗi, {len(problems) - errors} lưu ý")
    if errors:
        raise Failure(f"kho nội dung có {errors} lỗi")


@content.command("make")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--unit", default="", help="mã xã, phường đứng tên; để trống là tỉnh")
@click.option("--png", is_flag=True, help="ra ảnh thay cho PDF")
def content_make(folder: Path, unit: str, png: bool) -> None:
    """Vẽ tờ rơi của mọi bộ tài liệu ra một thư mục."""
    from content import packs
    from content.leaflet import Imprint, campaign_link, render
    from content.library import ContentError
    from content.places import load_places, province_slug, unit_title

    settings = Settings()
    places = load_places(settings.province)
    try:
        publisher = places.by_slug(unit).name if unit else unit_title(places, province_slug(places))
    except KeyError:
        raise Failure(f"không có xã, phường nào có mã {unit!r}") from None
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for slug, pack in packs.load().items():
            imprint = Imprint(publisher, campaign_link(settings.public_url, slug, unit))
            path = folder / f"{slug}.{'png' if png else 'pdf'}"
            path.write_bytes(render(pack, imprint, form="png" if png else "pdf"))
            click.echo(path)
    except ContentError as error:
        raise Failure(str(error)) from error
