"""`python -m benchmarks [name ...]`: all measurements, or those named."""

import sys
import time

from benchmarks import (
    cost,
    etl,
    etl_data,
    growth,
    imports,
    job_cost,
    jobs,
    latency,
    lists,
    report,
    throughput,
    workflows,
)
from benchmarks.baseline import Baseline
from benchmarks.cloud import cloud
from benchmarks.wire import Broken


def _latency() -> None:
    with cloud() as running:
        latency.measure(running, Baseline(running))


def _workflows() -> None:
    with cloud() as running:
        workflows.measure(running)


def _growth() -> None:
    with cloud() as running:
        growth.measure(running)


def _lists() -> None:
    with cloud() as running:
        lists.measure(running)


def _jobs() -> None:
    with cloud() as running:
        jobs.measure(running)


MEASUREMENTS = {
    "latency": _latency,
    "throughput": throughput.measure,
    "cost": cost.measure,
    "imports": imports.measure,
    "workflows": _workflows,
    "growth": _growth,
    "lists": _lists,
    "jobs": _jobs,
    "job_cost": job_cost.measure,
    "etl": etl.measure,
    "etl_data": etl_data.measure,
}


def main(names: list[str]) -> int:
    """Runs the measurements; 1 when something is broken, 2 for an unknown name, and never because something is slow."""
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        report.console.print(f"There is no measurement {unknown[0]}; there are {', '.join(MEASUREMENTS)}.")
        return 2
    report.console.print(f"Quintet benchmarks: {report.machine()}\n", highlight=False)
    began = time.monotonic()
    try:
        for name in names or MEASUREMENTS:
            with report.load_noted(name):
                MEASUREMENTS[name]()
    except (Broken, OSError) as fault:
        report.console.print(f"Broken: {fault}", style="red", markup=False)
        return 1
    report.console.print(f"{time.monotonic() - began:.0f} s in all", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
