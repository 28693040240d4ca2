"""What Spark jobs need on a machine, and what is said when it is not there."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quintet_cli.cloud import spark_tools
from quintet_cli.cloud.spark_tools import SparkMissingError, find


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """A machine with a Spark and a Java."""
    for name in ("spark/bin/spark-submit", "jre/bin/java", "bin/java"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    return {"SPARK_HOME": str(tmp_path / "spark"), "PATH": str(tmp_path / "bin")}


def no_pyspark(_name: str) -> None:
    """As if PySpark were not installed."""


def test_a_job_inherits_what_a_process_needs_and_no_secret(machine: dict[str, str]) -> None:
    """The launcher's own settings and the caller's credentials stay out of people's programs."""
    secret = {"AWS_SECRET_ACCESS_KEY": "s", "QUINTET_API_KEY": "k", "AWS_ENDPOINT_URL": "http://x"}
    found = find({**machine, **secret, "LANG": "C.UTF-8"})

    assert found.submit == f"{machine['SPARK_HOME']}/bin/spark-submit"
    assert found.environment["LANG"] == "C.UTF-8"
    assert found.environment["PYSPARK_PYTHON"] == sys.executable
    assert not secret.keys() & found.environment.keys()


def test_without_pyspark_its_extra_is_named(machine: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is what a person types next."""
    monkeypatch.setattr(importlib.util, "find_spec", no_pyspark)

    with pytest.raises(SparkMissingError, match=r"pip install 'quintet\[spark\]' \(in a checkout: make spark\)"):
        find({"PATH": machine["PATH"]})


@pytest.mark.parametrize(
    "spec", [None, SimpleNamespace(submodule_search_locations=None), ValueError("pyspark.__spec__ is None")]
)
def test_a_pyspark_that_is_none_is_as_good_as_missing(
    machine: dict[str, str], monkeypatch: pytest.MonkeyPatch, spec: Any
) -> None:
    """A module of that name in somebody's folder, or half an installation."""

    def look(_name: str) -> Any:
        if isinstance(spec, Exception):
            raise spec
        return spec

    monkeypatch.setattr(importlib.util, "find_spec", look)
    with pytest.raises(SparkMissingError, match="not installed"):
        find({"PATH": machine["PATH"]})


def test_pyspark_is_taken_where_it_is_installed(
    machine: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without SPARK_HOME, and also when it was installed a moment ago."""
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path / "spark")])
    monkeypatch.setattr(spark_tools.importlib.util, "find_spec", lambda _name: spec)

    assert find({"PATH": machine["PATH"]}).home == tmp_path / "spark"


def test_a_spark_home_without_spark_is_named(machine: dict[str, str], tmp_path: Path) -> None:
    """It was set on purpose: another Spark must not be taken in its place."""
    with pytest.raises(SparkMissingError, match=str(tmp_path)):
        find({**machine, "SPARK_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("java", "said"), [({"PATH": "/nowhere"}, "on the path"), ({"JAVA_HOME": "/nowhere"}, "/nowhere")]
)
def test_without_java_it_is_said_how_to_get_one(machine: dict[str, str], java: dict[str, str], said: str) -> None:
    """And where it was looked for."""
    with pytest.raises(SparkMissingError, match=f"(?s)Java.*{said}.*apt-get install"):
        find({**machine, **java})


def test_java_home_comes_before_the_path(machine: dict[str, str], tmp_path: Path) -> None:
    """As Spark's own scripts have it."""
    found = find({"SPARK_HOME": machine["SPARK_HOME"], "PATH": "/nowhere", "JAVA_HOME": str(tmp_path / "jre")})

    assert found.environment["JAVA_HOME"] == str(tmp_path / "jre")
