"""Events on their way in: one address for all OAs of an app. An event is verified and stored before Zalo hears that it arrived."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from bot.channels.webhook import body_of, object_of, stored
from bot.channels.zalo_oa.channel import ZaloOaChannel
from bot.channels.zalo_oa.parse import oa_of, parse
from bot.channels.zalo_oa.signature import Keys, verify
from bot.clock import Clock
from bot.messages import Incoming, Receipt

MAX_BODY: Final = 256 * 1024
"""Bytes; an event with a text of 2,000 characters and a dozen pictures stays far below."""
MAX_NAMELESS: Final = 4 * 1024
"""Bytes of an event that names no OA: it is compared with every account's keys, so it must not cost much."""
NAMELESS: Final = "user_withdraw"
"""The one event that may name no OA: a citizen withdraws from the app as a whole."""
PATH: Final = "/channels/zalo-oa/webhook"

Accept = Callable[[Incoming], Awaitable[Any]]
Note = Callable[[Receipt], Awaitable[Any]]
Find = Callable[[str], Sequence[ZaloOaChannel]]
"""The accounts that an event may be for, by the OA's id; "" for an event that names no OA."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Resting:
    """An account that is switched off. Zalo goes on sending its events to the app's address."""

    account: str
    oa_id: str
    keys: Keys


Others = Callable[[], Awaitable[Sequence[Resting]]]


class Accounts:
    """Finds accounts among those of this process, whichever they are at the moment."""

    def __init__(self, channels: Callable[[], Iterable[ZaloOaChannel]]) -> None:
        self._channels = channels

    def __call__(self, oa_id: str) -> Sequence[ZaloOaChannel]:
        """Return the account of an OA; while nobody knows which it is, those that do not know their OA yet.

        An event that names no OA may be for any account.
        """
        channels = list(self._channels())
        if not oa_id:
            return channels
        return [c for c in channels if c.oa_id == oa_id] or [c for c in channels if not c.oa_id]


def webhook_router(
    accounts: Find, accept: Accept, clock: Clock, note: Note | None = None, resting: Others | None = None
) -> APIRouter:
    """Return the webhook's route over some accounts (see `take_event`)."""
    router = APIRouter(tags=["channels"])

    @router.post(PATH)
    async def zalo_oa_webhook(request: Request) -> Response:
        """An event from Zalo."""
        return await take_event(accounts, request, accept, clock, note, resting)

    return router


async def take_event(
    accounts: Find, request: Request, accept: Accept, clock: Clock, note: Note | None, resting: Others | None = None
) -> Response:
    """Answer one delivery: verify, store, then say 200.

    404 for an OA that is not ours, 403 without a good signature, 503 for what cannot be stored, so that Zalo repeats it.
    An OA that is switched off, or that the app serves without an account here, is 200 if the event is signed with one of
    our keys: Zalo stops sending to an app that refuses for long, for all its OAs. Nothing is stored then, but that a
    citizen of a switched-off account withdraws.

    Args:
        note: takes the receipts of what was sent.
        resting: the accounts that are switched off.
    """
    body = await body_of(request, MAX_BODY)
    if body is None:
        return Response(status_code=413)
    if (raw := object_of(body)) is None:
        return Response(status_code=400)
    if not raw:
        # Zalo asks so, unsigned, whether somebody lives here.
        return Response(status_code=200)
    oa_id = oa_of(raw)
    if not oa_id and (raw.get("event_name") != NAMELESS or len(body) > MAX_NAMELESS):
        return Response(status_code=404)
    candidates = accounts(oa_id)
    nobodys = not oa_id or not any(c.oa_id == oa_id for c in candidates)
    off: Sequence[Resting] = ()
    if nobodys:
        off = await resting() if resting is not None else ()
        if oa_id and any(r.oa_id == oa_id for r in off):
            candidates = []  # not even those that do not know yet which OA they are
    genuine = _genuine(candidates, body, raw, request.headers, oa_id)
    if not genuine:
        ours = {c.keys for c in accounts("")} if nobodys else set()
        signed = _signed(ours | {r.keys for r in off}, body, raw, request.headers, oa_id)
        if signed:
            log.warning("an event for an OA that is switched off or has no account", extra={"oa_id": oa_id})
            return await _withdrawn([r for r in off if r.keys in signed], raw, oa_id, accept, clock)
        told = "an event without a good signature" if candidates else "an event for an OA that is not ours"
        log.warning(told, extra={"oa_id": oa_id})
        return Response(status_code=403 if candidates else 404)
    if oa_id and len(genuine) > 1:
        log.error("two accounts have the same keys; tell them apart by their OA's ids", extra={"oa_id": oa_id})
        return Response(status_code=503)
    answer = Response(status_code=200)
    for channel, form in genuine:
        channel.recognise(form, oa_id)
        answer = await stored(_take(parse(raw, channel.account, clock()), accept, note), channel.account)
        if answer.status_code != 200:
            break
    return answer


def _genuine(
    candidates: Sequence[ZaloOaChannel], body: bytes, raw: Mapping[str, Any], headers: Mapping[str, str], oa_id: str
) -> list[tuple[ZaloOaChannel, str]]:
    """Return the accounts for which an event is signed, and in which form; keys that several share are tried once."""
    forms = {keys: verify(body, raw, headers, keys, oa_id) for keys in {c.keys for c in candidates}}
    return [(c, form) for c in candidates if (form := forms[c.keys]) is not None]


def _signed(
    keys: Iterable[Keys], body: bytes, raw: Mapping[str, Any], headers: Mapping[str, str], oa_id: str
) -> set[Keys]:
    """Return the keys by which an event is signed. A long one is compared only with those of the app that it names."""
    app_id = str(raw.get("app_id") or "")
    asked = {k for k in keys if k.app_id == app_id or (not app_id and len(body) <= MAX_NAMELESS)}
    return {k for k in asked if verify(body, raw, headers, k, oa_id) is not None}


async def _withdrawn(off: Sequence[Resting], raw: dict[str, Any], oa_id: str, accept: Accept, clock: Clock) -> Response:
    """Take in that a citizen of switched-off accounts withdraws: their data have to go all the same."""
    answer = Response(status_code=200)
    for one in off if raw.get("event_name") == NAMELESS else ():
        if not oa_id or one.oa_id in ("", oa_id):
            answer = await stored(_take(parse(raw, one.account, clock()), accept, None), one.account)
            if answer.status_code != 200:
                break
    return answer


async def _take(happened: Incoming | Receipt | None, accept: Accept, note: Note | None) -> None:
    if isinstance(happened, Incoming):
        await accept(happened)
    elif happened is not None and note is not None:
        await note(happened)
