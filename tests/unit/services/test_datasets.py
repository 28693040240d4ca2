"""Datasets: records, files, and what runs of tasks leave."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from quintet.adapters.memory import ManualClock, MemoryBlobs, SeededIds
from quintet.adapters.memory.collections import MemoryCollections
from quintet.domain.dataset import Column, Content, Dataset
from quintet.domain.definition import Plan, StepDef
from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.domain.terms import Terms
from quintet.services.dataset_files import MOST_LINKS, DatasetFiles
from quintet.services.datasets import Datasets
from quintet.services.ports.queries import Made, QueryFault

COLUMNS = (Column("a", "BIGINT"),)
TASK = Plan((StepDef("task", "task"),))


class Files:
    """Port Files: every file has one column, and as many rows as lines; a file that begins with `bad` is none."""

    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self.fault: QueryFault | None = None
        self.made: list[tuple[str, str]] = []

    def describe(self, format_: str, parts: Sequence[str], timeout: float = 60.0) -> Content:
        if self.fault:
            raise self.fault
        bodies = [self._blobs.get(part) for part in parts]
        if any(body.startswith(b"bad") for body in bodies):
            raise QueryFault("BadInput", "the file is bad")
        count = sum(len(body.splitlines()) for body in bodies)
        return Content(format_, tuple(parts), COLUMNS, count, sum(map(len, bodies)))

    def make(self, sql: str, tables: Mapping[str, Content], into: str, format_: str = "parquet", *_: Any) -> Made:
        self.made.append((sql, format_))
        [given] = tables.values()
        self._blobs.put(into, self._blobs.get(given.parts[0]))
        return Made(self.describe(format_, [into]))


class Desk:
    """Datasets of project `p` with all they need; tasks are jobs whose last runs the test sets."""

    def __init__(self) -> None:
        self.clock, self.blobs = ManualClock(), MemoryBlobs()
        self.ids, self.files = SeededIds(1, self.clock), Files(self.blobs)
        self.collections = MemoryCollections()
        self.jobs: dict[str, Job] = {}
        self.last: dict[str, Run] = {}
        self.results: dict[str, Any] = {}
        self.asked: list[Any] = []
        jobs = SimpleNamespace(by_slug=self._by_slug)
        runs = SimpleNamespace(last_holders=self._last_holders)
        reading = SimpleNamespace(state=self._state, outputs=lambda state: {"task": self.results[state]})
        kept = DatasetFiles(self.blobs, self.files, self.clock, self.ids)
        self.datasets = Datasets(self.collections, kept, self.blobs, jobs, runs, reading, self.clock)  # type: ignore[arg-type]

    def _by_slug(self, project: str, dialect: str, slug: str) -> Job:
        if (project, dialect) != ("p", "etl") or slug not in self.jobs:
            raise NotFound("no such job")
        return self.jobs[slug]

    def _last_holders(self, slots: Sequence[str]) -> dict[str, Run]:
        self.asked.append(list(slots))
        return {slot: self.last[slot] for slot in slots if slot in self.last}

    def _state(self, project: str, run_id: str) -> tuple[Run, str]:
        return next(run for run in self.last.values() if run.id == run_id), run_id

    def task(self, number: int, output: int | None) -> None:
        """A task whose output that is."""
        now, terms = self.clock.now(), Terms(skip_if_running=True)
        settings = {"etl": {"kind": "task", "output": output}}
        slug = f"task-{number}"
        self.jobs[slug] = Job(
            f"job{number}", "p", "etl", slug, 1, "v", now, now, settings=settings, slug=slug, terms=terms
        )

    def run(self, number: int, status: RunStatus = RunStatus.COMPLETED, project: str = "p") -> Run:
        """A task's next run, which is now its last."""
        now = self.clock.now()
        self.clock.advance(1)
        run = Run(self.ids.new(), project, f"job{number}", 1, "v", status, now, now)
        self.last[f"p#solo#job{number}"] = run
        return run

    def leaves(self, run: Run, dataset: int, body: bytes = b"1\n2\n", place: str | None = None) -> dict[str, Any]:
        """What a run's result says of a file that it left."""
        part = place or f"datasets/p/{dataset}/{run.id}-1/part.parquet"
        self.blobs.put(part, body)
        content = self.files.describe("parquet", [part])
        self.results[run.id] = {"dataset": {"id": dataset, "table": f"dataset_{dataset}", **content.to_dict()}}
        found: dict[str, Any] = self.results[run.id]
        return found

    def hear(self, run: Run, result: object, plan: Plan = TASK) -> None:
        self.datasets.heard(run, SimpleNamespace(plan=plan), result)  # type: ignore[arg-type]


