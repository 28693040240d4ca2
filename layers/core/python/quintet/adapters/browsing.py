"""Which index serves a list of runs, and what of the list is checked run by run: the same for every store.

A job's runs of states that most runs pass or end in (completed) come from the job's own index; those of rarer states from the project's
index of these states. How a job's runs ended stands in an index of its own, but only of runs that are followed, which not every run of a
job need be: a list must not miss those.
"""

from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import RunList

EXAMINED = 1000
"""How many entries one request looks at before it gives a short page."""


def index_of(wanted: RunList) -> str:
    """What the list is read from: `label`, `job`, `status` or `project`."""
    if wanted.label is not None:
        return "label"
    rare = wanted.statuses is not None and RunStatus.COMPLETED not in wanted.statuses
    if wanted.job_id is not None:
        return "status" if rare else "job"
    return "project" if wanted.statuses is None else "status"


def whole(wanted: RunList) -> bool:
    """True when everything in the list's index belongs to the list."""
    by_job = index_of(wanted) == "job"
    return (
        wanted.trigger_type is None
        and (wanted.job_id is None or by_job)
        and (wanted.statuses is None or index_of(wanted) == "status")
    )


def matches(run: Run, wanted: RunList) -> bool:
    """True for a run of the list, as far as its label is not concerned."""
    return (
        run.project == wanted.project
        and wanted.job_id in (None, run.job_id)
        and wanted.trigger_type in (None, run.started_by)
        and (wanted.statuses is None or run.status in wanted.statuses)
    )
