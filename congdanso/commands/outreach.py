"""`announce` and `stats`: what officers and outreach teams do."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, TextIO

import click

from congdanso.commands.base import Failure, print_json
from congdanso.settings import Settings


@click.command()
@click.option("--unit", required=True, help="mã xã, phường (phu-thong) hoặc tỉnh")
@click.option(
    "--text-file",
    "text_file",
    required=True,
    type=click.File(encoding="utf-8"),
    help="tệp nội dung; - là đầu vào chuẩn",
)
@click.option("--as", "officer", help="tên đăng nhập của cán bộ gửi")
@click.option("--test", "trial", type=int, help="chỉ gửi thử vào một cuộc trò chuyện (số)")
@click.option("--dry-run", is_flag=True, help="chỉ đếm và cho xem, không gửi")
@click.option("--urgent", "urgent_reason", help="lý do gửi khẩn, được gửi cả ban đêm")
@click.option("--key", help="tên riêng của lần gửi: gọi lại cùng tên thì không gửi lần nữa")
@click.option("--again", is_flag=True, help="gửi dù nội dung này vừa gửi trong 7 ngày")
@click.option("--detach", is_flag=True, help="chỉ ghi lại, để máy chủ gửi")
def announce(text_file: TextIO, **options: Any) -> None:
    """Gửi một thông báo cho người dân đã đăng ký của một xã, phường."""
    from bot.announcements.service import Refused
    from congdanso.announcing import Order
    from congdanso.announcing import announce as carry_out
    from congdanso.logs import setup

    setup(level=logging.ERROR)
    try:
        text = text_file.read()
    except UnicodeDecodeError as error:
        raise Failure("tệp nội dung không phải chữ UTF-8") from error
    try:
        settings = Settings()
        options["officer"] = options["officer"] or settings.officer or None
        asyncio.run(carry_out(settings, Order(text=text, **options), click.echo))
    except Refused as error:
        raise Failure(" ".join(error.problems)) from error
    except (ValueError, OSError) as error:
        raise Failure(str(error)) from error


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
