"""Recorded executions of real scientific workflows, enacted again a hundred times as fast: the makespan against the critical path.

Every task becomes an http_request step to a local server that answers after a hundredth of the task's recorded
runtime: as from an engine that calls services, so the machine's two cores carry the engine and not the tasks.
"""

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import report
from benchmarks.cloud import ROOT, Cloud, chain, define
from benchmarks.endpoints import endpoint
from benchmarks.watch import Watch, run_place
from benchmarks.wire import Broken

FOLDER = "BENCH_WFINSTANCES"
_BESIDE = ROOT.parent / "shared" / "data" / "wfinstances"
SCALE = 0.01
FACTOR, SLACK_S = 1.25, 0.5
ROUNDS = 3
WARM_UP = 5


@dataclass(frozen=True)
class Workflow:
    """One recorded workflow: each task's seconds (scaled) and what it waits for."""

    name: str
    seconds: Mapping[str, float]
    parents: Mapping[str, list[str]]

    @property
    def critical_path(self) -> float:
        """Seconds that no engine can be faster than."""
        ends: dict[str, float] = {}

        def end(task: str) -> float:
            if task not in ends:
                ends[task] = self.seconds[task] + max(map(end, self.parents[task]), default=0.0)
            return ends[task]

        return max(map(end, self.seconds))

    def steps(self, url: str) -> list[dict[str, Any]]:
        """The automation's steps."""
        return [
            {
                "key": _key(task),
                "kind": "http_request",
                "dependsOn": [_key(parent) for parent in self.parents[task]],
                "config": {"url": f"{url}/sleep/{seconds:.5f}"},
            }
            for task, seconds in self.seconds.items()
        ]


def read(path: Path) -> Workflow:
    """Reads WfFormat 1.5."""
    workflow = json.loads(path.read_text())["workflow"]
    runtimes = {task["id"]: float(task["runtimeInSeconds"]) * SCALE for task in workflow["execution"]["tasks"]}
    tasks = workflow["specification"]["tasks"]
    return Workflow(
        path.stem, {task["id"]: runtimes[task["id"]] for task in tasks}, {task["id"]: task["parents"] for task in tasks}
    )


def find() -> list[Workflow]:
    """The recorded workflows of this machine, if there are any."""
    folder = Path(os.environ.get(FOLDER) or _BESIDE)
    return [read(path) for path in sorted(folder.glob("*.json"))]


def measure(cloud: Cloud) -> None:
    """Each workflow some times, one after the other."""
    workflows = find()
    if not workflows:
        report.console.print(
            f"5. Recorded workflows: skipped, since there are none in {_BESIDE} (or where {FOLDER} points).\n",
            markup=False,
        )
        return
    made = report.table(
        f"5. Recorded workflows, runtimes scaled to {SCALE:.0%} (median of {ROUNDS})",
        "workflow",
        "tasks",
        "critical path",
        "makespan",
        "slowest",
        "over it",
        "target",
    )
    api, watch = cloud.api(), Watch(cloud, cloud.outputs()["RunsTable"], "ended")
    with endpoint() as url:
        # The first run of a fresh cloud waits for its workers' start, which is told elsewhere.
        warm = define(api, "warm-up", chain(2, "http_request", {"url": f"{url}/sleep/0"}))
        for _ in range(WARM_UP):
            watch.one(run_place(api.ask("POST", warm, {})["id"]), time.perf_counter())
        for workflow in workflows:
            path = define(api, workflow.name, workflow.steps(url))
            watch = Watch(cloud, cloud.outputs()["RunsTable"], "ended")  # what is usual differs from one to the next
            took = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                run_id = api.ask("POST", path, {})["id"]
                took.append(watch.one(run_place(run_id), began))
                if (status := api.ask("GET", f"/api/v1/automation-runs/{run_id}")["status"]) != "completed":
                    raise Broken(f"{workflow.name} ended as {status}")
            _row(made, workflow, took)
    report.show(made, "From POST until the run's item is seen ended. The target is 1.25 × critical path + 0.5 s.")


def _row(made: Table, workflow: Workflow, took: list[float]) -> None:
    path, makespan = workflow.critical_path, report.median(took)
    cells = (path, makespan, max(took))
    target = FACTOR * path + SLACK_S
    made.add_row(
        workflow.name,
        str(len(workflow.seconds)),
        *(f"{value:.2f} s" for value in cells),
        f"{makespan - path:+.2f} s",
        f"≤ {target:.2f} s",
    )


def _key(task: str) -> str:
    # A key has up to 64 characters; a task's own number is at its end.
    return re.sub(r"[^A-Za-z0-9_]", "_", task)[-64:].lstrip("_")
