"""Translates core jobs and their last runs into projects, jobs and tasks as this API shows them. Pure."""

from typing import Any

from quintet.dialects.etl import schedules
from quintet.dialects.etl.execution import execution_log
from quintet.dialects.etl.models_work import JobView, ProjectView, ScheduleView, TaskView
from quintet.dialects.etl.places import facts
from quintet.dialects.etl.words import status_word
from quintet.domain.job import Job
from quintet.domain.jsontext import compact
from quintet.domain.run import Run


def project_view(project: Job) -> ProjectView:
    """A project."""
    known = facts(project)
    return ProjectView(
        id=str(known["number"]),
        name=project.name,
        description=project.description,
        cron_schedule=(project.settings.get("schedule") or {}).get("cron"),
        enabled=project.status == "active",
        job_ids=_ids(known["jobs"]),
        created_at=project.created_at,
        updated_at=project.updated_at,
    )


def schedule_view(project: Job) -> ScheduleView:
    """A project's schedule."""
    schedule = project.settings.get("schedule") or {}
    return ScheduleView(
        cron_schedule=schedule.get("cron"),
        enabled=project.status == "active",
        timezone=schedule.get("timezone"),
        job_id=_id(facts(project).get("only")),
    )


def job_view(job: Job, last: Run | None) -> JobView:
    """A job, and how its last execution stands."""
    known = facts(job)
    return JobView(
        id=str(known["number"]),
        name=job.name,
        description=job.description,
        project_id=str(known["project"]),
        input_dataset_id=_id(known.get("input")),
        execution_status=status_word(None if last is None else last.status),
        scheduled_time=schedules.moment(known.get("scheduledTime")),
        enabled=job.status == "active",
        task_ids=_ids(known["tasks"]),
        created_at=job.created_at,
        updated_at=job.updated_at,
    )


def task_view(task: Job, last: Run | None) -> TaskView:
    """A task, and what its last run came to."""
    known = facts(task)
    return TaskView(
        id=str(known["number"]),
        name=task.name,
        description=task.description,
        job_id=str(known["job"]),
        bot_id=known.get("botId"),
        output_dataset_id=_id(known.get("output")),
        task_type=known["taskType"],
        execution_reference_id=None if last is None else last.id,
        execution_status=status_word(None if last is None else last.status),
        execution_log=None if last is None else compact(execution_log(last)),
        scheduled_time=schedules.moment(known.get("scheduledTime")),
        execution_mode=known["executionMode"],
        enabled=task.status == "active",
        created_at=task.created_at,
        updated_at=task.updated_at,
        input_dataset_id=_id(known.get("input")),
        depends_on=_ids(known.get("dependsOn", ())),
    )


def _id(number: Any) -> str | None:
    return None if number is None else str(number)


def _ids(numbers: Any) -> list[str]:
    return [str(number) for number in numbers]
