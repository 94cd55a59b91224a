"""The `congdanso` command. Each subcommand imports what it needs, so that `--help` and small commands start at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import warnings
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from congdanso.settings import Settings


class Failure(click.ClickException):
    """An error told in one line on standard error; the command ends with 1."""

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's signature
        click.echo(f"congdanso: {self.format_message()}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="congdanso")
def cli() -> None:
    """Công dân số: hỏi đáp dịch vụ công bằng tiếng Việt, có ghi nguồn."""


def main() -> None:
    """Run the command; what goes wrong is one line, not a traceback."""
    warnings.filterwarnings("ignore")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        cli(prog_name="congdanso")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _brain(settings: Settings) -> Any:
    from congdanso.brain import load_brain

    try:
        return load_brain(settings)
    except (ValueError, RuntimeError, OSError) as error:
        raise Failure(str(error)) from error


def _engine(settings: Settings) -> Any:
    """Load the language model alone: without library and database it is ready in half the time."""
    from congdanso.model import load_engine

    try:
        return load_engine(settings)
    except (ValueError, RuntimeError, OSError) as error:
        raise Failure(str(error)) from error


def _lines(stream: TextIO) -> Iterator[str]:
    for line in stream:
        yield line.rstrip("\r\n")


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


# serving


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
def serve(host: str, port: int, workers: int) -> None:
    """Phục vụ trang hỏi đáp, các kênh nhắn tin và việc đang chờ gửi."""
    import uvicorn

    from congdanso.logs import setup

    setup()
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    brain = _brain(settings)
    click.echo(f"Trang hỏi đáp: http://{host}:{port}/", err=True)
    address = f"http://{host}:{port}"
    if not settings.telegram_token.get_secret_value():
        click.echo("Telegram: chưa đặt CONGDANSO_TELEGRAM_TOKEN nên chưa bật.", err=True)
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "log_config": None,
        "access_log": False,
        "ws": "none",
        "timeout_graceful_shutdown": 10,
    }
    if workers == 1:
        from congdanso.app import create

        async def greet(accounts: Any) -> None:
            await _show_first_link(accounts, address)

        uvicorn.run(create(settings, brain, greet=greet), **options)
    else:
        _accounts(partial(_show_first_link, address=address))
        uvicorn.run("congdanso.app:create", factory=True, workers=workers, **options)


async def _show_first_link(accounts: Any, address: str) -> None:
    """While there is no administrator, print the one-time link that makes the first."""
    if token := await accounts.first_link():
        click.echo(f"Trang cán bộ, tạo tài khoản đầu tiên: {address}/console/link/{token}", err=True)


@cli.command()
def worker() -> None:
    """Chỉ làm việc đang chờ (trả lời, gửi tin), không mở cổng nào."""
    from congdanso.app import Server
    from congdanso.logs import setup

    setup()
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    brain = _brain(settings)

    async def run() -> None:
        async with Server(settings, brain).running():
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


# talking


@cli.command()
def chat() -> None:
    """Trò chuyện trong cửa sổ lệnh; qua ống dẫn thì mỗi dòng vào là một câu, mỗi khối ra là một câu trả lời."""
    from bot.conversation.model import Session

    brain = _brain(Settings())
    interactive = sys.stdin.isatty()
    session = Session()
    if interactive:
        click.echo(_block([brain.dialogue.actions.introduction()]))
        session = replace(session, greeted=True)
    while True:
        if interactive:
            click.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        turn = brain.answer(line.rstrip("\r\n"), session, datetime.now(UTC))
        session = turn.session
        click.echo(_block(turn.replies) + "\n")
        sys.stdout.flush()


def _block(replies: Any) -> str:
    from bot.conversation.answers import source_text

    parts = []
    for reply in replies:
        lines = [reply.text]
        if reply.source is not None:
            lines.append(source_text(reply.source))
        listed = reply.buttons and reply.buttons[0].label in reply.text
        if reply.buttons and not listed:
            lines.append(
                "  ".join(f"[{i}. {b.label}{' ' + b.url if b.url else ''}]" for i, b in enumerate(reply.buttons, 1))
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


@cli.command()
@click.argument("question")
@click.option("--json", "as_json", is_flag=True, help="in ra một đối tượng JSON")
def ask(question: str, as_json: bool) -> None:
    """Trả lời một câu hỏi."""
    from bot.codec import reply_to_json
    from bot.conversation.model import Session

    turn = _brain(Settings()).answer(question, Session(greeted=True), datetime.now(UTC))
    if as_json:
        _print_json(
            {
                "replies": [reply_to_json(r) for r in turn.replies],
                "topic": turn.topic,
                "aspect": turn.aspect,
                "status": turn.status.value,
            }
        )
    else:
        click.echo(_block(turn.replies))


@cli.command()
@click.option("--jsonl", is_flag=True, help="(mặc định) mỗi dòng ra là một đối tượng JSON")
def understand(jsonl: bool) -> None:
    """Đọc mỗi dòng một câu, in ra cách hiểu câu đó."""
    del jsonl
    engine = _engine(Settings())
    for line in _lines(sys.stdin):
        _print_json(engine.understand(line).as_dict())
        sys.stdout.flush()


@cli.command()
def talk() -> None:
    """Đọc dòng JSON {"conversation", "text"}, giữ mạch từng cuộc trò chuyện."""
    from bot.codec import reply_to_json
    from bot.conversation.model import Session

    brain = _brain(Settings())
    sessions: dict[str, Session] = {}
    for number, line in enumerate(_lines(sys.stdin), 1):
        if not line.strip():
            continue
        try:
            message = json.loads(line)
            conversation, text = str(message["conversation"]), str(message["text"])
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise Failure(f'dòng {number}: cần {{"conversation", "text"}} dạng JSON') from error
        turn = brain.answer(text, sessions.get(conversation, Session(greeted=True)), datetime.now(UTC))
        sessions[conversation] = turn.session
        _print_json(
            {
                "conversation": conversation,
                "replies": [reply_to_json(r) for r in turn.replies],
                "topic": turn.topic,
                "aspect": turn.aspect,
                "status": turn.status.value,
            }
        )
        sys.stdout.flush()


@cli.command()
@click.argument("text", required=False)
@click.option("--jsonl", is_flag=True, help="đọc mỗi dòng một tên từ đầu vào chuẩn")
def place(text: str | None, jsonl: bool) -> None:
    """Tra xã, phường hiện nay theo chữ người dân gõ."""
    from content.places import load_places

    if (text is None) != jsonl:
        raise Failure("cần một tên nơi, hoặc --jsonl để đọc từ đầu vào chuẩn")
    try:
        places = load_places(Settings().province)
    except ValueError as error:
        raise Failure(str(error)) from error
    for line in [text] if text is not None else _lines(sys.stdin):
        _print_json(places.resolve(line).as_dict())
        sys.stdout.flush()


# the language model


@cli.command()
@click.option("--force", is_flag=True, help="huấn luyện lại và dùng cả khi mô hình mới kém hơn")
def train(force: bool) -> None:
    """Huấn luyện mô hình ngôn ngữ cho dữ liệu hiện có."""
    from congdanso import model as models
    from congdanso.training import Worse, train_checked
    from content.places import load_places

    settings = Settings()
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


@cli.command()
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="tệp câu<TAB>chủ đề[<TAB>khía cạnh]",
)
@click.option("--json", "as_json", is_flag=True)
def evaluate(file: Path | None, as_json: bool) -> None:
    """Đo mô hình trên phần để riêng, hoặc trên một tệp."""
    from congdanso.training import measure

    settings = Settings()
    engine = _engine(settings)
    try:
        report = measure(engine, file)
    except ValueError as error:
        raise Failure(str(error)) from error
    if as_json:
        _print_json(report.as_dict())
    else:
        click.echo(report.as_markdown())
    if file is None:
        from congdanso.evaluation import keep

        kept = keep(report, settings.data_dir / "models" / "reports", datetime.now(UTC))
        for name, change in kept.changes.items():
            if abs(change) >= 0.0005:
                click.echo(f"{name}: {change:+.3f} so với lần đo trước", err=True)
        click.echo(f"Báo cáo có biểu đồ: {kept.page}", err=True)


@cli.group()
def bench() -> None:
    """Đo tốc độ, bộ nhớ, độ đúng; in ra tỉ số trong cùng một lần chạy."""


@bench.command("nlu")
@click.option("--sample", default=300, show_default=True, type=click.IntRange(10), help="số câu mỗi kiểu viết")
@click.option(
    "--epochs", default=100, show_default=True, type=click.IntRange(1), help="số vòng huấn luyện của Rasa gốc"
)
@click.option("--no-stock", is_flag=True, help="chỉ đo hệ này")
@click.option("--growth", help="số chủ đề để xem độ lớn, ví dụ 157,1570,6000")
def bench_nlu(sample: int, epochs: int, no_stock: bool, growth: str | None) -> None:
    """So với Rasa gốc trên cùng dữ liệu, cùng câu hỏi, một nhân."""
    from congdanso import bench_nlu as measuring
    from congdanso import model as models
    from content.places import load_places

    settings = Settings()
    folder = settings.data_dir / "bench"
    say = partial(click.echo, err=True)
    archive = models.model_file(settings, load_places(settings.province))
    if not archive.is_file():
        models.train_in_subprocess()
    try:
        if growth is not None:
            for line in measuring.grow([int(n) for n in growth.split(",")], folder, say):
                click.echo(line)
            return
        asked = measuring.messages(sample)
        other = None
        if not no_stock:
            python = measuring.stock_python(folder / "rasa-stock", say)
            other = measuring.stock(python, measuring.train_stock(python, folder, epochs, say), asked)
        for line in measuring.table(measuring.ours(archive, asked), other):
            click.echo(line)
    except (measuring.CannotMeasure, ValueError) as error:
        raise Failure(str(error)) from error


# the library


@cli.group()
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


# announcements


@cli.command()
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


@cli.command()
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
        _print_json(report.as_dict(figures))
    else:
        click.echo(report.as_text(figures, names))


# accounts


@cli.group()
def user() -> None:
    """Tài khoản của cán bộ."""


def _accounts(work: Callable[[Any], Awaitable[None]]) -> None:
    """Run something with the accounts over a migrated database; what is wrong is one line."""
    from bot.storage.database import Database
    from congdanso.app import utc_now
    from console.accounts import AccountError, Accounts
    from console.texts import say
    from content.places import load_places
    from migrations.upgrade import upgrade

    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def run() -> None:
        database = Database(settings.url())
        try:
            await upgrade(database)
            await work(Accounts(database, load_places(settings.province), utc_now, key=settings.key()))
        finally:
            await database.close()

    try:
        asyncio.run(run())
    except AccountError as error:
        raise Failure(say("account_errors", error.key, **error.values)) from error
    except ValueError as error:
        raise Failure(str(error)) from error


def _link(token: str) -> str:
    address = Settings().public_url.rstrip("/") or "http://127.0.0.1:8000"
    return f"{address}/console/link/{token}"


@user.command("add")
@click.option("--name", required=True, help="họ và tên")
@click.option("--unit", required=True, help="mã xã, phường (phu-thong) hoặc tỉnh")
@click.option("--role", required=True, help="viewer (xem), officer (gửi thông báo), approver (duyệt), admin (quản trị)")
def user_add(name: str, unit: str, role: str) -> None:
    """Thêm một cán bộ; in tên đăng nhập và đường dẫn đặt mật khẩu (dùng một lần, trong 24 giờ)."""

    async def work(accounts: Any) -> None:
        added, token = await accounts.add(name, unit, role)
        click.echo(f"Tên đăng nhập: {added.login}\nĐường dẫn đặt mật khẩu: {_link(token)}")

    _accounts(work)


@user.command("list")
def user_list() -> None:
    """Xem các tài khoản."""

    async def work(accounts: Any) -> None:
        for one in await accounts.list():
            state = "đã tắt" if not one.active else "đang dùng" if one.has_password else "chưa đặt mật khẩu"
            click.echo(f"{one.login}\t{one.name}\t{one.unit}\t{one.role}\t{state}")

    _accounts(work)


@user.command("disable")
@click.argument("login")
def user_disable(login: str) -> None:
    """Tắt một tài khoản; người đó bị thoát ra ngay."""

    async def work(accounts: Any) -> None:
        click.echo(f"Đã tắt tài khoản {(await accounts.disable(login)).login}")

    _accounts(work)


@user.command("reset-password")
@click.argument("login")
def user_reset_password(login: str) -> None:
    """Bỏ mật khẩu cũ, in đường dẫn mới để đặt mật khẩu."""

    async def work(accounts: Any) -> None:
        click.echo(f"Đường dẫn đặt mật khẩu: {_link(await accounts.reset_link(login))}")

    _accounts(work)


# operation


@cli.group()
def db() -> None:
    """Cơ sở dữ liệu."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Nâng cơ sở dữ liệu lên bản mới nhất."""
    from bot.storage.database import Database
    from migrations.upgrade import upgrade

    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def run() -> str:
        database = Database(settings.url())
        try:
            return await upgrade(database)
        finally:
            await database.close()

    click.echo(f"Cơ sở dữ liệu ở bản {asyncio.run(run())}")


@cli.command()
def doctor() -> None:
    """Xem từng phần có chạy được không, và nói cách sửa."""
    from congdanso.doctor import examine

    settings = Settings()
    bad = 0
    for part in examine(settings):
        click.echo(f"{'tốt ' if part.ok else 'HỎNG'}  {part.name}: {part.detail}")
        bad += not part.ok
    if bad:
        raise Failure(f"{bad} phần cần sửa")
