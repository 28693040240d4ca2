"""Blobs in S3."""

from contextlib import closing

from quintet.adapters.aws import client
from quintet.domain.errors import NotFound, TooLarge


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

    def link(self, name: str, seconds: int) -> str:
        """A presigned URL that reads it for that many seconds."""
        return self._presigned("get_object", name, seconds)

    def upload_link(self, name: str, seconds: int) -> str:
        """A presigned URL that writes it by an HTTP PUT for that many seconds."""
        return self._presigned("put_object", name, seconds)

    def _presigned(self, act: str, name: str, seconds: int) -> str:
        params = {"Bucket": self._bucket, "Key": name}
        return client("s3").generate_presigned_url(act, Params=params, ExpiresIn=seconds)
