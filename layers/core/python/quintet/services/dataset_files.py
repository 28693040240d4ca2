"""The files of datasets that people make: of rows, of uploads, of what lies behind a link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from quintet.domain.dataset import Content, Dataset, Upload
from quintet.domain.errors import Invalid, NotFound, Problem
from quintet.services.dataset_rows import AS_THEY_ARE, to_lines
from quintet.services.ports.queries import Files, QueryFault
from quintet.services.ports.world import Blobs, Clock, Ids

LINK_SECONDS = 3600
MOST_LINKS = 20
"""Places that are kept in mind for uploads to one dataset; older ones are forgotten."""
MOST_COPIED = 256 * 1024 * 1024
SECONDS = 20.0
"""How long a look into a file may take while a caller waits."""
MEDIA_TYPES = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv", "jsonl": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What uploads came to: the newest one's content or the problem with it, and those that may still come."""

    content: Content | None
    problem: str | None
    left: tuple[Upload, ...]


class DatasetFiles:
    """Keeps files below their dataset's prefix, each content in a folder of its own, and describes them."""

    def __init__(self, blobs: Blobs, files: Files, clock: Clock, ids: Ids) -> None:
        self._blobs = blobs
        self._files = files
        self._clock = clock
        self._ids = ids

    def of_rows(self, dataset: Dataset, rows: Sequence[Mapping[str, Any]]) -> Content:
        """A file of rows, in the dataset's format, Parquet unless that says otherwise. Raises QueryFault, Invalid."""
        format_ = dataset.format or "parquet"
        if not rows:
            return Content("jsonl", (), (), 0, 0)
        lines, select = to_lines(rows)
        if format_ == "jsonl" and select != AS_THEY_ARE:
            # What is in the file would be right, and what engines read out of it not.
            said = "jsonl is read as floating point, which would change numbers of these rows: take parquet or csv"
            raise Invalid([Problem(("format",), said)])
        given = self._place(dataset, "rows", "jsonl")
        self._blobs.put(given, lines, MEDIA_TYPES["jsonl"])
        try:
            told = {"input": Content("jsonl", (given,), (), 0, len(lines))}
            return self._files.make(select, told, self._place(dataset, "data", format_), format_, SECONDS).content
        finally:
            self._blobs.drop(given)

    def keep(self, dataset: Dataset, format_: str, body: bytes) -> Content:
        """A file as it came. Raises QueryFault when it is not of that format."""
        place = self._place(dataset, "data", format_)
        self._blobs.put(place, body, MEDIA_TYPES[format_])
        return self._described(place, format_)

    def link(self, dataset: Dataset, format_: str) -> tuple[str, Upload]:
        """A URL that takes a file by HTTP PUT, and where it will be."""
        place = self._place(dataset, "upload", format_)
        until = self._clock.now() + timedelta(seconds=LINK_SECONDS)
        return self._blobs.upload_link(place, LINK_SECONDS), Upload(place, format_, until)

    def take(self, dataset: Dataset) -> Taken | None:
        """Looks whether any upload has come, the newest link first; None when nothing is to be changed for it.

        A link can be used again while it lasts, and content never changes: what has come is copied to a place that no link leads to, unless
        it is too large to be copied while a caller waits.
        """
        now = self._clock.now()
        for upload in reversed(dataset.uploads):
            place = self._settled(dataset, upload)
            if place is None:
                continue
            try:
                content, problem = self._described(place, upload.format), None
            except QueryFault as fault:
                if fault.type == "Unavailable":
                    return None  # no fault of the file: the next who reads tries again
                content, problem = None, str(fault)
            if place != upload.blob:
                self._blobs.drop(upload.blob)
            return Taken(content, problem, dataset.uploads[dataset.uploads.index(upload) + 1 :])
        left = tuple(upload for upload in dataset.uploads if upload.until > now)[-MOST_LINKS:]
        return Taken(None, dataset.problem, left) if left != dataset.uploads else None

    def _settled(self, dataset: Dataset, upload: Upload) -> str | None:
        """Where the uploaded file is now; None when none has come."""
        place = self._place(dataset, "data", upload.format)
        try:
            if self._blobs.size(upload.blob) > MOST_COPIED:
                return upload.blob
            self._blobs.copy(upload.blob, place)
        except NotFound:
            return None
        return place

    def _described(self, place: str, format_: str) -> Content:
        try:
            return self._files.describe(format_, [place], SECONDS)
        except QueryFault:
            self._blobs.drop(place)
            raise

    def _place(self, dataset: Dataset, name: str, format_: str) -> str:
        return f"{dataset.prefix}{self._ids.new()}/{name}.{format_}"
