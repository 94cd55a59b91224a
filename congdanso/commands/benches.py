"""More of `bench`: measurements that are not about the language model."""

from __future__ import annotations

from functools import partial

import click

from congdanso.commands.base import Failure, print_json
from congdanso.commands.language import bench

__all__ = ["bench"]


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
