"""What these tests need: Spark itself."""

import os

import pytest

from quintet_cli.cloud import spark_tools


@pytest.fixture(scope="session", autouse=True)
def spark_is_here() -> None:
    """CI insists (QUINTET_TEST_SPARK); elsewhere a machine without Spark or Java leaves these tests out."""
    try:
        spark_tools.find()
    except spark_tools.SparkMissingError as missing:
        if os.environ.get("QUINTET_TEST_SPARK"):
            raise
        pytest.skip(str(missing))
