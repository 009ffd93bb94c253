"""The production profile under torture: replicas are killed, PostgreSQL and Redis taken away, documents keep coming."""

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Budget, Figure, print_table
from bench.many_small import Asking, Note, Sending, judge, not_found_once
from bench.replicas import Deployment, deployment
from bench.stack import ROOT, clean_environment
from bench.waiting import pause, until

COLLECTION = "torture"
KILL_PAUSE_S = (2.0, 5.0)
AWAY_S = 2.0  # how long Redis or PostgreSQL is not there
DRAIN_S = 300.0
MOST_FAULTS_S = 600.0
MIDDLE = (0.2, 0.9)  # shares of the documents


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the replicas, and how much they are given to do."""

    documents: int = 1_000
    replicas: int = 3
    seed: int = 1
    stops: int = 2  # of PostgreSQL
    flushes: int = 2  # of Redis
    restarts: int = 2  # of Redis
    least_kills: int = 0  # go on until there were so many, even when the documents are through


@dataclass(slots=True)
class Verdict:
    """What happened, and what is wrong."""

    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def torture(plan: Plan, folder: Path) -> Verdict:
    """Give them the documents, do the faults, and judge."""
    verdict = Verdict()
    notes = [Note.number(number) for number in range(plan.documents)]
    with deployment(folder, plan.replicas, {"ACERVO_EMBED_THREADS": "1"}) as running, contextlib.ExitStack() as stack:
        asking = stack.enter_context(contextlib.closing(Asking(running.replicas.gateways)))
        begun_s = time.monotonic()
        sending = Sending(asking, notes, COLLECTION)
        _do_faults(plan, running, sending, verdict.done)
        sending.wait()
        verdict.seconds = time.monotonic() - begun_s
        verdict.faults += sending.faults + judge(sending, notes, COLLECTION, running.postgres)
        for serve in running.replicas.serves:
            verdict.faults += not_found_once(serve, notes, COLLECTION)
        for gateway in running.replicas.gateways:
            verdict.faults += _verify(gateway)
        verdict.done["programs started again"] = running.replicas.restarts
        verdict.done["set aside after three crashes, then retried"] = sending.dead_letters
        verdict.done.update({f"calls: {outcome}": number for outcome, number in asking.outcomes.items()})
    return verdict


def _do_faults(plan: Plan, running: Deployment, sending: Sending, done: Counter[str]) -> None:
    """Kill at random all the time; take PostgreSQL and Redis away at even shares of the documents."""
    dice = random.Random(plan.seed)  # noqa: S311 - the seed repeats a run
    named = ["stop PostgreSQL"] * plan.stops + ["flush Redis"] * plan.flushes + ["restart Redis"] * plan.restarts
    dice.shuffle(named)
    due = {(number + 1) * plan.documents // (len(named) + 2): name for number, name in enumerate(named)}
    kinds = ["gateway", "serve", "work", "extract"]
    end_s = time.monotonic() + MOST_FAULTS_S
    killer = threading.Event()
    next_kill_s = time.monotonic() + dice.uniform(*KILL_PAUSE_S)
    while time.monotonic() < end_s and (not sending.finished or due or sum(done.values()) < plan.least_kills):
        reached = [share for share in due if sending.done >= share]
        for share in reached:
            name = due.pop(share)
            _do(name, running)
            done[name] += 1
        if time.monotonic() >= next_kill_s:
            kind = kinds[sum(done[f"kill -9 {one}"] for one in kinds) % len(kinds)]
            running.replicas.kill(f"{kind}-{dice.randint(1, plan.replicas)}")
            done[f"kill -9 {kind}"] += 1
            next_kill_s = time.monotonic() + dice.uniform(*KILL_PAUSE_S)
        killer.wait(0.05)


def _do(name: str, running: Deployment) -> None:
    print(name, file=sys.stderr)
    if name == "stop PostgreSQL":
        running.postgres.stop_immediately()
        pause(AWAY_S)
        running.postgres.start()
    elif name == "flush Redis":
        running.redis.say("FLUSHALL")
    else:
        running.redis.stop()
        pause(AWAY_S)
        running.redis.start()


def _verify(gateway: str) -> list[str]:
    """The faults that `acervo verify` tells, asked again while a replica is not there yet."""

    def told() -> dict[str, Any] | None:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "verify", "--json"],
            check=False, capture_output=True, text=True, cwd=ROOT, timeout=DRAIN_S,
            env=clean_environment({"ACERVO_SERVER": gateway}),
        )  # fmt: skip
        with contextlib.suppress(ValueError):
            answer: dict[str, Any] = json.loads(done.stdout)
            return answer
        return None

    answer = until(told, DRAIN_S, f"{gateway} answers verify", 1.0)
    return [f"{name} at {gateway}: {one['detail']}" for name, one in answer["invariants"].items() if not one["ok"]]


def speed(documents: int, slots: Sequence[int], folder: Path) -> list[Figure]:
    """Documents per second by the number of slots, from the first claim to the last end; everything is queued first."""
    drained: dict[int, _Drained] = {}
    with deployment(folder, max(slots), {"ACERVO_EMBED_THREADS": "1"}) as running:
        workers = [name for name in running.replicas.programs if name.startswith("work")]
        for number in slots:
            drained[number] = _drain(running, workers, number, documents)
    figures: list[Figure] = []
    for number, each in drained.items():
        figures.append(Figure(f"slots_{number}_per_s", f"small documents, {number} slots", each.per_s, "/s"))
        figures.append(Figure(f"slots_{number}_cores", f"cores busy, {number} slots", each.cores, ""))
    one = drained[slots[0]]
    for number in slots[1:]:
        ratio = drained[number].per_s / one.per_s
        figures.append(Figure(f"slots_{number}_ratio", f"{number} slots ÷ {number} x one slot", ratio / number, ""))
        # More than all cores cannot be busy; one slot has PostgreSQL and every serve work beside it.
        possible = min(number, (os.cpu_count() or 1) / one.cores)
        what = f"{number} slots ÷ what the cores allow"
        figures.append(Figure(f"slots_{number}_used", what, ratio / possible, "", Budget(0.9, at_least=True)))
    return figures


@dataclass(frozen=True, slots=True)
class _Drained:
    """How fast a queue was worked off in its middle, where all slots have something to do."""

    per_s: float
    cores: float  # busy on the whole machine, on average


def _drain(running: Deployment, workers: Sequence[str], slots: int, documents: int) -> _Drained:
    collection = f"speed-{slots}"
    for name in workers:
        running.replicas.want(name, wanted=False)
    asking = Asking(running.replicas.gateways)
    for number in range(documents):
        asking.take_in(Note.number(slots * 1_000_000 + number), collection, f"{collection}-{number}")
    asking.close()
    where = f"FROM rag_server.job WHERE collection = '{collection}'"
    until(lambda: running.postgres.ask(f"SELECT count(*) {where}") == [[str(documents)]], DRAIN_S, "all queued", 0.2)
    for name in workers[:slots]:
        running.replicas.want(name, wanted=True)
    looks: list[tuple[int, float, float]] = []  # how many had ended, when, and what the cores had done by then
    for share in (*MIDDLE, 1.0):
        count = until(partial(_ended, running, where, share * documents), DRAIN_S, "all done", 0.1)
        looks.append((count, time.monotonic(), _busy_s()))
    (first, begun_s, before_s), (last, ended_s, after_s), _ = looks
    return _Drained((last - first) / (ended_s - begun_s), (after_s - before_s) / (ended_s - begun_s))


def _ended(running: Deployment, where: str, least: float) -> int | None:
    """How many jobs have ended; None while they are fewer."""
    ((count,),) = running.postgres.ask(f"SELECT count(*) {where} AND end_time IS NOT NULL")
    return int(count) if int(count) >= least else None


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait)


def main(plan: Plan) -> int:
    """Returns the exit status."""
    print(f"seed {plan.seed}, {plan.documents} documents, {plan.replicas} replicas", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="acervo-torture-") as folder:
        paths = [Path(folder) / name for name in ("torture", "speed")]
        for path in paths:
            path.mkdir()
        verdict = torture(plan, paths[0])
        figures = speed(plan.documents // 2, (1, 2), paths[1])
    for what, number in sorted(verdict.done.items()):
        print(f"{number:7} {what}")
    print_table({"bundled": figures})
    for fault in verdict.faults:
        print(f"FAULT {fault}")
    print(f"{plan.documents} documents in {verdict.seconds:.0f} s, {len(verdict.faults)} faults, seed {plan.seed}")
    return 1 if verdict.faults else 0
