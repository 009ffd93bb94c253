"""Documents that come in and searches that run while programs are killed, and what must be true afterwards."""

import contextlib
import random
import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field

import httpx

from bench.client import Client
from bench.pdf import text_pdf
from bench.prose import prose, queries
from bench.waiting import pause

COLLECTION = "torture"
FEEDERS = 3
SEARCHERS = 2
FEED_PAUSE_S = 0.4
SEARCH_PAUSE_S = 0.1
PAGES = (5, 120)
WORDS = 400
UNAVAILABLE = 503
GATEWAY_TIMEOUT = 504


@dataclass(slots=True)
class Sent:
    """One document key: what was accepted under it, in order."""

    words: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    @property
    def standing(self) -> str:
        """The word of the version that was accepted last."""
        return self.words[-1]


class Traffic:
    """Feeds and searches in threads of its own between `start` and `stop`."""

    def __init__(self, url: str, seed: int) -> None:
        self.sent: dict[str, Sent] = {}
        self.searches: Counter[str] = Counter()
        self.faults: list[str] = []
        self._client = Client(url)
        self._stopping = threading.Event()
        feeders = [threading.Thread(target=self._feed, args=(number, seed + number)) for number in range(FEEDERS)]
        searchers = [threading.Thread(target=self._search, args=(seed + number,)) for number in range(SEARCHERS)]
        self._threads = feeders + searchers

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let uploads under way be accepted, and end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._client.http.close()

    def _feed(self, feeder: int, seed: int) -> None:
        # A key belongs to one feeder, which waits for each answer: so it is known what was asked last.
        dice = random.Random(seed)  # noqa: S311 - the seed makes a run repeatable
        mine: list[str] = []
        while not self._stopping.is_set():
            name, word, content = self._document(dice, feeder, mine)
            try:
                job_id = self._client.upload_surely(name, content, COLLECTION, 120.0)
            except TimeoutError as error:
                self.faults.append(str(error))
                continue
            sent = self.sent.setdefault(name, Sent())
            sent.words.append(word)
            sent.jobs.append(job_id)
            if name not in mine:
                mine.append(name)
            pause(FEED_PAUSE_S)

    def _document(self, dice: random.Random, feeder: int, mine: list[str]) -> tuple[str, str, bytes]:
        """A new document, or now and then a new version of one that was accepted before."""
        word = f"palavra{uuid.UUID(int=dice.getrandbits(128)).hex[:14]}"
        kind = dice.choice(("pdf", "txt"))
        name = f"{feeder}-{len(mine)}.{kind}"
        if mine and dice.random() < 0.2:  # noqa: PLR2004 - a fifth
            name = dice.choice(mine)
        seed = dice.getrandbits(32)
        if name.endswith(".pdf"):
            return name, word, text_pdf(seed, dice.randint(*PAGES), word)
        return name, word, f"{prose(seed, WORDS)}\n\nA nota {word} termina aqui.\n".encode()

    def _search(self, seed: int) -> None:
        asked = queries(seed, 200)
        turn = 0
        while not self._stopping.is_set():
            self.searches[self._outcome(asked[turn % len(asked)])] += 1
            turn += 1
            pause(SEARCH_PAUSE_S)

    def _outcome(self, query: str) -> str:
        try:
            self._client.search(query, COLLECTION)
        except httpx.HTTPStatusError as error:
            away = error.response.status_code in (UNAVAILABLE, GATEWAY_TIMEOUT)
            return "told to come back" if away else f"HTTP {error.response.status_code}"
        except httpx.TransportError:
            return "connection broke"
        return "answered"


def judge(client: Client, sent: dict[str, Sent]) -> tuple[Counter[str], list[str]]:
    """What became of everything that was accepted: counts for people, and what is wrong."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for name, one in sent.items():
        states = [_settled(client, job_id, counts) for job_id in one.jobs]
        counts["accepted uploads"] += len(states)
        if states[-1] not in ("JOB_STATE_SUCCEEDED", "JOB_STATE_SUCCEEDED_PARTIALLY"):
            faults.append(f"{name}: {states[-1]}")
        places = [len(client.passages_with(word, COLLECTION)) for word in one.words]
        if places != [0] * (len(places) - 1) + [1]:
            faults.append(f"{name}: its versions are found {places} times")
        counts["documents found once"] += places[-1] == 1
    stored = {document["document_key"] for document in client.documents(COLLECTION)}
    faults += [f"{name}: nobody sent it" for name in stored - sent.keys()]
    faults += [f"{name}: not listed" for name in sent.keys() - stored]
    return counts, faults


def _settled(client: Client, job_id: str, counts: Counter[str]) -> str:
    """The final state. A job that was set aside after three crashes is asked for again, as an operator would."""
    state = str(client.wait(job_id, 240.0)["state"])
    if state == "JOB_STATE_DEAD":
        counts["set aside after three crashes, then retried"] += 1
        with contextlib.suppress(httpx.HTTPStatusError):  # superseded meanwhile
            client.http.post(f"/api/v1/rag/jobs/{job_id}:retry", json={}).raise_for_status()
        state = str(client.wait(job_id, 240.0)["state"])
    return state
