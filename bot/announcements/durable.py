"""Runs deliveries as durable workflows: the only module that knows DBOS.

One queue, partitioned by channel account, so that an account is worked on by one run at a time over all processes. What is
left to send stands in our own tables, and so does the right to send it (`store`): a workflow that is lost, doubled or found
again by DBOS can therefore neither forget nor repeat a recipient. The chores look every second whether an account has work
and no run, and enqueue one.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from bot.announcements.delivering import Means, Run, Stopping
from bot.announcements.hours import is_quiet
from bot.announcements.lanes import Lane, LaneLost

QUEUE: Final = "announcements"
APPLICATION: Final = "congdanso"
APPLICATION_VERSION: Final = "1"
"""DBOS gives work only to processes of one version. Ours is written out: a new release goes on with the old one's work."""
CHORES_EVERY: Final = 1.0
"""Seconds between two looks for work."""
POLL: Final = 1.0
"""Seconds between two questions of DBOS to its own tables: 7 ms of processor time each, in which answers wait."""
SWEEP_EVERY: Final = timedelta(minutes=1)
ENDING: Final = 45.0
"""Seconds that requests on their way get to be answered when the process ends."""

log = logging.getLogger(__name__)


class Durable:
    """The deliveries of one process. DBOS is one object a process, so this is too.

    Args:
        system_url: where DBOS keeps its own tables, a synchronous SQLAlchemy URL.
        executor: name of this process among all that deliver.
        chores: what else is to be seen to each time: what becomes due, what was taken back.
    """

    def __init__(
        self, means: Means, *, system_url: str, executor: str, chores: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._means = means
        self._store = means.store
        self._system_url = system_url
        self._executor = executor
        self._more_chores = chores
        self._stop = asyncio.Event()
        self._working: dict[Lane, int] = {}
        """Runs of this process, by account: while there is one, DBOS need not be asked."""
        self._launching: asyncio.Task[None] | None = None
        self._visits: tuple[int, int] | None = (0, 0)
        self._swept = means.clock() - SWEEP_EVERY
        self.problem = ""
        """Why nothing is delivered here; empty while all is well."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the context is open; at its end hear what is on its way, then stop."""
        chores = asyncio.create_task(self._chores())
        try:
            yield
        finally:
            self._stop.set()
            chores.cancel()
            await asyncio.gather(chores, return_exceptions=True)
            if self._launching is not None:
                # A thread cannot be cancelled: DBOS is up when it is done, and has to be taken down again.
                await asyncio.gather(self._launching, return_exceptions=True)
                await asyncio.to_thread(_shut)

    async def deliver(self, channel: str, account: str) -> str:
        """Work on one account until nothing is left that may leave now; returns how it ended."""
        lane = Lane(channel, account)
        run = Run(self._means, lane, f"{self._executor}:{uuid.uuid4().hex[:8]}", self._stop)
        self._working[lane] = self._working.get(lane, 0) + 1
        try:
            return str(await run.work())
        except Stopping:
            return "stopping"
        except LaneLost:
            log.warning("another run took an account over", extra={"channel": channel, "account": account})
            return "lane lost"
        finally:
            self._working[lane] -= 1

    async def _chores(self) -> None:
        while True:
            try:
                await self.look()
            except DBAPIError as error:
                self.problem = type(error).__name__
                log.warning("announcements: the database does not answer", extra={"error": self.problem})
            except Exception as error:
                self.problem = type(error).__name__
                log.exception("announcements: a chore failed")
            else:
                self.problem = ""
            await asyncio.sleep(CHORES_EVERY)

    async def look(self) -> None:
        """Do what is to be done now: close, expire, wake the accounts that have work."""
        store, now = self._store, self._means.clock()
        if self._more_chores is not None:
            await self._more_chores()
        await store.fall_asleep()
        await store.sweep_cancelled()
        quiet = is_quiet(now)
        open_lanes = dict.fromkeys(lane for _, urgent, lane in await store.open_lanes() if urgent or not quiet)
        for lane in open_lanes:
            if self._means.channels.get(lane.channel, lane.account) is not None:
                await self._enqueue(lane)
        self._visits = await store.settle_visits(self._visits or (0, 0))
        if now - self._swept >= SWEEP_EVERY:
            self._swept = now
            await store.expire()
        for announcement_id in await store.close_finished():
            log.info("announcement closed", extra={"announcement_id": announcement_id})

    async def _launched(self) -> None:
        """Start DBOS when there is work for the first time: it costs a second and fifty megabytes.

        Raises:
            Exception: it does not start; the next look tries again.
        """
        if self._launching is None:
            loop = asyncio.get_running_loop()
            launch = asyncio.to_thread(_launch, self, loop, self._system_url, self._executor)
            self._launching = asyncio.create_task(launch)
        try:
            await asyncio.shield(self._launching)
        except Exception:
            self._launching = None
            raise

    async def _enqueue(self, lane: Lane) -> None:
        """See to it that a run works on an account, here or elsewhere."""
        if self._working.get(lane):
            return
        await self._launched()
        from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

        prefix = f"{lane}/"
        waiting = await DBOS.list_workflows_async(
            status=["ENQUEUED", "PENDING"], workflow_id_prefix=prefix, load_input=False, load_output=False
        )
        pending = [w for w in waiting if w.status == "PENDING"]
        if any(w.executor_id == self._executor for w in pending):
            return
        if waiting and await self._store.holder(lane) is not None:
            return
        dead = [w.workflow_id for w in pending]
        if dead:
            # Their process is gone, or slower than its lease: then it finds the lane lost and sends nothing more.
            await DBOS.cancel_workflows_async(dead)
        if len(waiting) > len(pending):
            return
        queue = await DBOS.retrieve_queue_async(QUEUE)
        if queue is None:
            return
        with SetWorkflowID(prefix + uuid.uuid4().hex), SetEnqueueOptions(queue_partition_key=str(lane)):
            await queue.enqueue_async(_workflow(), lane.channel, lane.account)


_here: tuple[Durable, asyncio.AbstractEventLoop] | None = None
_registered: Any = None


def _workflow() -> Any:
    """Register the workflow with DBOS, once a process."""
    global _registered  # noqa: PLW0603 - DBOS keeps its registry for the whole process
    if _registered is None:
        from dbos import DBOS

        @DBOS.workflow(name="deliver")
        def deliver(channel: str, account: str) -> str:
            """Run on a thread of DBOS; the work itself happens on the loop that the database and the channels belong to."""
            if _here is None:
                return "stopping"
            durable, loop = _here
            return asyncio.run_coroutine_threadsafe(durable.deliver(channel, account), loop).result()

        _registered = deliver
    return _registered


def _launch(durable: Durable, loop: asyncio.AbstractEventLoop, system_url: str, executor: str) -> None:
    global _here  # noqa: PLW0603
    if _here is not None:
        raise RuntimeError("deliveries already run in this process")
    from dbos import DBOS

    logging.getLogger("dbos").setLevel(logging.WARNING)
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": system_url,
            "application_version": APPLICATION_VERSION,
            "executor_id": executor,
            "log_level": "WARNING",
            "use_listen_notify": False,
        }
    )
    _workflow()
    _here = (durable, loop)
    try:
        DBOS.launch()
        DBOS.register_queue(QUEUE, partition_concurrency=1, polling_interval_sec=POLL, on_conflict="always_update")
    except BaseException:
        _here = None
        with suppress(Exception):
            DBOS.destroy()
        raise


def _shut() -> None:
    global _here  # noqa: PLW0603
    from dbos import DBOS

    try:
        DBOS.destroy(workflow_completion_timeout_sec=int(ENDING))
    finally:
        _here = None
