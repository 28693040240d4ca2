"""The datasets that take the outputs of tasks: each task has one from its creation on, its own or one that its author names."""

from collections.abc import Mapping
from typing import Any

from quintet.dialects.etl.authoring import Desk, number_in
from quintet.dialects.etl.places import facts, number_of
from quintet.domain.errors import Invalid, NotFound, Problem
from quintet.domain.job import Job


class Outputs:
    """Finds, makes and gives up the datasets of a tenant's tasks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def first(self, task: int, name: str, wanted: int | None) -> int:
        """The dataset of a new task: the one that is wanted, else a new one. Raises Invalid."""
        return self._made(task, name) if wanted is None else self._bound(task, wanted)

    def changed(self, task: Job, named: Mapping[str, Any]) -> int:
        """The dataset of a task after a change; a name that is cleared makes a new one. Raises Invalid."""
        has = int(facts(task)["output"])
        wanted = number_in(named.get("output_dataset_id", str(has)))
        if wanted == has:
            return has
        return self.first(number_of(task), named.get("name") or task.name, wanted)

    def there(self, task: Job) -> int:
        """A task's dataset; a new one when somebody has deleted it."""
        has = int(facts(task)["output"])
        try:
            self._desk.engine.datasets.get(self._desk.tenant, has)
        except NotFound:
            return self._made(number_of(task), task.name)
        return has

    def left(self, was: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Gives up the dataset that a task had before a change."""
        if was["output"] != known["output"]:
            self.forget(was["number"], was["output"])

    def forget(self, task: int, dataset: int) -> None:
        """Gives up a task's dataset: its rows stay; one without any, that was made for the task, goes."""
        self._desk.engine.datasets.unbind(self._desk.tenant, dataset, task)

    def _made(self, task: int, name: str) -> int:
        return self._desk.engine.datasets.for_task(self._desk.tenant, task, name).number

    def _bound(self, task: int, dataset: int) -> int:
        try:
            self._desk.engine.datasets.bind(self._desk.tenant, dataset, task)
        except NotFound:
            raise Invalid([Problem(("body", "outputDatasetId"), f"there is no dataset {dataset}")]) from None
        return dataset
