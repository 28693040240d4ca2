"""Latency: one run of five steps that do nothing, from POST until it has ended, alone on the machine.

A `set` step has no effect outside, so five of them are decided and written in one commit; five calls of a local
server that answers at once are beside them, since each of those is a commit of its own.
"""

import time
from datetime import datetime

from benchmarks import baseline, report
from benchmarks.baseline import Baseline
from benchmarks.cloud import Cloud, chain, define
from benchmarks.endpoints import endpoint
from benchmarks.watch import Watch, run_place
from benchmarks.wire import Wire

WARM_UP = 20
ROUNDS = 200
FEWER = 60
TARGET_S = 0.035


def measure(cloud: Cloud, bare: Baseline) -> None:
    """Runs and bare executions in turns, so that both meet the same machine."""
    api = cloud.api()
    path = define(api, "five steps", chain(5))
    runs = Watch(cloud, cloud.outputs()["RunsTable"], "ended")
    bares = Watch(cloud, bare.table, baseline.MARK)
    starter = bare.starter()
    took: list[float] = []
    bare_took: list[float] = []
    posted: list[float] = []
    recorded: list[float] = []
    for _ in range(WARM_UP + ROUNDS):
        wall, began = time.time(), time.perf_counter()
        run_id = api.ask("POST", path, {})["id"]
        posted.append(time.perf_counter() - began)
        took.append(runs.one(run_place(run_id), began))
        recorded.append(_ended(api.ask("GET", f"/api/v1/automation-runs/{run_id}")) - wall)
        began = time.perf_counter()
        bare_took.append(bares.one(starter.start(), began))
    polled = [_polled(api, path) for _ in range(FEWER)]
    _show([values[WARM_UP:] for values in (took, posted, recorded, bare_took)], polled, _calling(cloud, api))


def _calling(cloud: Cloud, api: Wire) -> list[float]:
    """The same with steps that call a server."""
    watch = Watch(cloud, cloud.outputs()["RunsTable"], "ended")
    took = []
    with endpoint() as url:
        path = define(api, "five calls", chain(5, "http_request", {"url": f"{url}/sleep/0"}))
        for _ in range(WARM_UP + FEWER):
            began = time.perf_counter()
            took.append(watch.one(run_place(api.ask("POST", path, {})["id"]), began))
    return took[WARM_UP:]


def _ended(run: dict[str, str]) -> float:
    return datetime.fromisoformat(run["completedAt"]).timestamp()


def _polled(api: Wire, path: str) -> float:
    began = time.perf_counter()
    run_id = api.ask("POST", path, {})["id"]
    while api.ask("GET", f"/api/v1/automation-runs/{run_id}")["status"] not in ("completed", "failed"):
        pass
    return time.perf_counter() - began


def _show(measured: list[list[float]], polled: list[float], calling: list[float]) -> None:
    took, posted, recorded, bare = measured
    made = report.table(
        f"1. Latency: one run of 5 no-op steps ({len(took)} runs, one after the other)",
        "what",
        "p50",
        "p95",
        "target p50",
    )
    rows = [
        ("POST until the run's item is seen ended", took, report.ms(TARGET_S)),
        ("  of it: POST until its answer (201)", posted, ""),
        ("  POST until the end that the run records (its last commit is after it)", recorded, ""),
        ("the same seen by a client that asks GET over and over", polled, ""),
        (f"5 http steps in a row instead ({len(calling)} runs)", calling, ""),
        ("bare: one Express execution, one function, 8 DynamoDB calls", bare, ""),
    ]
    for what, values, target in rows:
        made.add_row(what, report.ms(report.median(values)), report.ms(report.quantile(values, 0.95)), target)
    ratio = report.median(took) / report.median(bare)
    made.add_row(
        "ratio to bare", f"{ratio:.2f}", f"{report.quantile(took, 0.95) / report.quantile(bare, 0.95):.2f}", ""
    )
    report.show(
        made,
        "The end is seen by reading one item of the emulator every ms, from 60 % of the usual time on (benchmarks/watch.py).",
    )
