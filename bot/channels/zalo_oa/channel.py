"""One Official Account as a channel account: what it sends, what that cost, and whether it works."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import httpx

from bot import messages
from bot.channels.health import Health
from bot.channels.progress import HalfWay, Progress
from bot.channels.zalo_oa import outcomes, render
from bot.channels.zalo_oa.api import Answer, Api, Done, http_client
from bot.channels.zalo_oa.client import ZaloOaClient, ZaloRefused, sent
from bot.channels.zalo_oa.oauth import OAuth
from bot.channels.zalo_oa.outcomes import STALE_UPLOAD, Failed
from bot.channels.zalo_oa.parse import ANONYMOUS, CHANNEL
from bot.channels.zalo_oa.signature import Keys
from bot.channels.zalo_oa.tokens import Secrets, Tokens
from bot.channels.zalo_oa.uploads import Message, ReadFile, Unsendable, Uploads
from bot.channels.zalo_oa.values import Charge
from bot.channels.zalo_oa.windows import Window, window
from bot.clock import Clock
from bot.conversation.model import Attachment, Reply, TemplateMessage
from bot.messages import Capabilities, Outcome, OutsideWindow, Rejected, RetryAfter, Sent, Transient

CHECK: Final = 600.0
"""Seconds between two looks at the tokens."""
REFUSES_BUTTONS: Final = frozenset({-201, -210, -233})
"""Errors by which Zalo may say that such a message takes no buttons."""
LastInteraction = Callable[[str], Awaitable[datetime | None]]
"""When a citizen (by chat) last turned to the OA; None if nobody knows."""
Sleep = Callable[[float], Awaitable[None]]

log = logging.getLogger(__name__)


class ZaloOaChannel:
    """A `bot.messages.Channel`. `oa_id` is "" until it is known; `client` does what is not answering."""

    name = CHANNEL

    def __init__(
        self,
        account: str,
        *,
        keys: Keys,
        tokens: Tokens,
        api: Api,
        clock: Clock,
        oa_id: str = "",
        read_file: ReadFile | None = None,
        public_url: str = "",
        last_interaction: LastInteraction | None = None,
        native_buttons: bool = False,
        paid_messages: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.account = account
        self.keys = keys
        self.oa_id = oa_id
        self.tokens = tokens
        self.client = ZaloOaClient(api, clock)
        self.capabilities = Capabilities(render.LIMIT, buttons=native_buttons, files=True, pays=paid_messages)
        self.charge: Charge | None = None
        """What the last message cost."""
        self.charged = 0
        """Messages of this process that were not free."""
        self.signed = ""
        """The form of the last signature that matched."""
        self._api = api
        self._clock = clock
        self._uploads = Uploads(api, read_file, clock)
        self._public_url = public_url.rstrip("/")
        self._last_interaction = last_interaction
        self._native_buttons = native_buttons
        self._paid_messages = paid_messages
        self._half_way = HalfWay(monotonic)
        self._close = close
        self._identified = False
        self._health = Health()

    @property
    def problem(self) -> str:
        """Why the account does not work, or soon will not; "" while it does."""
        return self.health.problem

    @property
    def health(self) -> Health:
        """As this process sees it. Who receives also keeps the tokens fresh, so trouble with them counts on both sides.

        Other processes may still send with a token that is about to end: their success does not end the alarm.
        """
        seen, alarm = self._health, self.tokens.problem
        return Health(alarm or seen.receiving, alarm or seen.sending, seen.tries)

    async def run(self, *, sleep: Sleep = asyncio.sleep, rng: random.Random | None = None) -> None:
        """Renew the tokens in time and learn the OA's id, until cancelled."""
        rng = rng or random.Random()
        while True:
            if await self.tokens.keep_fresh():
                self._health.receiving = ""
            if not self._identified:
                await self.identify()
            await sleep(CHECK * rng.uniform(0.8, 1.2))

    async def stop(self) -> None:
        """Wait for what must not be cut off, and close the connections."""
        await self.tokens.close()
        if self._close is not None:
            await self._close()

    async def identify(self) -> None:
        """Ask Zalo which OA the tokens are for. Until it answers, the first event that is signed for this account tells."""
        try:
            found = (await self.client.profile()).oa_id
        except ZaloRefused as error:
            log.warning("Zalo does not say which OA this is", extra=self._about() | {"outcome": repr(error.outcome)})
            return
        if self.oa_id and found and found != self.oa_id:
            log.error("the tokens are those of another OA", extra=self._about() | {"oa_id": found})
        self.oa_id = found or self.oa_id
        self._identified = bool(found)

    def recognise(self, form: str, oa_id: str) -> None:
        """An event was signed for this account, in this form."""
        if form != self.signed:
            log.info("events are signed", extra=self._about() | {"form": form})
        self.signed = form
        self.oa_id = self.oa_id or oa_id

    # what goes out

    def cost(self, chat: str, reply: Reply) -> int:
        """Return how many messages a reply takes, without those that the citizen has."""
        whole = len(render.texts(reply)) + len(reply.attachments)
        return max(1, whole - self._half_way.has(chat, reply))

    async def send(self, chat: str, reply: Reply) -> Outcome:
        """Send a reply, in as many messages as it needs.

        The first one that fails decides the outcome. The same reply to the same citizen, sent again, goes on with that one
        (unless this process forgot it). Outside the hours in which Zalo takes messages for nothing, no request leaves unless
        paid messages are allowed; a template of the reply's leaves instead, which has no such hours.
        """
        try:
            found = await self._send(chat, reply)
        except Exception as error:
            # We are wrong somewhere: the message may be there.
            log.error("sending failed", extra=self._about() | {"error": type(error).__name__})
            found = Transient(type(error).__name__, maybe_sent=True)
        self._health.sent(found)
        self._half_way.settle(chat, reply, found)
        return found

    async def _send(self, chat: str, reply: Reply) -> Outcome:
        parts = render.texts(reply)
        if not parts and not reply.attachments:
            return Rejected("nothing to send")
        outside = await self._outside(chat)
        template = None if _is_anonymous(chat) else _template(reply, self.account)
        if outside is not None and not (template is not None and isinstance(outside, OutsideWindow)):
            return outside
        if (rests := self._api.rests()) > 0:
            return RetryAfter(rests)
        if outside is None:
            progress = self._half_way.progress(chat, reply)
            found = await self._send_from(progress, chat, reply, parts)
            if template is None or progress.done or not isinstance(found, OutsideWindow):
                return found
            # Zalo counts the hours otherwise than we do, or wants money for a free text: nothing of it has left.
        assert template is not None
        return await self.client.send_template(chat, template.id, dict(template.data), promotional=template.promotional)

    async def _outside(self, chat: str) -> OutsideWindow | Transient | None:
        """Why no message may leave now."""
        if self._last_interaction is None:
            return None
        try:
            last = await self._last_interaction(chat)
        except Exception as error:
            log.error("the last interaction cannot be read", extra=self._about() | {"error": type(error).__name__})
            return Transient("the last interaction cannot be read")
        match window(last, self._clock()):
            case Window.CLOSED:
                return OutsideWindow("seven days since the last interaction")
            case Window.PAID if not self._paid_messages:
                return OutsideWindow("48 hours since the last interaction, and paid messages are off")
        return None

    async def _send_from(self, progress: Progress, chat: str, reply: Reply, parts: list[str]) -> Outcome:
        for number in range(progress.done, len(parts) + len(reply.attachments)):
            text = number < len(parts)
            if text:
                found = await self._send_text(chat, reply, parts[number], last=number == len(parts) - 1)
            else:
                found = await self._send_attachment(chat, reply.attachments[number - len(parts)])
            if not isinstance(found, Sent):
                return found
            self._half_way.advance(progress, number + 1)
            if text or not progress.message_id:
                progress.message_id = found.external_id
        return Sent(progress.message_id)

    async def _send_text(self, chat: str, reply: Reply, text: str, *, last: bool) -> Outcome:
        native = render.buttons(reply) if last and self._native_buttons and not _is_anonymous(chat) else []
        answer = await self._post(chat, render.message(text, native))
        if native and isinstance(answer, Failed) and answer.code in REFUSES_BUTTONS:
            # The numbers say the same; the operator reads that the switch is of no use here.
            log.warning("Zalo takes no buttons", extra=self._about() | {"reason": outcomes.reason_of(answer)})
            self._native_buttons = False
            answer = await self._post(chat, render.message(text))
        return self._outcome(answer)

    async def _send_attachment(self, chat: str, attachment: Attachment) -> Outcome:
        """Send a document or picture; in words where Zalo does not take it."""
        for _ in range(2):
            message = await self._uploads.message(attachment)
            if isinstance(message, Unsendable):
                return await self._send_words(chat, attachment, message.reason)
            if not isinstance(message, dict):
                return outcomes.outcome(message) if isinstance(message, Failed) else _no_message(message)
            answer = await self._post(chat, message)
            if not (isinstance(answer, Failed) and answer.code == STALE_UPLOAD):
                break
            self._uploads.forget(attachment)
        found = self._outcome(answer)
        return await self._send_words(chat, attachment, found.reason) if isinstance(found, Rejected) else found

    async def _send_words(self, chat: str, attachment: Attachment, reason: str) -> Outcome:
        """Say where a document is that Zalo does not take; or, without a public address, that it cannot be given here."""
        log.warning("a document is left out", extra=self._about() | {"url": attachment.url, "reason": reason})
        text = render.document(attachment, self._public_url)
        return self._outcome(await self._post(chat, render.message(text)))

    async def _post(self, chat: str, message: Message) -> Answer:
        """Post a message. Texts to people without an account still go by the old interface, their documents by the new."""
        path = "/v3.0/oa/message/cs"
        recipient = {"user_id": chat}
        if _is_anonymous(chat):
            _, who, where = chat.split(":", 2)
            recipient = {"anonymous_id": who, "conversation_id": where}
            if "attachment" not in message:
                path = "/v2.0/oa/message"
        return await self._api.post(path, {"recipient": recipient, "message": message})

    def _outcome(self, answer: Answer) -> Outcome:
        if isinstance(answer, Done):
            self.charge = Charge.read(answer.data)
            if not self.charge.free:
                self._count_charge(self.charge)
        return sent(answer)

    def _count_charge(self, charge: Charge) -> None:
        self.charged += 1
        if not self._paid_messages and self.charged == 1:
            log.error(
                "Zalo charged a message although paid messages are off", extra=self._about() | {"kind": charge.kind}
            )

    def _about(self) -> dict[str, Any]:
        return {"account": self.account}


