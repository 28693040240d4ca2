"""Lists of projects, of a project's jobs, of a job's tasks: records that name core jobs by number, so that a page costs its length.

A record is written before its job and removed after it: what a crash leaves behind is a record without a job, which nobody sees.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from quintet.dialects.etl.places import slug
from quintet.dialects.etl.words import DIALECT, PROJECT
from quintet.domain.errors import Conflict, NotFound
from quintet.domain.job import Job
from quintet.services.ports.collections import Collections, Record
from quintet.services.ports.jobs import Jobs, Taken
from quintet.services.ports.world import Clock

MAX_MEMBERS = 200
"""Jobs of a project, tasks of a job."""
NAMES = "project-names"
IN_CREATION = timedelta(minutes=1)
"""How long a name may be claimed, or a place in a list taken, by what is not there yet."""


def list_of(kind: str, owner: int | None = None) -> str:
    """The collection that lists what an owner holds: `projects`, `jobs/<project>`, `tasks/<job>`."""
    return f"{kind}s" if owner is None else f"{kind}s/{owner}"


class Members:
    """The lists of one tenant."""

    def __init__(self, collections: Collections, jobs: Jobs, clock: Clock, tenant: str) -> None:
        self._collections = collections
        self._jobs = jobs
        self._clock = clock
        self._tenant = tenant

    def number(self, kind: str) -> int:
        """A number for a new one of a kind (projects, jobs, tasks): never given before."""
        return self._collections.next(self._tenant, list_of(kind))

    def refuse_full(self, collection: str, what: str) -> None:
        """Raises Conflict when a list holds all it may."""
        if self._collections.count(self._tenant, collection) >= MAX_MEMBERS:
            raise Conflict(f"{what} holds at most {MAX_MEMBERS}")

    def enter(self, collection: str, number: int, job_id: str) -> None:
        """Lists what is about to be made."""
        self._collections.add(self._record(collection, number, {"job": job_id}))

    def leave(self, collection: str, number: int) -> None:
        """Takes out of a list what is no more."""
        with suppress(NotFound):
            self._collections.remove(self._tenant, collection, number)

    def clear(self, collection: str, number: int) -> bool:
        """Takes out of a list what somebody failed to take out; False when there is no such thing, or it is about to be made."""
        try:
            record = self._collections.get(self._tenant, collection, number)
        except NotFound:
            return False
        if self._clock.now() - record.created_at < IN_CREATION:
            return False
        self.leave(collection, number)
        return True

    def page(self, collection: str, limit: int, offset: int) -> tuple[list[Job], int]:
        """A page of a list, lowest number first, and the length of the whole list."""
        records = self._collections.page(self._tenant, collection, limit, offset)
        last = len(records) < limit and bool(records or not offset)
        total = offset + len(records) if last else self._collections.count(self._tenant, collection)
        return self._listed(records), total

    def all(self, collection: str) -> list[Job]:
        """All of a list whose length is bounded (those that were added at one moment may be some above the bound)."""
        return self._listed(self._collections.page(self._tenant, collection, 2 * MAX_MEMBERS))

    def _listed(self, records: Sequence[Record]) -> list[Job]:
        return self._jobs.get_many(self._tenant, [record.body["job"] for record in records])

    # --- names of projects -----------------------------------------------------------------------------------------------------

    def claim(self, name: str, project: int) -> None:
        """Makes a name a project's. It is only a signpost: the project bears the name once its job does. Raises Taken."""
        number = self._collections.next(self._tenant, NAMES)
        record = self._record(NAMES, number, {"project": project}, name)
        try:
            self._collections.add(record)
        except Taken:
            held = self._holder(name)
            if held is not None and held.body["project"] == project:
                return
            if held is not None and not self._lapsed(held):
                raise
            self._collections.add(record)

    def _holder(self, name: str) -> Record | None:
        try:
            return self._collections.named(self._tenant, NAMES, name)
        except NotFound:
            return None

    def _lapsed(self, held: Record) -> bool:
        """True when a name was claimed for a project that never came to bear it; the claim is given up then."""
        if self._clock.now() - held.created_at < IN_CREATION or self._borne(held):
            return False
        with suppress(NotFound):
            self._collections.remove(self._tenant, NAMES, held.number)
        return True

    def _borne(self, held: Record) -> bool:
        with suppress(NotFound):
            return self._bearer(held).name == held.name
        return False

    def _bearer(self, held: Record) -> Job:
        return self._jobs.by_slug(self._tenant, DIALECT, slug(PROJECT, held.body["project"]))

    def release(self, name: str, project: int) -> None:
        """Gives up a project's name."""
        held = self._holder(name)
        if held is not None and held.body["project"] == project:
            with suppress(NotFound):
                self._collections.remove(self._tenant, NAMES, held.number)

    def named(self, name: str) -> int:
        """The number of the project that a name was claimed for. Raises NotFound."""
        held = self._collections.named(self._tenant, NAMES, name)
        return int(held.body["project"])

    def _record(self, collection: str, number: int, body: dict[str, object], name: str | None = None) -> Record:
        now = self._clock.now()
        return Record(self._tenant, collection, number, body, now, now, name=name)
