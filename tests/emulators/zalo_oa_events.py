"""What citizens and officers do at Zalo, as signed events, in the order and number in which Zalo chooses to deliver them."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.emulators.zalo_oa import APP_ID, OA_ID, OA_SECRET

OFFICER = "4470998"


@dataclass
class ZaloEvents:
    """Makes events of one OA, and posts them to a webhook."""

    url: str = ""
    app_id: str = APP_ID
    secret: str = OA_SECRET
    oa_id: str = OA_ID
    prefix: str = "mac="
    """Before the signature."""
    by_header: bool = False
    """Whether the timestamp that is signed stands in a header."""
    first: str = ""
    """The first term of the signature; "" is the app's id."""
    now: datetime | None = None
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def stamp(self) -> str:
        return str(int((self.now or datetime.now(UTC)).timestamp() * 1000) + next(self._numbers) % 7)

    def user(self, what: str, user: str, **message: Any) -> dict[str, Any]:
        """Something that a citizen sends."""
        return {
            "app_id": self.app_id,
            "sender": {"id": user},
            "user_id_by_app": "552177279717587730",
            "recipient": {"id": self.oa_id},
            "event_name": f"user_send_{what}",
            "message": {"msg_id": f"96d3cdf3af{next(self._numbers):09d}", **message},
            "timestamp": self.stamp(),
        }

    def text(self, user: str, text: str) -> dict[str, Any]:
        return self.user("text", user, text=text)

    def follow(self, user: str, *, event: str = "follow") -> dict[str, Any]:
        return {
            "oa_id": self.oa_id,
            "follower": {"id": user},
            "user_id_by_app": "552172779717587730",
            "event_name": event,
            "source": "oa_profile",
            "app_id": self.app_id,
            "timestamp": self.stamp(),
        }

    def withdraw(self, user: str) -> dict[str, Any]:
        return {
            "app_id": self.app_id,
            "user_id": user,
            "user_id_by_app": "552172779717587730",
            "event_name": "user_withdraw",
            "timestamp": self.stamp(),
        }

    def officer(self, user: str, text: str, *, admin_id: str = OFFICER) -> dict[str, Any]:
        """What the OA sends comes back as an event; only an officer's names who wrote."""
        return {
            "app_id": self.app_id,
            "sender": {"id": self.oa_id, **({"admin_id": admin_id} if admin_id else {})},
            "recipient": {"id": user},
            "event_name": "oa_send_text",
            "message": {"text": text, "msg_id": f"f00{next(self._numbers):09d}"},
            "timestamp": self.stamp(),
        }

    def receipt(self, user: str, *ids: str, seen: bool = False) -> dict[str, Any]:
        message: dict[str, Any] = {"msg_ids": list(ids)} if seen else {"msg_id": ids[0]}
        return {
            "app_id": self.app_id,
            "sender": {"id": self.oa_id},
            "recipient": {"id": user},
            "event_name": "user_seen_message" if seen else "user_received_message",
            "message": message,
            "timestamp": self.stamp(),
        }

    # sending

    def signed(self, event: dict[str, Any], **changes: str) -> tuple[bytes, dict[str, str]]:
        """Return body and headers as Zalo posts them."""
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        moment = changes.get("timestamp") or str(event.get("timestamp", ""))
        first = (changes.get("first") or self.first or self.app_id).encode()
        secret = changes.get("secret", self.secret).encode()
        digest = hashlib.sha256(first + body + moment.encode() + secret).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-ZEvent-Signature": f"{changes.get('prefix', self.prefix)}{digest}",
        }
        if self.by_header or "timestamp" in changes:
            headers["X-ZEvent-Timestamp"] = moment
        return body, headers

    async def post(self, event: dict[str, Any], client: httpx.AsyncClient | None = None, **changes: str) -> int:
        """Post an event once; return the status."""
        body, headers = self.signed(event, **changes)
        if client is not None:
            return (await client.post(self.url, content=body, headers=headers)).status_code
        async with httpx.AsyncClient(timeout=10) as own:
            return (await own.post(self.url, content=body, headers=headers)).status_code

    async def deliver(
        self,
        events: Iterable[dict[str, Any]],
        rng: random.Random,
        *,
        duplicates: float = 0.3,
        shuffle: bool = True,
        attempts: int = 6,
    ) -> int:
        """Post events as a bad day has it: some twice, out of order; what is not taken is repeated. Return how many were taken."""
        queue = [event for event in events for _ in range(2 if rng.random() < duplicates else 1)]
        if shuffle:
            rng.shuffle(queue)
        taken = 0
        async with httpx.AsyncClient(timeout=10) as client:
            for event in queue:
                for _ in range(attempts):
                    if await self.post(event, client) == 200:
                        taken += 1
                        break
                    await asyncio.sleep(0.02)
        return taken
