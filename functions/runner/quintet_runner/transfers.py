"""Runs a task's code over rows: fetches them, gives them to the code's process as a file, and sends off the rows that it leaves.

What a payload of kind `rows` holds beside the rest: `params`, `apiKey`, `rows {link, count}` (JSON lines to read, null: none), `output`
(a link that takes JSON lines). Both links stay here; the process has open files.
"""

import resource
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from quintet_runner.leash import Leash
from quintet_runner.links import Link, LinkFault
from quintet_runner.sandbox import DEFAULT_TIMEOUT, Attempt
from quintet_runner.verdict import STOPPED, error

MAX_INPUT = 512 * 1024 * 1024
"""Bytes of JSON lines."""
COUNTS = ("taken", "warnings", "errors")
_MB = 1024 * 1024


def run_rows(event: Mapping[str, Any], folder: Path, leash: Leash) -> dict[str, Any]:
    """The answer of sandbox.run, whose result is {rows (null: main returned none), bytes}, with `counts` {taken, warnings, errors}
    where the code's process came to say them."""
    deadline = time.monotonic() + float(event.get("timeout") or DEFAULT_TIMEOUT)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as made:
        if fault := _fetch(event, given, deadline, leash):
            return {**fault, "stdout": "", "stderr": "", "usage": None, "counts": {}}
        rows = event.get("rows") or {}
        asked = {name: event.get(name) for name in ("params", "apiKey")}
        inner = {
            **event,
            "input": {**asked, "count": int(rows.get("count") or 0)},
            "timeout": max(deadline - time.monotonic(), 0.001),
        }
        answer = _settled(Attempt(inner, folder, leash, {"given": given, "made": made}).run(), made)
        if answer["ok"] and answer["result"]["rows"]:
            answer = {**answer, **_send(event, made, deadline, leash)}
        return answer


def _fetch(event: Mapping[str, Any], into: IO[bytes], deadline: float, leash: Leash) -> dict[str, Any] | None:
    rows = event.get("rows")
    if not rows:
        return None
    link = Link(rows["link"])
    try:
        link.fetch(into, MAX_INPUT, deadline, lambda: leash.pulled)
    except LinkFault as fault:
        return _failed(fault, "Input", "the input's rows as JSON")
    finally:
        link.close()
    return None


def _send(event: Mapping[str, Any], made: IO[bytes], deadline: float, leash: Leash) -> dict[str, Any]:
    link = Link(event["output"])
    try:
        link.send(made, deadline, lambda: leash.pulled)
    except LinkFault as fault:
        return _failed(fault, "Output", "the rows could not be kept")
    finally:
        link.close()
    return {}


def _failed(fault: LinkFault, which: str, what: str) -> dict[str, Any]:
    if fault.type in (STOPPED, "Timeout"):
        return error(fault.type, "the code was stopped" if fault.type == STOPPED else f"{what}: {fault}")
    return error(f"{which}{fault.type}", f"{what}: {fault}")


def _settled(answer: dict[str, Any], made: IO[bytes]) -> dict[str, Any]:
    """The answer with the counts apart. All that the process says of itself is its own word: what is no count is left out."""
    told = answer.get("result") if answer["ok"] else answer["error"].pop("told", None)
    told = told if isinstance(told, dict) else {}
    usage = {**answer["usage"], "maxRssMb": _memory(answer["usage"]["maxRssMb"], _count(told.get("maxRssKb")))}
    found = {name: count for name in COUNTS if (count := _count(told.get(name))) is not None}
    settled = {**answer, "usage": usage, "counts": found}
    if answer["ok"]:
        settled["result"] = {"rows": _count(told.get("rows")), "bytes": made.seek(0, 2)}
    return settled


def _memory(waited: float, told_kb: int | None) -> float | None:
    """MB at the most. What wait4 says begins with the runner's own size, off which the process was forked: at that it says nothing."""
    if told_kb:
        return min(waited, round(told_kb / 1024, 1))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return waited if waited > own + 1 else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
