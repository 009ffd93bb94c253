"""Tells the terminal, and launcher.json, what happens."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

from rich.console import Console

from cli.launcher import Launcher
from cli.programs import Ports
from cli.run_folder import RunFolder


class Herald:
    """The voice of `acervo up`."""

    launcher: Launcher

    def __init__(
        self, folder: RunFolder, ports: Ports, output: Console, more: Callable[[], dict[str, str]] | None = None
    ) -> None:
        """`more` gives the addresses of servers beside those of the ports."""
        self._folder = folder
        self._ports = ports
        self._output = output
        self._more = more

    def say(self, text: str) -> None:
        """A line."""
        with contextlib.suppress(OSError):  # the terminal may be gone; the programs run on
            self._output.print(text, markup=False, soft_wrap=True)

    def say_addresses(self) -> None:
        """Where everything is."""
        edge = self._ports.address("envoy")
        self.say(f"Ready: http://{edge} (REST, gRPC, gRPC-Web)")
        for name, label in (("gateway", "gateway"), ("rag_server", "rag_server"), ("envoy_admin", "Envoy's admin")):
            self.say(f"  {label:14} {self._ports.address(name)}")
        for name, address in (self._more() if self._more else {}).items():
            self.say(f"  {name:14} {address}")
        self.say(f"  {'data':14} {self._folder.data}")
        self.say(f"  {'logs':14} {self._folder.logs}")
        self.say("Ctrl-C stops everything.")

    def changed(self) -> None:
        """A program has started or become ready."""
        with contextlib.suppress(OSError):  # a full disk is for the services to tell
            self._folder.write_state(self.state())

    def ready(self, name: str, pid: int, after_s: float) -> None:
        """A program serves."""
        self.say(f"{name:8} ready after {after_s:.1f} s (process {pid})")

    def died(self, name: str, how: str, delay_s: float) -> None:
        """A program ended unasked and is started again after the delay."""
        when = f"in {delay_s:.1f} s" if delay_s else "at once"
        self.say(f"{name:8} died ({how}): started again {when}")

    def forced(self, name: str) -> None:
        """A program did not stop when asked and was killed."""
        self.say(f"{name:8} killed: it did not stop")

    def state(self) -> dict[str, Any]:
        """What launcher.json and `--json` say."""
        programs = self.launcher.state()
        servers = {"servers": self._more()} if self._more else {}
        return {
            "pid": os.getpid(),
            "data": str(self._folder.data),
            "server": self._ports.address("envoy"),
            "ports": self._ports.named(),
            **servers,
            "programs": programs,
            "ready": all(program["ready"] for program in programs.values()),
        }
