"""Defines and changes automations: the whole definition is checked before anything is stored."""

from typing import Any

from quintet.dialects.automations import triggers
from quintet.dialects.automations.definitions import to_plan, wire_problems
from quintet.dialects.automations.models import ChangeBody, ConfigIn, CreateBody
from quintet.dialects.automations.views import DIALECT
from quintet.dialects.automations.words import AutomationWord, Orchestrator, TriggerWord
from quintet.domain.errors import Conflict, Invalid
from quintet.domain.job import Job
from quintet.web.engine import Engine

Made = tuple[Job, str | None]
"""A job, and its webhook's secret when this request made one."""


def create(engine: Engine, project: str, body: CreateBody, written: Any) -> Made:
    """A new automation. Raises Invalid with this API's places, Conflict for a taken webhook path."""
    triggers.check(body.config, body.trigger_type)
    plan = to_plan(body.config)
    job_id = engine.ids.new()
    settings, secret = _settings(
        engine, job_id, body.config, body.orchestrator_type, body.trigger_type, AutomationWord.ACTIVE, {}
    )
    try:
        job = engine.define.define(
            project,
            DIALECT,
            body.name,
            plan,
            _source(written, body.orchestrator_type),
            description=body.description,
            trigger_type=str(body.trigger_type),
            settings=settings,
            job_id=job_id,
        )
    except Invalid as error:
        raise wire_problems(error, plan) from error
    return job, secret


def change(engine: Engine, job: Job, body: ChangeBody, written: Any) -> Made:
    """The automation with what the body names changed. Raises Invalid, Conflict."""
    named = body.model_fields_set
    current = engine.jobs.version(job.id, job.version)
    written = written if "config" in named else current.source["config"]
    config = body.config if "config" in named else ConfigIn.model_validate(written)
    trigger_type = body.trigger_type if "trigger_type" in named else TriggerWord(job.trigger_type)
    status = body.status if "status" in named else AutomationWord(job.status)
    asked = body.orchestrator_type if "orchestrator_type" in named else current.source["orchestratorType"]
    orchestrator = Orchestrator(asked)
    triggers.check(config, trigger_type)
    plan = to_plan(config)
    changes: dict[str, Any] = {name: getattr(body, name) for name in ("name", "description") if name in named}
    changes |= {"trigger_type": str(trigger_type), "status": str(status)}
    secret = None
    if named & {"config", "orchestrator_type", "trigger_type", "status", "rotate_webhook_secret"}:
        if body.rotate_webhook_secret and trigger_type is not TriggerWord.WEBHOOK:
            raise Conflict("this automation has no webhook")
        changes["settings"], secret = _settings(
            engine, job.id, config, orchestrator, trigger_type, status, job.settings, rotate=body.rotate_webhook_secret
        )
    try:
        revised = engine.define.revise(job.project, job.id, changes, plan, _source(written, orchestrator))
    except Invalid as error:
        raise wire_problems(error, plan) from error
    return revised, secret


def _source(written: Any, orchestrator: Orchestrator) -> dict[str, Any]:
    return {"dialect": DIALECT, "config": written, "orchestratorType": str(orchestrator)}


def _settings(
    engine: Engine,
    job_id: str,
    config: ConfigIn,
    orchestrator: Orchestrator,
    trigger_type: TriggerWord,
    status: AutomationWord,
    was: Any,
    *,
    rotate: bool = False,
) -> tuple[dict[str, Any], str | None]:
    """The job's settings, and the webhook's secret when one was made."""
    settings: dict[str, Any] = {"orchestratorType": str(orchestrator)}
    if "input" in config.model_fields_set:
        settings["input"] = config.input
    if trigger_type is TriggerWord.SCHEDULE and config.schedule is not None:
        settings["schedule"] = triggers.schedule_settings(config.schedule, engine.clock.now(), status, engine.schedules)
    if trigger_type is not TriggerWord.WEBHOOK:
        return settings, None
    made = triggers.hook(job_id, config, was.get("webhook"), engine.vault, rotate=rotate)
    return {**settings, "webhook": made.settings}, made.secret
