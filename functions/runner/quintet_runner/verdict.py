"""What became of the code's process, from how it ended and what it left behind."""

import json
import os
import signal
from dataclasses import dataclass
from typing import Any

MAX_RESULT = 5 * 1024 * 1024
STOPPED = "Stopped"
"""What an attempt comes to whose leash was pulled."""


@dataclass(frozen=True, slots=True)
class End:
    """How the process ended: `status` is wait's; `stopped` says why the runner ended it, if it did."""

    status: int
    stopped: str | None
    timeout: float
    memory_mb: int


def python_answer(end: End, written: bytes) -> dict[str, Any]:
    """The answer to a python step; `written` is what the process reported: one letter and JSON."""
    if end.stopped:
        return _stopped(end)
    if not written:
        return _unreported(end)
    if len(written) > MAX_RESULT + 1:
        return error("ResultTooLarge", f"the result is larger than {MAX_RESULT} bytes")
    try:
        reported = json.loads(written[1:])
    except (ValueError, RecursionError):
        return error("BadResult", "the process reported what is not JSON")
    if written[:1] == b"R":
        return {"ok": True, "result": reported}
    return {
        "ok": False,
        "error": reported if isinstance(reported, dict) else {"type": "BadResult", "message": str(reported)},
    }


def shell_answer(end: End, written: bytes) -> dict[str, Any]:
    """The answer to a shell step: any exit code is an answer, a signal is a failure."""
    if end.stopped:
        return _stopped(end)
    if written:
        return {"ok": False, "error": json.loads(written[1:])}
    if os.WIFSIGNALED(end.status):
        return _unreported(end)
    return {"ok": True, "exitCode": os.waitstatus_to_exitcode(end.status)}


def _stopped(end: End) -> dict[str, Any]:
    if end.stopped == "Timeout":
        return error("Timeout", f"the code ran for more than {end.timeout:g} s")
    if end.stopped == STOPPED:
        return error(STOPPED, "the code was stopped: nobody waits for it any more")
    return error("OutputLimit", "the code printed more than anyone could read, and was stopped")


def _unreported(end: End) -> dict[str, Any]:
    if not os.WIFSIGNALED(end.status):
        code = os.waitstatus_to_exitcode(end.status)
        return {
            **error("ProcessExited", f"the process ended with exit code {code} before main returned", exitCode=code)
        }
    number = os.WTERMSIG(end.status)
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    if number == signal.SIGKILL:
        return error(
            "Killed", f"the process was killed: most often it used too much memory ({end.memory_mb} MB)", signal=name
        )
    if number == signal.SIGXCPU:
        return error("CpuLimit", "the code used more processor time than its timeout allows", signal=name)
    return error("Crashed", f"the process crashed: {name}", signal=name)


def error(type_: str, message: str, **more: Any) -> dict[str, Any]:
    """The answer of a failure."""
    return {"ok": False, "error": {"type": type_, "message": message, **more}}
