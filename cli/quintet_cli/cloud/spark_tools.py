"""What Spark jobs need on this machine: Spark itself, and Java."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INSTALL_SPARK = "pip install 'quintet[spark]' (in a checkout: make spark)"
INSTALL_JAVA = "sudo apt-get install default-jre-headless, or any Java 17 with JAVA_HOME set"
# What a job inherits from the launcher's environment; the launcher's own settings and credentials are none of its business.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
              "http_proxy", "https_proxy", "no_proxy", "JAVA_HOME")  # fmt: skip


class SparkMissingError(Exception):
    """Spark, or the Java that it needs, is not on this machine; says how to get it."""


@dataclass(frozen=True)
class SparkTools:
    """Where Spark is, and the environment that its jobs share."""

    home: Path
    environment: dict[str, str]

    @property
    def submit(self) -> str:
        """The program that starts jobs."""
        return str(self.home / "bin" / "spark-submit")


def find(environ: Mapping[str, str] | None = None) -> SparkTools:
    """Look for Spark (SPARK_HOME, else PyPI's pyspark) and Java (JAVA_HOME, else on the path); raise SparkMissingError."""
    env = os.environ if environ is None else environ
    home = _spark_home(env)
    if not (home / "bin" / "spark-submit").is_file():
        raise SparkMissingError(
            f"There is no bin/spark-submit in {home}; set SPARK_HOME to a Spark that is whole, or unset it."
        )
    java_home = env.get("JAVA_HOME")
    java = Path(java_home) / "bin" / "java" if java_home else shutil.which("java", path=env.get("PATH"))
    if not java or not Path(java).is_file():
        where = f"in JAVA_HOME ({java_home})" if java_home else "on the path"
        raise SparkMissingError(f"Spark needs Java, and there is none {where}: {INSTALL_JAVA}.")
    own = {name: env[name] for name in _INHERITED if name in env}
    python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable, "PYTHONUNBUFFERED": "1"}
    return SparkTools(home, {**own, **python, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"})


def _spark_home(env: Mapping[str, str]) -> Path:
    if named := env.get("SPARK_HOME"):
        return Path(named)
    importlib.invalidate_caches()  # it may have been installed since the start
    try:
        found = importlib.util.find_spec("pyspark")
    except ValueError:
        found = None
    if found is None or not found.submodule_search_locations:
        raise SparkMissingError(f"Spark jobs need PySpark, which is not installed here: {INSTALL_SPARK}.")
    return Path(next(iter(found.submodule_search_locations)))