def _template(reply: Reply, account: str) -> TemplateMessage | None:
    return next((t for t in reply.templates if t.account == account), None)


def _is_anonymous(chat: str) -> bool:
    return chat.startswith(f"{ANONYMOUS}:")


def _no_message(answer: Done | RetryAfter | Transient | messages.Misconfigured) -> Outcome:
    return Transient("the answer is not Zalo's") if isinstance(answer, Done) else answer


def zalo_oa_channel(
    account: str,
    *,
    app_id: str,
    oa_secret: str,
    app_secret: str,
    secrets: Secrets,
    clock: Clock,
    api_url: str = "https://openapi.zalo.me",
    business_url: str = "https://business.openapi.zalo.me",
    oauth_url: str = "https://oauth.zaloapp.com",
    oa_id: str = "",
    read_file: ReadFile | None = None,
    public_url: str = "",
    last_interaction: LastInteraction | None = None,
    native_buttons: bool = False,
    paid_messages: bool = False,
    http: httpx.AsyncClient | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ZaloOaChannel:
    """Build the channel of one OA.

    Args:
        oa_secret: signs the webhook's events (shown beside the webhook's address); not the app's secret.
        secrets: where the tokens live; put a first pair there with `tokens.seeded`.
        read_file: reads a document of the library by its address below the server's root.
        public_url: where citizens reach this server, for documents that Zalo does not take.
        last_interaction: when a citizen last turned to the OA; without it Zalo alone decides what is outside the window.
        native_buttons: add buttons to the numbered menu; whether Zalo takes them is not documented.
        paid_messages: write to citizens between 48 hours and seven days after their last interaction, at the OA's cost.
        http: a client to share among accounts; it stays open when the channel stops.
    """
    client = http or http_client()
    tokens = Tokens(account, secrets, OAuth(client, app_id, app_secret, url=oauth_url), clock)
    api = Api(client, tokens, url=api_url, business_url=business_url, monotonic=monotonic)
    return ZaloOaChannel(
        account,
        keys=Keys(app_id, oa_secret, app_secret),
        tokens=tokens,
        api=api,
        clock=clock,
        oa_id=oa_id,
        read_file=read_file,
        public_url=public_url,
        last_interaction=last_interaction,
        native_buttons=native_buttons,
        paid_messages=paid_messages,
        monotonic=monotonic,
        close=None if http is not None else client.aclose,
    )
