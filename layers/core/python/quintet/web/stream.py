"""A run's live events as server-sent events, in whatever words an API has for them: a long poll that ends as soon as there is news.

A client's place (`Cursor`) is the number of the last journal event and the id of the last log line it was given; every event's `id`
carries both, so that a client resumes exactly whatever the order in which the two were woven together.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from aws_lambda_powertools.event_handler import Response

from quintet.domain.events import Event
from quintet.domain.run import Run
from quintet.domain.state import RunState, StepState
from quintet.domain.status import RunStatus
from quintet.services.ports.world import LogEntry
from quintet.web.api import Routes, no_content
from quintet.web.engine import Engine
from quintet.web.gate import invalid
from quintet.web.rendering import to_json

RETRY = "retry: 1000\n\n"
SETTLE = timedelta(seconds=1)
"""Log lines are written beside each other; one younger than this may still be overtaken by one with an earlier id."""

PIECE_CHARACTERS = 1024 * 1024
"""A piece of the stream ends when it is longer than this; the next request gets the rest."""

POLL_SECONDS = 25.0
SPARE_SECONDS = 3.0
"""What is left of an invocation's time to answer in."""
BATCH = 500
PAUSES = (0.2, 1.0)
"""How soon the journal is looked at again, first and at most (seconds)."""
STREAMED = "x-quintet-stream"
"""Set by a front door that keeps the client's connection and asks again by itself: it wants an answer at once."""

_NOTHING = ": nothing new\n\n"
_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
_CURSOR = re.compile(r"(\d{1,12})-([0-9A-Za-z-]{1,64}?)(\.end)?", re.ASCII)
_NO_LOG = "0"


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a client has been given: events up to `number`, log lines up to `log`, and the end itself."""

    number: int = 0
    log: str | None = None
    ended: bool = False

    def __str__(self) -> str:
        return f"{self.number}-{self.log or _NO_LOG}{'.end' if self.ended else ''}"


def cursor(text: str) -> Cursor | None:
    """The place that an event's id names, None when it is no such id."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        return None
    log = None if found[2] == _NO_LOG else found[2]
    return Cursor(int(found[1]), log, found[3] is not None)


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a stream: its name and its data (JSON)."""

    name: str
    data: dict[str, Any]


@dataclass(slots=True)
class AttemptNumbers:
    """Which attempt of a step an event is of; `latest` is asked only for what the events themselves don't say."""

    latest: Callable[[str], int]
    _known: dict[str, int] = field(default_factory=dict)

    def of(self, event: Event, path: str) -> int:
        """The attempt's number, from 1."""
        if "attempt" in event.data:
            self._known[path] = event.data["attempt"]
        elif path not in self._known:
            self._known[path] = self.latest(path)
        return self._known[path]


class Words(Protocol):
    """An API's words for what happens in one run."""

    def happened(self, event: Event, attempts: AttemptNumbers) -> Said | None:
        """What is said of a journal event; None of one that only the engine needs."""
        ...

    def line(self, line: LogEntry) -> Said:
        """What is said of a log line."""
        ...

    def standing(self, status: RunStatus, at: datetime) -> dict[str, Any]:
        """The data of a heartbeat and of the end."""
        ...


@dataclass(slots=True)
class Weaver:
    """Turns new events and log lines into text, and moves the cursor on."""

    words: Words
    cursor: Cursor
    latest: Callable[[str], int]

    def weave(self, events: Sequence[tuple[int, Event]], logs: Sequence[LogEntry]) -> tuple[str, bool]:
        """The text of them all, ordered by time, the orders of the journal and of the log each kept; and whether all of them fitted."""
        pieces: list[str] = []
        size = 0
        attempts = AttemptNumbers(self.latest)
        for one in _woven(events, logs):
            if size > PIECE_CHARACTERS:
                return "".join(pieces), False
            if isinstance(one, LogEntry):
                self.cursor = replace(self.cursor, log=one.id)
                said: Said | None = self.words.line(one)
            else:
                number, event = one
                self.cursor = replace(self.cursor, number=number)
                said = self.words.happened(event, attempts)
            if said is not None:
                pieces.append(self._text(said))
                size += len(pieces[-1])
        return "".join(pieces), True

    def end(self, status: RunStatus, at: datetime) -> str:
        """The last event of a run's stream."""
        self.cursor = replace(self.cursor, ended=True)
        return self._text(Said("end", self.words.standing(status, at)))

    def heartbeat(self, status: RunStatus, at: datetime) -> str:
        """What is said when nothing happened for long; it has no id, so that the client resumes where it stood."""
        return f"event: heartbeat\ndata: {to_json(self.words.standing(status, at))}\n\n"

    def _text(self, said: Said) -> str:
        return f"id: {self.cursor}\nevent: {said.name}\ndata: {to_json(said.data)}\n\n"


