"""Cost: what AWS would bill for a run, in units and in list prices a million runs."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import metered, prices, report
from benchmarks.bill import Meter
from benchmarks.cloud import Cloud, chain, cloud, define
from benchmarks.endpoints import endpoint
from benchmarks.watch import Watch, run_place

RUNS = 40
PARKED_RUNS = 20
PARKED_S = 21  # above what a burst waits out by itself
WARM_UP = 4
TARGET = 15.0
# A call of DynamoDB or Step Functions inside a region, and what Python needs for one, on AWS: assumed, not measured.
AWS_CALL_S = 0.006

Units = dict[str, float]


def measure() -> None:
    """Three scenarios in one metered cloud, one after the other."""
    with (
        tempfile.TemporaryDirectory(prefix="quintet-meter-") as folder,
        cloud("benchmarks.metered", **{metered.FOLDER: folder}) as running,
        endpoint() as url,
    ):
        http = {"url": f"{url}/sleep/0"}
        bench = _Bench(running, Meter(running, Path(folder)))
        bench.park("warm-up", chain(1, "wait", {"seconds": PARKED_S}), 2)  # every function has a worker from here on
        found = {
            "5 no-op steps": bench.run("no-op", chain(5), RUNS),
            "5 http steps in a row": bench.run("http", chain(5, "http_request", http), RUNS),
            "a parked wait": bench.park("parked", chain(1, "wait", {"seconds": PARKED_S}), PARKED_RUNS),
        }
    _show(found)
    _show_cold(bench.cold)


class _Bench:
    """Starts runs and reads the meter."""

    def __init__(self, running: Cloud, meter: Meter) -> None:
        self._api, self._meter = running.api(), meter
        self._watch = Watch(running, running.outputs()["RunsTable"], "ended")

    def run(self, name: str, steps: list[dict[str, Any]], total: int) -> Units:
        """Units a run of runs one after the other."""
        path = define(self._api, name, steps)
        for _ in range(WARM_UP):
            self._one(path)
        return self._metered(lambda: self._row(path, total), total)

    def park(self, name: str, steps: list[dict[str, Any]], total: int) -> Units:
        """Units a run of runs that wait side by side, begun a quarter of a second after each other."""
        path = define(self._api, name, steps)
        return self._metered(lambda: self._staggered(path, total), total)

    @property
    def cold(self) -> dict[str, float]:
        """Milliseconds of the functions' first invocations."""
        return self._meter.cold

    def _one(self, path: str) -> None:
        began = time.perf_counter()
        self._watch.one(run_place(self._api.ask("POST", path, {})["id"]), began)
        time.sleep(0.05)

    def _row(self, path: str, total: int) -> None:
        for _ in range(total):
            self._one(path)

    def _staggered(self, path: str, total: int) -> None:
        places = []
        for _ in range(total):
            places.append(run_place(self._api.ask("POST", path, {})["id"]))
            time.sleep(0.25)
        while len(self._watch.done(places)) < total:
            time.sleep(0.2)

    def _metered(self, work: Callable[[], object], total: int) -> Units:
        time.sleep(0.3)
        self._meter.take()
        work()
        time.sleep(0.3)  # the last execution's end is noted after its run's
        return {"HTTP API calls": 1.0} | {name: count / total for name, count in self._meter.take().items()}


def _show(found: dict[str, Units]) -> None:
    made = bill_table(f"3. Cost: units a run, and $ a million runs (us-east-1 list prices of {prices.DATE})", found)
    made.add_row("target", "", f"≤ {TARGET:.0f}", *[""] * (2 * len(found) - 2))
    report.show(
        made,
        "Durations as measured here on warm workers, where a call of DynamoDB takes 2 ms. On AWS the function waits longer: the line",
        "below the sum takes 6 ms for every call instead (assumed). Keys are kept for 30 s, so the first run of many pays for them.",
        "A parked wait: two bursts and one message (over a quarter of an hour: one execution of the park machine). Tick and sweep, once a",
        "minute for all runs, are in none.",
    )
    report.show(request_table("3b. DynamoDB units a run, by request and by table or index", found))


def bill_table(title: str, found: dict[str, Units]) -> Table:
    """Units and list prices a million, for each of some things."""
    made = report.table(title, "unit")
    for name in found:
        made.add_column(name, justify="right")
        made.add_column("$/M", justify="right")
    for unit, price in prices.UNITS.items():
        cells = []
        for units in found.values():
            count = units.get(unit, 0.0)
            cells += [f"{count:.4f}" if "GB-s" in unit else f"{count:.2f}", f"{count * price * 1e6:.2f}"]
        made.add_row(unit, *cells)
    totals = [_price(units) for units in found.values()]
    made.add_section()
    made.add_row("in all", *[cell for total in totals for cell in ("", f"{total:.2f}")], style="bold")
    aws = [_price(_on_aws(units)) for units in found.values()]
    made.add_row(f"with {AWS_CALL_S * 1000:.0f} ms a call", *[cell for total in aws for cell in ("", f"{total:.2f}")])
    return made


def request_table(title: str, found: dict[str, Units]) -> Table:
    """DynamoDB's units by request and table or index."""
    made = report.table(title, "request", *found)
    for name in sorted({name for units in found.values() for name in units if "Table" in name}):
        made.add_row(name, *(f"{units[name]:.2f}" if name in units else "" for units in found.values()))
    return made


def _show_cold(cold: dict[str, float]) -> None:
    made = report.table("3c. Cold first call (once each)", "function", "process start until its answer")
    for name, took in sorted(cold.items()):
        made.add_row(name.removeprefix("quintet-"), report.ms(took / 1000))
    report.show(
        made,
        "A new process, the import, what the first call loads, and the call; several of these started side by side.",
    )


def _on_aws(units: Units) -> Units:
    memory_gb = 1.0  # ApiMemory and WorkMemory
    return units | {"Lambda GB-s": units["Lambda GB-s"] + units["calls"] * (AWS_CALL_S - 0.002) * memory_gb}


def _price(units: Units) -> float:
    return sum(units.get(unit, 0.0) * price for unit, price in prices.UNITS.items()) * 1e6
