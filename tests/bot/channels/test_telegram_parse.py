"""Whatever comes in the shape of an update is read or left out, and never breaks what reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Bot

from bot.channels.telegram.parse import parse

NOW: Final = datetime(2026, 11, 28, 2, tzinfo=UTC)
BOT: Final = Bot("77:secret")
KEYS: Final = (
    "update_id", "message", "callback_query", "my_chat_member", "chat", "from", "id", "type", "text", "caption", "data",
    "message_id", "message_thread_id", "is_topic_message", "media_group_id", "reply_to_message", "language_code",
    "old_chat_member", "new_chat_member", "status", "photo", "voice",
)  # fmt: skip
VALUES: Final = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8),
    st.sampled_from(["private", "group", "member", "kicked", "/start a", "giấy này nộp ở đâu", "vi"]),
)  # fmt: skip
ANYTHING: Final = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)),
    max_leaves=24,
)
CHATS: Final = st.fixed_dictionaries({"id": st.integers(), "type": st.sampled_from(["private", "group"])})
NEARLY: Final = st.fixed_dictionaries({"update_id": st.integers(0)}) | st.fixed_dictionaries(
    {"update_id": st.integers(0), "message": st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=5)},
    optional={"callback_query": st.fixed_dictionaries({"data": VALUES, "message": ANYTHING})},
)


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=4) | NEARLY, CHATS)
def test_any_object_is_read_or_left_out(raw: dict[str, Any], chat: dict[str, Any]) -> None:
    for update in (raw, raw | {"update_id": 9}):
        if isinstance(message := update.get("message"), dict):
            message.setdefault("chat", chat)
        found = parse(update, BOT, "default", NOW)
        if found is not None:
            assert found.kind in {"text", "captioned", "opened", "button", "unsupported", "stopped", "resumed"}
            assert found.update_id
            int(found.address.chat.partition(":")[0])


@given(st.text(), CHATS, st.none() | st.text(max_size=12))
def test_a_text_is_taken_as_it_was_typed(text: str, chat: dict[str, Any], language: str | None) -> None:
    sender = {"id": 1, "is_bot": False, "first_name": "Lan", "language_code": language}
    update = {"update_id": 9, "message": {"message_id": 1, "chat": chat, "from": sender, "text": text}}
    found = parse(update, BOT, "default", NOW)
    if chat["type"] == "private" and text and not text.startswith("/start"):
        assert found is not None
        assert (found.kind, found.text) == ("text", text)
    elif not text:
        assert found is None


@pytest.mark.parametrize("error", [ValueError, AttributeError, RecursionError])
def test_an_update_that_breaks_what_reads_it_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def breaks(*_: object) -> None:
        raise error

    monkeypatch.setattr("bot.channels.telegram.parse._read", breaks)
    assert parse({"update_id": 9}, BOT, "default", NOW) is None
