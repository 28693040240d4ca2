"""The endpoints that jobs call, some of which report by themselves later, and the one that hears of ended runs."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulation.faults import PortFailed, ProcessDied
from simulation.world import World

from quintet.bootstrap import Services
from quintet.domain.errors import QuintetError
from quintet.services.ports.http import HttpAnswer, HttpFault, HttpRequest

HOOKS = "https://hooks.example/"
ANSWERS = (200, 200, 200, 202, 202, 202, 202, 503, 429, 400, None)
SIGNS = ("heartbeat", "heartbeat", "progress", "annotate", "checkpoint", "output", "payload", "log")


@dataclass(frozen=True, slots=True)
class Said:
    """An accepted report: what, between which moments, of which attempt (its token's text)."""

    run_id: str
    text: str
    verb: str
    began: datetime
    ended: datetime
    value: Any = None


class Endpoints:
    """Port HttpClient: endpoints answer by chance; what 202 was answered to is worked on, and reported on, later."""

    def __init__(self, world: World, process: Callable[[], Services]) -> None:
        self._world = world
        self._process = process
        self.spawned: list[str] = []
        self.called: defaultdict[str, list[Any]] = defaultdict(list)
        self.told: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.said: list[Said] = []
        self.refused_late = 0
        self._over: set[str] = set()

    def send(self, request: HttpRequest) -> HttpAnswer:
        """One exchange, on a network with faults."""
        try:
            answer: HttpAnswer = self._world.call("http.send", lambda: self._answer(request), repeatable=True)
        except PortFailed as fault:
            raise HttpFault("Connection", str(fault), retryable=True) from None
        return answer

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        if request.url.startswith(HOOKS):
            status, body = self._hear(request), {}
        else:
            status, body = self._begin(request)
        headers = {"content-type": "application/json"} | ({"retry-after": "3"} if status == 429 else {})
        return HttpAnswer(status, headers, json.dumps(body).encode(), request.url, {"total_ms": 1.0})

    def _hear(self, request: HttpRequest) -> int:
        if not self._world.calm and self._world.random.random() < 0.2:
            return 500
        self.told[request.headers["webhook-id"]].append(json.loads(request.body or b""))
        return 204

    def _begin(self, request: HttpRequest) -> tuple[int, Any]:
        status = self._world.random.choice(ANSWERS)
        self.called[request.headers["X-Run-ID"]].append(json.loads(request.body or b""))
        if status is None:
            raise HttpFault("Timeout", "no answer", retryable=True)
        if status == 202:
            self._work(request.headers["X-Run-ID"], request.headers["X-Run-Token"])
        return status, {"attempt": request.headers["X-Attempt"]}

    # --- what a program does that has answered 202 ------------------------------------------------------------------------------

    def _work(self, run_id: str, text: str) -> None:
        chance = self._world.random
        at = 0.0
        for _ in range(chance.randint(0, 4)):
            at += chance.choice((5.0, 25.0, 50.0, 65.0))
            self._later(at, run_id, text, chance.choice(SIGNS))
        if chance.random() < 0.15:
            self._later(at, run_id, text, "spawn")
        at += chance.choice((0.0, 3.0, 30.0, 55.0))
        if end := chance.choice(("complete", "complete", "complete", "fail", None)):
            self._later(at, run_id, text, end)
            if chance.random() < 0.5:
                at += chance.choice((0.0, 1.0, 200.0))
                self._later(at, run_id, text, chance.choice(("complete", "fail", "heartbeat")))

    def _later(self, seconds: float, run_id: str, text: str, verb: str, tries: int = 3) -> None:
        value = f"{verb} {self._world.random.getrandbits(32)}"
        self._world.later(seconds, lambda: self._report(run_id, text, verb, value, tries))

    def _report(self, run_id: str, text: str, verb: str, value: Any, tries: int) -> None:
        if verb == "spawn" and self._world.calm:
            return  # programs that start each other would never come to an end
        late = text in self._over or self._world.witness.runs[run_id].status.terminal
        began = self._world.clock.now()
        try:
            self._say(run_id, text, verb, value)
        except QuintetError:
            self.refused_late += late
            return
        except (ProcessDied, PortFailed):
            if tries and self._world.random.random() < 0.7:
                self._later(1.0, run_id, text, verb, tries - 1)
            raise
        if late:
            self._world.witness.note(f"{verb} of run {run_id} was accepted although it, or its attempt, was over")
        if verb in {"complete", "fail"}:
            self._over.add(text)
        self.said.append(Said(run_id, text, verb, began, self._world.clock.now(), value))

    def _say(self, run_id: str, text: str, verb: str, value: Any) -> None:
        made = self._process()
        report, token = made.report, made.run_tokens.read(text)
        match verb:
            case "heartbeat" | "payload":
                getattr(report, verb)(token, run_id)
            case "progress":
                report.progress(token, run_id, 50, value)
            case "annotate":
                report.annotate(token, run_id, {"note": value})
            case "checkpoint" | "output":
                getattr(report, verb)(token, run_id, "here", value)
            case "spawn":
                report.spawn(token, run_id, self._world.random.choice(self.spawned), {"spawned": value})
            case _:
                getattr(report, verb)(token, run_id, value)
