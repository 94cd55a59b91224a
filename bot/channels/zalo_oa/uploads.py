"""Documents and pictures of the library as Zalo knows them: uploaded once, then sent by token until it expires."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from bot.channels.zalo_oa import outcomes, render
from bot.channels.zalo_oa.api import Answer, Api, Done, File
from bot.channels.zalo_oa.outcomes import Failed
from bot.clock import Clock
from bot.conversation.model import Attachment
from bot.messages import Rejected, Transient

ReadFile = Callable[[str], Awaitable[bytes]]
KEPT: Final = timedelta(days=7)
"""How long Zalo keeps an upload (error -100 afterwards)."""
MARGIN: Final = timedelta(hours=1)
IMAGE_BYTES: Final = 1024 * 1024
FILE_BYTES: Final = 5 * 1024 * 1024
IMAGES: Final = frozenset({"image/jpeg", "image/png"})
FILES: Final = frozenset(
    {
        "application/pdf",
        "application/msword",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "text/csv",
    }
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unsendable:
    """Zalo does not take such a file; a link to it may do."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Upload:
    handle: str
    until: datetime


Message = dict[str, Any]


class Uploads:
    """The uploads of one account, in this process."""

    def __init__(self, api: Api, read_file: ReadFile | None, clock: Clock) -> None:
        self._api = api
        self._read_file = read_file
        self._clock = clock
        self._known: dict[str, _Upload] = {}
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def forget(self, attachment: Attachment) -> None:
        """Zalo says that it has no such upload."""
        self._known.pop(attachment.url, None)

    async def message(self, attachment: Attachment) -> Message | Unsendable | Answer:
        """Return the message that carries an attachment; uploads it if need be."""
        picture = attachment.media_type in IMAGES
        if not picture and attachment.media_type not in FILES:
            return Unsendable(f"Zalo takes no {attachment.media_type}")
        async with self._one_at_a_time[attachment.url]:
            handle = await self._handle(attachment, picture=picture)
        if not isinstance(handle, str):
            return handle
        return render.image(handle, attachment.title) if picture else render.file(handle)

    async def _handle(self, attachment: Attachment, *, picture: bool) -> str | Unsendable | Answer:
        known = self._known.get(attachment.url)
        if known is not None and self._clock() < known.until:
            return known.handle
        if self._read_file is None:
            return Unsendable("this process has no library")
        try:
            content = await self._read_file(attachment.url)
        except Exception as error:
            log.error("a document cannot be read", extra={"url": attachment.url, "error": type(error).__name__})
            return Unsendable("the document cannot be read")
        if len(content) > (IMAGE_BYTES if picture else FILE_BYTES):
            return Unsendable("the document is too large for Zalo")
        return await self._upload(attachment, content, picture=picture)

    async def _upload(self, attachment: Attachment, content: bytes, *, picture: bool) -> str | Unsendable | Answer:
        file = File(attachment.url.rsplit("/", 1)[-1], content, attachment.media_type)
        answer = await self._api.post(f"/v2.0/oa/upload/{'image' if picture else 'file'}", file=file)
        if isinstance(answer, Transient):
            # It may be uploaded, but nobody was told so: the citizen has certainly not got it.
            return Transient(answer.reason)
        if isinstance(answer, Failed) and isinstance(outcomes.outcome(answer), Rejected):
            return Unsendable(outcomes.reason_of(answer))
        if not isinstance(answer, Done):
            return answer
        data = answer.data if isinstance(answer.data, dict) else {}
        handle = data.get("attachment_id" if picture else "token")
        if not isinstance(handle, str) or not handle:
            return Transient("the answer is not Zalo's")
        self._known[attachment.url] = _Upload(handle, self._clock() + KEPT - MARGIN)
        return handle
