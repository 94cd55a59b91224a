"""`bench chat`: measured side by side, printed as ratios. The benches of other rooms join the same group."""

from __future__ import annotations

import click

from congdanso.commands.base import Failure, print_json
from congdanso.commands.language import bench
from congdanso.settings import Settings


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


__all__ = ["bench"]