@pytest.fixture
def desk() -> Desk:
    """Nothing yet."""
    return Desk()


def parts(dataset: Dataset) -> tuple[str, ...]:
    """The files of a dataset that has content."""
    assert dataset.content is not None
    return dataset.content.parts


# --- records -------------------------------------------------------------------------------------------------------------------------


def test_what_is_made_can_be_read_listed_and_changed(desk: Desk) -> None:
    """Ids count from 1; a change names fields."""
    made = [desk.datasets.create("p", name, description="d", format_="csv", engine="athena") for name in ("one", "two")]
    desk.clock.advance(5)
    changed = desk.datasets.change("p", 2, {"name": "deux", "engine": None})

    assert [one.number for one in made] == [1, 2]
    assert desk.datasets.get("p", 1) == made[0]
    assert changed == replace(made[1], name="deux", engine=None, updated_at=desk.clock.now())
    assert desk.datasets.page("p", 10) == [made[0], changed]
    assert desk.datasets.page("p", 1, 1) == [changed]
    assert (desk.datasets.count("p"), desk.datasets.count("q")) == (2, 0)


def test_others_see_nothing(desk: Desk) -> None:
    """Of another project."""
    desk.datasets.create("p", "one")

    for act in (
        desk.datasets.get,
        desk.datasets.remove,
        desk.datasets.content,
        lambda p, n: desk.datasets.change(p, n, {}),
    ):
        with pytest.raises(NotFound, match="no dataset 1"):
            act("q", 1)


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": " "}, {"name": "x" * 256}, {"engine": "spark"}])
def test_wrong_fields(desk: Desk, fields: dict[str, Any]) -> None:
    """Are refused, in a new dataset and in a change."""
    desk.datasets.create("p", "one")
    given = {"name": "x", **fields}

    with pytest.raises(Invalid):
        desk.datasets.create("p", given["name"], engine=given.get("engine"))
    with pytest.raises(Invalid):
        desk.datasets.change("p", 1, fields)
    assert desk.datasets.count("p") == 1


def test_two_writers_of_one_record(desk: Desk) -> None:
    """Both their changes stay."""
    desk.datasets.create("p", "one")
    change = desk.collections.change

    def interrupted(record: Any) -> Any:
        desk.collections.change = change  # type: ignore[method-assign]
        desk.datasets.change("p", 1, {"description": "theirs"})
        return change(record)

    desk.collections.change = interrupted  # type: ignore[method-assign]
    desk.datasets.change("p", 1, {"name": "ours"})

    found = desk.datasets.get("p", 1)
    assert (found.name, found.description) == ("ours", "theirs")


# --- files ---------------------------------------------------------------------------------------------------------------------------


def test_rows_become_a_file(desk: Desk) -> None:
    """Of the format that was asked for, Parquet when none was; the rows' own text does not stay."""
    made = desk.datasets.create("p", "one", rows=[{"a": 1}, {"a": 2}])
    other = desk.datasets.create("p", "two", rows=[{"a": 1}], format_="csv")

    assert (made.format, other.format) == ("parquet", "csv")
    assert made.content and made.content.row_count == 2
    assert [name for name, _ in desk.blobs.names("datasets/p/1/", 10)] == list(parts(made))
    assert desk.files.made == [("SELECT * FROM input", "parquet"), ("SELECT * FROM input", "csv")]


