"""Growth: what a further step, a further iteration and a longer journal cost; 1 means as much as the first."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks import report
from benchmarks.cloud import Cloud, chain, define
from benchmarks.endpoints import endpoint
from benchmarks.engine import engine
from benchmarks.watch import Watch, run_place
from quintet.bootstrap import Services
from quintet.domain.events import Event, EventType
from quintet.domain.fold import fold

CHAINS = (100, 500, 2000)
ITERATIONS = 1000
ROUNDS = 3
FOLDS = 5


@dataclass(frozen=True)
class Enacted:
    """A run that ended: how long it took, and its journal."""

    run_id: str
    seconds: float
    events: list[Event]

    def ends(self, kind: Callable[[Event], bool]) -> list[datetime]:
        """When the events of a kind happened."""
        return [event.at for event in self.events if kind(event)]


def measure(cloud: Cloud) -> None:
    """Chains of steps that do nothing and of steps that call a local server, loops of both, and folding."""
    with engine(cloud) as services, endpoint() as url:
        call = {"url": f"{url}/sleep/0"}
        bench = _Bench(cloud, services)
        made = report.table(
            "6. Growth", "what", "in all", "each", "first 100, each", "last 100, each", "last : first", "events"
        )
        for length in CHAINS:
            found = bench.best(chain(length))
            made.add_row(f"chain of {length} no-op steps (one commit)", *_whole(found, length))
        longest = found
        for length in CHAINS:
            found = bench.best(chain(length, "http_request", call), rounds=1)
            made.add_row(f"chain of {length} http steps (a commit each)", *_parts(found, length, _is_step))
        for total in (ITERATIONS // 10, ITERATIONS):
            body = {"key": "turn", "kind": "set", "config": {"values": {"done": True}}}
            made.add_row(
                f"loop of {total} no-op iterations (one commit)", *_whole(bench.best([_loop(body, total)]), total)
            )
        looped = bench.best([_loop({"key": "turn", "kind": "http_request", "config": call}, ITERATIONS)], rounds=1)
        made.add_row(f"loop of {ITERATIONS} http iterations (a commit each)", *_parts(looped, ITERATIONS, _is_turn))
        report.show(
            made,
            "From POST until seen ended; no-op: median of 3, http: one run, its hundreds by the times in the journal (ms).",
        )
        _show_folds(
            services,
            [
                ("chain of 2000 no-op steps", longest),
                ("chain of 2000 http steps", found),
                ("loop of 1000 http iterations", looped),
            ],
        )


class _Bench:
    def __init__(self, cloud: Cloud, services: Services) -> None:
        self._api, self._services = cloud.api(), services
        self._cloud = cloud

    def best(self, steps: list[dict[str, Any]], rounds: int = ROUNDS) -> Enacted:
        """The run of median length of some."""
        path = define(self._api, "growth", steps)
        watch = Watch(self._cloud, self._cloud.outputs()["RunsTable"], "ended")
        taken = []
        for _ in range(rounds):
            began = time.perf_counter()
            run_id = self._api.ask("POST", path, {})["id"]
            taken.append((watch.one(run_place(run_id), began), run_id))
        seconds, run_id = sorted(taken)[len(taken) // 2]
        return Enacted(run_id, seconds, self._services.runs.tail(run_id, 0))


def _loop(step: dict[str, Any], total: int) -> dict[str, Any]:
    return {
        "key": "again",
        "kind": "loop",
        "config": {"while": f"iteration < {total}", "maxIterations": total, "steps": [step]},
    }


def _is_step(event: Event) -> bool:
    return event.type is EventType.STEP_COMPLETED


def _is_turn(event: Event) -> bool:
    return event.type is EventType.STEP_COMPLETED and event.path is not None and event.path.endswith(".turn")


def _whole(found: Enacted, total: int) -> list[str]:
    return [f"{found.seconds:.2f} s", report.ms(found.seconds / total), "", "", "", str(len(found.events))]


def _parts(found: Enacted, total: int, kind: Callable[[Event], bool]) -> list[str]:
    ends = found.ends(kind)
    first, last = ((part[-1] - part[0]).total_seconds() / (len(part) - 1) for part in (ends[:100], ends[-100:]))
    ratio = f"{last / first:.2f}" if total > 100 else ""
    return [
        f"{found.seconds:.2f} s",
        report.ms(found.seconds / total),
        report.ms(first),
        report.ms(last),
        ratio,
        str(len(found.events)),
    ]


def _show_folds(services: Services, runs: list[tuple[str, Enacted]]) -> None:
    made = report.table(
        "6b. Reading a run",
        "journal of",
        "events",
        "fold all of it",
        "an event",
        "open (load and fold, from the snapshot)",
    )
    for name, found in runs:
        run = services.runs.get(found.run_id)
        plan = services.journal.plan_of(run)
        folded = report.median([_timed(lambda: fold(run.id, plan, found.events)) for _ in range(FOLDS)])  # noqa: B023 - called at once
        opened = report.median([_timed(lambda: services.journal.open(run.id)) for _ in range(FOLDS)])  # noqa: B023 - called at once
        number = len(found.events)
        made.add_row(name, str(number), report.ms(folded), f"{folded / number * 1e6:.1f} µs", report.ms(opened))
    report.show(
        made,
        f"Median of {FOLDS}, in the bench's own process; the run of no-op steps ended in its first commit, so it has no snapshot.",
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
