"""What a Spark driver wrote to its two streams, as lines of a step's log."""

import re
from collections.abc import Iterator

_LOG4J = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d (TRACE|DEBUG|INFO|WARN|ERROR|FATAL) ")
_LEVELS = {"WARN": "warning", "ERROR": "error", "FATAL": "error"}
_TRACEBACK = "Traceback (most recent call last):"
_RAISED = re.compile(r"([A-Za-z_][\w.]*)(: .*)?", re.ASCII)


def stderr_lines(text: str) -> Iterator[tuple[str, str]]:
    """(level, line): Spark's own lines at the level they name, those below WARN left out; all else a program wrote itself: warnings."""
    told = True
    for line in text.splitlines():
        if found := _LOG4J.match(line):
            told = found[1] in _LEVELS
            if told:
                yield _LEVELS[found[1]], line
        elif told or not line.startswith(("\t", " ")):  # what is indented goes on with the line before
            told = True
            yield "warning", line


def counts(text: str) -> tuple[int, int]:
    """How many errors and warnings Spark logged."""
    levels = [_LEVELS.get(found[1]) for line in text.splitlines() if (found := _LOG4J.match(line))]
    return levels.count("error"), levels.count("warning")


def raised(text: str) -> str | None:
    """The exception that ended the program, as Python says it in the line after its last traceback; None when there is none."""
    _, found, after = text.rpartition(_TRACEBACK)
    if not found:
        return None
    lines = (line for line in after.splitlines() if line and not line.startswith((" ", "\t")))
    return next((line for line in lines if _RAISED.fullmatch(line)), None)
