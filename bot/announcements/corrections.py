"""What was taken back is corrected: an announcement of its own, to everybody whom the wrong one may have reached.

It travels as any other does, with the same lanes, rates and states. Where a channel can put other words in the place of a
message (Telegram), it does; elsewhere the correction comes behind it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, and_, exists, func, insert, literal, literal_column, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.announcements.beginning import new_code
from bot.announcements.content import Content, Refused, personal_problems, plain_content
from bot.announcements.lifecycle import Action
from bot.announcements.office import Office
from bot.announcements.planning import wish_of
from bot.announcements.rows import IS_QUEUED, IS_SENDING
from bot.announcements.states import RECEIVED, AnnouncementState, DeliveryState, Reason
from bot.announcements.tables import announcement, delivery, step
from bot.announcements.texts import told
from bot.storage.tables import outbox

WITHIN: Final = timedelta(days=1)
LONGEST: Final = 300
"""Characters of the reason that citizens read."""


class Corrections(Office):
    """Makes them."""

    def check(self, reason: str) -> None:
        """Check a reason that citizens will read.

        Raises:
            Refused: it holds somebody's number, or is too long.
        """
        problems = personal_problems(reason)
        if len(reason) > LONGEST:
            problems.append(told("problems", "reason_long", limit=LONGEST))
        if problems:
            raise Refused(problems)

    async def correct(self) -> list[int]:
        """Make the corrections of what was taken back, once nothing of it is on its way any more; return which."""
        child = announcement.alias("child")
        moving = or_(
            *(exists().where(delivery.c.announcement_id == announcement.c.id, s) for s in (IS_QUEUED, IS_SENDING))
        )
        query = select(announcement).where(
            announcement.c.state == AnnouncementState.RECALLED,
            announcement.c.closed_at > self.now() - WITHIN,
            ~moving,
            ~exists().where(child.c.parent_id == announcement.c.id, child.c.kind == "correction"),
        )
        async with self.planner.database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [number for row in rows if (number := await self._correct(row)) is not None]

    async def _correct(self, row: RowMapping) -> int | None:
        now = self.now()
        wish = wish_of(row)
        async with self.planner.database.read() as connection:
            why = select(step.c.note, step.c.actor).where(
                step.c.announcement_id == row["id"], step.c.action == Action.RECALL
            )
            recalled = (await connection.execute(why.order_by(step.c.id.desc()).limit(1))).one()
        text = self.planner.composer.whole(
            row["unit"],
            _text(wish.content, recalled.note),
            urgent=False,
        )
        values = {
            "key": f"correction:{row['id']}",
            "code": new_code(),
            "kind": "correction",
            "parent_id": row["id"],
            "unit": row["unit"],
            "wards": row["wards"],
            "text": text,
            "content": plain_content(text).as_json() | {"category": row["category"]},
            "category": row["category"],
            "joins": False,
            "digest": row["digest"],
            "urgent_reason": row["urgent_reason"],
            "author": recalled.actor,
            "writers": [recalled.actor],
            "approved_at": now,
            "state": AnnouncementState.SENDING,
            "audience": 0,
            "created_at": now,
            "lanes": row["lanes"],
        }
        try:
            async with self.planner.database.write() as connection:
                await self._withdraw_unread(connection, row["id"])
                made = await connection.execute(insert(announcement).values(**values).returning(announcement.c.id))
                number = int(made.scalar_one())
                left = and_(
                    delivery.c.announcement_id == row["id"],
                    delivery.c.state.in_((*RECEIVED, DeliveryState.UNCERTAIN)),
                )
                await connection.execute(
                    insert(delivery).from_select(
                        ["announcement_id", "conversation_id", "channel", "account", "ward", "state", "attempts", "target"],
                        select(
                            literal(number), delivery.c.conversation_id, delivery.c.channel, delivery.c.account,
                            delivery.c.ward, literal_column("'queued'"), literal_column("0"), delivery.c.external_id,
                        ).where(left),
                    )
                )  # fmt: skip
                audience = (
                    select(func.count())
                    .select_from(delivery)
                    .where(delivery.c.announcement_id == number)
                    .scalar_subquery()
                )
                await connection.execute(
                    update(announcement).where(announcement.c.id == number).values(audience=audience)
                )
        except IntegrityError:
            return None
        return number

    async def _withdraw_unread(self, connection: Any, announcement_id: int) -> None:
        """Take what lies ready for pages that nobody opened yet away again."""
        unread = select(delivery.c.outbox_id).where(
            delivery.c.announcement_id == announcement_id, delivery.c.state == DeliveryState.WAITING_FOR_VISIT
        )
        await connection.execute(
            update(outbox)
            .where(outbox.c.id.in_(unread), outbox.c.state != "sent")
            .values(state="failed", reason=Reason.RECALLED)
        )
        gone = select(outbox.c.id).where(
            outbox.c.id.in_(unread), outbox.c.state == "failed", outbox.c.reason == Reason.RECALLED
        )
        await connection.execute(
            update(delivery)
            .where(delivery.c.announcement_id == announcement_id, delivery.c.outbox_id.in_(gone))
            .values(state=DeliveryState.SKIPPED, reason=Reason.RECALLED, at=self.now())
        )


def _text(content: Content, reason: str) -> str:
    """What the citizens read. What went with the wrong one is named: not every messenger takes it away again."""
    text = told("recall", "text", reason=reason, about=_first_words(content.text))
    return f"{text}\n{told('recall', 'documents')}" if content.documents else text


def _first_words(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 80 else line[:79].rstrip() + "…"
