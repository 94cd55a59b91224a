"""What an OA can do besides answering: broadcasts of articles, approved templates, quotas, followers, tags.

What sends returns an outcome, like a channel; what reads or prepares returns its value, or raises `ZaloRefused` with one.
An officer's free text cannot go to all followers: that takes an article, or a template that Zalo approved (docs/adr/0010).
Who a follower is (name, picture, phone) can be asked of Zalo, and is not asked here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from bot.channels.zalo_oa import outcomes
from bot.channels.zalo_oa.api import Answer, Api, Done
from bot.channels.zalo_oa.outcomes import BY_NIGHT, PROCESSING, Failed
from bot.channels.zalo_oa.values import Article, CitizenQuota, OaProfile, OaQuota, Target, number
from bot.channels.zalo_oa.windows import by_day, next_opening
from bot.clock import Clock
from bot.messages import Outcome, OutsideWindow, Rejected, Sent, Transient

PAGE: Final = 50
"""Followers a page."""
REACH: Final = 9951
"""The last offset that Zalo takes: more than about 10,000 followers are asked for tag by tag."""
POLL: Final = 2.0
"""Seconds between two questions whether an article is ready."""
READY_WITHIN: Final = 90.0
NIGHT: Final = "Zalo takes broadcasts and promotional templates between 06:00 and 21:59 only"

Sleep = Callable[[float], Awaitable[None]]


class ZaloRefused(Exception):
    """Zalo did not do it; `outcome` says what that means."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


