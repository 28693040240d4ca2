"""Tasks of the ETL API: what a start costs until it is completed, how long it takes, what pages of lists cost by their place."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import cost, metered, prices, report
from benchmarks.bill import Counts, Meter
from benchmarks.cloud import Cloud, cloud
from benchmarks.endpoints import endpoint
from benchmarks.engine import engine
from benchmarks.watch import Watch, run_place
from benchmarks.wire import Broken, Wire
from quintet.adapters.dynamodb.table import Table, number, text

ROWS = 100
RUNS = 20
WARM_UP = 4
PAGE = 10
ROUNDS = 20
TASKS, JOBS = 200, 5
"""Of a job the most; jobs that hold as many."""
TABLE_ROWS = 10_000
SHARDS = 8

ETL = "/webrobot/api"
_SQL = "SELECT id, name, id * 2 AS twice FROM input"
_PYTHON = "def main(input):\n    return [{**row, 'twice': row['id'] * 2} for row in input.rows]"
Programs = Mapping[str, tuple[str, str]]
"""By the type of task: a program and its content type."""


def measure() -> None:
    """All of it, in one metered cloud."""
    with (
        tempfile.TemporaryDirectory(prefix="quintet-meter-") as folder,
        cloud("benchmarks.metered", **{metered.FOLDER: folder}) as running,
        endpoint() as url,
    ):
        meter = Meter(running, Path(folder))
        place = new_job(running.api(), "runs", ROWS)
        _starts(running, meter, place, url)
        _task_lists(running, meter)
        _tables(running, meter)


def new_job(api: Wire, name: str, rows: int = 0) -> str:
    """The path of a new job in a new project; with rows they are its input."""
    project = api.ask("POST", f"{ETL}/projects", {"name": name})["id"]
    body: dict[str, Any] = {"name": "job"}
    if rows:
        given = [{"id": row, "name": f"row {row}"} for row in range(rows)]
        body["inputDatasetId"] = api.ask("POST", f"{ETL}/datasets", {"name": name, "rows": given})["id"]
    jobs = f"{ETL}/projects/id/{project}/jobs"
    return f"{jobs}/{api.ask('POST', jobs, body)['id']}"


def new_task(api: Wire, job: str, type_: str, program: str) -> str:
    """The path of a new task."""
    body = {"name": f"{type_} task", "taskType": type_, "botId": program}
    return f"{job}/tasks/{api.ask('POST', f'{job}/tasks', body)['id']}"


# --- starts ----------------------------------------------------------------------------------------------------------------------


def _starts(running: Cloud, meter: Meter, job: str, url: str) -> None:
    api = running.api()
    watch = {type_: Watch(running, running.outputs()["RunsTable"], "ended") for type_ in ("SQL", "PYTHON", "HTTP")}
    programs: Programs = {
        "SQL": (_SQL, "application/sql"),
        "PYTHON": (_PYTHON, "text/x-python"),
        "HTTP": (json.dumps({"url": f"{url}/rows/{ROWS}", "method": "POST"}), "application/json"),
    }
    tasks = {}
    for type_, (program, content_type) in programs.items():
        api.send("PUT", f"{ETL}/bots/bench-{type_}", program.encode(), content_type)
        tasks[type_] = new_task(api, job, type_, f"bench-{type_}")
    took: dict[str, list[float]] = {type_: [] for type_ in tasks}

    def one(type_: str) -> float:
        began = time.perf_counter()
        run_id = api.ask("POST", f"{tasks[type_]}/start", {})["executionReferenceId"]
        ended = watch[type_].one(run_place(run_id), began)
        time.sleep(0.05)
        return ended

    for type_ in tasks:
        for _ in range(WARM_UP):
            one(type_)
    found = {}
    for type_, times in took.items():
        units = counted(meter, lambda type_=type_, times=times: times.extend(one(type_) for _ in range(RUNS)))  # type: ignore[misc]
        found[type_] = {"HTTP API calls": 1.0} | {name: value / RUNS for name, value in units.items()}
    report.show(
        cost.bill_table(
            f"12. Cost of a task of {ROWS} rows, and $ a million starts (us-east-1 list prices of {prices.DATE})", found
        ),
        "As in 3. Each reads its job's input and leaves a dataset of as many rows. Links' requests to S3 are counted too.",
    )
    report.show(cost.request_table("12b. DynamoDB units of a task's start, by request and by table or index", found))
    s3 = report.table("12c. Requests of a task's start", "request", *found)
    for name in sorted({name for units in found.values() for name in units if name.startswith("S3 ")} | {"calls"}):
        s3.add_row(
            "AWS, in all" if name == "calls" else name, *(f"{units.get(name, 0):.2f}" for units in found.values())
        )
    report.show(s3, "The calls of the product's own AWS clients, and those of links.")
    made = report.table(f"12d. A task's start until completed, warm ({RUNS} starts each)", "type", "p50", "p95")
    for type_, times in took.items():
        made.add_row(type_, report.ms(report.median(times)), report.ms(report.quantile(times, 0.95)))
    report.show(made, "From the POST until the run's item is seen ended, with the meter on.")


def counted(meter: Meter, work: Callable[[], None]) -> Counts:
    """What AWS would bill for some work."""
    time.sleep(0.5)
    meter.take()
    work()
    time.sleep(0.5)  # the last execution's end is noted after its run's
    return meter.take()


# --- lists -----------------------------------------------------------------------------------------------------------------------


def _task_lists(running: Cloud, meter: Meter) -> None:
    api = running.api()
    first = new_job(api, "listed 0")
    watch = Watch(running, running.outputs()["RunsTable"], "ended")
    creations = [counted(meter, lambda: _fill(running, first, 1))]
    _fill(running, first, PAGE - 1)
    for task in api.ask("GET", f"{first}/tasks"):  # so that a page shows what tasks came to
        watch.one(
            run_place(api.ask("POST", f"{first}/tasks/{task['id']}/start", {})["executionReferenceId"]),
            time.perf_counter(),
        )
    path = f"{first}/tasks?pageSize={PAGE}&page="
    alone = _page(api, meter, f"{path}0")
    jobs = [first, *(new_job(api, f"listed {place}") for place in range(1, JOBS))]
    _fill(running, first, TASKS - PAGE - 1)
    creations.append(counted(meter, lambda: _fill(running, first, 1)))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: _fill(running, job, TASKS), jobs[1:]))
    made = report.table(
        f"13. Lists of tasks: pages of {PAGE} (GET, median of {ROUNDS})",
        *("page", "time", ": first", "read units", "requests"),
    )
    pages = {
        f"the only one of a job of {PAGE}": alone,
        f"the first of a job of {TASKS}, {TASKS * JOBS:,} in all": _page(api, meter, f"{path}0"),
        f"its last, page {TASKS // PAGE}": _page(api, meter, f"{path}{TASKS // PAGE - 1}"),
    }
    _rows_of(made, pages)
    report.show(made, "The ten of the first page have run. A job holds at most 200 tasks.")
    made = report.table("13b. Creating a task", "in a job", "read units", "write units", "requests")
    for name, units in zip(("without others", f"beside {TASKS - 1} others"), creations, strict=True):
        made.add_row(name, *(f"{units[f'DynamoDB {kind}']:.1f}" for kind in ("RRU", "WRU")), f"{units['calls']:.0f}")
    report.show(made)


def _fill(running: Cloud, job: str, count: int) -> None:
    """So many tasks more in a job."""
    api = running.api()
    for _ in range(count):
        new_task(api, job, "SQL", "bench-SQL")
    api.close()


def _tables(running: Cloud, meter: Meter) -> None:
    """Writes rows' items, since ten thousand requests would take minutes, as copies of one that the API made."""
    api = running.api()
    path = "/api/strapi-tables/bench"
    made = report.table(
        f"14. Tables: pages of {PAGE} of {TABLE_ROWS:,} rows (GET, median of {ROUNDS})",
        *("page", "time", ": first", "read units", "requests"),
    )
    api.ask("POST", path, {"name": "row", "text": "x" * 500, "number": 1})
    with engine(running, "etl-api") as services:
        table = Table(running.variables("etl-api")["DATA_TABLE"])
        [record] = services.collections.page("default", "rows/bench", 1)
        item = table.get("RECORD#default#rows/bench", f"{record.number:015d}")
        copies = range(record.number + 1, record.number + TABLE_ROWS)
        table.put_many([{**(item or {}), "sk": text(f"{copy:015d}")} for copy in copies])
        table.update(
            "COUNT#default#rows/bench",
            str(record.number % SHARDS),
            UpdateExpression="ADD n :some",
            ExpressionAttributeValues={":some": number(len(copies))},
        )
    last = TABLE_ROWS // PAGE
    pages = {
        "1": _page(api, meter, f"{path}?pageSize={PAGE}&page=0"),
        f"{last}": _page(api, meter, f"{path}?pageSize={PAGE}&page={last - 1}"),
    }
    _rows_of(made, pages)
    report.show(made, "Rows before a page are counted in an index of keys, not read.")


Page = tuple[float, float, float]
"""Seconds (median), read units and requests to AWS of a page."""


def _page(api: Wire, meter: Meter, path: str) -> Page:
    api.ask("GET", path)
    meter.take()
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = api.ask("GET", path)
        took.append(time.perf_counter() - began)
        if len(found) != PAGE:
            raise Broken(f"{path} holds {len(found)}")
    units = meter.take()
    return report.median(took), units["DynamoDB RRU"] / ROUNDS, units["calls"] / ROUNDS


def _rows_of(made: Any, pages: Mapping[str, Page]) -> None:
    first = next(iter(pages.values()))[0]
    for name, (seconds, units, requests) in pages.items():
        made.add_row(name, report.ms(seconds), f"{seconds / first:.2f}", f"{units:.1f}", f"{requests:.1f}")
