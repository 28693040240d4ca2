"""What the deployment tells the code, from the environment that template.yaml sets."""

import os
from dataclasses import dataclass, field


def _env(name: str, default: str = "") -> str:
    read: str = field(default_factory=lambda: os.environ.get(name, default))
    return read


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of the resources, and the stage (`local`: the local cloud)."""

    stage: str = _env("QUINTET_STAGE", "prod")
    runs_table: str = _env("RUNS_TABLE")
    jobs_table: str = _env("JOBS_TABLE")
    logs_table: str = _env("LOGS_TABLE")
    blobs_bucket: str = _env("BLOBS_BUCKET")
    burst_machine_arn: str = _env("BURST_MACHINE_ARN")
    park_machine_arn: str = _env("PARK_MACHINE_ARN")
    fanout_machine_arn: str = _env("FANOUT_MACHINE_ARN")
    wakes_queue_url: str = _env("WAKES_QUEUE_URL")
    deliveries_queue_url: str = _env("DELIVERIES_QUEUE_URL")
    carry_function: str = _env("CARRY_FUNCTION")
    runner_function: str = _env("RUNNER_FUNCTION")
    sql_function: str = _env("SQL_FUNCTION")
    vault_key_id: str = _env("VAULT_KEY_ID")

    data_table: str = _env("DATA_TABLE")
    glue_database: str = _env("GLUE_DATABASE")
    athena_workgroup: str = _env("ATHENA_WORKGROUP")
    athena_threshold_bytes: int = field(
        default_factory=lambda: int(os.environ.get("ATHENA_THRESHOLD_BYTES") or 1024**3)
    )
    """How large datasets are, in bytes, that Athena answers queries of."""
    zombie_hours: float = field(default_factory=lambda: float(os.environ.get("ZOMBIE_HOURS") or 24))
    """How long runs of reaped jobs may be at work, in hours."""

    @property
    def local(self) -> bool:
        """True in the local cloud, where a user's own services listen on loopback."""
        return self.stage == "local"
