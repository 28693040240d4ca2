"""The product's own services on a bench cloud's tables, for what the API doesn't tell and for writing many runs at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.cloud import Cloud
from quintet.bootstrap import Services


@contextmanager
def engine(cloud: Cloud, function: str = "jobs-api", meter: str = "", **replaced: Any) -> Iterator[Services]:
    """Services that reach this cloud as a deployed function does; the environment is as before afterwards.

    With a `meter`, the file that their AWS requests are noted in; `replaced` parts are named as in Services.
    """
    wanted = {
        **cloud.variables(function),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{cloud.aws_port}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        **({"QUINTET_METER": meter} if meter else {}),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    from quintet.adapters import aws  # noqa: PLC0415 - beside its use

    try:
        yield Services(**replaced)
    finally:
        aws.forget_clients()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
