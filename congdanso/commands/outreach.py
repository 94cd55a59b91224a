"""`stats`: what outreach teams read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from congdanso.commands.base import Failure, print_json
from congdanso.settings import Settings


@click.command()
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3660), help="số ngày, tính cả hôm nay")
@click.option("--unit", help="mã xã, phường; để trống là cả tỉnh")
@click.option("--xlsx", type=click.Path(dir_okay=False, path_type=Path), help="ghi ra tệp bảng tính")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="vẽ biểu đồ câu hỏi theo ngày")
@click.option("--json", "as_json", is_flag=True)
def stats(as_json: bool, **options: Any) -> None:
    """Mức độ sử dụng: người hỏi, câu hỏi theo chủ đề, tài liệu, thông báo, theo xã và kênh."""
    from analytics import report
    from congdanso.statistics import Wanted, collect

    try:
        figures, names = asyncio.run(collect(Settings(), Wanted(**options)))
    except (ValueError, OSError) as error:
        raise Failure(str(error)) from error
    if as_json:
        print_json(report.as_dict(figures))
    else:
        click.echo(report.as_text(figures, names))
