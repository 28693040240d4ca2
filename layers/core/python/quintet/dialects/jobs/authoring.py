"""Creates, changes and copies jobs: everything is checked before anything is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any

from quintet.dialects.jobs import definitions
from quintet.dialects.jobs.checking import Checking
from quintet.dialects.jobs.definitions import DIALECT, Compiled
from quintet.dialects.jobs.models import CloneIn, JobFields, JobIn, JobPatch
from quintet.domain.errors import Conflict, Invalid, Problem, QuintetError
from quintet.domain.job import Job
from quintet.domain.slug import SLUG_LENGTH, slug_of
from quintet.services.hooks import SealedSecret, rotated, secret_context, secrets_of
from quintet.services.jobs import JobDraft
from quintet.services.ports.jobs import Taken
from quintet.web.engine import Engine

TRIES = 5
"""How often a change is merged anew when another writer was first."""
_SECRET = "webhook_secret"  # noqa: S105  # a field's name
_REQUIRED = ("name", "slug", "enabled")
_NAME_LENGTH = 255
_NUMBERED = range(2, 6)


class _Moved(Exception):
    """The job is no longer what the change was merged into."""


class Author:
    """One caller who writes the jobs of one project; `by` is what the jobs say of who wrote them."""

    def __init__(self, engine: Engine, project: str, by: str) -> None:
        self._engine = engine
        self._project = project
        self._by = by
        self._checking = Checking(engine, project)
        self._slugs: set[str] = set()

    # --- new jobs ------------------------------------------------------------------------------------------------------------

    def create(self, body: JobIn) -> Job:
        """A new job. Raises Invalid with this API's places, Conflict for a taken slug."""
        fields, secret = _said(body)
        return self._define(fields, secret, named="slug" in fields)

    def create_all(self, bodies: Sequence[JobIn]) -> list[Job]:
        """All of them or none. Raises the first fault, with its index."""
        drafts = []
        for index, body in enumerate(bodies):
            try:
                drafts.append(self._draft(*_said(body)))
            except Invalid as error:
                raise Invalid([Problem((index, *p.place), p.message, p.type) for p in error.problems]) from error
        try:
            made = self._engine.define.define_many(drafts, all_or_nothing=True)
        except Invalid as error:
            raise Invalid([_indexed(p, drafts) for p in error.problems]) from error
        return [job for job in made if isinstance(job, Job)]

    def create_some(self, bodies: Sequence[JobIn]) -> list[Job | Exception]:
        """As many of them as can be; each one's job or fault in its place."""
        drafts: list[JobDraft | QuintetError] = []
        for body in bodies:
            try:
                drafts.append(self._draft(*_said(body)))
            except QuintetError as error:
                drafts.append(error)
        good = [draft for draft in drafts if isinstance(draft, JobDraft)]
        made = iter(self._engine.define.define_many(good, all_or_nothing=False))
        answers: list[Job | Exception] = []
        for draft in drafts:
            answer = next(made) if isinstance(draft, JobDraft) else draft
            if isinstance(draft, JobDraft) and isinstance(answer, Invalid):
                answer = definitions.wire_problems(answer, draft.plan, draft.source["fields"])
            answers.append(answer)
        return answers

    def clone(self, job: Job, asked: CloneIn) -> Job:
        """A copy of a job as it is now, secret included. Raises Conflict for a taken slug, or a job of another API."""
        _own(job)
        version = self._engine.jobs.version(job.id, job.version)
        fields = _current(job, definitions.fields_of(version))
        secrets = secrets_of(job.settings)
        secret = self._engine.vault.open(secrets[0].sealed, secret_context(job.id)) if secrets else None
        fields["name"] = asked.name or f"{job.name[: _NAME_LENGTH - 5]} copy"
        fields["slug"] = asked.slug or self._free_slug(f"{(job.slug or 'job')[: SLUG_LENGTH - 5]}-copy")
        return self._define(fields, secret, named=asked.slug is not None)

    def _define(self, fields: dict[str, Any], secret: str | None, *, named: bool) -> Job:
        draft = self._draft(fields, secret)
        try:
            return self._engine.define.define(**_arguments(draft))
        except Taken:
            if named:
                raise
        except Invalid as error:
            raise definitions.wire_problems(error, draft.plan, fields) from error
        # Somebody took the slug that was free a moment ago.
        return self._engine.define.define(
            **_arguments(self._draft({**fields, "slug": self._chance(fields["slug"])}, secret))
        )

    def _draft(self, fields: dict[str, Any], secret: str | None) -> JobDraft:
        if "slug" not in fields:
            fields["slug"] = self._free_slug(slug_of(fields["name"]) or "job")
        self._checking(fields)
        job_id = self._engine.ids.new()
        secrets = () if secret is None else (SealedSecret(self._seal(secret, job_id)),)
        made = definitions.compiled(fields, secrets)
        status = _status(fields)
        settings = {**made.settings, "created_by": self._by}
        if "schedule" in settings and status == "active":
            settings["schedule"] = self._scheduled(settings["schedule"])
        return JobDraft(
            project=self._project,
            dialect=DIALECT,
            name=fields["name"],
            plan=made.plan,
            source=made.source,
            description=fields.get("description"),
            trigger_type=_trigger_type(fields),
            settings=settings,
            job_id=job_id,
            slug=fields["slug"],
            labels=made.labels,
            terms=made.terms,
            status=status,
        )

    def _free_slug(self, wanted: str) -> str:
        """The slug, numbered when it is taken. Somebody may still take it before it is used."""
        for slug in (wanted, *(f"{wanted[: SLUG_LENGTH - 2]}-{number}" for number in _NUMBERED)):
            if slug not in self._slugs and not self._checking.taken(slug):
                self._slugs.add(slug)
                return slug
        return self._chance(wanted)

    def _chance(self, wanted: str) -> str:
        return f"{wanted[: SLUG_LENGTH - 9]}-{self._engine.ids.new()[-8:]}"

    # --- changes -------------------------------------------------------------------------------------------------------------

    def change(self, job: Job, body: JobPatch) -> Job:
        """The job with what the body names changed; another definition is a new version. Raises NotFound, Invalid, Conflict."""
        _own(job)
        for _ in range(TRIES):
            try:
                return self._change(job, body)
            except _Moved:
                job = self._engine.jobs.get(self._project, job.id)
        raise Conflict("others changed this job at the same time")

    def _change(self, job: Job, body: JobPatch) -> Job:
        version = self._engine.jobs.version(job.id, job.version)
        was, secrets = definitions.fields_of(version), secrets_of(job.settings)
        current = _current(job, was)
        named = body.model_dump(exclude_unset=True)
        if cleared := [field for field in _REQUIRED if field in named and named[field] is None]:
            raise Invalid([Problem((field,), "can't be cleared") for field in cleared])
        if _SECRET in named:
            secrets = self._rotated(job.id, secrets, named.pop(_SECRET))
        fields = definitions.given({**current, **named})
        if fields == current and secrets == secrets_of(job.settings):
            return job
        self._checking(fields, current)
        made = definitions.compiled(fields, secrets)
        try:
            return self._engine.define.revise(
                self._project, job.id, lambda fresh: self._changes(job, fresh, fields, made), made.plan, made.source
            )
        except Invalid as error:
            raise definitions.wire_problems(error, made.plan, fields) from error

    def _changes(self, read: Job, fresh: Job, fields: Mapping[str, Any], made: Compiled) -> dict[str, Any]:
        if _without_schedule(fresh) != _without_schedule(read):
            raise _Moved
        status = _status(fields)
        settings: dict[str, Any] = {
            **made.settings,
            "created_by": fresh.settings.get("created_by"),
            "updated_by": self._by,
        }
        if "schedule" in settings and status == "active":
            kept = fresh.settings.get("schedule") or {}
            same = all(settings["schedule"][name] == kept.get(name) for name in ("cron", "timezone"))
            # A moment that is due now would be lost if it were reckoned anew.
            settings["schedule"] = kept if same and kept.get("next_at") else self._scheduled(settings["schedule"])
        return {
            "name": fields["name"],
            "slug": fields["slug"],
            "description": fields.get("description"),
            "status": status,
            "trigger_type": _trigger_type(fields),
            "labels": made.labels,
            "terms": made.terms,
            "settings": settings,
        }

    def _rotated(self, job_id: str, secrets: tuple[SealedSecret, ...], secret: str | None) -> tuple[SealedSecret, ...]:
        if secret is None:
            return ()
        if secrets and self._engine.vault.open(secrets[0].sealed, secret_context(job_id)) == secret:
            return secrets
        return rotated(secrets, self._seal(secret, job_id), self._engine.clock.now())

    def _seal(self, secret: str, job_id: str) -> str:
        return self._engine.vault.seal(secret, secret_context(job_id))

    def _scheduled(self, schedule: Mapping[str, Any]) -> dict[str, Any]:
        """The schedule with its first moment after now."""
        moment = self._engine.schedules.after(schedule["cron"], schedule["timezone"], self._engine.clock.now())
        return {**schedule, "next_at": None if moment is None else moment.isoformat().replace("+00:00", "Z")}


