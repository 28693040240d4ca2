"""What jobs cost: runs in billed units, ticks by the number of schedules, pages of lists by their place."""

import json
import tempfile
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import cost, metered, prices, report
from benchmarks.bill import Counts, Meter, count_line
from benchmarks.cloud import Cloud, cloud
from benchmarks.endpoints import endpoint
from benchmarks.engine import engine
from benchmarks.jobs import CARRIED_S, INLINE_S, await_all, bulk, define, trigger
from benchmarks.lists import write_runs
from benchmarks.watch import Watch, run_place
from benchmarks.wire import Broken, Wire
from quintet.adapters.dynamodb.table import Table

RUNS = 40
MANY = 200
WARM_UP = 4
SCHEDULES = (0, 1_000, 10_000)
DUE = 10
PAGE = 10
PAGES = 1000
ROUNDS = 20
BATCH = 50
WALK = 90  # of which 111 make the 9,990 before the thousandth page


def measure() -> None:
    """All of it, in one metered cloud."""
    with (
        tempfile.TemporaryDirectory(prefix="quintet-meter-") as folder,
        cloud("benchmarks.metered", **{metered.FOLDER: folder}) as running,
        endpoint() as url,
    ):
        meter = Meter(running, Path(folder))
        _runs(running, meter, f"{url}/sleep/0")
        _ticks(running, Path(folder) / "tick-here", url)
        _lists(running, meter, url)


# --- runs ------------------------------------------------------------------------------------------------------------------------


def _runs(running: Cloud, meter: Meter, url: str) -> None:
    api = running.api()
    watch = Watch(running, running.outputs()["RunsTable"], "ended")
    inline = define(api, url, timeout_secs=INLINE_S)
    carried = define(api, url, timeout_secs=CARRIED_S)
    limited = define(api, url, timeout_secs=INLINE_S, max_concurrency=1)

    def one_by_one(job: str, total: int) -> None:
        for _ in range(total):
            began = time.perf_counter()
            watch.one(run_place(trigger(api, job, payload={"n": 1})), began)
            time.sleep(0.05)

    def units(work: Callable[[], None], runs: int, calls: int) -> dict[str, float]:
        time.sleep(0.5)
        meter.take()
        work()
        time.sleep(0.5)  # the last execution's end is noted after its run's
        return {"HTTP API calls": calls / runs} | {name: value / runs for name, value in meter.take().items()}

    for job in (inline, carried, limited):
        one_by_one(job, WARM_UP)
    found = {
        "one call": units(lambda: one_by_one(inline, RUNS), RUNS, RUNS),
        "carried (default)": units(lambda: one_by_one(carried, RUNS), RUNS, RUNS),
        f"{MANY} in bulk": units(lambda: await_all(watch, bulk(api, inline, MANY)), MANY, 1),
        "the same, one place": units(lambda: await_all(watch, bulk(api, limited, MANY)), MANY, 1),
    }
    report.show(
        cost.bill_table(f"9. Cost of a job's run, and $ a million (us-east-1 list prices of {prices.DATE})", found),
        "As in 3. In bulk the request is shared by all its runs; with one place each run is queued first, and let in by another's end.",
    )
    report.show(cost.request_table("9b. DynamoDB units a run of a job, by request and by table or index", found))


# --- ticks -----------------------------------------------------------------------------------------------------------------------


class SetClock:
    """Port Clock that stands at a moment: schedules of far days can be ticked now, and the cloud's own clock never sees them due."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Passes that time at once."""
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Ticked:
    """One tick: seconds, and what it asked of AWS."""

    seconds: float
    requests: int
    units: Counts