def test_no_rows_are_content_too(desk: Desk) -> None:
    """Without any file."""
    assert desk.datasets.content("p", desk.datasets.create("p", "one", rows=[]).number) == Content(
        "jsonl", (), (), 0, 0
    )


def test_rows_whose_numbers_json_lines_would_change_are_refused_as_such(desk: Desk) -> None:
    """Engines read fractions of JSON as floating point; nothing is left, and the other formats take them."""
    rows = [{"a": Decimal("12345678901234567.89")}]
    with pytest.raises(Invalid) as refused:
        desk.datasets.create("p", "one", format_="jsonl", rows=rows)

    assert [problem.place for problem in refused.value.problems] == [("format",)]
    assert (desk.datasets.count("p"), list(desk.blobs.names("", 10))) == (0, [])
    assert desk.datasets.create("p", "two", format_="jsonl", rows=[{"a": Decimal("0.1")}]).format == "jsonl"
    assert desk.datasets.create("p", "three", format_="csv", rows=rows).format == "csv"


def test_rows_that_make_no_table_leave_nothing(desk: Desk) -> None:
    """No record and no file."""
    desk.files.fault = QueryFault("BadInput", "'a' and 'A' are one column in SQL")
    with pytest.raises(QueryFault):
        desk.datasets.create("p", "one", rows=[{"a": 1, "A": 2}])

    assert desk.datasets.count("p") == 0
    assert not [name for name, _ in desk.blobs.names("", 10) if name.endswith("rows.jsonl")]


def test_an_upload_replaces_the_content(desk: Desk) -> None:
    """What queries under way may read stays until the upload after the next."""
    desk.datasets.create("p", "one")
    found = [desk.datasets.upload("p", 1, "csv", b"1\n" * count) for count in (1, 2, 3)]

    assert [one.content.row_count for one in found if one.content] == [1, 2, 3]
    assert [name for name, _ in desk.blobs.names("datasets/p/1/", 10)] == sorted(parts(found[1]) + parts(found[2]))


def test_a_bad_upload_changes_nothing(desk: Desk) -> None:
    """And leaves nothing."""
    desk.datasets.create("p", "one")
    was = desk.datasets.upload("p", 1, "csv", b"1\n")
    with pytest.raises(QueryFault, match="bad"):
        desk.datasets.upload("p", 1, "csv", b"bad")

    assert desk.datasets.get("p", 1) == was
    assert len(desk.blobs.names("datasets/p/1/", 10)) == 1


def test_a_removed_dataset_leaves_no_file(desk: Desk) -> None:
    """And none of another is touched; its id is not given again."""
    for name in ("one", "two"):
        desk.datasets.create("p", name, rows=[{"a": 1}])
    desk.blobs.put("datasets/p/12/x", b"")
    desk.datasets.upload("p", 1, "csv", b"1\n")
    desk.datasets.remove("p", 1)

    with pytest.raises(NotFound):
        desk.datasets.get("p", 1)
    assert {name.split("/")[2] for name, _ in desk.blobs.names("datasets/", 10)} == {"2", "12"}
    assert desk.datasets.create("p", "three").number == 3


# --- links ---------------------------------------------------------------------------------------------------------------------------


def test_what_comes_by_a_link_is_found_by_who_reads_next(desk: Desk) -> None:
    """Until then the dataset waits for it; and the place that the link writes is no part of the content."""
    desk.datasets.create("p", "one")
    link, dataset = desk.datasets.upload_link("p", 1, "csv")
    place = dataset.uploads[0].blob

    with pytest.raises(Conflict, match="no content yet"):
        desk.datasets.content("p", 1)
    desk.blobs.put(place, b"1\n2\n")
    found = desk.datasets.get("p", 1)
    desk.blobs.put(place, b"1\n2\n3\n")

    assert place in link
    assert found.content and (found.content.row_count, found.uploads) == (2, ())
    assert place not in found.content.parts
    assert desk.blobs.get(parts(found)[0]) == b"1\n2\n"
    assert desk.datasets.get("p", 1) == found


