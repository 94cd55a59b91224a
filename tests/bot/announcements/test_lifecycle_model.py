"""Whatever officers of all roles do, in whatever order: nothing unapproved or changed leaves, nobody outside the unit or who said
stop gets it, nobody twice, and the sums are right.

A rule-based state machine plays officers, citizens and time against the real services over a database in memory; it keeps its own
simple record of who said yes to what, and compares with that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.announcements.audience import Audience, of_unit
from bot.announcements.content import Content, Refused
from bot.announcements.lifecycle import NotAllowed
from bot.announcements.planning import Wish
from bot.announcements.states import AnnouncementState as State
from bot.storage.database import Database
from content.places import load_places
from migrations.upgrade import upgrade
from tests.bot.announcements.conftest import Village
from tests.builders import Clock, FakeChannel

T = TypeVar("T")
PLACES = load_places()
TEXTS = ("Mời họp thôn.", "Lịch khám sức khoẻ.", "Chợ phiên dời ngày.")
OFFICERS = {
    "lan": ("officer", "phu-thong"),
    "minh": ("approver", "phu-thong"),
    "mai": ("approver", "phu-thong"),
    "binh": ("admin", "thai-nguyen"),
    "tu": ("admin", "duc-xuan"),
    "vien": ("viewer", "phu-thong"),
    "vua": ("king", "phu-thong"),
}
LOGINS = st.sampled_from(sorted(OFFICERS))
WITHOUT_SAVED = tuple(Audience((unit,), without_saved=("nhom",)) for unit in ("phu-thong", "duc-xuan"))
WISHES = st.builds(
    lambda text, unit, audience, urgent: Wish(unit, Content(text), audience or of_unit(unit), urgent),
    st.sampled_from(TEXTS),
    st.sampled_from(["phu-thong", "duc-xuan"]),
    st.sampled_from([None, None, None, Audience(("duc-xuan",)), Audience(("na-ri",)), *WITHOUT_SAVED]),
    st.sampled_from([None, "lũ lên nhanh"]),
)
WARDS = ("phu-thong", "duc-xuan", "na-ri")
PER_WARD = 3


class Lifecycle(RuleBasedStateMachine):
    """One installation with nine citizens and seven officers."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory()
        self.database = Database(f"sqlite:///{Path(self.folder.name) / 'model.db'}")
        self.village = Village(self.database, PLACES, Clock())
        self.village.staff.people.clear()
        self.numbers: list[int] = []
        self.writers: dict[int, set[str]] = {}
        self.wishes: dict[int, Wish] = {}
        self.yes: dict[int, Wish | None] = {}
        """What a second person said yes to; None after any change."""
        self.saved: dict[str, str] = {}
        """The channel whose citizens a unit's saved audience asks for now …"""
        self.saved_at_yes: dict[int, str | None] = {}
        """… and did when somebody said yes to leaving them out."""
        self.phones: dict[int, str] = {}
        """Conversations that officers linked."""
        self.conversations: list[int] = []
        self.got: dict[int, list[str]] = {}
        self.stopped: set[str] = set()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.do(self.database.close())
        self.loop.close()
        self.folder.cleanup()

    @initialize()
    def settle(self) -> None:
        async def work() -> None:
            await upgrade(self.database)
            for ward in WARDS:
                self.conversations += await self.village.settle(ward, PER_WARD)
                await self.village.settle(ward, 1, channel="web")
            phones = await self.village.settle("na-ri", 2, first=100, subscribed=False)
            self.phones = dict(zip(phones, ("minh", "vien"), strict=True))

        self.do(work())
        for login, (role, unit) in OFFICERS.items():
            self.village.staff.hire(login, role, unit)
        self.village.staff.chats = {login: phone for phone, login in self.phones.items()}
        # Each example begins in the middle: a draft, one that waits for a yes, one that has it, one that is being sent.
        for steps in range(4):
            self.draft("lan", Wish("phu-thong", Content(f"Tin thứ {steps}."), of_unit("phu-thong")))
            for _ in range(steps):
                self.somebody_who_may_takes_the_next_step(steps)

    def act(self, work: Coroutine[Any, Any, T]) -> tuple[bool, T | None]:
        """Do something that may be refused."""
        try:
            return True, self.do(work)
        except (Refused, NotAllowed):
            return False, None

    def pick(self, index: int) -> int:
        return self.numbers[index % len(self.numbers)]

    # officers

    @rule(login=LOGINS, wish=WISHES)
    def draft(self, login: str, wish: Wish) -> None:
        done, number = self.act(self.village.desk.draft(login, wish))
        role, unit = OFFICERS[login]
        may = role in ("officer", "approver", "admin") and unit in (wish.unit, "thai-nguyen")
        may = may and login in self.village.staff.people
        assert done == may
        if number is not None:
            self.numbers.append(number)
            self.writers[number] = {login}
            self.wishes[number], self.yes[number], self.got[number] = wish, None, []

    @precondition(lambda self: self.numbers)
    @rule(login=LOGINS, index=st.integers(0, 99), wish=WISHES)
    def revise(self, login: str, index: int, wish: Wish) -> None:
        number = self.pick(index)
        if self.act(self.village.desk.revise(login, number, wish))[0]:
            self.writers[number].add(login)
            self.wishes[number], self.yes[number] = wish, None

    @precondition(lambda self: self.numbers)
    @rule(login=LOGINS, index=st.integers(0, 99))
    def submit(self, login: str, index: int) -> None:
        self.act(self.village.desk.submit(login, self.pick(index)))

    @precondition(lambda self: self.numbers)
    @rule(login=LOGINS, index=st.integers(0, 99))
    def approve(self, login: str, index: int) -> None:
        number = self.pick(index)
        if self.act(self.village.desk.approve(login, number))[0]:
            assert login not in self.writers[number], "nobody approves what they wrote"
            assert OFFICERS[login][0] in ("approver", "admin")
            self.yes[number] = self.wishes[number]
            self.saved_at_yes[number] = self.saved.get(self.wishes[number].unit)

    @rule(login=LOGINS, unit=st.sampled_from(["phu-thong", "duc-xuan"]), channel=st.sampled_from(["telegram", "web"]))
    def save_an_audience(self, login: str, unit: str, channel: str) -> None:
        """Under a name that announcements leave out already."""
        if self.act(self.village.desk.save_audience(login, unit, "Nhóm", Audience((unit,), channels=(channel,))))[0]:
            assert OFFICERS[login][0] in ("officer", "approver", "admin")
            self.saved[unit] = channel

    @precondition(lambda self: self.numbers)
    @rule(login=LOGINS, index=st.integers(0, 99), whom=st.integers(0, 99), phone=st.booleans())
    def try_it(self, login: str, index: int, whom: int, phone: bool) -> None:
        known = sorted(self.phones) if phone else self.conversations
        conversation, channel, village = known[whom % len(known)], FakeChannel(), self.village

        async def work() -> None:
            plan = await village.planner.plan(self.wishes[self.pick(index)])
            await village.desk.trial(login, plan, conversation, channel.channels())

        done, _ = self.act(work())
        assert done == bool(channel.sent)
        if done:
            assert OFFICERS[login][0] in ("officer", "approver", "admin")
            assert self.phones.get(conversation) in village.staff.people, "a trial reaches officers only"
            assert channel.sent[0][1].startswith("(Tin gửi thử")

    @precondition(lambda self: self.numbers)
    @rule(login=LOGINS, index=st.integers(0, 99))
    def send_back(self, login: str, index: int) -> None:
        number = self.pick(index)
        if self.act(self.village.desk.send_back(login, number, "Sai ngày"))[0]:
            self.yes[number] = None

    @precondition(lambda self: self.numbers)
    @rule(
        login=LOGINS,
        index=st.integers(0, 99),
        what=st.sampled_from(["send", "pause", "resume", "cancel", "recall", "schedule"]),
    )
    def control(self, login: str, index: int, what: str) -> None:
        number, control = self.pick(index), self.village.control
        later = self.village.clock() + timedelta(hours=1)
        works: dict[str, Any] = {
            "send": lambda: control.send(login, number),
            "pause": lambda: control.pause(login, number),
            "resume": lambda: control.resume(login, number),
            "cancel": lambda: control.cancel(login, number),
            "recall": lambda: control.recall(login, number, "Nhầm ngày"),
            "schedule": lambda: control.schedule(login, number, later),
        }
        done, _ = self.act(works[what]())
        if done:
            assert OFFICERS[login][0] in ("officer", "approver", "admin")

    @precondition(lambda self: self.numbers)
    @rule(index=st.integers(0, 99))
    def somebody_who_may_takes_the_next_step(self, index: int) -> None:
        """Without it hardly any example would get as far as sending."""
        number = self.pick(index)
        state = self.do(self.village.state(number))
        for login in ("lan", "minh", "mai", "binh", "tu"):
            if state is State.DRAFT:
                self.submit(login, index)
            elif state is State.IN_REVIEW:
                self.approve(login, index)
            elif state in (State.APPROVED, State.SCHEDULED):
                self.control(login, index, "send")
            elif state in (State.PAUSED, State.HELD):
                self.control(login, index, "resume")
            if self.do(self.village.state(number)) is not state:
                break
        else:
            if state is State.SENDING:
                self.the_chores_and_the_lane_run()

    @rule(login=LOGINS)
    def promoted_or_dismissed(self, login: str) -> None:
        people = self.village.staff.people
        if login in people and len(people) > 4:
            self.village.staff.dismiss(login)
        else:
            self.village.staff.hire(login, *OFFICERS[login])

    # citizens and time

    @rule(ward=st.sampled_from(WARDS), number=st.integers(1, PER_WARD))
    def says_stop(self, ward: str, number: int) -> None:
        chat = f"{ward}-{number}"
        self.do(self._subscribe(chat, subscribed=False))
        self.stopped.add(chat)

    @rule(ward=st.sampled_from(WARDS), number=st.integers(1, PER_WARD))
    def comes_back(self, ward: str, number: int) -> None:
        chat = f"{ward}-{number}"
        self.do(self._subscribe(chat, subscribed=True))
        self.stopped.discard(chat)

    async def _subscribe(self, chat: str, *, subscribed: bool) -> None:
        from sqlalchemy import update

        from bot.storage.tables import conversation

        async with self.database.write() as connection:
            await connection.execute(
                update(conversation).where(conversation.c.chat == chat).values(subscribed=subscribed)
            )

    @rule(hours=st.sampled_from([0.1, 1, 9, 26]))
    def time_passes(self, hours: float) -> None:
        self.village.clock.pass_(hours=hours)

    @rule()
    def the_chores_and_the_lane_run(self) -> None:
        channel = FakeChannel()

        async def work() -> None:
            village = self.village
            await village.due.work()
            await village.store.sweep_cancelled()
            await village.corrections.correct()
            before = set(self.stopped)
            await village.run(channel).work()
            await village.run(FakeChannel(name="web")).work()
            assert before == self.stopped
            await village.store.expire()
            await village.store.close_finished()

        self.do(work())
        for chat, text in channel.sent:
            assert chat not in self.stopped, "who said stop gets nothing"
            if "đã được thu hồi" in text:
                continue
            self._judge(chat, text)

    def _judge(self, chat: str, text: str) -> None:
        """Find a yes that covers this message, and note that this citizen has it."""
        ward = chat.rsplit("-", 1)[0]
        for number in self.numbers:
            wish = self.yes[number]
            if wish is None or wish.content.text not in text or chat in self.got[number]:
                continue
            name = {"phu-thong": "xã Phủ Thông", "duc-xuan": "phường Đức Xuân"}[wish.unit]
            if wish.audience.without_saved and self.saved_at_yes[number] != "web":
                # The yes left out everybody on this channel.
                continue
            if name in text.splitlines()[0] and ward in wish.audience.units:
                assert ward == wish.unit, "nobody outside the unit that speaks"
                self.got[number].append(chat)
                return
        raise AssertionError(f"{chat} got what nobody said yes to, or got it twice: {text!r}")

    # what always holds

    @invariant()
    def what_is_over_sums_up(self) -> None:
        for number in self.numbers:
            progress = self.do(self.village.progress(number))
            if progress.state is State.CLOSED:
                assert sum(progress.counts.values()) == progress.audience
                assert not {"queued", "sending"} & set(progress.counts)
            if progress.state in (State.DRAFT, State.IN_REVIEW):
                assert progress.counts == {}
            if progress.state in (
                State.APPROVED,
                State.SCHEDULED,
                State.HELD,
                State.SENDING,
                State.WAITING,
                State.PAUSED,
            ):
                assert self.yes[number] is not None, "nothing is on its way without a yes to what it is now"


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
