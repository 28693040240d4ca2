"""What a Spark job left of itself: its driver's output and its event log, laid out as EMR Serverless does."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from quintet.domain.driver_log import counts
from quintet.domain.execution import Metrics
from quintet.domain.spark_events import SparkEvents, SparkUsage
from quintet.services.ports.world import Blobs, Clock

MAX_TEXT = 4 * 1024 * 1024
"""Bytes that are read of each stream of the driver."""
MAX_EVENTS = 1024 * 1024 * 1024
"""Bytes of an event log (some 200,000 tasks) that are gone through; of a larger one nothing is told, rather than a part of it."""
MAX_FILES = 1000
PIECE = 8 * 1024 * 1024
LOOKS, LOOK_SECONDS = 10, 2.0
"""The service writes the last of a job's logs some seconds after it has ended."""
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class JobLogs:
    """What was found: the driver's two streams as far as they were read, and what was measured."""

    stdout: str = ""
    stderr: str = ""
    metrics: Metrics = Metrics()  # noqa: RUF009 - frozen
    failed_tasks: int = 0


class SparkLogs:
    """Keeps the logs of attempts below `spark-logs/<run>-<token>/`."""

    def __init__(self, blobs: Blobs, clock: Clock) -> None:
        self._blobs = blobs
        self._clock = clock

    def address(self, run_id: str, token: int) -> str:
        """Where the service writes the logs of an attempt's job."""
        return self._blobs.address(_prefix(run_id, token))

    def read(self, run_id: str, token: int, application: str, job: str) -> JobLogs:
        """The logs of a job that has ended; waits a little for what is not there yet."""
        below = f"{_prefix(run_id, token)}applications/{application}/jobs/{job}/"
        for _ in range(LOOKS):
            streams = [name for name, _ in self._blobs.names(f"{below}SPARK_DRIVER/", MAX_FILES)]
            events = self._blobs.names(f"{below}sparklogs/", MAX_FILES)
            if streams and events:
                break
            self._clock.sleep(LOOK_SECONDS)
        texts = {stream: self._stream(streams, stream) for stream in ("stdout", "stderr")}
        logged = [name for name, _ in events if not name.rpartition("/")[2].startswith("appstatus")]
        usage = self._usage(sorted(logged, key=_in_order))
        stderr, whole = texts["stderr"]
        errors = counts(stderr) if whole else (None, None)
        return JobLogs(texts["stdout"][0], stderr, _metrics(usage, *errors), usage.failed_tasks)

    def _stream(self, names: list[str], stream: str) -> tuple[str, bool]:
        """One stream's text, and whether it is there and whole."""
        found = [name for name in names if name.rpartition("/")[2].startswith(stream)]
        body = bytearray()
        for name in found:
            for piece in self._pieces(name):
                body += piece
                if len(body) > MAX_TEXT:
                    return body[:MAX_TEXT].decode(errors="replace"), False
        return body.decode(errors="replace"), bool(found)

    def _usage(self, names: list[str]) -> SparkUsage:
        events, size = SparkEvents(), 0
        for name in names:
            try:
                for piece in self._pieces(name):
                    events.feed(piece)
                    size += len(piece)
                    if size > MAX_EVENTS:
                        return SparkUsage()
            except zlib.error:
                return SparkUsage()
        return events.usage()

    def _pieces(self, name: str) -> Iterator[bytes]:
        """A blob's bytes, unpacked where its name says that they are packed; never more than a few pieces in memory."""
        unpack = zlib.decompressobj(wbits=31) if name.endswith(".gz") else None
        start = 0
        while packed := self._blobs.part(name, start, PIECE):
            start += len(packed)
            if unpack is None:
                yield packed
            while unpack is not None and packed:
                yield unpack.decompress(packed, PIECE)
                packed = unpack.unconsumed_tail
                if unpack.eof and unpack.unused_data:  # logs that are appended to are packed piece by piece
                    packed, unpack = unpack.unused_data, zlib.decompressobj(wbits=31)


def _metrics(usage: SparkUsage, errors: int | None, warnings: int | None) -> Metrics:
    return Metrics(
        records_processed=usage.records_read,
        records_output=usage.records_written,
        output_file_size_bytes=usage.bytes_written,
        driver_memory_used_bytes=usage.driver_heap_bytes,
        executor_memory_used_bytes=usage.executor_heap_bytes,
        executor_count=usage.executors,
        total_cpu_time_seconds=usage.cpu_seconds,
        error_count=errors,
        warning_count=warnings,
    )


def _prefix(run_id: str, token: int) -> str:
    return f"spark-logs/{run_id}-{token}/"


def _in_order(name: str) -> tuple[str, list[int]]:
    """events_2 before events_10."""
    return _NUMBERS.sub("#", name), [int(number) for number in _NUMBERS.findall(name)]
