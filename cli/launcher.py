"""Starts programs in order, keeps them running, and stops them in reverse."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby

from cli.failure import Failure
from cli.readiness import Readiness
from cli.run_folder import RunFolder
from cli.supervised import RENEW_S, Program, Supervised, Voice, first_of

# How long the next program waits for the one before. Each bears the absence of the others, so none waits for ever:
# a gateway takes uploads while the rag_server still rebuilds its index.
PATIENCE_S = 10.0
# How long all of them, once ready, may take to find each other.
IN_TOUCH_S = 10.0
LOGS_LOOKED_AT_S = 60.0


class Launcher:
    """Runs the programs from start to stop. Lives in the main thread: they end with the thread that started them."""

    def __init__(
        self, programs: Sequence[Program], folder: RunFolder, voice: Voice, in_touch: Readiness | None = None
    ) -> None:
        """`in_touch` returns once the programs, all ready, reach each other; it is not waited for without end."""
        self.supervised = [Supervised(program, folder, voice) for program in programs]
        self.stopping = asyncio.Event()  # set it to stop
        self.at_once = asyncio.Event()  # set it to stop without asking
        self.all_ready = asyncio.Event()
        self._folder = folder
        self._voice = voice
        self._in_touch = in_touch
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Return after everything has stopped. Raises Failure if a program was given up or had to be killed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for supervised in list(self.supervised):
                    await self._begin(supervised, tasks)
                watchers = [tasks.create_task(self._watch_readiness()), tasks.create_task(self._watch_logs())]
                await self.stopping.wait()
                for watcher in watchers:
                    watcher.cancel()
                for supervised in self.supervised:
                    supervised.leaving.set()
                for _, alike in groupby(reversed(self.supervised), key=_kind):
                    started = [supervised for supervised in alike if supervised.starts]
                    await asyncio.gather(*(supervised.stop(self.at_once) for supervised in started))
        finally:
            for supervised in self.supervised:  # only where the above has failed is anything left
                supervised.kill()
        self._judge()

    async def add(self, program: Program) -> Supervised:
        """One more, among those of its kind; returns when it is ready. Raises Failure where it will not start."""
        if self._tasks is None or self.stopping.is_set():
            raise Failure("everything is being stopped")
        supervised, given_up = Supervised(program, self._folder, self._voice), asyncio.Event()
        alike = [place for place, one in enumerate(self.supervised, 1) if _kind(one) == _kind(supervised)]
        self.supervised.insert(alike[-1] if alike else len(self.supervised), supervised)
        self._tasks.create_task(supervised.keep(given_up), name=program.name)
        await first_of(supervised.ready, supervised.leaving, within_s=RENEW_S)
        if not supervised.ready.is_set():
            await self.remove(supervised)
            raise Failure(f"{program.name} did not become ready: {supervised.refusal or 'its log says more'}")
        return supervised

    async def remove(self, supervised: Supervised) -> None:
        """Stop one for good."""
        await supervised.stop(self.at_once)
        if supervised in self.supervised:
            self.supervised.remove(supervised)
        self._voice.changed()

    def named(self, name: str) -> Supervised | None:
        """The program of that name, if there is one."""
        return next((one for one in self.supervised if one.program.name == name), None)

    def state(self) -> dict[str, dict[str, object]]:
        """The programs by name, for launcher.json."""
        return {
            one.program.name: {"pid": one.pid, "ready": one.ready.is_set(), "starts": one.starts}
            for one in self.supervised
        }

    async def _begin(self, supervised: Supervised, tasks: asyncio.TaskGroup) -> None:
        if self.stopping.is_set():
            return
        tasks.create_task(supervised.keep(self.stopping), name=supervised.program.name)
        if supervised.program.awaited:
            await first_of(supervised.ready, self.stopping, within_s=PATIENCE_S)

    async def _watch_readiness(self) -> None:
        while not all(supervised.ready.is_set() for supervised in self.supervised):
            for supervised in self.supervised:
                await supervised.ready.wait()
        if self._in_touch is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._in_touch(), IN_TOUCH_S)
        self.all_ready.set()

    async def _watch_logs(self) -> None:
        while True:
            for supervised in self.supervised:
                self._folder.rotate_log(supervised.program.name)
            await asyncio.sleep(LOGS_LOOKED_AT_S)

    def _judge(self) -> None:
        for supervised in self.supervised:
            if supervised.refusal:
                name, said = supervised.program.name, supervised.refusal
                raise Failure(f"{name} will not start: {said} (all of it: {self._folder.log_path(name)})")
        forced = [supervised.program.name for supervised in self.supervised if supervised.was_forced]
        if forced:
            raise Failure(f"{' and '.join(forced)} had to be killed; nothing that was accepted is lost")


def _kind(supervised: Supervised) -> str:
    """Replicas of a program have a number at the end of their name."""
    return supervised.program.name.rstrip("0123456789")
