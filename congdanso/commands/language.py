"""`train`, `evaluate`, `bench nlu`: the language model."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from congdanso.commands.base import Failure, load_engine, print_json
from congdanso.settings import Settings

_MODEL = click.option(
    "--model",
    type=click.Path(dir_okay=False, path_type=Path),
    help="tệp mô hình .tar.gz khác, thay cho mô hình của kênh",
)


@click.command()
@click.option("--force", is_flag=True, help="huấn luyện lại và dùng cả khi mô hình mới kém hơn")
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    help="thư mục (hoặc tệp) dữ liệu Rasa NLU khác, cần kèm --model",
)
@_MODEL
def train(force: bool, data: Path | None, model: Path | None) -> None:
    """Huấn luyện mô hình ngôn ngữ cho dữ liệu hiện có, hoặc cho dữ liệu khác (--data, --model)."""
    from congdanso import bytecode
    from congdanso import model as models
    from congdanso.training import Worse, train_checked, train_other
    from content.places import load_places

    settings = Settings()
    if (data is None) != (model is None):
        raise Failure("--data và --model đi cùng nhau")
    if data is not None and model is not None:
        try:
            told = train_other(data, model, settings.data_dir / "models" / "vectors.npz")
        except ValueError as error:
            raise Failure(str(error)) from error
        click.echo(told, err=True)
        return
    places = load_places(settings.province)
    archive = models.model_file(settings, places)
    if archive.is_file() and not force:
        click.echo(f"Mô hình cho dữ liệu hiện có đã sẵn: {archive}", err=True)
        return
    try:
        report = train_checked(places, archive, force=force)
    except Worse as error:
        raise Failure(str(error)) from error
    click.echo(f"Đã huấn luyện: {archive}\n{report}", err=True)
    bytecode.keep()


@click.command()
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="tệp câu<TAB>chủ đề[<TAB>khía cạnh], hoặc tệp Rasa NLU",
)
@_MODEL
@click.option("--json", "as_json", is_flag=True)
def evaluate(file: Path | None, model: Path | None, as_json: bool) -> None:
    """Đo mô hình trên phần để riêng, hoặc trên một tệp."""
    from congdanso.training import measure

    settings = Settings()
    if model is not None and file is None:
        raise Failure("--model cần kèm --file")
    engine = load_engine(settings, model)
    try:
        report = measure(engine, file)
    except ValueError as error:
        raise Failure(str(error)) from error
    if as_json:
        print_json(report.as_dict())
    else:
        click.echo(report.as_markdown())
    if file is None:
        from congdanso.evaluation import keep

        kept = keep(report, settings.data_dir / "models" / "reports", datetime.now(UTC))
        for name, change in kept.changes.items():
            if abs(change) >= 0.0005:
                click.echo(f"{name}: {change:+.3f} so với lần đo trước", err=True)
        click.echo(f"Báo cáo có biểu đồ: {kept.page}", err=True)


@click.group()
def bench() -> None:
    """Đo tốc độ, bộ nhớ, độ đúng; in ra tỉ số trong cùng một lần chạy."""


@bench.command("nlu")
@click.option("--quick", is_flag=True, help="dưới 50 giây, không đo Rasa gốc và độ lớn")
@click.option("--json", "as_json", is_flag=True, help="in ra một đối tượng JSON")
@click.option("--sample", default=300, show_default=True, type=click.IntRange(10), help="số câu mỗi kiểu viết")
@click.option(
    "--epochs", default=100, show_default=True, type=click.IntRange(1), help="số vòng huấn luyện của Rasa gốc"
)
@click.option("--growth", default="157,1570,6000", show_default=True, help="số chủ đề để xem độ lớn; 0 để bỏ qua")
def bench_nlu(quick: bool, as_json: bool, sample: int, epochs: int, growth: str) -> None:
    """So với Rasa gốc trên cùng dữ liệu, cùng câu hỏi, một nhân; rồi độ lớn theo số chủ đề."""
    from congdanso import bench_nlu as measuring
    from congdanso import model as models
    from content.places import load_places

    settings = Settings()
    archive = models.model_file(settings, load_places(settings.province))
    if not archive.is_file():
        models.train_in_subprocess()
    try:
        sizes = [] if quick else [size for size in map(int, growth.split(",")) if size > 0]
        found = measuring.measure(
            settings, archive, partial(click.echo, err=True), quick=quick, sample=sample, epochs=epochs, sizes=sizes
        )
    except (measuring.CannotMeasure, ValueError) as error:
        raise Failure(str(error)) from error
    if as_json:
        print_json(found.as_dict())
    else:
        click.echo(found.as_markdown())
