"""Procrastinate, as the one who wakes and hands out. What it believes of a job is believed by nobody here.

Its tables are in a schema of their own. Its worker ends whenever it loses the database, without a word; so it
is opened again, for ever, and the runs of this process do not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import anyio

from orchestrator.clock import Clock
from orchestrator.errors import MissingExtra, StoreProblem
from orchestrator.queueing.values import HANDED
from orchestrator.store.queue import Handed
from orchestrator.worker.pool import Came
from orchestrator.worker.tasks import FEED, GO_ON, KEEPING, SWEEP, TICK, Tasks, queue_of
from orchestrator.worker.told import Told

if TYPE_CHECKING:
    from procrastinate import App
    from psycopg import AsyncConnection

SCHEMA, STORE = "orchestrator_engine", "orchestrator"
# Seconds. Notifications are a convenience; polling is what is relied on.
POLL = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
# A worker of the engine that has not beaten for so long is gone.
STALLED = 30.0
# A job that ends with its worker is given so long to say so; its run goes on anyway.
_PARTING = 1.0
# All of it is given so long, where the database is away.
_PARTED = 5.0
# Cron expressions as the engine reads them, seconds last.
EACH_15_SECONDS = "* * * * * */15"
EACH_MINUTE = "* * * * *"
# Jobs of the engine that are over are kept for a day, for whoever wants to look at them.
_KEPT_HOURS = 24
# The engine's own log is noise for operators of this program: what matters is told by the worker.
_LOG = "procrastinate"


def _procrastinate() -> Any:  # noqa: ANN401 - a module
    try:
        import procrastinate  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra("a worker", "postgres") from error
    return procrastinate


class Engine:
    """The engine over one database. Use it as a context; then deferring and serving are possible.

    Raises ``MissingExtra`` where it is not installed.
    """

    def __init__(self, url: str, *, name: str = "orchestrator", schema: str = SCHEMA) -> None:
        self._library = _procrastinate()
        self._name, self._schema = name, schema
        # Organizations that had something to do once: to listen for them costs nothing.
        self._met: set[str] = set()
        logging.getLogger(_LOG).setLevel(logging.CRITICAL)
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
        self._app: App = self._library.App(
            connector=self._library.PsycopgConnector(
                conninfo=url,
                configure=self._at_home,
                kwargs={
                    # What is prepared on a connection is on another one the next time, behind a pool of them.
                    "prepare_threshold": None,
                    "application_name": name,
                    "connect_timeout": 5,
                    "keepalives_idle": 5,
                    "keepalives_interval": 3,
                    "keepalives_count": 3,
                },
                min_size=1,
                max_size=6,
                timeout=10.0,
            ),
            worker_defaults={
                "install_signal_handlers": False,
                "fetch_job_polling_interval": POLL,
                "shutdown_graceful_timeout": _PARTING,
                "update_heartbeat_interval": STALLED / 6,
                "stalled_worker_timeout": STALLED,
                "delete_jobs": "never",
            },
        )

    async def _at_home(self, connection: AsyncConnection[Any]) -> None:
        """Not an option of the connection: pools of them refuse it. Such a pool may hand a connection of the
        engine to the store and back, so both have both schemas."""
        await connection.execute(f"SET search_path = {self._schema}, {STORE}".encode())
        await connection.commit()

    async def install(self) -> bool:
        """Make the engine's tables where there are none; whether it did. Needs the right to make a schema.

        Raises :class:`StoreProblem`.
        """
        async with self._opened():
            execute = self._app.connector.execute_query_async
            found = await self._app.connector.execute_query_one_async(
                "SELECT to_regclass(%(table)s) IS NOT NULL AS there",
                table=f"{self._schema}.procrastinate_jobs",
            )
            if found["there"]:
                return False
            await execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
            await self._app.schema_manager.apply_schema_async()
            return True

    async def installed(self) -> bool:
        """Whether the engine's tables are there. Raises :class:`StoreProblem`."""
        async with self._opened():
            found = await self._app.connector.execute_query_one_async(
                "SELECT to_regclass(%(table)s) IS NOT NULL AS there",
                table=f"{self._schema}.procrastinate_jobs",
            )
            return bool(found["there"])

    # -- telling it of runs ---------------------------------------------------------------------------

    async def wake(self, task: str = FEED) -> bool:
        """Have runs handed out at once; ``False`` where the engine cannot be told of it."""
        try:
            async with self._opened():
                await self._defer(task, KEEPING, lock=task, priority=10)
        except StoreProblem:
            return False
        return True

    async def wake_from_inside(self, task: str) -> None:
        """The same for a worker, whose engine is open."""
        with contextlib.suppress(StoreProblem):
            await self._defer(task, KEEPING, lock=task, priority=10)

    async def defer(self, handed: Handed) -> None:
        """Tell the engine of a run. That it knows of it already is fine. Raises :class:`StoreProblem`."""
        priority = 100 if handed.priority > 0 else 0
        await self._defer(
            GO_ON, queue_of(handed.organization), lock=f"run:{handed.run}", priority=priority, run=handed.run
        )

    async def told_of(self) -> int:
        """How many runs the engine was told of a moment ago and that nobody has fetched yet.

        What lies there longer nobody listens for. Raises :class:`StoreProblem`.
        """
        with self._problems():
            found = await self._app.connector.execute_query_one_async(
                "SELECT count(*) AS jobs FROM procrastinate_jobs job WHERE status = 'todo' "
                "AND task_name = %(task)s AND EXISTS (SELECT 1 FROM procrastinate_events "
                "WHERE job_id = job.id AND type = 'deferred' AND at > now() - %(young)s * interval '1 s')",
                task=GO_ON,
                young=HANDED,
            )
        return int(found["jobs"])

    async def _defer(self, task: str, queue: str, *, lock: str, priority: int, **arguments: str) -> None:
        deferrer = self._app.configure_task(task, queue=queue, queueing_lock=lock, priority=priority)
        with self._problems(), contextlib.suppress(self._library.exceptions.AlreadyEnqueued):
            await deferrer.defer_async(**arguments)

    # -- serving --------------------------------------------------------------------------------------

    def offer(self, tasks: Tasks) -> None:
        """Register the four tasks: no lock and no retry, whatever happens to a job its run is swept up."""
        app = self._app

        async def go_on(run: str) -> str:
            came = await tasks.go_on(run)
            if came == Came.CARRIED:
                # There is a free place, or somebody else is to go on with it.
                await self.wake_from_inside(FEED)
                await self.wake_from_inside(SWEEP)
            return came

        async def feed(timestamp: int = 0) -> int:
            del timestamp
            return await tasks.feed()

        async def sweep(timestamp: int = 0) -> int:
            del timestamp
            await self._bury()
            return await tasks.sweep()

        async def tick(timestamp: int = 0) -> int:
            del timestamp
            return await tasks.tick()

        app.task(name=GO_ON)(go_on)
        for name, cron, body in (
            (FEED, EACH_15_SECONDS, feed),
            (SWEEP, EACH_15_SECONDS, sweep),
            (TICK, EACH_MINUTE, tick),
        ):
            made = app.task(name=name, queue=KEEPING, queueing_lock=name)(body)
            app.periodic(cron=cron, periodic_id=name)(made)

    async def serve(
        self,
        organizations: Callable[[], Awaitable[Sequence[str]]],
        free: Callable[[], int],
        clock: Clock,
        told: Told,
    ) -> None:
        """Fetch and execute jobs until cancelled, whatever becomes of the database.

        ``organizations`` are those whose runs this worker can serve, asked anew at each opening; ``free``
        says how many more runs it could take.
        """
        async with self._opened_for_ever(clock, told), anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_open, self._keep, clock, told)
            tasks.start_soon(self._keep_open, lambda: self._carry(organizations, free, clock), clock, told)

    async def _keep(self) -> None:
        async with self._working([KEEPING], 1, "keeping") as working:
            await asyncio.wait([working])

    async def _carry(
        self, organizations: Callable[[], Awaitable[Sequence[str]]], free: Callable[[], int], clock: Clock
    ) -> None:
        self._met.update(await organizations())
        queues = [queue_of(one) for one in sorted(self._met)]
        places = free()
        if not queues or places < 1:
            await clock.sleep(POLL)
            return
        async with self._working(queues, places, "runs") as working:
            while not working.done():
                await asyncio.wait([working], timeout=2 * POLL)
                # Organizations come, and runs that outlived an earlier opening end.
                new = not self._met.issuperset(await organizations())
                if not working.done() and (new or places < free()):
                    break

    @contextlib.asynccontextmanager
    async def _working(
        self, queues: list[str], places: int, what: str
    ) -> AsyncIterator[asyncio.Future[None]]:
        """A worker of the engine beside the block, at whose end it is told to stop, and waited for.

        Told once: a scope that is cancelled cancels whoever waits in it again and again, and the engine takes
        the second time for an order to leave its jobs behind, which then find it closed.
        """
        working = asyncio.ensure_future(
            self._app.run_worker_async(queues=queues, concurrency=places, name=f"{self._name} {what}")
        )
        try:
            yield working
        finally:
            working.cancel()
            with (
                anyio.move_on_after(_PARTED, shield=True),
                contextlib.suppress(asyncio.CancelledError),
            ):
                await working

    async def _keep_open(self, serve: Callable[[], Awaitable[None]], clock: Clock, told: Told) -> None:
        pause = FIRST_PAUSE
        while True:
            began = clock.now()
            try:
                with self._problems():
                    await serve()
            except StoreProblem as problem:
                told.problem("the engine", problem)
            # It ends with a good word when the database goes away.
            pause = FIRST_PAUSE if clock.now() - began > LONGEST_PAUSE else min(LONGEST_PAUSE, 2 * pause)
            await clock.sleep(pause)

    async def _bury(self) -> None:
        """Jobs of workers that are gone: over. Their runs are found by their leases."""
        manager = self._app.job_manager
        with contextlib.suppress(StoreProblem), self._problems():
            for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED):
                await manager.finish_job(job, status=_failed(), delete_job=False)
            await manager.delete_old_jobs(
                nb_hours=_KEPT_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
            )

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        errors = self._library.exceptions
        try:
            yield
        except (errors.AlreadyEnqueued, errors.TaskNotFound):
            raise
        except (errors.ConnectorException, OSError) as error:
            cause = error.__cause__ or error
            told = " ".join(str(cause).split())[:300] or type(cause).__name__
            raise StoreProblem(
                f"the engine's database does not do what it should: {told}",
                hint="orchestrator store migrate makes its tables",
            ) from error

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        await self._open()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._app.close_async()

    @contextlib.asynccontextmanager
    async def _opened_for_ever(self, clock: Clock, told: Told) -> AsyncIterator[None]:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._open()
                break
            except StoreProblem as problem:
                told.problem("the engine", problem)
            await clock.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._app.close_async()

    async def _open(self) -> None:
        with self._problems():
            try:
                await self._app.open_async()
            except (OSError, self._library.exceptions.ConnectorException):
                raise
            except Exception as error:
                # The pool has exceptions of its own, which are the driver's.
                with anyio.CancelScope(shield=True):
                    await self._app.close_async()
                raise OSError(str(error)) from error


def _failed() -> Any:  # noqa: ANN401 - an enumeration of the library
    from procrastinate.jobs import Status  # noqa: PLC0415 - an extra

    return Status.FAILED


async def install(url: str) -> bool:
    """Make the engine's tables beside a store; whether there were none. Raises :class:`StoreProblem`."""
    return await Engine(url).install()


async def wake(url: str) -> bool:
    """Have the workers of a store look at once what waits; ``False`` where they will only do so by and by."""
    return await Engine(url).wake()
