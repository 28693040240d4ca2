"""What everything that runs Spark jobs works with."""

from dataclasses import dataclass

from quintet.steps.spark_job import SparkJobs
from quintet.steps.spark_logs import SparkLogs
from quintet.steps.spark_output import SparkOutputs
from quintet.steps.spark_program import SparkPrograms
from quintet.steps.tools import TaskTools, Tools


@dataclass(frozen=True, slots=True)
class SparkParts:
    """Jobs, their programs and their outputs."""

    jobs: SparkJobs
    programs: SparkPrograms
    outputs: SparkOutputs


def spark_parts(tools: Tools, tasks: TaskTools) -> SparkParts:
    """The parts, put together."""
    logs = SparkLogs(tools.blobs, tools.clock)
    return SparkParts(
        SparkJobs(tasks.parking, logs), SparkPrograms(tools.blobs), SparkOutputs(tools.blobs, tasks.files)
    )
