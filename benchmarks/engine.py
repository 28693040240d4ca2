"""The product's own services on a bench cloud's tables, for what the API doesn't tell and for writing many runs at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.cloud import Cloud
from quintet.bootstrap import Services
from quintet.settings import Settings


@contextmanager
def engine(cloud: Cloud) -> Iterator[Services]:
    """Services that reach this cloud; the environment is as before afterwards."""
    outputs = cloud.outputs()
    address = f"http://127.0.0.1:{cloud.aws_port}"
    wanted = {
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    from quintet.adapters import aws  # noqa: PLC0415 - beside its use

    try:
        yield Services(
            settings=Settings(
                stage="local",
                runs_table=outputs["RunsTable"],
                jobs_table=outputs["JobsTable"],
                logs_table=outputs["LogsTable"],
                blobs_bucket=outputs["BlobsBucket"],
                burst_machine_arn=outputs["BurstMachineArn"],
                park_machine_arn=outputs["ParkMachineArn"],
                wakes_queue_url=f"{address}/000000000000/{QUEUE}",
            ),
            **replaced,
        )
    finally:
        aws.forget_clients()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
