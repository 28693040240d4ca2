"""What programs write, as log entries of their step."""

from quintet.services.ports.steps import StepCall

LOG_LINES = 1000
LOG_WIDTH = 8000
ENTRY_LINES = 50
ENTRY_SIZE = 32 * 1024
"""Characters."""


def tell(call: StepCall, level: str, written: str) -> None:
    """Several lines make one log entry: each entry is a write of its own, and an item of bounded size."""
    lines = [line[:LOG_WIDTH] for line in written.splitlines()]
    entry: list[str] = []
    size = 0
    for line in lines[:LOG_LINES]:
        if entry and (len(entry) == ENTRY_LINES or size + len(line) > ENTRY_SIZE):
            call.log(level, "\n".join(entry))
            entry, size = [], 0
        entry.append(line)
        size += len(line)
    if entry:
        call.log(level, "\n".join(entry))
    if len(lines) > LOG_LINES:
        call.log("warning", f"{len(lines) - LOG_LINES} further lines are left out")
