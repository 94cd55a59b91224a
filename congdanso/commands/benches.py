"""`bench chat` and `bench announce`: measured side by side, printed as ratios."""

from __future__ import annotations

from functools import partial

import click

from congdanso.commands.base import Failure, print_json
from congdanso.commands.language import bench
from congdanso.settings import Settings

__all__ = ["bench"]


@bench.command("chat")
@click.option("--quick", is_flag=True, help="dưới một phút, không đo hệ đối chứng")
@click.option("--json", "as_json", is_flag=True, help="in ra một đối tượng JSON")
def bench_chat(quick: bool, as_json: bool) -> None:
    """Từ tin nhắn vào đến câu trả lời ra, trên SQLite và PostgreSQL, bên cạnh máy chủ Rasa gốc."""
    from congdanso import bench_chat as measuring
    from congdanso import model as models
    from congdanso.bench_nlu import CannotMeasure
    from content.places import load_places

    settings = Settings()
    if not models.model_file(settings, load_places(settings.province)).is_file():
        models.train_in_subprocess()
    try:
        found = measuring.measure(settings, lambda line: click.echo(line, err=True), quick=quick)
    except CannotMeasure as error:
        raise Failure(str(error)) from error
    if as_json:
        print_json(found.as_dict())
    else:
        click.echo(found.as_markdown())


@bench.command("announce")
@click.option(
    "--recipients", default=100_000, show_default=True, type=click.IntRange(1_000), help="số người nhận khi đo động cơ"
)
@click.option("--quick", is_flag=True, help="xong trong 50 giây")
@click.option("--json", "as_json", is_flag=True)
def bench_announce(recipients: int, quick: bool, as_json: bool) -> None:
    """Gửi thông báo: động cơ, mức dùng giới hạn của kênh, số lần bị từ chối, trả lời người dân trong lúc gửi."""
    import logging

    from congdanso import bench_announce as measuring
    from congdanso.logs import setup

    setup(level=logging.ERROR)
    try:
        report = measuring.run(recipients, quick=quick, say=partial(click.echo, err=True))
    except measuring.CannotMeasure as error:
        raise Failure(str(error)) from error
    if as_json:
        print_json(report.as_json())
    else:
        for line in report.as_text():
            click.echo(line)
