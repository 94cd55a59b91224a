"""`announce`: the whole way in one go with its old options, or one step of an officer as a subcommand."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from congdanso.commands.base import Failure, print_json
from congdanso.settings import Settings

Work = Callable[[Any, str], Awaitable[None]]


def _read(file: TextIO) -> str:
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise Failure("tệp nội dung không phải chữ UTF-8") from error


def carry_out(work: Callable[[], Awaitable[None]]) -> None:
    """Run something; what speaks against it is one line.

    Raises:
        Failure: it was refused.
    """
    from bot.announcements.service import Refused
    from congdanso.logs import setup

    setup(level=logging.ERROR)

    async def run() -> None:
        await work()

    try:
        asyncio.run(run())
    except Refused as error:
        raise Failure(" ".join(error.problems)) from error
    except (ValueError, OSError) as error:
        raise Failure(str(error)) from error


def as_officer(login: str | None, work: Work) -> None:
    """Run an act of an officer over the opened installation.

    Raises:
        Failure: nobody is named, or it was refused.
    """
    from bot.announcements.texts import say
    from congdanso.announcing import opened

    settings = Settings()
    login = login or settings.officer
    if not login:
        raise Failure(say("as_needed"))

    async def run() -> None:
        async with opened(settings) as desk:
            await work(desk, login)

    carry_out(run)


officer = click.option("--as", "officer", help="tên đăng nhập của cán bộ; mặc định CONGDANSO_OFFICER")
number = click.argument("number", type=int)
as_json = click.option("--json", "as_json", is_flag=True)
reason = click.option("--reason", required=True, help="lý do")
detach = click.option("--detach", is_flag=True, help="để máy chủ gửi")


@click.group(invoke_without_command=True)
@click.option("--unit", help="mã xã, phường (phu-thong) hoặc tỉnh")
@click.option("--text-file", "text_file", type=click.File(encoding="utf-8"), help="tệp nội dung; - là đầu vào chuẩn")
@officer
@click.option("--test", "trial", type=int, help="chỉ gửi thử vào cuộc trò chuyện (số) mà một cán bộ đã nối")
@click.option("--dry-run", is_flag=True, help="chỉ đếm và cho xem, không gửi")
@click.option("--urgent", "urgent_reason", help="lý do gửi khẩn, được gửi cả ban đêm")
@click.option("--key", help="tên riêng của lần gửi: gọi lại cùng tên thì không gửi lần nữa")
@click.option("--again", is_flag=True, help="gửi dù nội dung này vừa gửi trong 7 ngày")
@detach
@click.pass_context
def announce(context: click.Context, /, unit: str | None, text_file: TextIO | None, **options: Any) -> None:
    """Gửi thông báo cho người dân đã đăng ký: cả quá trình một lần, hoặc từng bước (draft, submit, approve…)."""
    if context.invoked_subcommand is not None:
        return
    from bot.announcements.texts import say
    from congdanso.announcing import Order
    from congdanso.announcing import announce as whole

    if unit is None or text_file is None:
        raise click.UsageError(say("flat_needs"), context)
    settings = Settings()
    options["officer"] = options["officer"] or settings.officer or None
    order = Order(unit=unit, text=_read(text_file), **options)
    carry_out(partial(whole, settings, order, click.echo))


_WRITING = (
    click.option("--unit", required=True, help="mã xã, phường (phu-thong) hoặc tỉnh"),
    click.option("--text-file", "text_file", required=True, type=click.File(encoding="utf-8"), help="- là đầu vào chuẩn"),
    click.option("--category", help="dich-vu-cong, thien-tai, lich-y-te, tap-huan, an-ninh, khac"),
    click.option("--urgent", "urgent_reason", help="lý do gửi khẩn"),
    click.option("--audience", help='người nhận, JSON: {"topics":["tam-tru"],"channels":["telegram"]}'),
    click.option("--button", "buttons", multiple=True, help="read, join, ask:chủ-đề[:tên], link:tên:địa-chỉ"),
    click.option("--document", "documents", multiple=True, help="tên bộ tài liệu gửi kèm"),
    click.option(
        "--body", "bodies", multiple=True, type=(str, click.Path(exists=True, dir_okay=False, path_type=Path)),
        help="lời riêng cho một kênh: KÊNH TỆP",
    ),
    click.option("--repeat", help="day@7:30, week:0,3@7:30, month:last@8:00, thêm ..2026-12-31 là ngày cuối"),
    click.option("--expires", help='quá lúc này thì không gửi nữa: "2026-12-01 17:00"'),
    click.option(
        "--template", "templates", multiple=True,
        help="Zalo OA: mẫu tin cho người ngoài 7 ngày, TÀI_KHOẢN (theo tuỳ chọn của tài khoản) hoặc TÀI_KHOẢN=MÃ; tốn phí",
    ),
    click.option(
        "--template-param", "template_params", multiple=True, help="tên=giá trị; điền được {noi_dung}, {xa}, {tinh}, {ngay}"
    ),
    click.option("--joins", is_flag=True, help="gửi cả cho người đăng ký trong lúc đang gửi"),
)  # fmt: skip


def writing(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of what is written."""
    for option in reversed(_WRITING):
        command = option(command)
    return command


