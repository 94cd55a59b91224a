"""The tokens of one OA: renewed in time, by one process at once, so that no crash loses them unnoticed.

A refresh token works once, and with its use the old access token dies. So before Zalo is asked, it is written down that
asking began; the new pair is written down before it is used. A process that dies in between leaves the note behind: the next
one asks once more with the same refresh token, and if Zalo has already taken it, says aloud that the OA must be authorised anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final, Protocol

from bot.channels.zalo_oa.oauth import Granted, OAuth, Refused, Unavailable
from bot.clock import Clock
from bot.messages import Misconfigured, Transient

ACCESS: Final = "access_token"
REFRESH: Final = "refresh_token"
GRANTED_AT: Final = "granted_at"
EXPIRES_AT: Final = "expires_at"
BEGAN: Final = "renewal_began"
"""The note: Zalo is being asked, and nobody knows yet what came of it."""
SEED: Final = "seed"
"""A fingerprint of the pair that was last given by hand."""
DUE: Final = 0.8
"""Of its lifetime, after which a token is renewed: 20 of 25 hours."""
AGAIN: Final = timedelta(hours=1)
"""Before a refused refresh token is tried once more, should the refusal have been Zalo's mistake."""
PAUSES: Final = (0.0, 0.2, 1.0, 3.0)
"""Seconds before each try to save a new pair."""

HOW: Final = "give the account a new pair of tokens from Zalo's API Explorer (congdanso channel secrets zalo-oa NAME)"
LOST: Final = f"a renewal of the tokens was cut off and Zalo does not take the old refresh token any more: {HOW}"
REFUSED: Final = f"Zalo does not take the refresh token: {HOW}"
NO_REFRESH: Final = f"there is no refresh token: the access token ends after 25 hours; {HOW}"
UNSAVED: Final = "a new pair of tokens cannot be saved: do not stop this process, mend the database"

Trouble = Misconfigured | Transient
log = logging.getLogger(__name__)


class Secrets(Protocol):
    """Where one account's secrets are kept, shared by all processes."""

    async def read(self) -> Mapping[str, str]:
        """Return what was written last; {} if nothing was."""

    async def write(self, secrets: Mapping[str, str]) -> None:
        """Replace everything; committed when this returns."""

    def lease(self) -> AbstractAsyncContextManager[None]:
        """Hold the account's tokens alone among all processes. Waits for its turn; outlives its holder's death.

        A holder that died loses it after a while, but a living one must keep it for at least a minute: Zalo may be slow.
        """


def seeded(stored: Mapping[str, str], access_token: str, refresh_token: str) -> Mapping[str, str] | None:
    """Return what to store for a pair given by hand (settings, console); None for no pair, and for one that was given before.

    What was renewed since then is newer than what the settings still say.
    """
    seed = hashlib.sha256(f"{access_token}\n{refresh_token}".encode()).hexdigest()[:16]
    if not (access_token or refresh_token) or stored.get(SEED) == seed:
        return None
    return {ACCESS: access_token, REFRESH: refresh_token, SEED: seed}


def granted(stored: Mapping[str, str], grant: Granted, now: datetime) -> Mapping[str, str]:
    """Return what to store for a pair that Zalo has given."""
    kept = {name: value for name, value in stored.items() if name != BEGAN}
    return kept | {
        ACCESS: grant.access_token,
        REFRESH: grant.refresh_token,
        GRANTED_AT: now.isoformat(),
        EXPIRES_AT: (now + grant.lifetime).isoformat(),
    }


def due(stored: Mapping[str, str], now: datetime) -> bool:
    """Whether the tokens should be renewed now; also if nobody knows how old they are, or what became of a renewal."""
    since, until = _moment(stored, GRANTED_AT), _moment(stored, EXPIRES_AT)
    if BEGAN in stored or not stored.get(ACCESS) or since is None or until is None:
        return True
    return now >= since + (until - since) * DUE


