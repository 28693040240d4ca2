"""The short way into the emulator answers as MiniStack's own does, and leaves to it what is not plain."""

import gzip
import http.client
import json
import zlib
from typing import Any

import boto3
import pytest

SIGNED = "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/dynamodb/aws4_request, SignedHeaders=host, Signature=0"


def post(cloud: Any, target: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One raw call; answers status, headers by lower-case name, and body."""
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port)
    signed = SIGNED.format(key="000000000000", region="us-east-1")
    fields = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0", "Authorization": signed, **headers}
    connection.request("POST", "/", body, fields)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, content


def test_a_plain_call_is_answered_with_its_checksum_and_id(cloud: Any) -> None:
    """What SDKs look at is there: type, request id, CRC-32, date and length."""
    status, headers, body = post(cloud, "DynamoDB_20120810.ListTables", b"{}")
    assert (status, headers["content-type"]) == (200, "application/x-amz-json-1.0")
    assert headers["x-amz-crc32"] == str(zlib.crc32(body))
    assert headers["content-length"] == str(len(body))
    assert {"x-amzn-requestid", "date"} <= headers.keys()
    assert "TableNames" in json.loads(body)


def test_an_error_keeps_its_type(cloud: Any) -> None:
    """A service's own errors pass through."""
    status, _, body = post(cloud, "DynamoDB_20120810.GetItem", b'{"TableName": "none-such", "Key": {}}')
    assert (status, json.loads(body)["__type"].rpartition("#")[2]) == (400, "ResourceNotFoundException")


def test_a_compressed_body_goes_ministacks_way(cloud: Any) -> None:
    """It is unpacked there before the service sees it."""
    packed = gzip.compress(b'{"Limit": 1}')
    status, _, body = post(cloud, "DynamoDB_20120810.ListTables", packed, **{"Content-Encoding": "gzip"})
    assert (status, "TableNames" in json.loads(body)) == (200, True)


def test_accounts_and_regions_stay_apart(cloud: Any) -> None:
    """The caller's key and region decide whose tables are meant."""
    table = {
        "TableName": "apart", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }  # fmt: skip

    def client(key: str, region: str) -> Any:
        return boto3.client(
            "dynamodb", endpoint_url=cloud.url, region_name=region, aws_access_key_id=key, aws_secret_access_key="x"
        )

    client("111111111111", "eu-west-1").create_table(**table)
    assert client("111111111111", "eu-west-1").list_tables()["TableNames"] == ["apart"]
    assert client("222222222222", "eu-west-1").list_tables()["TableNames"] == []
    assert client("111111111111", "eu-west-2").list_tables()["TableNames"] == []


@pytest.mark.parametrize("target", ["DynamoDB_20120810.NoSuchThing", "NoSuchService.Thing"])
def test_unknown_targets_are_refused(cloud: Any, target: str) -> None:
    """Neither way invents an answer."""
    assert post(cloud, target, b"{}")[0] >= 400
