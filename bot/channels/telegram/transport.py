"""python-telegram-bot's requests over aiohttp, kept from telling the log what was written to the bot.

Its own transport is httpx, which takes a third of the processor time of an answer; aiohttp takes a tenth (`congdanso bench chat`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any, Final

import aiohttp
from aiohttp.helpers import get_env_proxy_for_url
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData
from yarl import URL

from bot.channels.tokens import HTTP

TALKATIVE: Final = (*HTTP, "telegram.Bot")
"""httpx names the address, and the token in it, of every request; telegram.Bot names all parameters when debugging."""
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
UPLOAD: Final = 60.0
"""Seconds that sending a file may take."""
NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
"""Faults before the request was on its way; after any other fault of the line the message may have arrived."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What a call takes, each value as the text it travels as: as much of a `RequestData` as a request needs.

    python-telegram-bot makes objects of a text's answer and of its buttons: ten times the work of saying and reading them.
    """

    json_parameters: dict[str, str]
    multipart_data: None = None
    contains_files: bool = False


class QuietRequest(BaseRequest):
    """Requests whose unreadable answers are not logged: a cut-off getUpdates is full of names and texts.

    Args:
        connections: open at once; who needs one more waits for it.
        read_timeout: seconds without a byte of the answer.
        connect_timeout: seconds until a connection stands, waiting for a free one included.
    """

    def __init__(self, *, connections: int, read_timeout: float, connect_timeout: float) -> None:
        self._connections = connections
        self._read_timeout = read_timeout
        self._connect_timeout = connect_timeout
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @property
    def read_timeout(self) -> float:
        """Seconds without a byte of the answer, unless a call says otherwise."""
        return self._read_timeout

    async def initialize(self) -> None:
        """Allow requests (again)."""
        self._closed = False

    async def shutdown(self) -> None:
        """Close all connections."""
        self._closed = True
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Make one request.

        Returns:
            The status and the body of the answer.

        Raises:
            TimedOut, NetworkError: no answer came; the cause says how far it got.
        """
        del pool_timeout  # waiting for a free connection counts as connecting
        session = self._opened()
        reading = _or(read_timeout, self._read_timeout)
        connecting = _or(connect_timeout, self._connect_timeout)
        files = request_data.multipart_data if request_data else None
        fields = request_data.json_parameters if request_data else {}
        body = _form(fields, files) if files else _encoded(fields)
        # aiohttp counts no seconds while it writes, so that they are within those of reading and of all.
        writing = _or(write_timeout, UPLOAD) if files else 0.0
        timeout = aiohttp.ClientTimeout(
            total=connecting + writing + reading, connect=connecting, sock_read=writing + reading
        )
        try:
            proxy, login = _proxy(_origin(url))
            async with session.request(
                method,
                url,
                data=body,
                headers=None if files else _FORM,
                timeout=timeout,
                allow_redirects=False,
                proxy=proxy,
                proxy_auth=login,
            ) as answer:
                return answer.status, await answer.read()
        except TimeoutError as error:
            raise TimedOut from error
        except aiohttp.ClientError as error:
            # The error's own words would name the address, and the token in it.
            raise NetworkError(type(error).__name__) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the transport is closed")
        if self._session is None:  # made here, since it belongs to the loop that runs it
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                headers={"User-Agent": self.USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Return the JSON of an answer.

        Raises:
            TelegramError: it is no JSON object.
        """
        try:
            parsed = json.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise TelegramError("Invalid server response")
        return parsed


def _origin(url: str) -> URL:
    try:
        return URL(url).origin()
    except ValueError as error:
        raise aiohttp.InvalidURL("") from error  # without the address, and the token in it


@lru_cache(maxsize=64)
def _proxy(origin: URL) -> tuple[URL | None, aiohttp.BasicAuth | None]:
    """The proxy of the environment for an address. aiohttp, left to itself, reads the whole environment for each request."""
    try:
        return get_env_proxy_for_url(origin)
    except LookupError:
        return None, None


def _or(given: Any, usual: float) -> float:
    """The seconds that a call asks for, else the usual ones."""
    return usual if given is BaseRequest.DEFAULT_NONE or given is None else float(given)


def _encoded(fields: dict[str, str]) -> bytes:
    """Return fields as the body of a form; the standard library takes six times as long for Vietnamese."""
    return URL.build(query=fields).raw_query_string.encode("ascii")


def _form(fields: dict[str, str], files: dict[str, tuple[str, bytes | IO[bytes], str]]) -> aiohttp.FormData:
    form = aiohttp.FormData(fields)
    for name, (filename, content, kind) in files.items():
        form.add_field(name, content, filename=filename, content_type=kind)
    return form
