"""Cold import: each handler in a fresh process, as a function's first call has it, and the bare interpreter beside it."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import report
from benchmarks.cloud import ROOT
from benchmarks.wire import Broken

ROUNDS = 10
TARGET_S = 0.350
_IMPORT = "import time; began = time.perf_counter(); import handler; print(time.perf_counter() - began)"
_BARE = "print(0)"


def measure() -> None:
    """In turns: the interpreter alone, then every handler; the first round compiles the bytecode and counts for nothing."""
    folders = sorted(path.parent for path in (ROOT / "functions").glob("*/handler.py"))
    bare: list[float] = []
    took: dict[Path, list[tuple[float, float]]] = {folder: [] for folder in folders}
    for turn in range(ROUNDS + 1):
        whole, _ = _once(ROOT, _BARE)
        bare += [whole] if turn else []
        for folder in folders:
            found = _once(folder, _IMPORT)
            took[folder] += [found] if turn else []
    start = report.median(bare)
    made = report.table(
        f"4. Cold import of each handler (fresh process, median of {ROUNDS})",
        "function",
        "import handler",
        "process, start to end",
        "minus bare",
        "target",
    )
    for folder, rounds in took.items():
        whole, inside = (report.median([pair[place] for pair in rounds]) for place in (0, 1))
        made.add_row(
            folder.name, report.ms(inside), report.ms(whole), report.ms(whole - start), f"≤ {TARGET_S * 1000:.0f} ms"
        )
    made.add_section()
    made.add_row("bare interpreter", "", report.ms(start), "", "")
    report.show(
        made,
        "`import handler` as timed inside the process is what the target means; the interpreter's own start and end are beside it.",
    )


def _once(folder: Path, program: str) -> tuple[float, float]:
    """Seconds of the whole process, and those that it printed."""
    path = os.pathsep.join([str(folder), str(ROOT / "layers/core/python")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QUINTET_", "PYTHON"))}
    # What the local cloud's workers have of the template's variables; no handler may call anything while it is imported.
    names = {
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "BLOBS_BUCKET": "bench",
        "QUINTET_STAGE": "local",
    }
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=folder,
        env={**kept, **names, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    whole = time.perf_counter() - began
    if done.returncode:
        raise Broken(f"{folder.name} can't be imported: {done.stderr.strip()[-500:]}")
    return whole, float(done.stdout.split()[-1])
