"""docs/deploy.md says what the template does."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from quintet.adapters import aws
from quintet.adapters.dynamodb.keys import DynamoKeys


@pytest.fixture
def guide(root: Path) -> str:
    """The page."""
    return (root / "docs/deploy.md").read_text()


@pytest.fixture
def jobs_table(resources: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The template's jobs table, on moto."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    properties = resources["JobsTable"]["Properties"]
    shape = {name: properties[name] for name in
             ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")}  # fmt: skip
    with mock_aws():
        aws.forget_clients()
        boto3.client("dynamodb").create_table(TableName="jobs", **shape)
        yield "jobs"
    aws.forget_clients()


def test_every_parameter_is_listed_with_its_default(guide: str, template: dict[str, Any]) -> None:
    """The table of parameters has each one, and the template's own default."""
    table = guide[guide.index("| parameter |") :]
    listed = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+?)`? \|", table, re.MULTILINE))

    assert listed == {name: str(item["Default"]) or "empty" for name, item in template["Parameters"].items()}


def test_every_output_the_guide_names_exists(guide: str, template: dict[str, Any]) -> None:
    """What a reader is told to look up is there."""
    assert {"ApiUrl", "BlobsBucket", "VaultKeyId"} <= set(template["Outputs"])
    assert all(f"{name}" in guide for name in ("ApiUrl", "BlobsBucket", "VaultKeyId"))


def test_the_first_key_is_made_as_described(
    guide: str, jobs_table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's program writes a key that the product finds by the printed secret's hash."""

    [program] = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    monkeypatch.setenv("JOBS_TABLE", jobs_table)
    exec(compile(program, "docs/deploy.md", "exec"), {})
    secret = capsys.readouterr().out.strip()
    key = DynamoKeys(jobs_table).find(hashlib.sha256(secret.encode()).hexdigest())

    assert key is not None
    assert key.scopes == {"admin"}
    assert secret.startswith(key.prefix)
