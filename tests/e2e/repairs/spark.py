"""A Spark that is none: its spark-submit runs the program with plain Python, and leaves an event log."""

import sys
from pathlib import Path
from typing import Any

from tests.e2e.repairs.conftest import Cloud

SUBMIT = f"""#!{sys.executable}
import os, pathlib, sys

given = sys.argv[1:]
conf = {{}}
while given[0].startswith("--"):
    option, value, *given = given
    if option == "--conf":
        name, _, value = value.partition("=")
        conf[name] = value
assert conf["spark.ui.enabled"] == "false" and conf["spark.executor.memory"] == "2g", conf
folder = pathlib.Path(conf["spark.eventLog.dir"].removeprefix("file://"))
folder.joinpath("local-1.inprogress").write_text('{{"Event":"SparkListenerLogStart"}}\\n')
print("26/03/01 12:00:00 WARN Submit: begun", file=sys.stderr, flush=True)
os.execv(sys.executable, [sys.executable, *given])
"""
MACHINE = {
    "StartAt": "Job",
    "States": {
        "Job": {
            "Type": "Task",
            "Resource": "arn:aws:states:::emr-serverless:startJobRun.sync",
            "Arguments": "{% $states.input %}",
            "End": True,
        }
    },
}
BUCKET = "spark-bucket"


def spark_home(folder: Path) -> dict[str, str]:
    """Puts Spark, and a Java that nothing starts, into a folder; the variables that name them."""
    for name, text in (("spark/bin/spark-submit", SUBMIT), ("java/bin/java", "#!/bin/sh\n")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return {"SPARK_HOME": str(folder / "spark"), "JAVA_HOME": str(folder / "java")}


class Spark:
    """Jobs on one emulator."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.s3 = cloud.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self._machine = cloud.machine("spark", MACHINE)
        self._states = cloud.client("stepfunctions")

    def put(self, key: str, body: str) -> str:
        """An object; its address."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
        return f"s3://{BUCKET}/{key}"

    def get(self, key: str) -> bytes:
        """An object's bytes."""
        found: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return found

    def keys(self, prefix: str) -> list[str]:
        """The objects below a prefix."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in listed]

    def start(self, program: str, *arguments: str, **more: Any) -> str:
        """Starts a job; its execution."""
        asked = {
            "ApplicationId": "app",
            "Name": "a job",
            "JobDriver": {"SparkSubmit": {
                "EntryPoint": self.put("programs/p/a.py", program), "EntryPointArguments": list(arguments)
            }},
            "ConfigurationOverrides": {
                "ApplicationConfiguration": [
                    {"Classification": "spark-defaults", "Properties": {"spark.executor.memory": "2g", "spark.ui.enabled": "true"}}
                ],
                "MonitoringConfiguration": {"S3MonitoringConfiguration": {"LogUri": f"s3://{BUCKET}/spark-logs/r-1/"}},
            },
            **more,
        }  # fmt: skip
        return self.cloud.start_machine(self._machine, asked)

    def run(self, program: str, *arguments: str, **more: Any) -> dict[str, Any]:
        """Runs a job to its end; DescribeExecution."""
        return self.cloud.ended(self.start(program, *arguments, **more))

    def stop(self, execution: str) -> None:
        """Stops a job's execution."""
        self._states.stop_execution(executionArn=execution)