def _moment(stored: Mapping[str, str], name: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(stored.get(name, ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


class Tokens:
    """The tokens of one account, in this process. `problem` says what an operator has to do; "" if nothing."""

    def __init__(
        self, account: str, secrets: Secrets, oauth: OAuth, clock: Clock, *, pauses: tuple[float, ...] = PAUSES
    ) -> None:
        self._account = account
        self._secrets = secrets
        self._oauth = oauth
        self._clock = clock
        self._pauses = pauses
        self._loaded = False
        self._access = ""
        self._expires: datetime | None = None
        self._renewing: asyncio.Task[str | Trouble] | None = None
        self._unsaved: Mapping[str, str] | None = None
        self._refused: tuple[str, datetime] | None = None
        self.problem = ""

    async def access(self) -> str | Trouble:
        """Return a token to call Zalo with."""
        if not self._loaded and (trouble := await self._load()) is not None:
            return trouble
        return self._access if self._good() else await self.renewed(self._access)

    async def renewed(self, stale: str) -> str | Trouble:
        """Return a token that is not `stale`: a newer one that somebody has already fetched, else a new one of Zalo's.

        The caller may be cancelled at any moment; the renewal itself goes on, since half of it would lose the tokens.
        """
        if stale != self._access and self._good():
            return self._access
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(stale))
            self._renewing.add_done_callback(self._ended)
        return await asyncio.shield(self._renewing)

    async def keep_fresh(self) -> bool:
        """Renew the tokens if it is time; take over what another process or an operator has stored.

        Returns:
            Whether they work; False also while nobody knows.
        """
        try:
            stored = await self._secrets.read()
        except Exception as error:
            self._cannot_store(error)
            return False
        if self._unsaved is None and (not self._loaded or stored.get(ACCESS, "") != self._access):
            self._adopt(stored)
        if self._unsaved is not None or due(stored, self._clock()):
            return isinstance(await self.renewed(self._access), str) and not self.problem
        return self._good() and not self.problem

    async def authorise(self, code: str, verifier: str) -> Granted | Refused | Unavailable:
        """Fetch and store the first pair for a code that an administrator's consent has brought."""
        async with self._secrets.lease():
            answer = await self._oauth.exchange(code, verifier)
            if isinstance(answer, Granted):
                saved = await self._save(granted(await self._secrets.read(), answer, self._clock()))
                return answer if isinstance(saved, str) else Unavailable(saved.reason, maybe_done=True)
        return answer

    async def close(self) -> None:
        """Wait for a renewal that is on its way."""
        if self._renewing is not None:
            await asyncio.wait([self._renewing])

    def _ended(self, task: asyncio.Task[str | Trouble]) -> None:
        self._renewing = None
        if not task.cancelled():
            task.exception()

    def _good(self) -> bool:
        if not self._access or self._unsaved is not None:
            return False
        return self._expires is None or self._clock() < self._expires

    async def _load(self) -> Trouble | None:
        try:
            stored = await self._secrets.read()
        except Exception as error:
            return self._cannot_store(error)
        self._adopt(stored)
        if BEGAN in stored:
            # If that fails, the old access token may still be good: Zalo will say.
            await self.renewed(self._access)
        return None

    def _adopt(self, stored: Mapping[str, str]) -> str:
        self._loaded = True
        self._access = stored.get(ACCESS, "")
        self._expires = _moment(stored, EXPIRES_AT)
        if self.problem and stored.get(REFRESH) and (self._refused is None or stored[REFRESH] != self._refused[0]):
            self.problem, self._refused = "", None
        return self._access

    async def _renew(self, stale: str) -> str | Trouble:
        try:
            async with self._secrets.lease():
                if self._unsaved is not None:
                    return await self._save(self._unsaved)
                stored = await self._secrets.read()
                until = _moment(stored, EXPIRES_AT)
                newer = stored.get(ACCESS, "") not in ("", stale) and (until is None or until > self._clock())
                return self._adopt(stored) if newer else await self._ask(stored)
        except Exception as error:
            return self._cannot_store(error)

    async def _ask(self, stored: Mapping[str, str]) -> str | Trouble:
        """Ask Zalo for the next pair, with a note of it before and the pair itself written down behind."""
        now = self._clock()
        refresh = stored.get(REFRESH, "")
        if not refresh:
            return self._alarm(NO_REFRESH)
        if self._refused is not None and self._refused[0] == refresh and now - self._refused[1] < AGAIN:
            return Misconfigured(self.problem)
        cut_off = BEGAN in stored
        if cut_off:
            log.warning("a renewal of the tokens was cut off; asking once more", extra=self._about())
        await self._secrets.write({**stored, BEGAN: now.isoformat()})
        match await self._oauth.renew(refresh):
            case Granted() as grant:
                return await self._save(granted(stored, grant, self._clock()))
            case Refused(reason):
                self._refused = (refresh, now)
                if not cut_off:
                    await self._secrets.write(stored)
                return self._alarm(LOST if cut_off else REFUSED, reason)
            case Unavailable(reason, maybe_done):
                log.warning("the tokens could not be renewed", extra=self._about() | {"reason": reason})
                if not maybe_done:
                    await self._secrets.write(stored)
                return Transient(reason)

    async def _save(self, pair: Mapping[str, str]) -> str | Trouble:
        """Write down a new pair; nobody uses it before that. It is the only copy, so it is kept until it is saved."""
        self._unsaved = pair
        for pause in self._pauses:
            await asyncio.sleep(pause)
            try:
                await self._secrets.write(pair)
            except Exception as error:
                log.error("new tokens could not be saved", extra=self._about() | {"error": type(error).__name__})
            else:
                self._unsaved, self._refused, self.problem = None, None, ""
                return self._adopt(pair)
        self._alarm(UNSAVED)
        return Transient(UNSAVED)

    def _alarm(self, problem: str, reason: str = "") -> Misconfigured:
        """Say once, and as loudly as a log can, what an operator has to do."""
        if problem != self.problem:
            log.critical(problem, extra=self._about() | {"reason": reason})
        self.problem = problem
        return Misconfigured(problem)

    def _cannot_store(self, error: Exception) -> Transient:
        log.error("the tokens cannot be read or written", extra=self._about() | {"error": type(error).__name__})
        return Transient("the tokens cannot be read or written")

    def _about(self) -> dict[str, str]:
        return {"account": self._account}