def test_the_newest_link_counts(desk: Desk) -> None:
    """Those before it are forgotten; one that is not used yet stays."""
    desk.datasets.create("p", "one")
    places = [desk.datasets.upload_link("p", 1, "csv")[1].uploads[-1].blob for _ in range(3)]
    for count, place in enumerate(places[:2], 1):
        desk.blobs.put(place, b"1\n" * count)
    found = desk.datasets.get("p", 1)

    assert found.content and found.content.row_count == 2
    assert [upload.blob for upload in found.uploads] == places[2:]


def test_links_are_kept_in_mind_up_to_a_number(desk: Desk) -> None:
    """The oldest is forgotten at once, however many are asked for before anybody reads: a look costs no more then."""
    desk.datasets.create("p", "one")
    places = [desk.datasets.upload_link("p", 1, "csv")[1].uploads[-1].blob for _ in range(MOST_LINKS + 3)]
    desk.blobs.put(places[2], b"1\n")
    desk.blobs.put(places[3], b"1\n" * 2)

    content = desk.datasets.get("p", 1).content
    assert content and content.row_count == 2
    last = desk.datasets.upload_link("p", 1, "csv")[1].uploads
    assert len(last) == MOST_LINKS


def test_a_bad_file_behind_a_link(desk: Desk) -> None:
    """Is told by whoever reads, until there is a good one; content that is there stays."""
    desk.datasets.create("p", "one")
    for body in (b"bad", b"1\n", b"bad"):
        desk.blobs.put(desk.datasets.upload_link("p", 1, "csv")[1].uploads[-1].blob, body)
        found = desk.datasets.get("p", 1)
        if found.content is None:
            with pytest.raises(Conflict, match="the file is bad"):
                desk.datasets.content("p", 1)
        assert found.problem == ("the file is bad" if body == b"bad" else None)

    assert found.content and found.content.row_count == 1


def test_an_engine_that_is_away_spoils_no_upload(desk: Desk) -> None:
    """The next who reads finds it."""
    desk.datasets.create("p", "one")
    place = desk.datasets.upload_link("p", 1, "csv")[1].uploads[-1].blob
    desk.blobs.put(place, b"1\n")
    desk.files.fault = QueryFault("Unavailable", "away")
    assert desk.datasets.get("p", 1).content is None
    desk.files.fault = None

    assert desk.datasets.content("p", 1).row_count == 1


def test_links_that_lapsed_are_forgotten(desk: Desk) -> None:
    """But not what came by them in time."""
    desk.datasets.create("p", "one")
    first = desk.datasets.upload_link("p", 1, "csv")[1].uploads[0].blob
    desk.clock.advance(3000)
    desk.datasets.upload_link("p", 1, "csv")
    desk.clock.advance(700)

    assert len(desk.datasets.get("p", 1).uploads) == 1
    desk.clock.advance(3000)
    assert desk.datasets.get("p", 1).uploads == ()
    desk.blobs.put(first, b"1\n")
    assert desk.datasets.get("p", 1).content is None


def test_what_came_in_time_is_found_late(desk: Desk) -> None:
    """A week after its link lapsed."""
    desk.datasets.create("p", "one")
    desk.blobs.put(desk.datasets.upload_link("p", 1, "csv")[1].uploads[0].blob, b"1\n")
    desk.clock.advance(7 * 86_400)

    assert desk.datasets.content("p", 1).row_count == 1


# --- what runs leave -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def output(desk: Desk) -> int:
    """The output of task 7."""
    number = desk.datasets.for_task("p", 7, "prices").number
    desk.task(7, number)
    return number


def test_the_end_of_a_run_is_filed(desk: Desk, output: int) -> None:
    """As often as it is told, once."""
    run = desk.run(7)
    result = desk.leaves(run, output)
    desk.hear(run, result)
    filed = desk.datasets.page("p", 1)[0]
    desk.clock.advance(9)
    desk.hear(run, result)

    assert filed.content and (filed.content.row_count, filed.run_id, filed.format) == (2, run.id, "parquet")
    assert desk.datasets.page("p", 1)[0] == filed


