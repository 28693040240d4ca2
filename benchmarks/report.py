"""Prints what was measured: a table each, with targets, and what the machine was doing."""

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

# A fixed width, so that a pasted or piped table is whole.
console = Console(width=130) if not os.isatty(1) else Console()


def ms(seconds: float) -> str:
    """Seconds as milliseconds."""
    return f"{seconds * 1000:.1f} ms"


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float]) -> float:
    """The value in the middle."""
    return statistics.median(values)


def table(title: str, *columns: str) -> Table:
    """An empty table: the first column says what, the others hold figures."""
    made = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        made.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    return made


def show(made: Table, *notes: str) -> None:
    """Prints a table and what must be known to read it."""
    console.print(made)
    for note in notes:
        console.print(f"  {note}", highlight=False, markup=False)
    console.print()


def machine() -> str:
    """What this machine is, in one line."""
    cores = len(os.sched_getaffinity(0))
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {cores} cores, {python}"


@contextmanager
def load_noted(name: str) -> Iterator[None]:
    """Says how loaded the machine was before and after; the bench itself is part of the second."""
    before = os.getloadavg()[0]
    try:
        yield
    finally:
        console.print(
            f"  load average around {name}: {before:.1f} before, {os.getloadavg()[0]:.1f} after", highlight=False
        )
        console.print()


def load() -> str:
    """The load average of the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def default_workers() -> int:
    """How many workers a function has unless told otherwise."""
    return max(2, os.cpu_count() or 2)
