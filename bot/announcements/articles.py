"""An announcement as an article of a Zalo OA, broadcast to all who follow it: the free way beyond the seven days.

A broadcast knows no communes, no topics and no wish to be left alone; so only an announcement for everybody of a unit becomes
one, on an OA of that unit. Each step is written down before the next begins, and the broadcast itself before it is asked for:
after a crash in between it is `uncertain`, and is not repeated.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from sqlalchemy import RowMapping, exists, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.announcements.content import Refused, filled
from bot.announcements.hours import is_quiet
from bot.announcements.lifecycle import Action
from bot.announcements.moves import note_step
from bot.announcements.office import Office
from bot.announcements.people import ANNOUNCE
from bot.announcements.places import unknown_places
from bot.announcements.planning import Wish, behind_of, wish_of
from bot.announcements.states import ACTIVE, AnnouncementState
from bot.announcements.tables import announcement, article
from bot.announcements.templates import CHANNEL
from bot.announcements.texts import told
from bot.clock import ZONE
from bot.messages import Outcome, Sent, Transient
from bot.storage.database import Database, aware
from bot.storage.tables import channel_account
from content.places import unit_title, within

TITLE: Final = 150
AUTHOR: Final = 50
DESCRIPTION: Final = 300
"""Zalo's limits, in characters."""
LEASE: Final = timedelta(minutes=5)
"""Longer than Zalo takes to make an article and we to ask for it."""
LATEST: Final = timedelta(days=3)
"""After an announcement has ended its article would be no news any more."""
OPEN_TO_IT: Final = (AnnouncementState.APPROVED, *ACTIVE, AnnouncementState.CLOSED)


class ArticleState(StrEnum):
    """Where an article stands. What is behind `ready` is never begun again."""

    CREATING = "creating"
    """Zalo is asked to make it. After a crash it is made again: a second one in the OA's list disturbs nobody."""
    CREATED = "created"
    """Zalo has it, under a token, and is not done with it."""
    READY = "ready"
    SENDING = "sending"
    """Written down before the broadcast is asked for."""
    SENT = "sent"
    UNCERTAIN = "uncertain"
    """The broadcast was asked for, and nobody knows what came of it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the article says. `body` is its paragraphs."""

    title: str
    author: str
    description: str
    cover_url: str
    body: tuple[str, ...]


class Press(Protocol):
    """The articles of one OA."""

    async def create(self, draft: Draft) -> str | Outcome:
        """Hand an article in; return its token, or why not."""

    async def made(self, token: str) -> str | Outcome:
        """Return the article's id once Zalo has made it, or why not (yet)."""

    async def broadcast(self, article_id: str) -> Outcome:
        """Send it to all followers."""


