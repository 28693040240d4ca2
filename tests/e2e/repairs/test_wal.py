"""The write-ahead log under the emulator: what was acknowledged is there after kill -9."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

TABLE: dict[str, Any] = {
    "TableName": "kept", "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
}  # fmt: skip
# Puts items one after the other and prints each key that was acknowledged, until its server dies.
WRITER = """
import http.client, json, sys
port, name = sys.argv[1:]
cloud = http.client.HTTPConnection("127.0.0.1", int(port))
signed = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
headers = {"X-Amz-Target": "DynamoDB_20120810.TransactWriteItems", "Content-Type": "application/x-amz-json-1.0",
           "Authorization": signed}
print("ready", flush=True)
for n in range(100000):
    pair = [{"Put": {"TableName": "kept", "Item": {"pk": {"S": name}, "sk": {"S": f"{n:06d}{half}"}}}} for half in "ab"]
    try:
        cloud.request("POST", "/", json.dumps({"TransactItems": pair}), headers)
        answer = cloud.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        break
    assert answer.status == 200, answer.status
    print(f"{n:06d}", flush=True)
"""


def item(pk: str, sk: str, **more: Any) -> dict[str, Any]:
    """An item in wire form."""
    return {"pk": {"S": pk}, "sk": {"S": sk}, **more}


def sorts(db: Any, pk: str) -> list[str]:
    """All sort keys of a partition."""
    pages = db.get_paginator("query").paginate(
        TableName="kept", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": pk}}
    )
    return [each["sk"]["S"] for page in pages for each in page["Items"]]


def test_every_acknowledged_write_survives_kills_at_random_times(new_cloud: Callable[..., Any]) -> None:
    """Three rounds of two writers and a kill -9: all acknowledged pairs are there, and no transaction is there by half."""
    cloud = new_cloud(QUINTET_TEST_WAL="1").start()
    cloud.client("dynamodb").create_table(**TABLE)
    acknowledged: dict[str, list[str]] = {}
    chance = random.Random()
    for number in range(3):
        writers = {
            f"{number}-{index}": subprocess.Popen(
                [sys.executable, "-c", WRITER, str(cloud.port), f"{number}-{index}"], stdout=subprocess.PIPE, text=True
            )
            for index in range(2)
        }
        for writer in writers.values():
            assert writer.stdout is not None
            writer.stdout.readline()
        time.sleep(chance.uniform(0.05, 0.4))
        cloud.kill()
        for name, writer in writers.items():
            acknowledged[name] = writer.communicate()[0].split()
        cloud.start()
        for name, keys in acknowledged.items():
            found = sorts(cloud.client("dynamodb"), name)
            assert set(found) >= {key + half for key in keys for half in "ab"}
            assert len(found) % 2 == 0
    assert any(acknowledged.values())


@pytest.mark.parametrize("durability", ["process", "power"])
def test_all_that_the_engine_stores_is_there_again(new_cloud: Callable[..., Any], durability: str) -> None:
    """Tables, updates, deletes, time to live, messages, buckets, objects and keys, after kill -9 and in both modes."""
    cloud = new_cloud(QUINTET_TEST_WAL="1", QUINTET_DURABILITY=durability).start()
    db, sqs, s3, kms = (cloud.client(name) for name in ("dynamodb", "sqs", "s3", "kms"))
    db.create_table(**TABLE)
    db.create_table(**{**TABLE, "TableName": "gone"})
    db.delete_table(TableName="gone")
    db.update_time_to_live(TableName="kept", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    db.put_item(TableName="kept", Item=item("a", "1", n={"N": "1"}))
    db.put_item(TableName="kept", Item=item("a", "2"))
    db.update_item(
        TableName="kept", Key=item("a", "1"), UpdateExpression="ADD n :o", ExpressionAttributeValues={":o": {"N": "41"}}
    )
    db.delete_item(TableName="kept", Key=item("a", "2"))
    db.batch_write_item(RequestItems={"kept": [{"PutRequest": {"Item": item("b", str(n))}} for n in range(5)]})
    url = sqs.create_queue(QueueName="later")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="first")
    sqs.send_message(QueueUrl=url, MessageBody="second", DelaySeconds=1)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    s3.create_bucket(Bucket="payloads")
    s3.put_bucket_versioning(Bucket="payloads", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="payloads", Key="run/1", Body=b"large", Metadata={"kind": "result"})
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/data", TargetKeyId=key)
    secret = kms.encrypt(KeyId="alias/data", Plaintext=b"secret")["CiphertextBlob"]
    cloud.kill()
    cloud.start()
    assert db.list_tables()["TableNames"] == ["kept"]
    assert db.get_item(TableName="kept", Key=item("a", "1"))["Item"]["n"] == {"N": "42"}
    assert (sorts(db, "a"), sorts(db, "b")) == (["1"], ["0", "1", "2", "3", "4"])
    assert db.describe_time_to_live(TableName="kept")["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]["Body"] == "second"
    assert s3.get_bucket_versioning(Bucket="payloads")["Status"] == "Enabled"
    answer = s3.get_object(Bucket="payloads", Key="run/1")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"large", {"kind": "result"})
    assert kms.decrypt(CiphertextBlob=secret)["Plaintext"] == b"secret"


def test_a_transaction_is_not_repeated_after_a_crash(new_cloud: Callable[..., Any]) -> None:
    """A caller that asks again after kill -9, with the same token, is answered without a second write."""
    cloud = new_cloud(QUINTET_TEST_WAL="1").start()
    db = cloud.client("dynamodb")
    db.create_table(**TABLE)
    update = {"TableName": "kept", "Key": item("n", "1"), "UpdateExpression": "ADD n :o",
              "ExpressionAttributeValues": {":o": {"N": "1"}}}  # fmt: skip
    db.transact_write_items(TransactItems=[{"Update": update}], ClientRequestToken="again")
    cloud.kill()
    cloud.start()
    db.transact_write_items(TransactItems=[{"Update": update}], ClientRequestToken="again")
    assert db.get_item(TableName="kept", Key=item("n", "1"))["Item"]["n"] == {"N": "1"}


def test_a_clean_exit_and_a_second_crash_lose_nothing_either(new_cloud: Callable[..., Any]) -> None:
    """Logs that follow one another, with a merge at exit between them, add up."""
    cloud = new_cloud(QUINTET_TEST_WAL="1").start()
    db = cloud.client("dynamodb")
    db.create_table(**TABLE)
    body = {"S": "x" * 50_000}
    for n in range(30):  # past the size that is merged at exit
        db.put_item(TableName="kept", Item=item("a", f"{n:02d}", body=body))
    cloud.stop()
    assert [path.name for path in (cloud.home / "wal").glob("snapshot-*")] == ["snapshot-000001"]
    cloud.start()
    db.delete_item(TableName="kept", Key=item("a", "00"))
    cloud.kill()
    cloud.start()
    assert sorts(db, "a") == [f"{n:02d}" for n in range(1, 30)]
