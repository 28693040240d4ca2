"""Counts what AWS would bill: the functions' meter files and the emulator's executions, between two moments."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cloud import Cloud

# What the clock calls, whatever runs there are, is no part of a run's price.
_STANDING = ("tick", "sweep")
_EXPRESS_GB = 64 / 1024
_EXPRESS_STEP_S = 0.1
_DEAR = {"PutObject", "CopyObject", "ListObjectsV2"}
"""S3's requests at the price of a PUT; the others are at that of a GET."""
Counts = defaultdict[str, float]
_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}


class Meter:
    """A reader of a metered cloud's counts; each `take` answers what came since the one before."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._states = cloud.aws("states")
        self._machines = {kind: cloud.outputs()[f"{kind}MachineArn"] for kind in ("Burst", "Park", "Fanout")}
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._seen: set[str] = set()
        self.cold: dict[str, float] = {}
        """Milliseconds of each function's first invocation: process start, import and the call."""

    def take(self) -> Counts:
        """Billed units by name; beside them the number of `calls`, and units by operation and index."""
        found: Counts = defaultdict(float)
        for path in sorted(self._folder.glob("*.jsonl")):
            lines = list(self._new_lines(path))
            for line in lines:
                if line.get("invocation", {}).get("cold"):
                    self.cold.setdefault(path.stem, line["invocation"]["ms"])
            if not path.stem.endswith(_STANDING):
                for line in lines:
                    count_line(line, found)
        for kind, arn in self._machines.items():
            for execution in self._new_executions(arn):
                self._count_execution(kind, execution, found)
        return found

    def _new_lines(self, path: Path) -> Iterator[dict[str, Any]]:
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            for line in file:
                yield json.loads(line)
            self._read[path] = file.tell()

    def _new_executions(self, arn: str) -> Iterator[dict[str, Any]]:
        page = self._states.call("ListExecutions", stateMachineArn=arn, maxResults=1000)
        for execution in page["executions"]:
            if execution["executionArn"] not in self._seen:
                self._seen.add(execution["executionArn"])
                yield execution

    def _count_execution(self, kind: str, execution: dict[str, Any], found: Counts) -> None:
        if kind == "Burst":
            seconds = float(execution["stopDate"]) - float(execution["startDate"])
            found["Express requests"] += 1
            # 64 MB hold a definition of 4 KB and payloads of some bytes; billed in steps of 100 ms.
            found["Express GB-s"] += _EXPRESS_GB * _EXPRESS_STEP_S * math.ceil(seconds / _EXPRESS_STEP_S)
            return
        history = self._states.call("GetExecutionHistory", executionArn=execution["executionArn"], maxResults=1000)
        # AWS counts the way in as well as every state entered.
        found["Standard transitions"] += 1 + sum(event["type"].endswith("StateEntered") for event in history["events"])


def count_line(line: dict[str, Any], found: Counts) -> None:
    """Adds what one line of a meter file says."""
    if call := line.get("invocation"):
        found["Lambda invocations"] += 1
        found["Lambda GB-s"] += math.ceil(call["ms"]) / 1000 * call["mb"] / 1024
        return
    call = line["quintet_meter"]
    found["calls"] += 1
    if call["service"] == "dynamodb":
        writes = call["operation"] in _WRITES
        found["DynamoDB WRU" if writes else "DynamoDB RRU"] += sum(call["capacity"].values())
        for name, units in call["capacity"].items():
            # Names of tables end in an id that says nothing: RunsTable/by_status is enough.
            table, _, index = name.partition("/")
            found[f"{call['operation']} {table.split('-')[1]}{index and '/'}{index}"] += units
    elif call["service"] == "sqs":
        # Sent, received and deleted, should no other message be near enough to share the last two requests.
        found["SQS requests"] += 3
    elif call["service"] == "s3" and not call["operation"].startswith("DeleteObject"):  # which is free
        found["S3 PUT" if call["operation"] in _DEAR else "S3 GET"] += 1
        found[f"S3 {call['operation']}"] += 1