def _written(text_file: TextIO, bodies: tuple[tuple[str, Path], ...], **options: Any) -> Any:
    from congdanso.officework import Written

    wordings = {channel: path.read_text(encoding="utf-8") for channel, path in bodies}
    return Written(text=_read(text_file), bodies=wordings, **options)


@announce.command()
@writing
@officer
@click.option("--key", help="tên riêng: gọi lại cùng tên thì không ghi lần nữa")
def draft(officer: str | None, key: str | None, **options: Any) -> None:
    """Ghi một bản nháp và cho xem."""
    from congdanso import officework

    async def work(desk: Any, login: str) -> None:
        await officework.draft(desk, login, _written(**options), click.echo, key=key)

    as_officer(officer, work)


@announce.command()
@number
@writing
@officer
def revise(number: int, officer: str | None, **options: Any) -> None:
    """Sửa; đã trình hay đã duyệt thì phải trình lại."""
    from bot.announcements.texts import say
    from congdanso import officework

    async def work(desk: Any, login: str) -> None:
        await desk.deliveries.desk.revise(login, number, await officework.wished(desk, _written(**options)))
        click.echo(say("revised", number=number))

    as_officer(officer, work)


@announce.command()
@number
@officer
def submit(number: int, officer: str | None) -> None:
    """Trình duyệt."""
    from congdanso import officework

    as_officer(officer, lambda desk, login: officework.submit(desk, login, number, click.echo))


@announce.command()
@number
@officer
@click.option("--version", help="bản đã xem (lệnh show); khác thì không duyệt")
@click.option("--note", default="", help="ghi chú")
def approve(number: int, officer: str | None, version: str | None, note: str) -> None:
    """Duyệt thông báo người khác viết: xem đủ trước, rồi duyệt đúng bản đã xem."""
    from congdanso import officework

    ask = click.confirm if sys.stdin.isatty() else None
    as_officer(
        officer,
        lambda desk, login: officework.approve(desk, login, number, click.echo, version=version, note=note, ask=ask),
    )


@announce.command("return")
@number
@officer
@reason
def return_(number: int, officer: str | None, reason: str) -> None:
    """Trả lại cho người viết."""
    from congdanso import officework

    as_officer(officer, lambda desk, login: officework.send_back(desk, login, number, reason, click.echo))


@announce.command()
@number
@officer
@click.option("--at", help='lúc gửi, giờ Việt Nam: "2026-12-01 08:00"; thông báo lặp lại thì theo lịch của nó')
def schedule(number: int, officer: str | None, at: str | None) -> None:
    """Đặt lịch gửi thông báo đã duyệt."""
    from bot.announcements.schedules import moment_of
    from bot.announcements.texts import say
    from bot.clock import ZONE

    async def work(desk: Any, login: str) -> None:
        when = await desk.deliveries.control.schedule(login, number, None if at is None else moment_of(at))
        click.echo(say("scheduled", number=number, when=f"{when.astimezone(ZONE):%H:%M %d/%m/%Y}"))

    as_officer(officer, work)


