"""A Spark job's objects as local files: those below the addresses among its arguments, and what it leaves there.

The addresses become paths of one folder, `<root>/<bucket>/<key>`. What the job's role may touch on AWS is all that it gets here.
"""

import gzip
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

READABLE = ("programs/", "datasets/", "spark-logs/")
WRITABLE = ("datasets/",)
_ADDRESS = re.compile(r"s3a?://[^\s,;'\"]+")


class AccessDeniedError(Exception):
    """An address that the role of Spark jobs has no part in."""


class SparkFiles:
    """The objects of one job, in a folder; `s3` is a client of the emulator's S3."""

    def __init__(self, s3: Any, root: Path) -> None:
        self._s3 = s3
        self._root = root
        self._fetched: dict[Path, tuple[int, int]] = {}

    def local(self, argument: str) -> str:
        """An argument with every address in it as a path, the objects there fetched; raise AccessDeniedError."""
        if argument.startswith(("s3://", "s3a://")):
            return str(self._fetch(argument))
        return _ADDRESS.sub(lambda found: str(self._fetch(found[0])), argument)

    def _fetch(self, address: str) -> Path:
        bucket, _, key = address.partition("://")[2].partition("/")
        path = self._path(bucket, key)
        if not self._download(bucket, key, path):
            folder = f"{key.rstrip('/')}/"
            for found in self._keys(bucket, folder):
                self._download(bucket, found, self._path(bucket, found))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _path(self, bucket: str, key: str) -> Path:
        if not key.startswith(READABLE) or any(part in ("..", ".") for part in key.split("/")):
            raise AccessDeniedError(
                f"s3://{bucket}/{key}: Spark jobs may read {', '.join(READABLE)} of the bucket, and nothing else"
            )
        return self._root / bucket / key.rstrip("/")

    def _download(self, bucket: str, key: str, path: Path) -> bool:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - most launchers never run a Spark job

        if not key or key.endswith("/"):
            return False
        try:
            found = self._s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket"):
                return False
            raise
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(found["Body"], file, 1 << 20)
        self._fetched[path] = _mark(path)
        return True

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                yield entry["Key"]

    def keep(self) -> None:
        """Put what the job has written into the bucket, all but Spark's marks and checksums; raise AccessDeniedError."""
        for path in sorted(self._written()):
            bucket, _, key = path.relative_to(self._root).as_posix().partition("/")
            if not key.startswith(WRITABLE):
                raise AccessDeniedError(f"s3://{bucket}/{key}: Spark jobs may write below {', '.join(WRITABLE)} only")
            with path.open("rb") as body:
                self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def _written(self) -> Iterable[Path]:
        for path in self._root.rglob("*"):
            parts = path.relative_to(self._root).parts
            ours = any(part.startswith((".", "_")) for part in parts)
            if path.is_file() and not path.is_symlink() and not ours and self._fetched.get(path) != _mark(path):
                yield path

    def keep_log(self, path: Path, address: str) -> None:
        """Put a file below an address: a stream of the driver packed, and with the job's paths as the addresses they stand for."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        if address.endswith(".gz"):
            packed = path.with_suffix(".gz")
            with path.open("rb") as lines, gzip.open(packed, "wb", 6) as out:
                out.writelines(self.told(line) for line in lines)
            path = packed
        with path.open("rb") as body:
            self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def told(self, line: bytes) -> bytes:
        """A line of output as it reads on AWS."""
        root = str(self._root).encode()
        for local in (b"file://" + root + b"/", b"file:" + root + b"/", root + b"/"):
            line = line.replace(local, b"s3://")
        return line


def _mark(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size