def _said(body: JobFields) -> tuple[dict[str, Any], str | None]:
    """What a body says: its fields, and its secret apart."""
    named = body.model_dump(exclude_unset=True, exclude={"project_id"})
    secret = named.pop(_SECRET, None)
    return definitions.given(named), secret


def _current(job: Job, versioned: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a job as they are now."""
    fields = dict(versioned)
    if (group := job.settings["fields"].get("group_id")) is not None:
        fields["group_id"] = group
    if job.status != "active":
        fields["enabled"] = False
    return fields


def _status(fields: Mapping[str, Any]) -> str:
    return "active" if fields.get("enabled", True) else "disabled"


def _trigger_type(fields: Mapping[str, Any]) -> str:
    return "schedule" if "cron" in fields else "manual"


def _own(job: Job) -> None:
    """Only here can the definition of this API's jobs be changed."""
    if job.dialect != DIALECT:
        raise Conflict(f"this job is defined through the {job.dialect} API")


def _without_schedule(job: Job) -> Job:
    return replace(job, settings={name: value for name, value in job.settings.items() if name != "schedule"})


def _indexed(problem: Problem, drafts: Sequence[JobDraft]) -> Problem:
    """A fault of one of many drafts, in this API's places; its first part is the index."""
    index, *place = problem.place
    draft = drafts[int(index)]
    wired = definitions.wire_problems(
        Invalid([replace(problem, place=tuple(place))]), draft.plan, draft.source["fields"]
    )
    return replace(problem, place=(index, *wired.problems[0].place))


def _arguments(draft: JobDraft) -> dict[str, Any]:
    return {field.name: getattr(draft, field.name) for field in dataclass_fields(draft)}
