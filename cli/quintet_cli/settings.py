"""What the environment may change about the local cloud, read once and checked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quintet_cli.errors import CommandError

DEFAULT_PORT = 8020
DEFAULT_HOME = ".quintet"
DEFAULT_KEY = "local-dev-key"
# Measured (docs/local-cloud.md): more workers of a function than cores get less done, not more.
DEFAULT_WORKERS = max(2, os.cpu_count() or 2)
# Each takes all cores, and a gigabyte.
DEFAULT_SPARK_JOBS = max(1, (os.cpu_count() or 2) // 4)
REGION = "us-east-1"
ACCOUNT = "000000000000"
STACK = "quintet"


def checkout() -> Path:
    """Return the folder of the checkout that this package was installed from."""
    return Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """The local cloud's settings; `docs/local-cloud.md` lists them with their defaults."""

    root: Path
    home: Path
    port: int = DEFAULT_PORT
    api_key: str = DEFAULT_KEY
    workers: int = DEFAULT_WORKERS
    spark_jobs: int = DEFAULT_SPARK_JOBS

    @property
    def url(self) -> str:
        """Return the front door's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def template(self) -> Path:
        """Return the template that AWS gets as well."""
        return self.root / "template.yaml"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, root: Path | None = None) -> "Settings":
        """Read QUINTET_PORT, QUINTET_HOME, QUINTET_API_KEY, QUINTET_WORKERS and QUINTET_SPARK_JOBS; raise CommandError on nonsense."""
        env = os.environ if environ is None else environ
        base = (root or checkout()).resolve()
        home = Path(env.get("QUINTET_HOME") or base / DEFAULT_HOME).expanduser()
        return cls(
            root=base,
            home=home if home.is_absolute() else Path.cwd() / home,
            port=_whole_number(env, "QUINTET_PORT", DEFAULT_PORT, 1, 65535),
            api_key=_key(env),
            workers=_whole_number(env, "QUINTET_WORKERS", DEFAULT_WORKERS, 1, 64),
            spark_jobs=_whole_number(env, "QUINTET_SPARK_JOBS", DEFAULT_SPARK_JOBS, 1, 64),
        )


def _key(env: Mapping[str, str]) -> str:
    key = env.get("QUINTET_API_KEY") or DEFAULT_KEY
    if ":" in key:  # X-API-Key may be written `org:<key>`
        raise CommandError("QUINTET_API_KEY must not have a colon in it.")
    return key


def _whole_number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = (env.get(name) or "").strip()
    if not text:
        return default
    if not text.isdecimal() or not low <= int(text) <= high:
        raise CommandError(f"{name} must be a whole number from {low} to {high}, and it is {text!r}.")
    return int(text)
