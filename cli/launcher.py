"""Starts programs in order, keeps them running, and stops them in reverse."""

import asyncio
from collections.abc import Sequence

from cli.failure import Failure
from cli.run_folder import RunFolder
from cli.supervised import Program, Supervised, Voice, first_of

# How long the next program waits for the one before. Each bears the absence of the others, so none waits for ever:
# a gateway takes uploads while the rag_server still rebuilds its index.
PATIENCE_S = 10.0
LOGS_LOOKED_AT_S = 60.0


class Launcher:
    """Runs the programs from start to stop. Lives in the main thread: they end with the thread that started them."""

    def __init__(self, programs: Sequence[Program], folder: RunFolder, voice: Voice) -> None:
        self.supervised = [Supervised(program, folder, voice) for program in programs]
        self.stopping = asyncio.Event()  # set it to stop
        self.at_once = asyncio.Event()  # set it to stop without asking
        self.all_ready = asyncio.Event()
        self._folder = folder

    async def run(self) -> None:
        """Return after everything has stopped. Raises Failure if a program was given up or had to be killed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for supervised in self.supervised:
                    await self._begin(supervised, tasks)
                watchers = [tasks.create_task(self._watch_readiness()), tasks.create_task(self._watch_logs())]
                await self.stopping.wait()
                for watcher in watchers:
                    watcher.cancel()
                for supervised in reversed(self.supervised):
                    if supervised.starts:
                        await supervised.stop(self.at_once)
        finally:
            for supervised in self.supervised:  # only where the above has failed is anything left
                supervised.kill()
        self._judge()

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