def test_an_older_run_changes_nothing(desk: Desk, output: int) -> None:
    """However late its end is told."""
    older, newer = desk.run(7), desk.run(7)
    results = [desk.leaves(run, output, b"1\n" * count) for count, run in enumerate((older, newer), 1)]
    desk.hear(newer, results[1])
    desk.hear(older, results[0])

    assert desk.datasets.content("p", output).row_count == 2


def test_an_upload_outlives_the_run_before_it(desk: Desk, output: int) -> None:
    """Though its end be told again; the next run replaces it."""
    run = desk.run(7)
    result = desk.leaves(run, output)
    desk.hear(run, result)
    desk.datasets.upload("p", output, "csv", b"1\n" * 5)
    desk.hear(run, result)
    assert desk.datasets.content("p", output).row_count == 5

    newer = desk.run(7)
    desk.hear(newer, desk.leaves(newer, output))
    assert desk.datasets.content("p", output).row_count == 2


def reads() -> list[Callable[[Desk, int], Content | None]]:
    """All ways to read a task's output."""
    return [
        lambda desk, output: desk.datasets.get("p", output).content,
        lambda desk, output: desk.datasets.content("p", output),
        lambda desk, _: desk.datasets.of_task("p", 7).content,
    ]


@pytest.mark.parametrize("read", reads())
def test_who_sees_a_completed_run_sees_its_rows(
    desk: Desk, output: int, read: Callable[[Desk, int], Content | None]
) -> None:
    """Before anybody has told of its end."""
    run = desk.run(7)
    desk.leaves(run, output)

    found = read(desk, output)

    assert found and found.row_count == 2


@pytest.mark.parametrize("status", [RunStatus.EXECUTING, RunStatus.FAILED, RunStatus.CANCELED])
def test_no_other_run_leaves_anything(desk: Desk, output: int, status: RunStatus) -> None:
    """Neither told nor found."""
    run = desk.run(7, status)
    desk.hear(run, desk.leaves(run, output))

    assert desk.datasets.of_task("p", 7).content is None


def test_a_dataset_of_several_tasks(desk: Desk, output: int) -> None:
    """Is what the newest run of any has left, also before its end was told."""
    desk.task(8, output)
    desk.datasets.bind("p", output, 8)
    desk.datasets.bind("p", output, 8)
    for task, count in ((7, 1), (8, 2)):
        desk.leaves(desk.run(task), output, b"1\n" * count)

    assert desk.datasets.content("p", output).row_count == 2
    desk.leaves(desk.run(7), output, b"1\n" * 3)
    assert desk.datasets.content("p", output).row_count == 3
    assert all(len(slots) == 2 for slots in desk.asked)


def test_a_tasks_output_is_found_by_the_task_too(desk: Desk, output: int) -> None:
    """Even if the dataset does not know of it."""
    desk.task(9, output)
    desk.leaves(desk.run(9), output)

    assert desk.datasets.of_task("p", 9).content is not None
    with pytest.raises(NotFound, match="no task "):
        desk.datasets.of_task("p", 10)
    desk.task(11, None)
    with pytest.raises(NotFound, match="no output"):
        desk.datasets.of_task("p", 11)


@pytest.mark.parametrize(
    "plan", [Plan((StepDef("task", "set"),)), Plan((StepDef("a", "task"), StepDef("b", "set"))), Plan((StepDef("x", "http"),))]
)  # fmt: skip
def test_only_tasks_say_where_their_output_is(desk: Desk, output: int, plan: Plan) -> None:
    """A result of another kind of run that looks like theirs is nobody's dataset."""
    run = desk.run(7)
    result = desk.leaves(run, output)
    desk.last.clear()
    desk.hear(run, result, plan)
    for other in (None, [], "x", {"dataset": None}, {"dataset": "x"}, {}):
        desk.hear(run, other)

    assert desk.datasets.get("p", output).content is None


