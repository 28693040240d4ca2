"""Lists: the first page against the thousandth, of ten thousand runs."""

import time
from datetime import UTC, datetime, timedelta

from benchmarks import report
from benchmarks.cloud import Cloud, chain, define
from benchmarks.engine import engine
from benchmarks.wire import Broken
from quintet.adapters.dynamodb.items import meta_item
from quintet.adapters.dynamodb.slots import COUNTER_SHARDS
from quintet.adapters.dynamodb.table import Table, key, number
from quintet.adapters.ids import uuid7
from quintet.domain.run import Run
from quintet.domain.status import RunStatus

PAGE = 10
PAGES = 1000
ROUNDS = 20
_PROJECT = "default"


def measure(cloud: Cloud) -> None:
    """Writes the items of runs, since ten thousand real ones would take minutes, and reads pages of them through the API."""
    api = cloud.api()
    automation = define(api, "listed", chain(1)).split("/")[4]
    with engine(cloud):
        write_runs(Table(cloud.outputs()["RunsTable"]), automation, PAGE * PAGES)
    made = report.table(
        f"7. Lists: pages of {PAGE} of {PAGE * PAGES} runs (GET, median of {ROUNDS})",
        "list",
        "page 1",
        "page 100",
        "page 1000",
        "1000 : 1",
    )
    for name, query in (("all runs", ""), ("completed runs", "&status=completed")):
        took: dict[int, list[float]] = {1: [], 100: [], PAGES: []}
        for _ in range(ROUNDS):
            for page, values in took.items():
                began = time.perf_counter()
                found = api.ask("GET", f"/api/v1/automation-runs?limit={PAGE}&offset={(page - 1) * PAGE}{query}")
                values.append(time.perf_counter() - began)
                if len(found["items"]) != PAGE:
                    raise Broken(f"page {page} holds {len(found['items'])} runs")
        first, middle, last = (report.median(values) for values in took.values())
        made.add_row(name, report.ms(first), report.ms(middle), report.ms(last), f"{last / first:.2f}")
    report.show(
        made,
        "Runs before a page are counted in the index, not fetched: the cost grows with what is skipped, not with what is stored.",
    )


def write_runs(table: Table, job_id: str, total: int) -> None:
    """Writes the items of completed runs of a job, a second apart until now, and counts them."""
    began = datetime.now(UTC) - timedelta(days=1)
    items = []
    for place in range(total):
        at = began + timedelta(seconds=place)
        run_id = uuid7(int(at.timestamp() * 1000), 0, place)
        run = Run(run_id, _PROJECT, job_id, 1, job_id, RunStatus.COMPLETED, at, at, started_at=at, ended_at=at)
        items.append(meta_item(run, None, None))
    table.put_many(items)
    for shard in range(COUNTER_SHARDS):
        counter = key(f"COUNT#{_PROJECT}", str(shard))
        table.update(
            counter["pk"]["S"],
            counter["sk"]["S"],
            UpdateExpression="ADD n_completed :some",
            ExpressionAttributeValues={":some": number(total // COUNTER_SHARDS)},
        )
