"""Rows on their way to and from the programs of tasks: JSON lines, in blobs that are kept for some days only."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from quintet.domain.dataset import Content
from quintet.domain.errors import NotFound
from quintet.services.ports.queries import Files, Made
from quintet.services.ports.world import Blobs

EMPTY = Content("jsonl", (), (), 0, 0)
"""What a program leaves that gives rows, but none."""
LINES = "jsonl"
_TYPE = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Lines:
    """A dataset's rows as one blob of JSON lines."""

    blob: str
    count: int


class TaskRows:
    """Makes JSON lines of datasets, and Parquet of JSON lines."""

    def __init__(self, files: Files, blobs: Blobs) -> None:
        self._files = files
        self._blobs = blobs

    def lines(self, project: str, content: Content | None, timeout: float, leash: str | None = None) -> Lines | None:
        """A dataset's rows; None when there are none. What is no JSON lines is made such, once a content. Raises QueryFault."""
        if content is None or not content.parts or not content.row_count:
            return None
        if content.format == LINES and len(content.parts) == 1:
            return Lines(content.parts[0], content.row_count)
        name = hashlib.sha256("\n".join(content.parts).encode()).hexdigest()
        blob = f"rows/{project}/{name}.{LINES}"
        if not self._there(blob):
            self._files.make("SELECT * FROM input", {"input": content}, blob, LINES, timeout, leash)
        return Lines(blob, content.row_count)

    def _there(self, blob: str) -> bool:
        try:
            return self._blobs.size(blob) > 0
        except NotFound:
            return False

    @staticmethod
    def place(project: str, run_id: str, token: int) -> str:
        """The prefix of what an attempt's program writes, before it is made a dataset."""
        return f"rows/{project}/{run_id}-{token}/"

    def keep(self, blob: str, lines: Iterable[bytes]) -> int:
        """Writes JSON lines; how many bytes."""
        body = b"".join(line + b"\n" for line in lines)
        self._blobs.put(blob, body, _TYPE)
        return len(body)

    def parquet(
        self, parts: tuple[str, ...], format_: str, prefix: str, timeout: float, leash: str | None = None
    ) -> Made:
        """A dataset of files that a program wrote, below `prefix`. Raises QueryFault, also for what is not of that format."""
        written = Content(format_, parts, (), 0, sum(self._blobs.size(part) for part in parts))
        into = f"{prefix}rows.parquet"
        return self._files.make("SELECT * FROM input", {"input": written}, into, "parquet", timeout, leash)
