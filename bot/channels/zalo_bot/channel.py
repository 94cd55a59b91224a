"""One bot of the Zalo Bot Platform as a channel account: what it sends and fetches, and whether it works."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from bot import messages
from bot.channels.health import Health
from bot.channels.progress import HalfWay, Progress
from bot.channels.tokens import WithoutToken
from bot.channels.zalo_bot import outcomes, render
from bot.channels.zalo_bot.api import API_URL, Answer, Api, Done, Lost, Refused
from bot.channels.zalo_bot.parse import CHANNEL, parse, unwrap
from bot.channels.zalo_bot.quota import Quota
from bot.conversation.model import Reply
from bot.messages import Capabilities, Incoming, Outcome

COURTESY: Final = 2.0
"""Seconds for what may fail unnoticed: the typing sign."""
SECRET: Final = (8, 256)
"""Characters of a webhook's secret, by the documentation of setWebhook."""

log = logging.getLogger(__name__)


class ZaloBotError(Exception):
    """A request about the account itself that did not work; `answer` says how."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"{answer.code} {answer.description}" if isinstance(answer, Refused) else str(answer))


class ZaloBotChannel:
    """A `bot.messages.Channel`. `secret` is the webhook's; the token is never shown or logged."""

    name = CHANNEL
    capabilities = Capabilities(render.LIMIT, buttons=False)

    def __init__(
        self,
        account: str,
        token: str,
        *,
        api_url: str = API_URL,
        webhook_secret: str = "",
        public_url: str = "",
        display_name: str = "",
        quota: Quota | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the account's name and secrets.

        Args:
            public_url: where citizens and Zalo reach this server; without https, documents and pictures are left out.
            display_name: the bot's name as a group reads it ("Bot Công dân số"); a mention of it is no part of a question.
            quota: counts what is sent; None: nobody counts.
        """
        self.account = account
        self.secret = webhook_secret
        self.quota = quota
        self._log_filter = WithoutToken(token)
        self._log_filter.attach()
        self._api = Api(token, api_url)
        self._public_url = public_url
        self._names: tuple[str, ...] = (display_name,) if display_name else ()
        self._half_way = HalfWay(monotonic)
        self._shapes: set[str] = set()
        self.health = Health()

    @property
    def problem(self) -> str:
        """Why the account does not work; "" while it does."""
        return self.health.problem

    @problem.setter
    def problem(self, receiving: str) -> None:
        self.health.receiving = receiving

    @property
    def warning(self) -> str:
        """What an operator should know although the account works: the month's quota runs out."""
        return self.quota.warning if self.quota is not None else ""

    async def look_at_quota(self) -> None:
        """Read how many messages all processes have sent this month, so that `warning` is true before we send one."""
        if self.quota is not None:
            await self.quota.used()

    async def stop(self) -> None:
        """Close the connections."""
        await self._api.close()
        self._log_filter.detach()

    # the account

    async def identify(self) -> None:
        """Check the token, and learn the names by which a group speaks to the bot.

        Raises:
            ZaloBotError: Zalo refuses or is out of reach.
        """
        about = await self._ask("getMe")
        found = [about.get(key) for key in ("account_name", "display_name", "name")] if isinstance(about, dict) else []
        self._names = tuple(dict.fromkeys((*self._names, *(n for n in found if isinstance(n, str) and n))))

    async def set_webhook(self, public_url: str) -> bool:
        """Point Zalo at this server; return whether Zalo reached it there, and if not, `problem` says so.

        Raises:
            ZaloBotError: Zalo refuses or is out of reach, or the secret or the address cannot do.
        """
        if not SECRET[0] <= len(self.secret) <= SECRET[1]:
            raise ZaloBotError(Refused(400, f"a webhook needs a secret of {SECRET[0]} to {SECRET[1]} characters"))
        if not public_url.startswith("https://"):
            raise ZaloBotError(Refused(400, "a webhook needs a public https address"))
        url = f"{public_url.rstrip('/')}/channels/zalo-bot/{self.account}/webhook"
        result = await self._ask("setWebhook", {"url": url, "secret_token": self.secret})
        verified = result.get("verification") if isinstance(result, dict) else None
        unreached = isinstance(verified, dict) and verified.get("ok") is False
        self.problem = "WebhookNotReached" if unreached else ""
        return not unreached

    async def delete_webhook(self) -> None:
        """End the webhook, so that updates can be polled.

        Raises:
            ZaloBotError: Zalo refuses or is out of reach.
        """
        answer = await self._api.call("deleteWebhook")
        nothing_there = isinstance(answer, Refused) and answer.code == 404
        if not isinstance(answer, Done) and not nothing_there:
            raise ZaloBotError(answer)

    async def _ask(self, method: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self._api.call(method, body)
        if not isinstance(answer, Done):
            raise ZaloBotError(answer)
        return answer.result

    # what comes in

    async def fetch(self, wait: float) -> list[dict[str, Any]]:
        """Return the next update after at most `wait` seconds: none, or one (a list, in case Zalo ever gives more).

        Zalo forgets what it has handed over: store it before fetching again.

        Raises:
            ZaloBotError: Zalo refuses or is out of reach.
        """
        answer = await self._api.call("getUpdates", {"timeout": str(int(wait))}, seconds=wait + COURTESY * 5)
        if isinstance(answer, Done):
            found = answer.result if isinstance(answer.result, list) else [answer.result]
            return [update for update in found if isinstance(update, dict) and update]
        if outcomes.timed_out(answer):
            return []
        raise ZaloBotError(answer)

    def parse(self, body: Any, now: datetime) -> Incoming | None:
        """Return what an update, from a poll or a webhook, says a citizen did."""
        update, shape = unwrap(body)
        found = None
        if update is not None:
            try:
                found = parse(update, self._names, self.account, now)
            except Exception as error:
                # What cannot be read must not stop what comes behind it; what it held is not logged.
                log.warning("unreadable update left out", extra=self._about() | {"error": type(error).__name__})
        self._note_shape(shape, update)
        return found

    def _note_shape(self, shape: str, update: dict[str, Any] | None) -> None:
        """Log each shape of update once: the documentation and what is seen in the field disagree."""
        event = update.get("event_name", "none") if update is not None else "none"
        name = f"{shape} {event if isinstance(event, str) else '?'}"[:60]
        if name not in self._shapes and len(self._shapes) < 50:
            self._shapes.add(name)
            log.info("shape of update seen", extra=self._about() | {"shape": name})

    def _about(self) -> dict[str, str]:
        return {"account": self.account}

    # what goes out

    def cost(self, chat: str, reply: Reply) -> int:
        """Return how many messages a reply takes, without those that the chat has."""
        return max(1, len(render.requests(reply, self._public_url)) - self._half_way.has(chat, reply))

    async def send(self, chat: str, reply: Reply, *, typing: bool = True) -> Outcome:
        """Send a reply, in as many requests as it needs.

        The first one that fails decides the outcome. The same reply to the same chat, sent again, goes on with that
        one (unless this process forgot it): the citizen need not read the beginning twice, nor the quota pay for it.
        """
        requests = render.requests(reply, self._public_url)
        if not requests:
            return messages.Rejected("nothing to send")
        progress = self._half_way.progress(chat, reply)
        if typing and progress.done == 0:
            await self._api.call("sendChatAction", {"chat_id": chat, "action": "typing"}, seconds=COURTESY)
        found = await self._send_from(progress, chat, requests)
        self.health.sent(found)
        self._half_way.settle(chat, reply, found)
        return found

    async def _send_from(self, progress: Progress, chat: str, requests: list[render.Request]) -> Outcome:
        for number in range(progress.done, len(requests)):
            request = requests[number]
            answer = await self._api.call(request.method, {"chat_id": chat, **request.body})
            if self.quota is not None and (isinstance(answer, Done) or (isinstance(answer, Lost) and answer.arrived)):
                await self.quota.count()
            found = outcomes.outcome(answer)
            if not isinstance(found, messages.Sent):
                return found
            self._half_way.advance(progress, number + 1)
            progress.message_id = found.external_id or progress.message_id
        return messages.Sent(progress.message_id)
