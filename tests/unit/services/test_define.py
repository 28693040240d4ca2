"""Defining and revising jobs."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from engine_stage import PROJECT, Stage, step

from quintet.domain.definition import Plan
from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.domain.job import Job
from quintet.domain.terms import Terms
from quintet.services.jobs import MOST_LABELS, JobDraft
from quintet.services.ports.jobs import Taken

PLAN = Plan((step("a"),))
BAD = Plan((step("a", "nobody"),))


def draft(name: str, plan: Plan = PLAN, **fields: Any) -> JobDraft:
    """A draft whose slug is its name."""
    return JobDraft(PROJECT, "jobs", name, plan, {"name": name}, **{"slug": name, **fields})


def define(engine: Stage, name: str = "job", **fields: Any) -> Job:
    """A job of the jobs' API."""
    return engine.services.define.define(PROJECT, "jobs", name, PLAN, {"name": name}, **fields)


def revise(engine: Stage, job: Job, changes: Any, source: Mapping[str, Any] | None = None) -> Job:
    """A revision with that source."""
    return engine.services.define.revise(PROJECT, job.id, changes, PLAN, source or {"name": "job"})


def jobs_of(engine: Stage) -> list[Job]:
    """All jobs, oldest first."""
    found: list[Job] = engine.stores["jobs"].page(PROJECT, "jobs", None, 1000, 0)
    return found[::-1]


def test_a_job_is_defined_with_everything_that_is_known_of_it(engine: Stage) -> None:
    """Slug, labels, terms, status; its version's id is of the form that all versions have."""
    terms = Terms(max_concurrency=3)
    job = define(engine, slug="s", labels=frozenset({"tag:a"}), terms=terms, status="disabled", settings={"x": 1})
    assert engine.stores["jobs"].by_slug(PROJECT, "jobs", "s") == job
    assert (job.slug, job.labels, job.terms, job.status) == ("s", {"tag:a"}, terms, "disabled")
    assert re.fullmatch(r"ver_[0-9a-z]{12}", job.version_id)
    assert engine.stores["jobs"].version_by_id(job.id, job.version_id).source == {"name": "job"}


def test_only_another_source_makes_a_version(engine: Stage) -> None:
    """Whatever else changes, the version stays; an unchanged job is not even written."""
    job = define(engine, slug="s")
    engine.clock.advance(10)
    assert revise(engine, job, {"slug": "s"}) == job
    for changes in (
        {"slug": "t"},
        {"labels": frozenset({"tag:a"})},
        {"terms": Terms(ttl=5)},
        {"settings": {"x": 1}},
        {"name": "other"},
        {"description": "d"},
        {"status": "disabled"},
    ):
        revised = revise(engine, job, changes)
        assert {name: getattr(revised, name) for name in changes} == changes
        assert (revised.version, revised.version_id) == (1, job.version_id)
    assert engine.stores["jobs"].by_slug(PROJECT, "jobs", "t") == revised
    second = revise(engine, job, {}, {"name": "other"})
    assert second.version == 2
    assert re.fullmatch(r"ver_[0-9a-z]{12}", second.version_id)
    assert second.version_id != job.version_id
    assert engine.stores["jobs"].version(job.id, 2).id == second.version_id


def test_changes_may_follow_from_the_job_as_it_is(engine: Stage) -> None:
    """A change that is made again after another writer sees what that one wrote."""
    job = define(engine, settings={"n": 1})
    raced: list[bool] = []

    def hook(when: str, name: str) -> None:
        if (when, name) == ("before", "jobs.update") and not raced:
            raced.append(True)
            revise(engine, job, {"settings": {"n": 10}})

    engine.hooks.append(hook)
    revised = revise(engine, job, lambda was: {"settings": {"n": was.settings["n"] + 1}})
    assert raced
    assert revised.settings == {"n": 11}