@pytest.mark.parametrize("place", ["datasets/q/1/x/f", "datasets/p/2/x/f", "payloads/x", "datasets/p/11/x"])
def test_no_run_files_what_is_not_the_datasets_own(desk: Desk, output: int, place: str) -> None:
    """Files of other datasets and projects."""
    run = desk.run(7)
    result = desk.leaves(run, output, place=place)
    desk.last.clear()
    with pytest.raises(Conflict):
        desk.hear(run, result)

    assert desk.datasets.get("p", output).content is None


def test_the_end_of_a_run_whose_dataset_is_gone(desk: Desk, output: int) -> None:
    """Is nothing to anybody."""
    run = desk.run(7)
    result = desk.leaves(run, output)
    desk.datasets.remove("p", output)
    desk.hear(run, result)

    assert desk.datasets.count("p") == 0


def test_a_map_item_files_for_its_tenant(desk: Desk, output: int) -> None:
    """Its run is of a project of the map's own."""
    run = desk.run(7, project="p/r/1")
    desk.hear(run, desk.leaves(run, output))

    assert desk.datasets.page("p", 1)[0].content is not None


@pytest.mark.parametrize("status", [RunStatus.EXECUTING, RunStatus.WAITING, RunStatus.PAUSED])
def test_the_output_of_a_running_task_is_not_removed(desk: Desk, output: int, status: RunStatus) -> None:
    """It is once that has ended."""
    desk.run(7, status)
    with pytest.raises(Conflict, match="task 7 is running"):
        desk.datasets.remove("p", output)
    desk.run(7, RunStatus.FAILED)
    desk.datasets.remove("p", output)

    assert desk.datasets.count("p") == 0


def test_a_task_that_is_gone_leaves_its_rows(desk: Desk, output: int) -> None:
    """But no empty dataset."""
    second = desk.datasets.for_task("p", 8, "x" * 300).number
    run = desk.run(7)
    desk.hear(run, desk.leaves(run, output))
    for number, task in ((output, 7), (second, 8), (99, 9)):
        desk.datasets.unbind("p", number, task)
    mine = desk.datasets.create("p", "mine").number
    desk.datasets.bind("p", mine, 8)
    desk.datasets.unbind("p", mine, 8)

    assert [dataset.number for dataset in desk.datasets.page("p", 10)] == [output, mine]


def test_too_many_tasks_for_one_dataset(desk: Desk) -> None:
    """Reading it would cost a look at each."""
    number = desk.datasets.create("p", "one").number
    for task in range(1, 21):
        desk.datasets.bind("p", number, task)
    with pytest.raises(Invalid):
        desk.datasets.bind("p", number, 21)
    with pytest.raises(NotFound):
        desk.datasets.bind("p", 99, 1)


def test_what_replaced_content_is_dropped_never_too_much(desk: Desk, output: int) -> None:
    """Neither the dataset's whole folder nor a folder that newer content lies in."""
    places = ["datasets/p/1/f", "datasets/p/1/a/f", "datasets/p/1/a/b/f", "datasets/p/1/c/f", "datasets/p/1/d/f"]
    for place in places:
        run = desk.run(7)
        desk.hear(run, desk.leaves(run, output, place=place))

    kept = {name for name, _ in desk.blobs.names("datasets/p/1/", 10)}
    assert kept >= {"datasets/p/1/c/f", "datasets/p/1/d/f", "datasets/p/1/f"}


def test_a_thousand_files(desk: Desk, output: int) -> None:
    """Fit into a record."""
    run = desk.run(7)
    names = tuple(f"datasets/p/{output}/{run.id}-1/part-{'x' * 60}-{place:05}.parquet" for place in range(1000))
    content = Content("parquet", names, COLUMNS, 5, 5)
    desk.hear(run, {"dataset": {"id": output, **content.to_dict()}})

    assert desk.datasets.page("p", 1)[0].content == content


def test_times_are_kept(desk: Desk) -> None:
    """Those of links too."""
    desk.datasets.create("p", "one")
    made = desk.datasets.upload_link("p", 1, "csv")[1]

    found = desk.datasets.page("p", 1)[0]
    assert found.uploads == made.uploads
    assert isinstance(found.uploads[0].until, datetime)
