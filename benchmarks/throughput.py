"""Throughput: 500 runs of five steps that do nothing, 32 at a time, by the number of workers; the bare execution likewise."""

import threading
import time
from collections.abc import Callable

from benchmarks import baseline, report
from benchmarks.baseline import Baseline
from benchmarks.cloud import Cloud, chain, cloud, define
from benchmarks.watch import Watch, run_place

RUNS = 500
AT_ONCE = 32
WARM_UP = 64
WORKERS = (1, 2, 3, 4)
TARGET = 40.0
_LOOK_S = 0.01

Place = tuple[str, str]
Start = Callable[[], Place]


class Fleet:
    """Keeps `AT_ONCE` things under way until so many are done."""

    def __init__(self, watch: Watch, starter: Callable[[], Start]) -> None:
        self._watch, self._starter = watch, starter

    def run(self, total: int) -> float:
        """Things a second, from the first start until the last end."""
        self._left, self._under_way = total, set[Place]()
        self._room, self._lock = threading.Semaphore(AT_ONCE), threading.Lock()
        self._fault: BaseException | None = None
        threads = [threading.Thread(target=self._start, daemon=True) for _ in range(AT_ONCE)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        done = 0
        while done < total:
            if self._fault:
                raise self._fault
            time.sleep(_LOOK_S)
            with self._lock:
                asked = list(self._under_way)
            ended = self._watch.done(asked)
            with self._lock:
                self._under_way -= ended
            done += len(ended)
            for _ in ended:
                self._room.release()
        took = time.perf_counter() - began
        for _ in threads:
            self._room.release()
        for thread in threads:
            thread.join()
        return total / took

    def _start(self) -> None:
        start = self._starter()
        try:
            while True:
                self._room.acquire()
                with self._lock:
                    if self._left <= 0:
                        return
                    self._left -= 1
                place = start()
                with self._lock:
                    self._under_way.add(place)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the measuring thread raises it
            self._fault = fault


def fleets(running: Cloud, bare: Baseline) -> tuple[Fleet, Fleet]:
    """One that makes runs, one that makes bare executions."""
    path = define(running.api(), "five steps at once", chain(5))

    def starter() -> Start:
        api = running.api()
        return lambda: run_place(api.ask("POST", path, {})["id"])

    runs = Fleet(Watch(running, running.outputs()["RunsTable"], "ended"), starter)
    return runs, Fleet(Watch(running, bare.table, baseline.MARK), lambda: bare.starter().start)


def measure(workers: tuple[int, ...] = WORKERS) -> None:
    """A cloud for each number of workers; in each of them runs and bare executions in turns."""
    made = report.table(
        f"2. Throughput: {RUNS} runs of 5 no-op steps, {AT_ONCE} at a time",
        "workers a function",
        "runs/s",
        "bare/s",
        "ratio",
        "load",
        "target",
    )
    for number in workers:
        with cloud(QUINTET_WORKERS=str(number)) as running:
            runs, bares = fleets(running, Baseline(running))
            runs.run(WARM_UP)
            bares.run(WARM_UP)
            found = [(runs.run(RUNS // 2), bares.run(RUNS // 2)) for _ in range(2)]
        mine, theirs = (2 / sum(1 / pair[place] for pair in found) for place in (0, 1))
        target = f"≥ {TARGET:.0f}" if number == report.default_workers() else ""
        made.add_row(f"{number}", f"{mine:.1f}", f"{theirs:.1f}", f"{mine / theirs:.2f}", report.load(), target)
    report.show(
        made,
        "Rates over two halves of 250, the bare ones between them; ends are looked for every 10 ms with one BatchGetItem.",
    )