def _ticks(running: Cloud, file: Path, url: str) -> None:
    api = running.api()
    soon = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=45)
    _define_many(api, DUE, url, cron=f"{soon.minute} {soon.hour} * * *")
    past = datetime.now(UTC) - timedelta(days=3)
    made = report.table(
        f"10. One tick, {DUE} schedules of which are due",
        *(
            "other schedules",
            "time",
            "requests",
            "read units",
            "write units",
            "memory, at most",
            "none due: read units",
        ),
    )
    there = 0
    for place, total in enumerate(SCHEDULES):
        _define_many(api, total - there, url, cron=f"0 0 {min(past.day, 28)} {past.month} *")
        there = total
        clock = SetClock(soon + timedelta(days=3 * place, seconds=-30))
        with engine(running, "tick", meter=str(file), clock=clock) as services:
            _expect(services.tick(), DUE)  # what a process reads and makes once is behind it
            clock.at += timedelta(days=1)
            idle = _metered(file, lambda: _expect(services.tick(), 0), clock, timedelta(minutes=-5))
            busy = _metered(file, lambda: _expect(services.tick(), DUE), clock, timedelta())
            clock.at += timedelta(days=1)
            peak = _memory(lambda: _expect(services.tick(), DUE))
        reads, writes = (busy.units[f"DynamoDB {kind}"] for kind in ("RRU", "WRU"))
        cells = (f"{reads:.1f}", f"{writes:.0f}", f"{peak / 1024:.0f} KiB", f"{idle.units['DynamoDB RRU']:.1f}")
        made.add_row(f"{total:,}", report.ms(busy.seconds), f"{busy.requests}", *cells)
    report.show(
        made,
        "In the bench's own process, warm, on the cloud's tables, with a clock of its own: schedules of another day are due.",
    )


def _metered(file: Path, work: Callable[[], None], clock: SetClock, shift: timedelta) -> Ticked:
    before = len(_lines(file))
    now = clock.at
    clock.at = now + shift
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    clock.at = now
    units: Counts = defaultdict(float)
    lines = _lines(file)[before:]
    for line in lines:
        count_line(line, units)
    return Ticked(took, len(lines), units)


def _memory(work: Callable[[], None]) -> int:
    """Bytes that Python held at most, beyond what it held before."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def _expect(found: dict[str, int], fired: int) -> None:
    if found != {"fired": fired, "failed": 0}:
        raise Broken(f"the tick answered {found}")


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _define_many(api: Wire, total: int, url: str, **fields: Any) -> None:
    for first in range(0, total, BATCH):
        some = range(first, min(first + BATCH, total))
        bodies = [{"name": f"scheduled {n} {fields['cron']}", "endpoint_url": url, **fields} for n in some]
        api.ask("POST", "/v1/jobs/batch", bodies)


# --- lists -----------------------------------------------------------------------------------------------------------------------


def _lists(running: Cloud, meter: Meter, url: str) -> None:
    api = running.api()
    job = define(api, url)
    with engine(running):
        write_runs(Table(running.outputs()["RunsTable"]), job, PAGE * PAGES)
    made = report.table(
        f"11. Lists of 10,000 by cursor: pages of {PAGE} (GET, median of {ROUNDS})",
        *("list", "page 1", "page 1000", "1000 : 1", "read units, page 1", "read units, page 1000"),
    )
    paths = {
        "runs": "/v1/runs?",
        "runs of a job": f"/v1/runs?job_id={job}&",
        "completed runs": "/v1/runs?status=completed&",
        "jobs": "/v1/jobs?",
    }
    for name, path in paths.items():
        places = ("", f"&cursor={_cursor(api, path)}")
        pages = [_read(api, meter, f"{path}limit={PAGE}{place}") for place in places]
        (first, first_units), (last, last_units) = pages
        made.add_row(
            name, report.ms(first), report.ms(last), f"{last / first:.2f}", f"{first_units:.1f}", f"{last_units:.1f}"
        )
    report.show(made, "With the meter on; the units of the request as a whole.")


def _cursor(api: Wire, path: str) -> str:
    """Where the thousandth page begins."""
    *_, last = _walk(api, path, (PAGES - 1) * PAGE // WALK)
    return last


def _walk(api: Wire, path: str, pages: int) -> Iterator[str]:
    cursor = ""
    for _ in range(pages):
        page = api.ask("GET", f"{path}limit={WALK}&envelope=true{cursor and f'&cursor={cursor}'}")
        if len(page["data"]) != WALK:
            raise Broken(f"a page of {path} holds {len(page['data'])}")
        cursor = page["next_cursor"]
        yield cursor


def _read(api: Wire, meter: Meter, path: str) -> tuple[float, float]:
    """Seconds (median) and read units (mean) of a page."""
    api.ask("GET", path)
    meter.take()
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        page = api.ask("GET", path)
        took.append(time.perf_counter() - began)
        if len(page) != PAGE:
            raise Broken(f"{path} holds {len(page)}")
    return report.median(took), meter.take()["DynamoDB RRU"] / ROUNDS