class ZaloOaClient:
    """Calls of one OA. Sending to single citizens is the channel's business."""

    def __init__(self, api: Api, clock: Clock, *, sleep: Sleep = asyncio.sleep) -> None:
        self._api = api
        self._clock = clock
        self._sleep = sleep

    # broadcasts

    async def create_article(self, article: Article) -> str:
        """Hand in an article; return the token by which its id is asked for.

        Raises:
            ZaloRefused: it was not taken.
        """
        data = _object(await self._api.post("/v2.0/article/create", article.as_dict()))
        return _named(data, "token")

    async def article_id(self, token: str, *, within: float = READY_WITHIN) -> str:
        """Return an article's id once Zalo has made it, after at most `within` seconds.

        Raises:
            ZaloRefused: it was refused, or is not ready yet (`Transient`: ask again with the same token).
        """
        waited = 0.0
        while True:
            answer = await self._api.post("/v2.0/article/verify", {"token": token})
            busy = isinstance(answer, Failed) and answer.code == PROCESSING
            if not busy and (found := _object(answer).get("id")):
                return str(found)
            if waited >= within:
                raise ZaloRefused(Transient("Zalo is still making the article"))
            await self._sleep(POLL)
            waited += POLL

    async def broadcast(self, article_id: str, target: Target) -> Outcome:
        """Send an article to the followers who fit; by night nothing is sent."""
        if not by_day(self._clock()):
            return OutsideWindow(NIGHT, next_opening(self._clock()))
        element = {"media_type": "article", "attachment_id": article_id}
        body = {
            "recipient": {"target": target.as_dict()},
            "message": {
                "attachment": {"type": "template", "payload": {"template_type": "media", "elements": [element]}}
            },
        }
        return self._sent(await self._api.post("/v2.0/oa/message", body))

    # templates that Zalo approved

    async def send_template(
        self, user_id: str, template_id: str, data: Mapping[str, str], *, promotional: bool = False
    ) -> Outcome:
        """Send a template to a citizen whose id is known. A promotional one does not leave by night, others do, silently."""
        if promotional and not by_day(self._clock()):
            return OutsideWindow(NIGHT, next_opening(self._clock()))
        body = {"user_id": user_id, "template_id": template_id, "template_data": dict(data)}
        return self._sent(await self._api.post("/v3.0/oa/message/template", body))

    async def send_template_by_phone(
        self,
        phone: str,
        template_id: str,
        data: Mapping[str, str],
        *,
        tracking_id: str,
        promotional: bool = False,
        development: bool = False,
    ) -> Outcome:
        """Send a template to a phone number (84…), which is kept nowhere.

        Args:
            tracking_id: comes back in the receipt; at most 48 characters.
            development: only administrators of app and OA receive it, and nothing is charged.
        """
        if promotional and not by_day(self._clock()):
            return OutsideWindow(NIGHT, next_opening(self._clock()))
        if not 0 < len(tracking_id) <= 48:
            return Rejected("a tracking id has 1 to 48 characters")
        body: dict[str, Any] = {
            "phone": phone,
            "template_id": template_id,
            "template_data": dict(data),
            "tracking_id": tracking_id,
        }
        if development:
            body["mode"] = "development"
        return self._sent(await self._api.post("/message/template", body, business=True))

    def _sent(self, answer: Answer) -> Outcome:
        """What an answer means; a refusal because of the night says when to come again."""
        found = sent(answer)
        if isinstance(answer, Failed) and answer.code in BY_NIGHT and isinstance(found, OutsideWindow):
            return OutsideWindow(found.reason, next_opening(self._clock()))
        return found

    # quotas

    async def quota_of(self, user_id: str) -> CitizenQuota:
        """Return what may still be sent to one citizen.

        Raises:
            ZaloRefused: Zalo does not say.
        """
        data = _object(await self._api.post("/v3.0/oa/quota/message", {"user_id": user_id}))
        return CitizenQuota.read(data)

    async def quotas(self, product: str = "cs") -> tuple[OaQuota, ...]:
        """Return the packages of messages that the OA has.

        Raises:
            ZaloRefused: Zalo does not say.
        """
        answer = await self._api.post("/v3.0/oa/quota/message", {"quota_owner": "OA", "product_type": product})
        return tuple(OaQuota.read(entry) for entry in _list(answer) if isinstance(entry, dict))

    # the OA and its followers

    async def profile(self) -> OaProfile:
        """Return who the OA is, to Zalo.

        Raises:
            ZaloRefused: Zalo does not say.
        """
        return OaProfile.read(_object(await self._api.get("/v2.0/oa/getoa")))

    async def followers(self, *, tag: str = "", period: str = "") -> AsyncIterator[str]:
        """Yield the ids of followers, page by page.

        Args:
            tag: only those who have it.
            period: only those whose last interaction lies in TODAY, YESTERDAY, L7D, L30D or YYYY_MM_DD:YYYY_MM_DD.

        Raises:
            ZaloRefused: Zalo does not answer; or (`Rejected`) there are more than it shows: ask tag by tag.
        """
        offset, total = 0, 1
        while offset < total:
            if offset > REACH:
                raise ZaloRefused(Rejected(f"Zalo shows about 10,000 of {total} followers: ask tag by tag"))
            query: dict[str, Any] = {"offset": offset, "count": PAGE, "is_follower": True}
            if period:
                query["last_interaction_period"] = period
            if tag:
                query["tag_name"] = tag
            data = _object(await self._api.get("/v3.0/oa/user/getlist", query))
            users = data.get("users")
            ids = [str(u["user_id"]) for u in users if isinstance(u, dict) and u.get("user_id")] if users else []
            if not ids:
                return
            for user_id in ids:
                yield user_id
            offset += len(ids)
            total = number(data.get("total")) or 0

    async def tag(self, user_id: str, name: str) -> None:
        """Give a follower a tag, e.g. their commune's (`commune_tag`); it is made if it is new.

        Raises:
            ZaloRefused: it was not done.
        """
        _done(await self._api.post("/v2.0/oa/tag/tagfollower", {"user_id": user_id, "tag_name": name}))

    async def untag(self, user_id: str, name: str) -> None:
        """Take a tag from a follower.

        Raises:
            ZaloRefused: it was not done.
        """
        _done(await self._api.post("/v2.0/oa/tag/rmfollowerfromtag", {"user_id": user_id, "tag_name": name}))

    async def tags(self) -> tuple[str, ...]:
        """Return the OA's tags.

        Raises:
            ZaloRefused: Zalo does not say.
        """
        return tuple(str(name) for name in _list(await self._api.get("/v2.0/oa/tag/gettagsofoa")))

    async def remove_tag(self, name: str) -> None:
        """Remove a tag from the OA and all followers.

        Raises:
            ZaloRefused: it was not done.
        """
        _done(await self._api.post("/v2.0/oa/tag/rmtag", {"tag_name": name}))


def commune_tag(slug: str) -> str:
    """Return the tag of those who chose a commune."""
    return f"xa-phuong:{slug}"


def sent(answer: Answer) -> Outcome:
    """Say what an answer means for a message."""
    if isinstance(answer, Done):
        data = answer.data if isinstance(answer.data, dict) else {}
        return Sent(str(data.get("message_id") or data.get("msg_id") or ""))
    return outcomes.outcome(answer) if isinstance(answer, Failed) else answer


def _done(answer: Answer) -> Any:
    if isinstance(answer, Done):
        return answer.data
    raise ZaloRefused(outcomes.outcome(answer) if isinstance(answer, Failed) else answer)


def _object(answer: Answer) -> dict[str, Any]:
    data = _done(answer)
    return data if isinstance(data, dict) else {}


def _list(answer: Answer) -> list[Any]:
    data = _done(answer)
    return data if isinstance(data, list) else []


def _named(data: Mapping[str, Any], name: str) -> str:
    if isinstance(value := data.get(name), str) and value:
        return value
    raise ZaloRefused(Transient("the answer is not Zalo's", maybe_sent=True))
