"""Blobs in S3."""

from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from quintet.adapters.aws import client
from quintet.domain.errors import NotFound, TooLarge

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

PAGE = 1000
"""Names that one request lists."""
PIECE = 1024 * 1024
FETCH_TRIES = 3


class S3Blobs:
    """Port Blobs on one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def put(self, name: str, body: bytes, content_type: str = "application/json") -> None:
        """Writes; the same name again is the same content."""
        client("s3").put_object(Bucket=self._bucket, Key=name, Body=body, ContentType=content_type)

    def get(self, name: str, most: int | None = None) -> bytes:
        """Raises NotFound; TooLarge, without reading it, for one of more than `most` bytes."""
        s3 = client("s3")
        try:
            found = s3.get_object(Bucket=self._bucket, Key=name)
        except s3.exceptions.NoSuchKey:
            raise NotFound(f"no blob {name}") from None
        with closing(found["Body"]) as body:
            if most is not None and found["ContentLength"] > most:
                raise TooLarge(f"a blob of {found['ContentLength']} bytes; at most {most} are read")
            return body.read()

    def part(self, name: str, start: int, length: int) -> bytes:
        """Up to `length` of its bytes, from the byte `start` on; none when it ends before. Raises NotFound."""
        with self._range(name, start, length) as body:
            return body.read()

    def fetch(self, name: str, start: int, length: int, path: Path) -> None:
        """Writes such a part into a file that is there, at the same place, piece by piece. Raises NotFound."""
        from botocore.exceptions import HTTPClientError, IncompleteReadError  # here, as in aws.py

        for tried in range(1, FETCH_TRIES + 1):
            try:
                with self._range(name, start, length) as body, path.open("r+b") as file:
                    file.seek(start)
                    while piece := body.read(PIECE):
                        file.write(piece)
            except (
                HTTPClientError,
                IncompleteReadError,
            ):  # broken off on its way, which the client does not repeat by itself
                if tried == FETCH_TRIES:
                    raise
            else:
                return

    def _range(self, name: str, start: int, length: int) -> "closing[IO[bytes]]":
        s3 = client("s3")
        try:
            found = s3.get_object(Bucket=self._bucket, Key=name, Range=f"bytes={start}-{start + length - 1}")
        except s3.exceptions.NoSuchKey:
            raise NotFound(f"no blob {name}") from None
        except s3.exceptions.ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 416:  # it ends before
                return closing(BytesIO())
            raise
        return closing(cast("IO[bytes]", found["Body"]))

    def put_file(self, name: str, path: Path, content_type: str) -> None:
        """Writes what a file of this machine holds, up to 5 GB."""
        with path.open("rb") as body:
            client("s3").put_object(Bucket=self._bucket, Key=name, Body=body, ContentType=content_type)

    def copy(self, name: str, to: str) -> None:
        """Writes the same bytes, up to 5 GB, under another name, without reading them here. Raises NotFound."""
        s3 = client("s3")
        try:
            s3.copy_object(Bucket=self._bucket, Key=to, CopySource={"Bucket": self._bucket, "Key": name})
        except s3.exceptions.ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                raise NotFound(f"no blob {name}") from None
            raise

    def size(self, name: str) -> int:
        """Its bytes. Raises NotFound."""
        s3 = client("s3")
        try:
            return s3.head_object(Bucket=self._bucket, Key=name)["ContentLength"]
        except s3.exceptions.ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
                raise NotFound(f"no blob {name}") from None
            raise

    def names(self, prefix: str, most: int) -> list[tuple[str, int]]:
        """Up to `most` (name, bytes) below a prefix, in order."""
        if most <= 0:
            return []
        found: list[tuple[str, int]] = []
        lister = client("s3").get_paginator("list_objects_v2")
        pages = lister.paginate(Bucket=self._bucket, Prefix=prefix, PaginationConfig={"PageSize": min(most, PAGE)})
        for page in pages:
            found += [(entry["Key"], entry["Size"]) for entry in page.get("Contents", ())]
            if len(found) >= most:
                break
        return found[:most]

    def drop(self, name: str) -> None:
        """Removes it; nothing when it is not there."""
        client("s3").delete_object(Bucket=self._bucket, Key=name)

    def clear(self, prefix: str) -> None:
        """Removes all whose names begin with the prefix, a thousand in two requests."""
        found = PAGE
        while found == PAGE:  # a list that is not full was the last: another look would cost as much as a write
            names = self.names(prefix, PAGE)
            found = len(names)
            if names:
                listed: list[ObjectIdentifierTypeDef] = [{"Key": name} for name, _ in names]
                client("s3").delete_objects(Bucket=self._bucket, Delete={"Objects": listed, "Quiet": True})

    def address(self, name: str) -> str:
        """Where a service of its own finds it, or what is below it."""
        return f"s3://{self._bucket}/{name}"

    def link(self, name: str, seconds: int) -> str:
        """A presigned URL that reads it for that many seconds."""
        return self._presigned("get_object", name, seconds)

    def upload_link(self, name: str, seconds: int) -> str:
        """A presigned URL that writes it by an HTTP PUT for that many seconds."""
        return self._presigned("put_object", name, seconds)

    def _presigned(self, act: str, name: str, seconds: int) -> str:
        params = {"Bucket": self._bucket, "Key": name}
        return client("s3").generate_presigned_url(act, Params=params, ExpiresIn=seconds)
