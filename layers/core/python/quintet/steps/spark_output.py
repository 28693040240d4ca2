"""What a Spark program left below its output address, as the content of a dataset."""

import json
from collections.abc import Sequence

from quintet.domain.dataset import MAX_PARTS, Content
from quintet.domain.errors import NotFound
from quintet.services.ports.queries import Files
from quintet.services.ports.world import Blobs

MAX_LISTED = 5 * MAX_PARTS
"""Objects looked at below one output address: marks and checksums stand beside the parts."""
DESCRIBE_SECONDS = 120.0
SUFFIXES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
"""By suffix, the format of a part; Spark writes `.json` for JSON lines."""


class BadOutput(Exception):
    """What the program wrote is no dataset; the message says why, and what would be one."""


class SparkOutputs:
    """Finds and describes the parts of outputs, and keeps the records of datasets that no API of their own numbers."""

    def __init__(self, blobs: Blobs, files: Files) -> None:
        self._blobs = blobs
        self._files = files

    def address(self, prefix: str) -> str:
        """Where a program writes to."""
        return self._blobs.address(prefix.rstrip("/"))

    def content(self, prefix: str) -> Content | None:
        """What is below a prefix; None when nothing is, or files without a byte. Raises BadOutput; QueryFault when a part is not what its
        name says, or can't be looked into now."""
        listed = self._blobs.names(prefix, MAX_LISTED)
        if len(listed) >= MAX_LISTED:
            raise BadOutput(f"the output is more than {MAX_LISTED} objects; {_FEWER}")
        parts = [name for name, size in listed if size and _is_part(name[len(prefix) :])]
        if not parts:
            return None
        format_ = _one_format(prefix, parts)
        _one_folder(prefix, parts)
        if len(parts) > MAX_PARTS:
            raise BadOutput(f"the output is {len(parts)} files, and a dataset has at most {MAX_PARTS}; {_FEWER}")
        return self._files.describe(format_, parts, DESCRIBE_SECONDS)

    def record(self, project: str, id_: str, content: Content, run_id: str, step: str) -> None:
        """Files a dataset under a step's own id, as the sql kind does."""
        kept = content.to_dict()
        record = {"id": id_, **kept, "runId": run_id, "step": step}
        self._blobs.put(f"datasets/{project}/{id_}.json", json.dumps(record).encode())

    def recorded(self, project: str, id_: str) -> str | None:
        """Where the rows of such a dataset are; None when there is none. Raises BadOutput for one without rows."""
        try:
            record = json.loads(self._blobs.get(f"datasets/{project}/{id_}.json"))
        except NotFound:
            return None
        return self.reads(record.get("parts") or [f"datasets/{project}/{id_}.{record['format']}"])

    def reads(self, parts: Sequence[str]) -> str:
        """The address by which a program reads a dataset: its one file, or the folder of its files."""
        return self._blobs.address(parts[0] if len(parts) == 1 else f"{parts[0].rpartition('/')[0]}/")


_FEWER = "write fewer ones, with coalesce or repartition"


def _is_part(path: str) -> bool:
    """False for what Spark and Hadoop write for themselves: _SUCCESS, _temporary/, .part.crc, x_$folder$."""
    return not any(step.startswith(("_", ".")) for step in path.split("/")) and not path.endswith(("_$folder$", "/"))


def _one_format(prefix: str, parts: Sequence[str]) -> str:
    found: dict[str, str] = {}
    for part in parts:
        format_ = _format(part)
        if format_ is None:
            raise BadOutput(
                f"{part[len(prefix) :]!r} is none of the formats of datasets: Parquet, or CSV and JSON lines, unpacked"
            )
        found.setdefault(format_, part)
    if len(found) > 1:
        raise BadOutput(f"the output is in several formats ({', '.join(sorted(found))}), and a dataset has one")
    return next(iter(found))


def _format(part: str) -> str | None:
    name = part.rpartition("/")[2].lower()
    return next((format_ for suffix, format_ in SUFFIXES.items() if name.endswith(suffix)), None)


def _one_folder(prefix: str, parts: Sequence[str]) -> None:
    folders = {part[len(prefix) :].rpartition("/")[0] for part in parts}
    if partition := next((step for folder in folders for step in folder.split("/") if "=" in step), None):
        column = partition.partition("=")[0]
        raise BadOutput(
            f"the output is partitioned by {column!r}, a column that its files then lack; write it without partitionBy"
        )
    if len(folders) > 1:
        first, second = sorted(folders)[:2]
        raise BadOutput(f"the output is in several folders ({first!r}, {second!r}), and a dataset in one")
