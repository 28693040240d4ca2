"""The registry of works: what tasks of each type do."""

from collections.abc import Mapping

from quintet.services.task_rows import TaskRows
from quintet.steps.spark_parts import spark_parts
from quintet.steps.task_http import AgentWork, HttpWork
from quintet.steps.task_python import PythonWork
from quintet.steps.task_spark import SparkWork
from quintet.steps.task_sql import SqlWork
from quintet.steps.task_work import Work
from quintet.steps.tools import TaskTools, Tools
from quintet.steps.user_code import Runner

SPARE_HOURS = 1.0
"""How much longer than their run a Spark job may last that nobody could stop."""


def task_works(tools: Tools, tasks: TaskTools, runner: Runner) -> Mapping[str, Work]:
    """Every work by the type of the tasks that do it."""
    programs, blobs, clock = tasks.programs, tools.blobs, tools.clock
    rows = TaskRows(tasks.files, blobs)
    python = PythonWork(runner, programs, rows, blobs, clock)
    return {
        "SQL": SqlWork(tasks.files, programs),
        "PYTHON": python,
        "BACKGROUND_TASK": python,
        "HTTP": HttpWork(tools.http, programs, rows, blobs, clock),
        "AUTONOMOUS_AGENT": AgentWork(tools.http, programs, rows, blobs, clock, tools.run_tokens),
        "SPARK": SparkWork(spark_parts(tools, tasks), tasks.zombie_hours + SPARE_HOURS),
    }
