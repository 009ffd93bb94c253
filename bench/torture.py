"""Kill every program again and again while documents come in: `python -m bench.torture [--rounds 5] [--seed N]`.

With `--profile production` it is replicas on PostgreSQL and Redis that are tortured (bench/torture_replicas.py).

Afterwards every accepted file must be found exactly once and `acervo verify` must be clean. Exit status 1 if not.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from bench.client import Client
from bench.stack import PROGRAMS, Stack, running
from bench.traffic import COLLECTION, Traffic, judge
from bench.waiting import pause, until

PAUSE_S = (0.2, 3.0)
BACK_S = 60.0
FIRST_DOCUMENTS_S = 3.0


def main() -> int:
    """Returns the exit status."""
    arguments = _arguments()
    if arguments.profile == "production":
        from bench import torture_replicas  # noqa: PLC0415 - only there the servers of the tests are needed

        plan = torture_replicas.Plan(arguments.documents, arguments.replicas, arguments.seed)
        return torture_replicas.main(plan)
    print(f"seed {arguments.seed}, {arguments.rounds} rounds", file=sys.stderr)
    with (
        tempfile.TemporaryDirectory(prefix="acervo-torture-") as folder,
        running(Path(folder) / "data") as stack,
        Client(stack.url) as client,
    ):
        traffic = Traffic(stack.url, arguments.seed)
        traffic.start()
        try:
            kills = _kill_all(stack, client, arguments.rounds, random.Random(arguments.seed))  # noqa: S311 - repeatable
        finally:
            traffic.stop()
        counts, faults = judge(client, traffic.sent)
        faults += traffic.faults + [f"searches: {what}" for what in traffic.searches if what.startswith("HTTP")]
        verified = stack.verify()
    faults += [f"{name}: {one['detail']}" for name, one in verified["invariants"].items() if not one["ok"]]
    _print_kills(kills, arguments.seed)
    _print_counts({**counts, **{f"searches {what}": number for what, number in traffic.searches.items()}}, verified)
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"{len(faults)} faults, seed {arguments.seed}")
    return 1 if faults else 0


def _kill_all(stack: Stack, client: Client, rounds: int, dice: random.Random) -> dict[str, list[float]]:
    """Seconds until all was well again, of each kill."""
    kills: dict[str, list[float]] = {program: [] for program in PROGRAMS}
    pause(FIRST_DOCUMENTS_S)
    for turn in range(rounds):
        for program in dice.sample(PROGRAMS, len(PROGRAMS)):
            pause(dice.uniform(*PAUSE_S))
            former = stack.kill(program)
            begun_s = time.perf_counter()
            stack.wait_until_back(program, former)
            until(lambda: _answers(client), BACK_S, "searches are answered")
            kills[program].append(time.perf_counter() - begun_s)
            print(f"round {turn + 1}: {program}, back after {kills[program][-1]:.1f} s", file=sys.stderr)
    return kills


def _answers(client: Client) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        client.search("edital archive", COLLECTION)
        return True
    return False


def _print_kills(kills: dict[str, list[float]], seed: int) -> None:
    table = Table("program", "kills", "back after (mean)", "at the most", title=f"kill -9, seed {seed}")
    for program, seconds in kills.items():
        mean, most = sum(seconds) / len(seconds), max(seconds)
        table.add_row(program, str(len(seconds)), f"{mean:.1f} s", f"{most:.1f} s")
    Console(width=100).print(table)


def _print_counts(counts: dict[str, int], verified: dict[str, Any]) -> None:
    table = Table("what", "count", title="afterwards")
    for what, number in counts.items():
        table.add_row(what, str(number))
    for name, one in verified["invariants"].items():
        table.add_row(f"{name} {one['title']}", f"{one['checked']} {'ok' if one['ok'] else 'BROKEN'}")
    Console(width=100).print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.torture", description="Kill every program again and again.")
    parser.add_argument("--rounds", type=_positive, default=5, help="how often each program is killed")
    parser.add_argument("--profile", choices=("embedded", "production"), default="embedded", help="what is tortured")
    parser.add_argument("--replicas", type=_positive, default=3, help="of the production profile")
    parser.add_argument("--documents", type=_positive, default=1_000, help="for the replicas")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30), help="repeats a run")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
