"""Datasets: an aggregate over 100 MB of Parquet through the HTTP API, the first time and again."""

import http.client
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from benchmarks import metered, report
from benchmarks.bill import Meter
from benchmarks.cloud import cloud
from benchmarks.etl import ETL, counted
from benchmarks.wire import Broken, Wire

ROWS = 5_000_000
GROUPS = 1000
AGAIN = 10
# Numbers that no encoding shortens, but for the group.
_MAKE = """
COPY (SELECT range AS id, (hash(range) % {groups})::INTEGER AS kind, random() AS value, hash(range + 1) AS mark FROM range({rows}))
TO '{path}' (FORMAT parquet)
"""
_ASKED = (
    "SELECT kind, count(*) AS rows, sum(value) AS total, max(mark) AS last FROM dataset_{} GROUP BY kind ORDER BY kind"
)


def measure() -> None:
    """In a metered cloud of its own."""
    with tempfile.TemporaryDirectory(prefix="quintet-meter-") as folder:
        file = Path(folder) / "big.parquet"
        duckdb.execute(_MAKE.format(groups=GROUPS, rows=ROWS, path=file))
        with cloud("benchmarks.metered", **{metered.FOLDER: folder}) as running:
            meter, api = Meter(running, Path(folder)), running.api()
            made = report.table(
                f"15. An aggregate of {ROWS:,} rows ({file.stat().st_size / 1e6:.0f} MB of Parquet), by POST datasets/query",
                *("what", "time", "S3 GET", "Lambda GB-s"),
            )
            dataset = api.ask("POST", f"{ETL}/datasets", {"name": "big", "format": "parquet"})["id"]
            _upload(api, dataset, file)
            took: list[float] = []

            def ask() -> None:
                took.append(_query(api, dataset))

            api.ask("POST", f"{ETL}/datasets/query", {"sql": "SELECT 1 AS one"})  # a worker of each function
            first = counted(meter, ask)
            again = counted(meter, lambda: _repeated(ask))
            made.add_row("the first query, which fetches it", report.ms(took[0]), *_cells(first, 1))
            name = f"the same again, p50 of {AGAIN} ({report.ms(report.quantile(took[1:], 0.95))} p95)"
            made.add_row(name, report.ms(report.median(took[1:])), *_cells(again, AGAIN))
            report.show(
                made,
                "The SQL function keeps fetched files in its own folder while it is warm; here all workers share it.",
            )


def _repeated(work: Callable[[], None]) -> None:
    for _ in range(AGAIN):
        work()


def _cells(units: dict[str, float], queries: int) -> tuple[str, str]:
    return f"{units['S3 GET'] / queries:.1f}", f"{units['Lambda GB-s'] / queries:.3f}"


def _upload(api: Wire, dataset: str, file: Path) -> None:
    link = urlsplit(api.ask("POST", f"{ETL}/datasets/{dataset}/upload-url", {})["url"])
    connection = http.client.HTTPConnection(link.netloc, timeout=60)
    with file.open("rb") as body:
        connection.request("PUT", f"{link.path}?{link.query}", body, {"content-length": str(file.stat().st_size)})
        answer = connection.getresponse()
        answer.read()
    connection.close()
    if answer.status != 200:
        raise Broken(f"the upload: {answer.status}")
    if api.ask("GET", f"{ETL}/datasets/{dataset}")["rowCount"] != ROWS:
        raise Broken("not all rows came")


def _query(api: Wire, dataset: str) -> float:
    began = time.perf_counter()
    rows = api.ask("POST", f"{ETL}/datasets/query", {"sql": _ASKED.format(dataset), "limit": GROUPS})["results"]
    took = time.perf_counter() - began
    if sum(row["rows"] for row in rows) != ROWS:
        raise Broken("not all rows were counted")
    return took