def _woven(events: Sequence[tuple[int, Event]], logs: Sequence[LogEntry]) -> Iterator[tuple[int, Event] | LogEntry]:
    waiting = list(reversed(logs))
    for number, event in events:
        while waiting and waiting[-1].at < event.at:
            yield waiting.pop()
        yield number, event
    yield from reversed(waiting)


def settled(logs: Sequence[LogEntry], now: datetime) -> list[LogEntry]:
    """The lines that no line with an earlier id can come before any more."""
    found: list[LogEntry] = []
    for line in logs:
        if now - line.at < SETTLE:
            break
        found.append(line)
    return found


def attempt_number(step: StepState) -> int:
    """The step's latest attempt, 0 before the first. Kinds that are done at once have one that the journal doesn't number."""
    return step.attempt or (1 if step.started_at is not None else 0)


def answer(routes: Routes, run_id: str, words: Words, header: str | None, query: str | None) -> Response[str]:
    """A piece of the stream of the caller's run after the place that the header, else the query, names; 204 after the end.

    Raises NotFound, RequestValidationError (no place of a stream).
    """
    place = _place(header, query)
    poll = _Poll(routes.engine, routes.engine.reading.run(routes.caller.project, run_id), place, words)
    if place.ended:
        return no_content()
    streamed = STREAMED in routes.event.lower_headers
    text = poll.now() if streamed else poll.wait(routes.remaining_seconds - SPARE_SECONDS)
    return Response(200, "text/event-stream; charset=utf-8", text, headers=dict(_HEADERS))


def _place(header: str | None, query: str | None) -> Cursor:
    """EventSource repeats the first request's query with its newer header, so the header wins."""
    for text, loc in ((header, ("header", "Last-Event-ID")), (query, ("query", "lastEventId"))):
        if text:
            if (found := cursor(text)) is None:
                raise invalid("value_error", loc, "Input should be the id of an event of this stream")
            return found
    return Cursor()


class _Poll:
    """One request for what is new."""

    def __init__(self, engine: Engine, run: Run, place: Cursor, words: Words) -> None:
        self._engine = engine
        self._run = run
        self._state: RunState | None = None
        self._weaver = Weaver(words, place, self._attempt)

    def now(self) -> str:
        """What is new at this moment."""
        text = self._news()
        return RETRY + text if text else _NOTHING

    def wait(self, spare: float) -> str:
        """What is new as soon as anything is; a heartbeat when nothing came for POLL_SECONDS, or `spare` seconds if fewer."""
        clock = self._engine.clock
        seconds = max(0.0, min(POLL_SECONDS, spare))
        start, pause = clock.now(), PAUSES[0]
        while not (text := self._news()):
            if (clock.now() - start).total_seconds() + pause > seconds:
                return RETRY + self._weaver.heartbeat(self._run.status, clock.now())
            clock.sleep(pause)
            pause = min(pause * 2, PAUSES[1])
        return RETRY + text

    def _news(self) -> str:
        self._state = None
        place = self._weaver.cursor
        now = self._engine.clock.now()
        # Without a limit the newest are read first: a client that follows the run then costs next to nothing.
        events = self._engine.reading.events(self._run.id, place.number)[:BATCH]
        logs = self._engine.logs.read(self._run.id, place.log, BATCH)
        ready = settled(logs, now)
        text, all_said = self._weaver.weave(events, ready)
        if all_said and len(events) < BATCH and len(ready) == len(logs) < BATCH:
            text += self._ending(now)
        return text

    def _ending(self, now: datetime) -> str:
        """The end of the stream, once everything before it has been said; log lines written beside the last event have SETTLE to come."""
        if not self._run.status.terminal:
            self._run = self._engine.reading.run(self._run.project, self._run.id)
        ended_at = self._run.ended_at
        if not self._run.status.terminal or ended_at is None or now - ended_at < SETTLE:
            return ""
        if self._engine.reading.events(self._run.id, self._weaver.cursor.number):
            return ""
        return self._weaver.end(self._run.status, ended_at)

    def _attempt(self, path: str) -> int:
        """A settled step has no further attempts, so that the present state still knows the one that an event is of."""
        if self._state is None:
            _, self._state = self._engine.reading.state(self._run.project, self._run.id)
        step = self._state.steps.get(path)
        return (attempt_number(step) if step else 0) or 1
