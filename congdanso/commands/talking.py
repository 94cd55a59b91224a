"""`chat`, `ask`, `talk`, `understand`, `place`: the bot in a terminal."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from congdanso.commands.base import Failure, lines_of, load_brain, load_engine, print_json
from congdanso.settings import Settings


@click.command()
def chat() -> None:
    """Trò chuyện trong cửa sổ lệnh; qua ống dẫn thì mỗi dòng vào là một câu, mỗi khối ra là một câu trả lời."""
    from bot.conversation.model import Session

    brain = load_brain(Settings())
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


@click.command()
@click.argument("question")
@click.option("--json", "as_json", is_flag=True, help="in ra một đối tượng JSON")
def ask(question: str, as_json: bool) -> None:
    """Trả lời một câu hỏi."""
    from bot.codec import reply_to_json
    from bot.conversation.model import Session

    turn = load_brain(Settings()).answer(question, Session(greeted=True), datetime.now(UTC))
    if as_json:
        print_json(
            {
                "replies": [reply_to_json(r) for r in turn.replies],
                "topic": turn.topic,
                "aspect": turn.aspect,
                "status": turn.status.value,
            }
        )
    else:
        click.echo(_block(turn.replies))


@click.command()
@click.option("--jsonl", is_flag=True, help="(mặc định) mỗi dòng ra là một đối tượng JSON")
@click.option(
    "--model",
    type=click.Path(dir_okay=False, path_type=Path),
    help="tệp mô hình .tar.gz khác, thay cho mô hình của kênh",
)
def understand(jsonl: bool, model: Path | None) -> None:
    """Đọc mỗi dòng một câu, in ra cách hiểu câu đó."""
    del jsonl
    engine = load_engine(Settings(), model)
    for line in lines_of(sys.stdin):
        print_json(engine.understand(line).as_dict())
        sys.stdout.flush()


@click.command()
def talk() -> None:
    """Đọc dòng JSON {"conversation", "text"}, giữ mạch từng cuộc trò chuyện."""
    from bot.codec import reply_to_json
    from bot.conversation.model import Session

    brain = load_brain(Settings())
    sessions: dict[str, Session] = {}
    for number, line in enumerate(lines_of(sys.stdin), 1):
        if not line.strip():
            continue
        try:
            message = json.loads(line)
            conversation, text = str(message["conversation"]), str(message["text"])
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise Failure(f'dòng {number}: cần {{"conversation", "text"}} dạng JSON') from error
        turn = brain.answer(text, sessions.get(conversation, Session(greeted=True)), datetime.now(UTC))
        sessions[conversation] = turn.session
        print_json(
            {
                "conversation": conversation,
                "replies": [reply_to_json(r) for r in turn.replies],
                "topic": turn.topic,
                "aspect": turn.aspect,
                "status": turn.status.value,
            }
        )
        sys.stdout.flush()


@click.command()
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
    for line in [text] if text is not None else lines_of(sys.stdin):
        print_json(places.resolve(line).as_dict())
        sys.stdout.flush()
