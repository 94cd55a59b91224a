"""What the commands for one Official Account do: its quota, its followers, their communes as tags, its administrator's consent."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import select

from bot.accounts import Account, AccountBook, SecretKeeper
from bot.channels.zalo_oa import ZaloOaChannel, ZaloOaClient, ZaloRefused
from bot.channels.zalo_oa.api import http_client
from bot.channels.zalo_oa.client import commune_tag
from bot.channels.zalo_oa.oauth import OAuth, Refused, Unavailable, pkce
from bot.channels.zalo_oa.parse import ANONYMOUS, CHANNEL
from bot.channels.zalo_oa.tokens import Tokens
from bot.clock import Clock
from bot.messages import ContactStopped, Misconfigured, Outcome, Rejected, RetryAfter, Transient
from bot.storage.database import Database
from bot.storage.tables import conversation
from congdanso.builders import Means, book, builders, given_accounts, process_name
from congdanso.settings import Settings
from content.places import Places, load_places, province_slug
from migrations.upgrade import upgrade

TAGS: Final = commune_tag("")
"""How the tags begin that are ours; an OA's other tags are its officers' own."""


@dataclass(frozen=True, slots=True)
class Oa:
    """One account, opened: what the book says of it, and what calls Zalo."""

    account: Account
    channel: ZaloOaChannel
    database: Database
    places: Places

    @property
    def client(self) -> ZaloOaClient:
        """What an OA can do besides answering."""
        return self.channel.client


@asynccontextmanager
async def opened(settings: Settings, name: str, clock: Clock) -> AsyncIterator[Oa]:
    """Open one Official Account of this installation; nothing is received.

    Raises:
        NoAccount: there is none of this name.
        ValueError: a secret or option of it is missing.
    """
    async with opened_book(settings, name, clock) as (pages, account, places):
        # No task of this process renews tokens by itself; a call renews them if it has to, under the accounts' lease.
        means = Means(pages.database, pages, _refuse, lambda: None, clock, settings.public_url)
        wired = builders(means)[CHANNEL](account, await pages.secrets(CHANNEL, name))
        assert isinstance(wired.channel, ZaloOaChannel)
        try:
            yield Oa(account, wired.channel, pages.database, places)
        finally:
            await wired.stop()


@asynccontextmanager
async def opened_book(
    settings: Settings, name: str, clock: Clock
) -> AsyncIterator[tuple[AccountBook, Account, Places]]:
    """Open the book of accounts at one Official Account, also if only the settings describe it.

    Raises:
        NoAccount: there is none of this name.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    places = load_places(settings.province)
    database = Database(settings.url())
    try:
        await upgrade(database)
        pages = book(settings, database, clock)
        for given in given_accounts(settings, province_slug(places), f"Tỉnh {places.title}"):
            if (given.channel, given.account) == (CHANNEL, name):
                await pages.take_given(given)
        yield pages, await pages.get(CHANNEL, name), places
    finally:
        await database.close()


async def _refuse(_: Any) -> None:
    raise RuntimeError("this process does not receive")


def in_words(outcome: Outcome) -> str:
    """Say to an operator what Zalo's refusal means."""
    match outcome:
        case Misconfigured(reason):
            return f"tài khoản chưa dùng được: {reason}"
        case RetryAfter(seconds):
            return f"Zalo yêu cầu chờ {seconds:.0f} giây rồi làm lại"
        case Transient(reason):
            return f"chưa nối được với Zalo, hãy làm lại sau: {reason}"
        case _:
            return f"Zalo từ chối: {getattr(outcome, 'reason', type(outcome).__name__)}"


# followers


@dataclass(frozen=True, slots=True)
class Followers:
    """Who follows an OA. `unknown`: the ids of those with whom there is no conversation yet; names are not asked for.

    `complete` is False where Zalo shows only a part of them (about 10,000).
    """

    number: int
    unknown: tuple[str, ...]
    complete: bool

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "followers": self.number,
            "known": self.number - len(self.unknown),
            "unknown": list(self.unknown),
            "complete": self.complete,
        }


async def followers(oa: Oa) -> Followers:
    """Page through the followers; beyond what Zalo shows at once, tag by tag.

    Raises:
        ZaloRefused: Zalo does not answer.
    """
    found: dict[str, None] = {}
    complete = await _page(oa.client, found)
    if not complete:
        for tag in await oa.client.tags():
            await _page(oa.client, found, tag)
    known = {chat for _, chat, _ in await _conversations(oa)}
    return Followers(len(found), tuple(user for user in found if user not in known), complete)


async def _page(client: ZaloOaClient, found: dict[str, None], tag: str = "") -> bool:
    """Add followers to `found`; False if Zalo shows only a part of them."""
    try:
        async for user in client.followers(tag=tag):
            found[user] = None
    except ZaloRefused as error:
        if not isinstance(error.outcome, Rejected) or not found:
            raise
        return False
    return True