@dataclass(frozen=True, slots=True)
class Published:
    """One announcement's article on one account, as an officer looks at it."""

    account: str
    state: ArticleState
    at: datetime
    actor: str
    problem: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for the API and for programs."""
        return {
            "account": self.account,
            "state": self.state.value,
            "at": self.at.isoformat(),
            "actor": self.actor,
            "problem": self.problem,
        }

    def in_words(self) -> str:
        """Return it as a line."""
        return told("articles", self.state, account=self.account, when=f"{self.at.astimezone(ZONE):%H:%M %d/%m/%Y}") + (
            f" ({self.problem})" if self.problem else ""
        )


class Articles(Office):
    """Makes and broadcasts them. `press` finds the OA of a name in this process; None if it is not there."""

    def __init__(self, office: Office, press: Callable[[str], Press | None]) -> None:
        super().__init__(office.announcements, office.officers)
        self._press = press

    async def publish(self, login: str, announcement_id: int, account: str) -> Published:
        """Make an article of an announcement and broadcast it, going on where an earlier try stopped; never twice.

        Raises:
            Refused: they may not, it may not be now, it was done before, or Zalo refuses (then it may be tried again).
        """
        actor, row = await self.of(login, announcement_id, ANNOUNCE)
        wish = wish_of(row)
        await self._check(row, wish)
        draft = await self._written(row, wish, account)
        if (press := self._press(account)) is None:
            raise Refused([told("article_problems", "account", account=account[:64])])
        work = _Work(self.planner.database, self.now, row, account, actor.login)
        state, token, article_id = await work.claim()
        if state is ArticleState.CREATING:
            token = await self._got(work, await press.create(draft))
            await work.note(ArticleState.CREATED, token=token)
            state = ArticleState.CREATED
        if state is ArticleState.CREATED:
            article_id = await self._got(work, await press.made(token))
            await work.note(ArticleState.READY, article_id=article_id)
        # Minutes may have passed: what was asked at the beginning is asked again, in the transaction that lets it go.
        try:
            await self._check(await self.row(announcement_id), wish)
            await work.note(ArticleState.SENDING, approved=True)
        except Refused as error:
            await work.let_go(error.problems[0], None)
            raise
        outcome = await press.broadcast(article_id)
        match outcome:
            case Sent(external_id):
                await work.end(ArticleState.SENT, external_id=external_id[:128])
            case Transient(maybe_sent=True):
                await work.end(ArticleState.UNCERTAIN)
            case _:
                await self._got(work, outcome, ArticleState.READY)
        [found] = [
            a for a in await articles_of(self.planner.database, announcement_id, self.now()) if a.account == account
        ]
        return found

    async def _got(self, work: _Work, found: str | Outcome, state: ArticleState | None = None) -> str:
        if isinstance(found, str):
            return found
        problem = getattr(found, "reason", "") or type(found).__name__
        await work.let_go(problem, state)
        raise Refused([told("article_problems", "refused", reason=problem)])

    async def _check(self, row: RowMapping, wish: Wish) -> None:
        """Ask what is asked of an announcement that begins; Zalo takes no broadcast by night, however urgent it is."""
        now, problems = self.now(), []
        state, closed = AnnouncementState(row["state"]), aware(row["closed_at"])
        if row["kind"] != "plain" or row["parent_id"] is not None:
            problems.append(told("article_problems", "kind"))
        elif state not in OPEN_TO_IT:
            problems.append(told("article_problems", "state", state=told("announcement_states", state)))
        elif not await self._is_as_approved(row, wish):
            problems.append(told("begin_problems", "changed"))
        elif (objection := await self.objection(row)) is not None:
            problems.append(told("begin_problems", objection[1]))
        if (wish.expires_at is not None and wish.expires_at <= now) or (closed is not None and now - closed > LATEST):
            problems.append(told("begin_problems", "too_late"))
        if is_quiet(now):
            problems.append(told("article_problems", "night"))
        if problems:
            raise Refused(problems)

    async def _is_as_approved(self, row: RowMapping, wish: Wish) -> bool:
        seen = row["forecast"] or {}
        if row["approved_hash"] is None or wish.digest(seen) != row["approved_hash"]:
            return False
        return (await self.planner.plan(wish)).behind == behind_of(seen)

    async def _written(self, row: RowMapping, wish: Wish, account: str) -> Draft:
        """Make the article's words of the announcement's, for the followers of one OA.

        Raises:
            Refused: the OA is not there, is not for these people alone, or there is no picture.
        """
        query = select(channel_account.c.unit, channel_account.c.options).where(
            channel_account.c.channel == CHANNEL, channel_account.c.account == account, channel_account.c.active
        )
        async with self.planner.database.read() as connection:
            oa = (await connection.execute(query)).one_or_none()
        if oa is None:
            raise Refused([told("article_problems", "account", account=account[:64])])
        meant = {slug for unit in wish.audience.units for slug in within(self.places, unit)}
        if set(wish.audience.as_json()) != {"units"} or not set(within(self.places, oa.unit)) <= meant:
            raise Refused([told("article_problems", "wider", oa=unit_title(self.places, oa.unit))])
        composer = self.planner.composer
        ward = next((w.code for w in self.places.wards() if w.slug == oa.unit), None)
        values = composer.values(row["unit"], ward, self.now().astimezone(ZONE).date())
        words = filled(wish.content.body(CHANNEL), values)
        if unknown_places(words, ()):
            raise Refused([told("article_problems", "xa")])
        shelf = (composer.shelf.find(name) for name in wish.content.documents)
        documents = [d for d in shelf if d is not None]
        pictures = [composer.address(d) for d in documents if d.media_type.startswith("image/")]
        cover = next((p for p in pictures if p), "") or str(oa.options.get("cover_url") or "")
        if not cover.startswith(("https://", "http://")):
            raise Refused([told("article_problems", "cover", account=account)])
        links = [f"{b.shown}: {b.target}" for b in wish.content.buttons if b.kind == "link"]
        links += [
            f"{d.title}: {at}"
            for d in documents
            if not d.media_type.startswith("image/") and (at := composer.address(d))
        ]
        paragraphs = tuple(line.strip() for line in words.splitlines() if line.strip())
        first = paragraphs[0].split(". ")[0].rstrip(".")
        return Draft(
            _cut(first, TITLE),
            _cut(unit_title(self.places, row["unit"]), AUTHOR),
            _cut(" ".join(words.split()), DESCRIPTION),
            cover,
            (*paragraphs, *links),
        )


class _Work:
    """One try on one article's row, under a lease: of two officers at the same moment one is refused."""

    def __init__(
        self, database: Database, now: Callable[[], datetime], row: RowMapping, account: str, actor: str
    ) -> None:
        self._database = database
        self._now = now
        self._row = row
        self._account = account
        self._actor = actor
        self._owner = uuid.uuid4().hex
        self._mine = (article.c.announcement_id == row["id"], article.c.account == account)

    async def claim(self) -> tuple[ArticleState, str, str]:
        """Begin, or go on where an earlier try stopped; return where, and its token and id.

        Raises:
            Refused: it was broadcast, may have been, or somebody is at it.
        """
        now = self._now()
        lease = {"owner": self._owner, "lease_until": now + LEASE, "actor": self._actor, "at": now}
        fresh = {"announcement_id": self._row["id"], "account": self._account, "state": ArticleState.CREATING}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(article).values(**fresh, **lease))
        except IntegrityError:
            pass
        else:
            return ArticleState.CREATING, "", ""
        free = or_(article.c.owner.is_(None), article.c.lease_until < now)
        async with self._database.write() as connection:
            lost = await connection.execute(
                update(article)
                .where(*self._mine, article.c.state == ArticleState.SENDING, free)
                .values(state=ArticleState.UNCERTAIN, owner=None, lease_until=None)
            )
            if lost.rowcount:
                await self._tell(connection, ArticleState.UNCERTAIN)
            begun = (ArticleState.CREATING, ArticleState.CREATED, ArticleState.READY)
            taken = await connection.execute(
                update(article).where(*self._mine, article.c.state.in_(begun), free).values(**lease, problem=None)
            )
            row = (await connection.execute(select(article).where(*self._mine))).mappings().one()
        if not taken.rowcount:
            known = row["state"] if row["state"] in (ArticleState.SENT, ArticleState.UNCERTAIN) else "busy"
            raise Refused([told("article_problems", known, account=self._account)])
        return ArticleState(row["state"]), row["token"] or "", row["article_id"] or ""

    async def note(self, state: ArticleState, *, approved: bool = False, **values: Any) -> None:
        """Write a step down.

        Args:
            approved: only while the announcement stands as it did when it was checked.

        Raises:
            Refused: the lease was lost, or the announcement is no longer what it was.
        """
        where = [*self._mine, article.c.owner == self._owner]
        if approved:
            where.append(
                exists().where(
                    announcement.c.id == self._row["id"],
                    announcement.c.state.in_(OPEN_TO_IT),
                    announcement.c.approved_hash == self._row["approved_hash"],
                )
            )
        values |= {"state": state, "at": self._now(), "lease_until": self._now() + LEASE}
        async with self._database.write() as connection:
            done = await connection.execute(update(article).where(*where).values(**values))
        if done.rowcount == 0:
            raise Refused([told("begin_problems", "changed")])

    async def let_go(self, problem: str, state: ArticleState | None) -> None:
        """Leave it for another try. `state`: where that one goes on; None: where this one stopped."""
        values: dict[str, Any] = {"owner": None, "lease_until": None, "problem": problem[:120], "at": self._now()}
        if state is not None:
            values["state"] = state
        async with self._database.write() as connection:
            where = (*self._mine, article.c.owner == self._owner)
            await connection.execute(update(article).where(*where).values(**values))

    async def end(self, state: ArticleState, **values: Any) -> None:
        """Write down what came of it, and who did it."""
        async with self._database.write() as connection:
            await connection.execute(
                update(article)
                .where(*self._mine)
                .values(state=state, at=self._now(), owner=None, lease_until=None, **values)
            )
            await self._tell(connection, state)

    async def _tell(self, connection: Any, state: ArticleState) -> None:
        at = AnnouncementState(self._row["state"])
        note = told("article_notes", state, account=self._account)
        await note_step(connection, self._row["id"], Action.ARTICLE, at, self._now(), actor=self._actor, note=note)


async def articles_of(database: Database, announcement_id: int, now: datetime) -> list[Published]:
    """Return an announcement's articles. One that a dead process was broadcasting is uncertain."""
    query = select(article).where(article.c.announcement_id == announcement_id).order_by(article.c.account)
    async with database.read() as connection:
        rows = (await connection.execute(query)).mappings().all()
    found = []
    for row in rows:
        state, until = ArticleState(row["state"]), aware(row["lease_until"])
        if state is ArticleState.SENDING and (until is None or until < now):
            state = ArticleState.UNCERTAIN
        found.append(Published(row["account"], state, aware(row["at"]) or now, row["actor"], row["problem"]))
    return found


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
