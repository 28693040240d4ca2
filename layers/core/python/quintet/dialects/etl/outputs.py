"""The datasets that take the outputs of tasks: each task has one from its creation on, its own or one that its author names."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from quintet.dialects.etl.authoring import Desk, number_in
from quintet.dialects.etl.places import facts, number_of
from quintet.domain.errors import Invalid, NotFound, Problem
from quintet.domain.job import Job

Output = dict[str, int | None]
"""What a task's facts say of its output: `output`, and `own`, the dataset that was made for it (None: none was)."""


class Outputs:
    """Finds, makes and gives up the datasets of a tenant's tasks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def first(self, task: int, name: str, wanted: int | None) -> Output:
        """The dataset of a new task: the one that is wanted, else a new one. Raises Invalid."""
        if wanted is not None:
            self._bind(task, wanted)
            return {"output": wanted, "own": None}
        return self._made(task, name)

    def changed(self, task: Job, named: Mapping[str, Any]) -> Output:
        """The dataset of a task after a change; cleared it is the task's own again. Raises Invalid."""
        has, own = int(facts(task)["output"]), facts(task).get("own")
        wanted = number_in(named.get("output_dataset_id", str(has)))
        if wanted is None and own is not None:
            with suppress(NotFound):
                return {"output": self._taken(number_of(task), own, has), "own": own}
        if wanted is None:
            return self._made(number_of(task), named.get("name") or task.name)
        if wanted != has:
            self._bind(number_of(task), wanted)
        return {"output": wanted, "own": own}

    def there(self, task: Job) -> Output:
        """A task's dataset; a new one when somebody has deleted it."""
        has = int(facts(task)["output"])
        try:
            self._desk.engine.datasets.get(self._desk.tenant, has)
        except NotFound:
            return self._made(number_of(task), task.name)
        return {"output": has, "own": facts(task).get("own")}

    def left(self, was: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """Gives up the dataset that a task had before a change."""
        if was["output"] != known["output"]:
            self.forget(was["number"], was["output"])

    def forget(self, task: int, dataset: int) -> None:
        """Gives up a task's dataset: its rows stay; one without any, that was made for the task, goes."""
        self._desk.engine.datasets.unbind(self._desk.tenant, dataset, task)

    def _made(self, task: int, name: str) -> Output:
        number = self._desk.engine.datasets.for_task(self._desk.tenant, task, name).number
        return {"output": number, "own": number}

    def _taken(self, task: int, own: int, has: int) -> int:
        """A task's own dataset, as its output again. Raises NotFound when it is gone."""
        if own != has:
            self._desk.engine.datasets.bind(self._desk.tenant, own, task)
        return own

    def _bind(self, task: int, dataset: int) -> None:
        try:
            self._desk.engine.datasets.bind(self._desk.tenant, dataset, task)
        except NotFound:
            raise Invalid([Problem(("body", "outputDatasetId"), f"there is no dataset {dataset}")]) from None