def test_a_taken_slug_is_not_asked_for_again(engine: Stage) -> None:
    """Creation and revision are told at once, and nothing changes."""
    define(engine, slug="s")
    other = define(engine, slug="t")
    with pytest.raises(Taken, match="slug 's' is taken"):
        define(engine, slug="s")
    engine.calls.clear()
    with pytest.raises(Taken):
        revise(engine, other, {"slug": "s"})
    assert engine.calls["jobs.update"] == 1
    assert jobs_of(engine)[1:] == [other]


def test_a_job_has_a_bounded_number_of_labels(engine: Stage) -> None:
    """One more than a transaction can change is refused, at creation and at revision."""
    most = frozenset(f"tag:{number}" for number in range(MOST_LABELS))
    job = define(engine, labels=most)
    for act in (
        lambda: define(engine, labels=most | {"tag:x"}),
        lambda: revise(engine, job, {"labels": most | {"tag:x"}}),
    ):
        with pytest.raises(Invalid) as refusal:
            act()
        assert refusal.value.problems[0].place == ("labels",)


def test_many_are_defined_in_one_write(engine: Stage) -> None:
    """The jobs come in the order of their drafts."""
    made = engine.services.define.define_many([draft(f"j{n}") for n in range(50)], all_or_nothing=True)
    assert made == jobs_of(engine)
    assert [job.slug for job in made if isinstance(job, Job)] == [f"j{n}" for n in range(50)]
    assert engine.calls["jobs.create_many"] == 1
    assert engine.services.define.define_many([], all_or_nothing=True) == []


def test_of_many_each_has_its_own_answer(engine: Stage) -> None:
    """A bad plan and a taken slug refuse their own draft only."""
    define(engine, slug="taken")
    drafts = [draft("a"), draft("b", BAD), draft("taken"), draft("c"), draft("c")]
    made = engine.services.define.define_many(drafts, all_or_nothing=False)
    assert [type(one) for one in made] == [Job, Invalid, Taken, Job, Taken]
    assert isinstance(made[1], Invalid)
    assert made[1].problems[0].place[0] == "steps"
    assert [job.name for job in jobs_of(engine)] == ["job", "a", "c"]


def test_all_or_nothing_writes_nothing_when_a_plan_is_bad(engine: Stage) -> None:
    """Every fault of every draft is told, its index first."""
    drafts = [draft("a"), draft("b", BAD), draft("c"), draft("d", Plan(()))]
    with pytest.raises(Invalid) as refusal:
        engine.services.define.define_many(drafts, all_or_nothing=True)
    assert {problem.place[:2] for problem in refusal.value.problems} == {(1, "steps"), (3, "steps")}
    assert engine.calls["jobs.create_many"] == 0
    assert jobs_of(engine) == []


def test_all_or_nothing_leaves_nothing_when_a_name_is_taken(engine: Stage) -> None:
    """The first refused draft is named; jobs, slugs and labels of the others are gone again."""
    there = define(engine, slug="taken")
    drafts = [draft("a", labels=frozenset({"tag:a"})), draft("taken"), draft("b"), draft("b")]
    with pytest.raises(Taken, match=r"^\[1\]: slug 'taken' is taken$"):
        engine.services.define.define_many(drafts, all_or_nothing=True)
    assert jobs_of(engine) == [there]
    assert engine.stores["jobs"].browse(PROJECT, "jobs", "tag:a", 10).jobs == []
    for slug in ("a", "b"):
        with pytest.raises(NotFound):
            engine.stores["jobs"].by_slug(PROJECT, "jobs", slug)


def test_all_or_nothing_names_a_draft_whose_job_exists(engine: Stage) -> None:
    """Any conflict tells which draft it was, and spares the job that is in the way."""
    there = define(engine)
    with pytest.raises(Conflict, match=r"^\[1\]: "):
        engine.services.define.define_many([draft("a"), draft("b", job_id=there.id)], all_or_nothing=True)
    assert jobs_of(engine) == [there]
