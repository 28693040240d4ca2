"""Datasets: named tables of a project, whose rows are files. What tasks leave is filed here, once their run has ended."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from quintet.domain.dataset import ENGINES, Content, Dataset
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.domain.limits import slots
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus
from quintet.services.dataset_files import MOST_LINKS, DatasetFiles
from quintet.services.dataset_records import COLLECTION, from_record, to_record
from quintet.services.ports.collections import Collections, Record
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.runs import Runs
from quintet.services.ports.world import Blobs, Clock
from quintet.services.reading import Reading

DIALECT = "etl"
TASK_KIND = "task"
MOST_WRITERS = 20
LONGEST_NAME = 255
TRIES = 10
"""How often a change is tried anew that another writer was before."""

log = logging.getLogger(__name__)


class Datasets:
    """Makes, finds, changes and removes datasets, and files what runs of tasks leave."""

    def __init__(
        self,
        collections: Collections,
        files: DatasetFiles,
        blobs: Blobs,
        jobs: Jobs,
        runs: Runs,
        reading: Reading,
        clock: Clock,
    ) -> None:
        self._collections = collections
        self._files = files
        self._blobs = blobs
        self._jobs = jobs
        self._runs = runs
        self._reading = reading
        self._clock = clock

    # --- people's ----------------------------------------------------------------------------------------------------------------

    def create(
        self,
        project: str,
        name: str,
        *,
        description: str | None = None,
        format_: str | None = None,
        rows: Sequence[Mapping[str, Any]] | None = None,
        engine: str | None = None,
    ) -> Dataset:
        """A new dataset, of those rows if there are any. Raises Invalid, QueryFault (rows that make no table)."""
        made = self._new(project, name, description=description, format=format_, engine=engine)
        if rows is not None:
            content = self._files.of_rows(made, rows)
            made = replace(made, content=content, format=content.format)
        self._collections.add(to_record(made))
        return made

    def get(self, project: str, number: int) -> Dataset:
        """The dataset with its newest content, be it of a run that has just ended or of an upload. Raises NotFound."""
        return self._fresh(self._stored(project, number))

    def page(self, project: str, limit: int, offset: int = 0) -> list[Dataset]:
        """A project's datasets as they are filed, lowest id first."""
        return [from_record(record) for record in self._collections.page(project, COLLECTION, limit, offset)]

    def count(self, project: str) -> int:
        """How many datasets a project has."""
        return self._collections.count(project, COLLECTION)

    def change(self, project: str, number: int, changes: Mapping[str, Any]) -> Dataset:
        """Changes name, description, format or engine. Raises NotFound, Invalid, Conflict."""
        _check(changes)
        return self._fresh(self._change(project, number, lambda dataset: replace(dataset, **changes)))

    def remove(self, project: str, number: int) -> None:
        """Removes a dataset with its files. Raises NotFound; Conflict while a task is at work whose output it is."""
        dataset = self._stored(project, number)
        for task, run in self._last_runs(dataset).items():
            if not run.status.terminal:
                raise Conflict(f"task {task} is running, and dataset {number} is its output")
        self._collections.remove(project, COLLECTION, number)
        self._blobs.clear(dataset.prefix)

    def upload(self, project: str, number: int, format_: str, body: bytes) -> Dataset:
        """Takes a file as the dataset's content. Raises NotFound, QueryFault (not of that format)."""
        dataset = self._stored(project, number)
        return self._file(project, number, self._files.keep(dataset, format_, body))

    def upload_link(self, project: str, number: int, format_: str) -> tuple[str, Dataset]:
        """A URL that takes a file by HTTP PUT; it becomes the content when the dataset is read next. Raises NotFound, Conflict."""
        link, upload = self._files.link(self._stored(project, number), format_)

        def awaiting(dataset: Dataset) -> Dataset:
            return replace(dataset, uploads=(*dataset.uploads, upload)[-MOST_LINKS:])

        return link, self._change(project, number, awaiting)

    def content(self, project: str, number: int) -> Content:
        """A dataset's rows. Raises NotFound, Conflict when there are none yet."""
        return self.content_of(self.get(project, number))

    @staticmethod
    def content_of(dataset: Dataset) -> Content:
        """A dataset's rows. Raises Conflict when there are none yet, with the reason if its last upload could not be read."""
        if dataset.content is None:
            reason = f": {dataset.problem}" if dataset.problem else ""
            raise Conflict(f"dataset {dataset.number} has no content yet{reason}")
        return dataset.content

    # --- tasks' ------------------------------------------------------------------------------------------------------------------

    def for_task(self, project: str, task: int, name: str) -> Dataset:
        """A new dataset, empty, for what a task will leave."""
        made = replace(self._new(project, name[:LONGEST_NAME]), task=task, writers=(task,))
        self._collections.add(to_record(made))
        return made

    def bind(self, project: str, number: int, task: int) -> None:
        """Makes a dataset the output of a task too. Raises NotFound, Invalid when it is that of too many."""

        def bound(dataset: Dataset) -> Dataset:
            if task in dataset.writers:
                return dataset
            if len(dataset.writers) >= MOST_WRITERS:
                message = f"dataset {number} is the output of {MOST_WRITERS} tasks already"
                raise Invalid([Problem(("outputDatasetId",), message)])
            return replace(dataset, writers=(*dataset.writers, task))

        self._change(project, number, bound)

    def unbind(self, project: str, number: int, task: int) -> None:
        """A task has another output now, or is gone; a dataset that was made for it and never got any rows goes too."""

        def unbound(dataset: Dataset) -> Dataset:
            return replace(dataset, writers=tuple(writer for writer in dataset.writers if writer != task))

        try:
            dataset = self._change(project, number, unbound)
            if dataset.task == task and not dataset.writers and dataset.content is None and not dataset.uploads:
                self._collections.remove(project, COLLECTION, number)
        except NotFound:
            return

    def of_task(self, project: str, task: int) -> Dataset:
        """A task's output, with the content of its last run if that has completed. Raises NotFound."""
        try:
            job = self._jobs.by_slug(project, DIALECT, f"task-{task}")
        except NotFound:
            raise NotFound(f"no task {task}") from None
        output = job.settings["etl"].get("output")
        if output is None:
            raise NotFound(f"task {task} has no output dataset")
        return self._fresh(self._stored(project, int(output)), task)

    def heard(self, run: Run, state: RunState, result: object) -> None:
        """Files what a task's run leaves; the end of any other run is nothing to it. A run that is told again changes nothing."""
        if run.status is not RunStatus.COMPLETED or not isinstance(result, Mapping):
            return
        steps = state.plan.steps
        left = result.get("dataset")
        # Whatever else a run's result looks like, only tasks say where their output is.
        if len(steps) == 1 and steps[0].kind == TASK_KIND and isinstance(left, Mapping):
            self._file_run(run, left)

    def _file_run(self, run: Run, left: Mapping[str, Any]) -> Dataset | None:
        project, number = run.tenant, int(left["id"])
        content = Content.from_dict(left)
        try:
            return self._file(project, number, content, run.id)
        except NotFound:
            log.info("run %s leaves a dataset %s, which is gone", run.id, number)
            return None

    # --- keeping up --------------------------------------------------------------------------------------------------------------

    def _fresh(self, dataset: Dataset, task: int | None = None) -> Dataset:
        """The dataset with what has been left for it and not been filed yet."""
        for run in self._last_runs(dataset, task).values():
            if run.status is RunStatus.COMPLETED and (dataset.run_id is None or dataset.run_id < run.id):
                _, state = self._reading.state(run.project, run.id)
                left = self._reading.outputs(state).get(TASK_KIND)
                left = left.get("dataset") if isinstance(left, Mapping) else None
                if isinstance(left, Mapping) and left.get("id") == dataset.number:
                    dataset = self._file_run(run, left) or dataset
        return self._with_uploads(dataset) if dataset.uploads else dataset

    def _last_runs(self, dataset: Dataset, task: int | None = None) -> dict[int, Run]:
        """By task the last run of each that writes it."""
        writers = dict.fromkeys((*dataset.writers, *(() if task is None else (task,))))
        held: dict[str, int] = {}
        for writer in writers:
            try:
                job = self._jobs.by_slug(dataset.project, DIALECT, f"task-{writer}")
            except NotFound:
                continue
            held |= {slot.name: writer for slot in slots(job, None) if slot.refuses}
        found = self._runs.last_holders(list(held)) if held else {}
        return {held[slot]: run for slot, run in found.items()}

    def _with_uploads(self, dataset: Dataset) -> Dataset:
        taken = self._files.take(dataset)
        if taken is None:
            return dataset
        kept = {upload.blob for upload in taken.left}

        def looked(now: Dataset) -> Dataset:
            seen = {upload.blob for upload in dataset.uploads} - kept
            uploads = tuple(upload for upload in now.uploads if upload.blob not in seen)
            return replace(now, uploads=uploads, problem=taken.problem)

        try:
            found = self._change(dataset.project, dataset.number, looked)
            if taken.content is not None:
                found = self._file(dataset.project, dataset.number, taken.content)
        except NotFound:
            return dataset
        return found

    # --- records -----------------------------------------------------------------------------------------------------------------

    def _new(self, project: str, name: str, **fields: Any) -> Dataset:
        _check({"name": name, **fields})
        now = self._clock.now()
        number = self._collections.next(project, COLLECTION)
        return Dataset(number, project, name, now, now, **fields)

    def _stored(self, project: str, number: int) -> Dataset:
        return from_record(self._record(project, number))

    def _record(self, project: str, number: int) -> Record:
        try:
            return self._collections.get(project, COLLECTION, number)
        except NotFound:
            raise NotFound(f"no dataset {number}") from None

    def _file(self, project: str, number: int, content: Content, run_id: str | None = None) -> Dataset:
        """Makes a content the dataset's, unless it is of an older run than the one that it has. Raises NotFound, Conflict."""
        prefix = f"datasets/{project}/{number}/"
        if any(not part.startswith(prefix) for part in content.parts):
            raise Conflict(f"files of dataset {number} are not where they should be")
        dropped: list[str] = []

        def filed(dataset: Dataset) -> Dataset:
            dropped.clear()
            if run_id is not None and dataset.run_id is not None and run_id <= dataset.run_id:
                return dataset
            was = None if dataset.content is None else dataset.content.folder
            if _unused(dataset, content):
                dropped.append(dataset.outdated or "")
            new = replace(dataset, content=content, format=content.format, problem=None, outdated=was)
            return replace(new, run_id=run_id or dataset.run_id)

        found = self._change(project, number, filed)
        for folder in dropped:
            self._blobs.clear(folder)
        return found

    def _change(self, project: str, number: int, edit: Callable[[Dataset], Dataset]) -> Dataset:
        for _ in range(TRIES):
            record = self._record(project, number)
            was = from_record(record)
            dataset = edit(was)
            if dataset == was:
                return was
            dataset = replace(dataset, updated_at=self._clock.now())
            try:
                self._collections.change(to_record(dataset, record.revision))
            except Conflict:  # another wrote it at this moment
                continue
            return dataset
        raise Conflict(f"dataset {number} is being changed by others")


def _unused(dataset: Dataset, content: Content) -> bool:
    """True when nothing but what began long ago can still read the folder of the content before the last."""
    outdated = dataset.outdated
    if outdated is None or not outdated.startswith(dataset.prefix) or outdated == dataset.prefix:
        return False
    was = dataset.content
    return not any((kept.folder or "").startswith(outdated) for kept in (was, content) if kept is not None)


def _check(fields: Mapping[str, Any]) -> None:
    problems = []
    name = fields.get("name", "x")
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        problems.append(Problem(("name",), f"must have 1 to {LONGEST_NAME} characters"))
    if fields.get("engine") not in {None, *ENGINES}:
        problems.append(Problem(("engine",), f"must be one of {', '.join(ENGINES)}"))
    if problems:
        raise Invalid(problems)
