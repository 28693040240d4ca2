"""Jobs: from trigger to completed, triggers a second, how soon a freed place is taken."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from itertools import count, pairwise
from typing import Any

from benchmarks import report
from benchmarks.cloud import Cloud
from benchmarks.endpoints import endpoint
from benchmarks.watch import Watch, run_place
from benchmarks.wire import Broken, Wire

INLINE_S, CARRIED_S = 30, 300
"""Seconds that a call may take: one in the burst itself, and one that has a carrier (the default of jobs)."""
WARM_UP = 10
ROUNDS = 60
TRIGGERS = 200
SENDERS = 8
BULK = 500
REFILLS = 60
_LOOK_S = 0.05

_numbers = count()


def define(api: Wire, url: str, **fields: Any) -> str:
    """A new job's id."""
    body = {"name": f"bench {next(_numbers)}", "endpoint_url": url, **fields}
    return str(api.ask("POST", "/v1/jobs", body)["id"])


def trigger(api: Wire, job: str, **body: Any) -> str:
    """A new run's id."""
    return str(api.ask("POST", f"/v1/jobs/{job}/trigger", body)["id"])


def bulk(api: Wire, job: str, total: int) -> list[str]:
    """The ids of many new runs."""
    answer = api.ask("POST", f"/v1/jobs/{job}/trigger/bulk", {"items": [{"payload": n} for n in range(total)]})
    if answer["created"] != total:
        raise Broken(f"{total - answer['created']} of {total} triggers were refused")
    return [one["id"] for one in answer["results"]]


def await_all(watch: Watch, ids: list[str]) -> None:
    """Until all these runs have ended."""
    left = {run_place(run_id) for run_id in ids}
    while left:
        left -= watch.done(sorted(left)[:100])
        time.sleep(_LOOK_S)


def measure(cloud: Cloud) -> None:
    """All of it, in one cloud."""
    with endpoint() as url:
        _latency(cloud, f"{url}/sleep/0")
        _triggers(cloud, f"{url}/sleep/0")
        _refill(cloud, f"{url}/sleep/0")


def _latency(cloud: Cloud, url: str) -> None:
    api = cloud.api()
    made = report.table(
        f"8. A job of one call, to a server that answers at once ({ROUNDS} runs each, in turns)",
        "timeout_secs",
        "p50",
        "p95",
    )
    took: dict[int, list[float]] = {INLINE_S: [], CARRIED_S: []}
    jobs = {seconds: define(api, url, timeout_secs=seconds) for seconds in took}
    watches = {seconds: Watch(cloud, cloud.outputs()["RunsTable"], "ended") for seconds in took}
    for _ in range(WARM_UP + ROUNDS):
        for seconds, values in took.items():
            began = time.perf_counter()
            run_id = trigger(api, jobs[seconds], payload={"n": 1})
            values.append(watches[seconds].one(run_place(run_id), began))
    for seconds, name in ((INLINE_S, "called by the burst"), (CARRIED_S, "the default: carried outside it")):
        values = took[seconds][WARM_UP:]
        made.add_row(f"{seconds} ({name})", report.ms(report.median(values)), report.ms(report.quantile(values, 0.95)))
    ratios = [report.median(took[CARRIED_S][WARM_UP:]) / report.median(took[INLINE_S][WARM_UP:])]
    ratios.append(report.quantile(took[CARRIED_S][WARM_UP:], 0.95) / report.quantile(took[INLINE_S][WARM_UP:], 0.95))
    made.add_row("ratio", *(f"{ratio:.2f}" for ratio in ratios))
    report.show(made, "From the trigger's POST until the run's item is seen ended.")


def _triggers(cloud: Cloud, url: str) -> None:
    api = cloud.api()
    watch = Watch(cloud, cloud.outputs()["RunsTable"], "ended")
    job = define(api, url, timeout_secs=INLINE_S)
    made = report.table("8b. Triggers", "how", "accepted, a second", "done, a second", "until all were accepted")
    began = time.perf_counter()
    ids = _together(cloud, lambda own: trigger(own, job, payload=1), TRIGGERS)
    accepted = time.perf_counter() - began
    await_all(watch, ids)
    _rates(made, f"{TRIGGERS} one by one, {SENDERS} at a time", TRIGGERS, accepted, time.perf_counter() - began)
    began = time.perf_counter()
    ids = bulk(api, job, BULK)
    accepted = time.perf_counter() - began
    await_all(watch, ids)
    _rates(made, f"{BULK} in one request", BULK, accepted, time.perf_counter() - began)
    report.show(made, "The runs begin while others are still being accepted, on the same two cores.")


def _rates(made: Any, name: str, total: int, accepted: float, done: float) -> None:
    made.add_row(name, f"{total / accepted:.0f}", f"{total / done:.0f}", f"{accepted:.2f} s")


def _together(cloud: Cloud, work: Callable[[Wire], str], total: int) -> list[str]:
    """What so many calls returned, made by some threads with a connection each."""
    done: list[str] = []
    faults: list[Exception] = []

    def send(share: int) -> None:
        try:
            own = cloud.api()
            done.extend([work(own) for _ in range(share)])
        except Exception as fault:  # noqa: BLE001 - the measuring thread raises it
            faults.append(fault)

    threads = [threading.Thread(target=send, args=(total // SENDERS,)) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return done


def _refill(cloud: Cloud, url: str) -> None:
    """One place, and a queue behind it: from the recorded end of a run until the recorded start of the next."""
    api = cloud.api()
    watch = Watch(cloud, cloud.outputs()["RunsTable"], "ended")
    made = report.table(
        f"8c. A freed place is taken by the next of {REFILLS} queued runs after",
        "timeout_secs",
        "p50",
        "p95",
        "at most",
    )
    for seconds in (INLINE_S, CARRIED_S):
        job = define(api, url, timeout_secs=seconds, max_concurrency=1)
        await_all(watch, bulk(api, job, REFILLS))
        runs = api.ask("GET", f"/v1/runs?job_id={job}&limit=100")
        times = sorted((_at(run["started_at"]), _at(run["finished_at"])) for run in runs)
        waits = [max((later[0] - sooner[1]).total_seconds(), 0.0) for sooner, later in pairwise(times)]
        made.add_row(
            f"{seconds}",
            report.ms(report.median(waits)),
            report.ms(report.quantile(waits, 0.95)),
            report.ms(max(waits)),
        )
    report.show(
        made,
        "By the times that the runs record: those of the decisions, some ms before each is committed. Promised is a second.",
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
