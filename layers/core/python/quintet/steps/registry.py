"""The registry of step kinds: what the engine can execute."""

from collections.abc import Mapping

from quintet.services.ports.steps import StepKind
from quintet.steps.endpoint import EndpointKind
from quintet.steps.event import EventKind
from quintet.steps.http import HttpKind
from quintet.steps.input import InputKind
from quintet.steps.kind import Kind
from quintet.steps.loop import LoopKind
from quintet.steps.map import MapKind
from quintet.steps.python import PythonKind
from quintet.steps.set import SetKind
from quintet.steps.shell import ShellKind
from quintet.steps.spark import SparkKind
from quintet.steps.spark_parts import spark_parts
from quintet.steps.sql import SqlKind
from quintet.steps.subrun import SubrunKind
from quintet.steps.switch import SwitchKind
from quintet.steps.task import TaskKind
from quintet.steps.task_works import task_works
from quintet.steps.terminate import TerminateKind
from quintet.steps.tools import TaskTools, Tools
from quintet.steps.user_code import Runner
from quintet.steps.wait import WaitKind


def step_kinds(tools: Tools) -> Mapping[str, StepKind]:
    """Every kind by its name, working with these tools."""
    expressions = tools.expressions
    runner = Runner(tools.functions, tools.runner_function, tools.blobs)
    kinds: tuple[Kind, ...] = (
        HttpKind(expressions, tools.http),
        EndpointKind(
            expressions,
            tools.http,
            tools.vault,
            tools.run_tokens,
            tools.signing_secrets,
            tools.signatures,
            tools.schemas,
            tools.clock,
        ),
        PythonKind(expressions, runner),
        ShellKind(expressions, runner),
        SqlKind(expressions, tools.functions, tools.blobs, tools.sql_function),
        WaitKind(expressions),
        SwitchKind(expressions),
        LoopKind(expressions),
        MapKind(expressions),
        InputKind(expressions),
        SubrunKind(expressions, tools.start_child),
        SetKind(expressions),
        TerminateKind(expressions),
    )
    if tools.subscriptions is not None:
        kinds += (EventKind(expressions, tools.subscriptions),)
    if tools.tasks is not None:
        kinds += (SparkKind(expressions, spark_parts(tools, tools.tasks), tools.tasks.programs),)
        kinds += (_task_kind(tools, tools.tasks, runner),)
    return {kind.name: kind for kind in kinds}


def _task_kind(tools: Tools, tasks: TaskTools, runner: Runner) -> TaskKind:
    works = task_works(tools, tasks, runner)
    return TaskKind(tools.expressions, tasks.jobs, tasks.programs, tasks.datasets, tools.vault, works)
