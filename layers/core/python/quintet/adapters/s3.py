"""Blobs in S3."""

from quintet.adapters.aws import client
from quintet.domain.errors import NotFound


class S3Blobs:
    """Port Blobs on one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def put(self, name: str, body: bytes, content_type: str = "application/json") -> None:
        """Writes; the same name again is the same content."""
        client("s3").put_object(Bucket=self._bucket, Key=name, Body=body, ContentType=content_type)

    def get(self, name: str) -> bytes:
        """Raises NotFound."""
        s3 = client("s3")
        try:
            return s3.get_object(Bucket=self._bucket, Key=name)["Body"].read()
        except s3.exceptions.NoSuchKey:
            raise NotFound(f"no blob {name}") from None

    def link(self, name: str, seconds: int) -> str:
        """A presigned URL that reads it for that many seconds."""
        params = {"Bucket": self._bucket, "Key": name}
        return client("s3").generate_presigned_url("get_object", Params=params, ExpiresIn=seconds)