async def _conversations(oa: Oa) -> list[tuple[int, str, str | None]]:
    """Return the account's conversations (id, chat, commune) with people whom Zalo can name; not who left or is anonymous."""
    query = (
        select(conversation.c.id, conversation.c.chat, conversation.c.ward)
        .where(
            conversation.c.channel == CHANNEL,
            conversation.c.account == oa.account.account,
            conversation.c.stopped_at.is_(None),
            ~conversation.c.chat.startswith(f"{ANONYMOUS}:"),
        )
        .order_by(conversation.c.id)
    )
    async with oa.database.read() as connection:
        return [(row.id, row.chat, row.ward) for row in await connection.execute(query)]


# tags


@dataclass(slots=True)
class Tagged:
    """What became of the tags: set, taken away (of who moved), right already, and citizens for whom Zalo takes none."""

    given: int = 0
    taken: int = 0
    right: int = 0
    refused: int = 0


async def tag_communes(oa: Oa) -> Tagged:
    """Make the followers' commune tags say what our conversations say; a second time changes nothing.

    Raises:
        ZaloRefused: Zalo does not answer; what is done is done, and the next time goes on.
    """
    slugs = {ward.code: ward.slug for ward in oa.places.wards()}
    has: dict[str, set[str]] = {}
    for tag in await oa.client.tags():
        if tag.startswith(TAGS):
            tagged: dict[str, None] = {}
            await _page(oa.client, tagged, tag)
            for user in tagged:
                has.setdefault(user, set()).add(tag)
    done = Tagged()
    for _, chat, ward in await _conversations(oa):
        wanted = {commune_tag(slugs[ward])} if ward in slugs else set()
        there = has.get(chat, set())
        if wanted == there:
            done.right += bool(wanted)
            continue
        try:
            for tag in there - wanted:
                await oa.client.untag(chat, tag)
                done.taken += 1
            for tag in wanted - there:
                await oa.client.tag(chat, tag)
                done.given += 1
        except ZaloRefused as error:
            if not isinstance(error.outcome, ContactStopped | Rejected):
                raise
            done.refused += 1
    return done


# consent


@dataclass(frozen=True, slots=True)
class Consent:
    """A question to an OA's administrator. `verifier` stays here; `state` must come back with the answer."""

    url: str
    verifier: str
    state: str


def ask_consent(oauth: OAuth, redirect_uri: str, randomness: bytes) -> Consent:
    """Return the question, made from 48 random bytes.

    Raises:
        ValueError: there are fewer.
    """
    verifier, challenge = pkce(randomness[:32])
    state = randomness[32:48].hex()
    return Consent(oauth.consent_url(redirect_uri, challenge, state), verifier, state)


def answer_of(pasted: str, consent: Consent) -> tuple[str, str]:
    """Return code and OA (or "") from the address to which Zalo came back, or from a bare code.

    Raises:
        ValueError: there is no code in it, or it answers another question.
    """
    pasted = pasted.strip()
    if "code=" not in pasted:
        if not pasted or any(c in pasted for c in "/?&= "):
            raise ValueError("không thấy mã (code) trong địa chỉ vừa dán")
        return pasted, ""
    asked = parse_qs(urlsplit(pasted).query or pasted.lstrip("?"))
    code, oa_id, state = (asked.get(name, [""])[0] for name in ("code", "oa_id", "state"))
    if state and not hmac.compare_digest(state.encode(), consent.state.encode()):
        raise ValueError("địa chỉ này thuộc một lần cấp quyền khác; hãy mở lại liên kết vừa in ra")
    if not code:
        raise ValueError("không thấy mã (code) trong địa chỉ vừa dán")
    return code, oa_id


@asynccontextmanager
async def oauth_of(account: Account, secrets: dict[str, str]) -> AsyncIterator[OAuth]:
    """Open the OAuth side of an account's app.

    Raises:
        ValueError: the account lacks the app's number or secret.
    """
    app_id, app_secret = str(account.options.get("app_id") or ""), secrets.get("app_secret", "")
    if not app_id or not app_secret:
        raise ValueError(f"tài khoản {account.account} chưa có app_id hoặc app_secret")
    async with http_client() as http:
        url = str(account.options.get("oauth_url") or "https://oauth.zaloapp.com")
        yield OAuth(http, app_id, app_secret, url=url)


async def connect(
    pages: AccountBook, account: Account, oauth: OAuth, code: str, oa_id: str, *, verifier: str, clock: Clock
) -> None:
    """Fetch the first pair of tokens for a code and keep it, sealed, in the book; running servers take it over in seconds.

    Raises:
        ValueError: the consent is another OA's, or Zalo gives no tokens.
    """
    known = str(account.options.get("oa_id") or "")
    if known and oa_id and known != oa_id:
        raise ValueError(f"quyền vừa cấp là của OA {oa_id}, không phải OA {known} của tài khoản này")
    keeper = SecretKeeper(pages, CHANNEL, account.account, process_name())
    match await Tokens(account.account, keeper, oauth, clock).authorise(code, verifier):
        case Refused(reason=reason) | Unavailable(reason=reason):
            raise ValueError(f"Zalo chưa cấp khoá truy cập: {reason}")
    found = {"oa_id": oa_id} if oa_id else {}
    await pages.change(CHANNEL, account.account, options={**account.options, **found})
