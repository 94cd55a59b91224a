"""The templates of an announcement as a command names them: with what the account's options say of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from bot.announcements.content import Refused
from bot.announcements.templates import CHANNEL, WORDS, Template
from bot.announcements.texts import told
from bot.storage.database import Database
from bot.storage.tables import channel_account


async def named(database: Database, given: Sequence[str], params: Sequence[str]) -> tuple[Template, ...]:
    """Return the templates that were named as `account` (the one of its options) or `account=id`.

    The options `template_data` (JSON: parameter → text), `template_promotional` and `template_price` belong to the account's own
    template `template_id`; for another one the parameters come from `params` (`name=text`) alone.

    Raises:
        Refused: an account has no template of its own, or something has not its shape.
    """
    own = {}
    for param in params:
        name, equals, value = param.partition("=")
        if not equals or not name:
            raise Refused([told("template_problems", "param", param=param[:60])])
        own[name.strip()] = value
    found = []
    for one in given:
        account, _, number = one.partition("=")
        options = await _options(database, account)
        known = str(options.get("template_id") or "")
        if not (number or known):
            raise Refused([told("template_problems", "option", account=account[:64])])
        data = dict(own)
        if number in ("", known):
            data = _data(options, account) | own
        else:
            options = {}
        if not data:
            data = {WORDS: f"{{{WORDS}}}"}
        promotional = str(options.get("template_promotional") or "").lower() in ("1", "true", "yes", "on")
        found.append(
            Template(account, number or known, tuple(sorted(data.items())), promotional, _price(options, account))
        )
    return tuple(found)


async def _options(database: Database, account: str) -> Mapping[str, Any]:
    query = select(channel_account.c.options).where(
        channel_account.c.channel == CHANNEL, channel_account.c.account == account
    )
    async with database.read() as connection:
        found: Mapping[str, Any] | None = await connection.scalar(query)
    if found is None:
        raise Refused([told("template_problems", "account", account=account[:64])])
    return found


def _data(options: Mapping[str, Any], account: str) -> dict[str, str]:
    try:
        found = json.loads(str(options.get("template_data") or "{}"))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Refused([told("template_problems", "data", account=account[:64])])
    return found


def _price(options: Mapping[str, Any], account: str) -> int | None:
    text = str(options.get("template_price") or "").replace(".", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise Refused([told("template_problems", "price", account=account[:64])])
    return int(text)