@announce.command()
@number
@officer
@detach
def send(number: int, officer: str | None, detach: bool) -> None:
    """Gửi ngay thông báo đã duyệt."""
    from congdanso import officework

    as_officer(officer, lambda desk, login: officework.send(desk, login, number, click.echo, detach=detach))


@announce.command()
@number
@officer
@click.option("--account", required=True, help="tên Zalo OA của đơn vị")
def article(number: int, officer: str | None, account: str) -> None:
    """Phát thông báo đã duyệt thành bài viết cho mọi người quan tâm một Zalo OA, chỉ một lần."""
    from congdanso import officework

    as_officer(officer, lambda desk, login: officework.article(desk, login, number, account, click.echo))


@announce.command()
@number
@officer
@click.option("--reason", default="", help="lý do")
def pause(number: int, officer: str | None, reason: str) -> None:
    """Tạm dừng; tin chưa gửi nằm chờ, thông báo đã đặt lịch chưa bắt đầu."""
    _act(officer, number, "paused", lambda desk, login: desk.deliveries.control.pause(login, number, reason))


@announce.command()
@number
@officer
def resume(number: int, officer: str | None) -> None:
    """Gửi tiếp thông báo đang tạm dừng."""
    _act(officer, number, "resumed", lambda desk, login: desk.deliveries.control.resume(login, number))


@announce.command()
@number
@officer
@click.option("--reason", default="", help="lý do")
def cancel(number: int, officer: str | None, reason: str) -> None:
    """Dừng hẳn; tin chưa gửi không gửi nữa."""
    _act(officer, number, "cancelled", lambda desk, login: desk.deliveries.control.cancel(login, number, reason))


@announce.command()
@number
@officer
@reason
@detach
def recall(number: int, officer: str | None, reason: str, detach: bool) -> None:
    """Thu hồi; người đã nhận được tin đính chính có ghi lý do."""
    from congdanso import officework

    as_officer(officer, lambda desk, login: officework.recall(desk, login, number, reason, click.echo, detach=detach))


@announce.command()
@number
@officer
@click.option("--to", "to", multiple=True, help="tên đăng nhập của cán bộ nhận thử; để trống là chính mình")
def test(number: int, officer: str | None, to: tuple[str, ...]) -> None:
    """Gửi thử cho mình hoặc cho cán bộ khác."""
    from congdanso import officework

    as_officer(officer, lambda desk, login: officework.test(desk, login, number, to, click.echo))


@announce.command()
@number
@officer
def preview(number: int, officer: str | None) -> None:
    """Xem đúng như từng kênh sẽ hiện."""
    from congdanso import officework

    as_officer(officer, lambda desk, login: officework.preview(desk, login, number, click.echo))


@announce.command()
@number
@officer
@as_json
def show(number: int, officer: str | None, as_json: bool) -> None:
    """Xem một thông báo: nội dung, dự báo, kết quả, lịch sử."""
    from congdanso import officework

    async def work(desk: Any, login: str) -> None:
        if as_json:
            print_json((await desk.deliveries.viewing.show(login, number)).as_json())
        else:
            await officework.show(desk, login, number, click.echo)

    as_officer(officer, work)


@announce.command("list")
@officer
@click.option("--state", "states", multiple=True, help="draft, in_review, approved, scheduled, sending, closed …")
@as_json
def list_(officer: str | None, states: tuple[str, ...], as_json: bool) -> None:
    """Các thông báo của đơn vị và cấp dưới, mới nhất trước."""
    from congdanso import officework

    async def work(desk: Any, login: str) -> None:
        for found in await officework.listing(desk, login, states):
            if as_json:
                print_json({"id": found.id, "unit": found.unit, "state": found.state, "counts": dict(found.counts)})
            else:
                click.echo(officework.row_of(found))

    as_officer(officer, work)


