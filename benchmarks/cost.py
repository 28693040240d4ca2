"""Cost: what AWS would bill for a run, in units and in list prices a million runs."""

import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

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
        bench.park("warm-up", chain(1, "wait", {"seconds": PARKED_S}), 2)
        found = {
            "5 no-op steps": bench.run("no-op", chain(5), RUNS),
            "5 http steps in a row": bench.run("http", chain(5, "http_request", http), RUNS),
            "a parked wait": bench.park("parked", chain(1, "wait", {"seconds": PARKED_S}), PARKED_RUNS),
        }
    _show(found)
    if os.environ.get("BENCH_DETAIL"):
        for name, units in found.items():
            report.console.print(name, {unit: round(count, 3) for unit, count in sorted(units.items())})


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
        return self._metered(lambda: [self._one(path) for _ in range(total)], total)

    def park(self, name: str, steps: list[dict[str, Any]], total: int) -> Units:
        """Units a run of runs that wait side by side, begun a quarter of a second after each other."""
        path = define(self._api, name, steps)
        return self._metered(lambda: self._staggered(path, total), total)

    def _one(self, path: str) -> None:
        began = time.perf_counter()
        self._watch.one(run_place(self._api.ask("POST", path, {})["id"]), began)
        time.sleep(0.05)

    def _staggered(self, path: str, total: int) -> None:
        places = []
        for _ in range(total):
            places.append(run_place(self._api.ask("POST", path, {})["id"]))
            time.sleep(0.25)
        while len(self._watch.done(places)) < total:
            time.sleep(0.2)

    def _metered(self, work: Any, total: int) -> Units:
        time.sleep(0.3)
        self._meter.take()
        work()
        time.sleep(0.3)  # the last execution's end is noted after its run's
        counted: Counter[str] = self._meter.take()
        return {"HTTP API calls": 1.0} | {name: count / total for name, count in counted.items()}


def _show(found: dict[str, Units]) -> None:
    made = report.table(f"3. Cost: units a run, and $ a million runs (us-east-1 list prices of {prices.DATE})", "unit")
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
    made.add_row(f"with {AWS_CALL_S * 1000:.0f} ms a call (below)", *[cell for total in aws for cell in ("", f"{total:.2f}")])
    made.add_row("target", "", f"≤ {TARGET:.0f}", *[""] * (2 * len(found) - 2))
    report.show(
        made,
        "Durations are those measured here, on warm workers, where a call of DynamoDB takes 2 ms; on AWS it takes longer, and a function waits",
        "meanwhile: the line below the sum takes 6 ms for every call instead (assumed). Reads of keys and jobs are kept by a function for 30 s.",
        "The parked wait is two bursts and one execution of the park machine; tick and sweep, twice a minute for a deployment, are not in it.",
    )


def _on_aws(units: Units) -> Units:
    memory_gb = 1.0  # ApiMemory and WorkMemory
    return units | {"Lambda GB-s": units["Lambda GB-s"] + units["calls"] * (AWS_CALL_S - 0.002) * memory_gb}


def _price(units: Units) -> float:
    return sum(units.get(unit, 0.0) * price for unit, price in prices.UNITS.items()) * 1e6
