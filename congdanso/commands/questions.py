"""`questions`: what citizens asked and the bot could not answer; an officer answers or closes it."""

from __future__ import annotations

import sys
from typing import Any

import click

from congdanso.commands.announcements import as_json, as_officer, number, officer
from congdanso.commands.base import print_json


@click.group()
def questions() -> None:
    """Câu hỏi của người dân mà kênh chưa trả lời được: xem, trả lời, đóng."""


@questions.command("list")
@officer
@click.option("--unit", help="mã xã, phường; mặc định cả đơn vị của cán bộ và cấp dưới")
@click.option("--state", default="open", show_default=True, help="open, answered, closed")
@click.option("--kind", help="officer (gửi cán bộ), unknown (chưa có câu trả lời), unclear (chưa hiểu rõ)")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1, 5000))
@as_json
def list_(officer: str | None, as_json: bool, **options: Any) -> None:
    """Các câu hỏi của đơn vị và cấp dưới, chờ lâu nhất trước."""
    from bot.questions.desk import lines_of

    async def work(desk: Any, login: str) -> None:
        found = await desk.deliveries.questions.listing(login, **options)
        if as_json:
            for question in found:
                print_json(question.as_json())
        else:
            click.echo("\n".join(lines_of(found)))

    as_officer(officer, work)


@questions.command()
@number
@click.argument("text")
@officer
def answer(number: int, text: str, officer: str | None) -> None:
    """Trả lời một câu hỏi, một lần; người dân nhận tại nơi đã hỏi. TEXT là "-" thì đọc đầu vào chuẩn."""
    from bot.questions.texts import say

    words = sys.stdin.read() if text == "-" else text

    async def work(desk: Any, login: str) -> None:
        await desk.deliveries.questions.answer(login, number, words)
        click.echo(say("answered", id=number))

    as_officer(officer, work)


@questions.command()
@number
@click.option("--reason", required=True, help="lý do")
@officer
def close(number: int, reason: str, officer: str | None) -> None:
    """Đóng một câu hỏi mà không trả lời; người dân không nhận tin nào."""
    from bot.questions.texts import say

    async def work(desk: Any, login: str) -> None:
        await desk.deliveries.questions.close(login, number, reason)
        click.echo(say("closed", id=number))

    as_officer(officer, work)