@announce.command()
@number
@officer
@as_json
@click.option("--xlsx", type=click.Path(dir_okay=False, path_type=Path), help="ghi ra tệp bảng tính")
def report(number: int, officer: str | None, as_json: bool, xlsx: Path | None) -> None:
    """Báo cáo một thông báo: phễu, lý do, theo xã và kênh, so với các lần trước."""

    async def work(desk: Any, login: str) -> None:
        reporting = desk.deliveries.reporting
        found = await reporting.report(login, number)
        if xlsx is not None:
            await asyncio.to_thread(reporting.write_xlsx, found, xlsx)
        if as_json:
            print_json(found.as_json())
        else:
            click.echo("\n".join(reporting.lines(found)))

    as_officer(officer, work)


@announce.command()
@number
@officer
@as_json
@click.option("--limit", default=200, show_default=True, type=click.IntRange(0), help="số dòng từng người")
@click.option(
    "--xlsx",
    type=click.Path(dir_okay=False, path_type=Path),
    help="ghi ra tệp bảng tính, nhiều nhất 10.000 dòng từng người",
)
def unreached(number: int, officer: str | None, as_json: bool, limit: int, xlsx: Path | None) -> None:
    """Ai không nhận được và vì sao: tổng hợp theo xã, kênh, lý do, rồi từng người (không ghi tên)."""
    from bot.announcements.unreached import MOST

    async def work(desk: Any, login: str) -> None:
        unreaching = desk.deliveries.unreaching
        if xlsx is not None:
            whole = await unreaching.unreached(login, number, limit=MOST)
            await asyncio.to_thread(unreaching.write_xlsx, whole, xlsx)
        found = await unreaching.unreached(login, number, limit=limit)
        if as_json:
            print_json(found.as_json())
        else:
            click.echo("\n".join(unreaching.lines(found)))

    as_officer(officer, work)


@announce.command()
@officer
@click.option("--unit", required=True)
@click.option("--second-person/--one-person", required=True, help="có cần người thứ hai duyệt không")
def policy(officer: str | None, unit: str, second_person: bool) -> None:
    """Đặt quy định: thông báo của đơn vị có cần người thứ hai duyệt không."""
    from bot.announcements.texts import say
    from content.places import province_slug

    async def work(desk: Any, login: str) -> None:
        await desk.deliveries.control.set_policy(login, unit, second_person=second_person)
        one = "policy_one_province" if unit == province_slug(desk.places) else "policy_one"
        what = say("policy_second" if second_person else one)
        click.echo(say("policy_set", unit=unit, what=what))

    as_officer(officer, work)


@announce.command()
@officer
@click.option("--unit", required=True)
@click.option("--save", "title", help="lưu dưới tên này")
@click.option("--audience", help="điều kiện, JSON")
@click.option("--remove", "name", help="bỏ danh sách tên này")
def audiences(officer: str | None, unit: str, title: str | None, audience: str | None, name: str | None) -> None:
    """Danh sách người nhận đã lưu; lưu thêm bằng --save và --audience, bỏ đi bằng --remove.

    Dùng khi viết thông báo: --audience '{"saved": "TÊN"}'.
    """
    from congdanso import officework

    async def work(desk: Any, login: str) -> None:
        if name is not None:
            await officework.remove_audience(desk, login, unit, name, click.echo)
        elif title is not None:
            await officework.save_audience(desk, login, unit, title, audience or "{}", click.echo)
        else:
            await officework.audiences(desk, login, unit, click.echo)

    as_officer(officer, work)


def _act(login: str | None, number: int, key: str, act: Work) -> None:
    from bot.announcements.texts import say

    async def work(desk: Any, name: str) -> None:
        await act(desk, name)
        click.echo(say(key, number=number))

    as_officer(login, work)
