"""Job groups."""

from datetime import timedelta

import pytest
from engine_stage import PROJECT, Stage, step

from quintet.adapters.memory import MemoryGroups
from quintet.domain.definition import Plan
from quintet.domain.errors import Conflict, NotFound
from quintet.services.groups import JobGroups, group_label
from quintet.services.ports.jobs import Taken


@pytest.fixture
def groups(engine: Stage) -> JobGroups:
    """The service over groups in memory."""
    engine.services.group_store = MemoryGroups()
    return engine.services.groups


def test_a_group_is_made_and_changed(engine: Stage, groups: JobGroups) -> None:
    """Name, slug and description; a change that changes nothing is none."""
    group = groups.create(PROJECT, "Nightly", slug="n", description="d")
    engine.clock.advance(5)
    assert groups.update(PROJECT, group.id, {"name": "Nightly"}) == group
    changed = groups.update(PROJECT, group.id, {"name": "Daily", "slug": "d", "description": None})
    assert groups.get(PROJECT, group.id) == changed
    assert (changed.name, changed.slug, changed.description) == ("Daily", "d", None)
    assert changed.updated_at - group.updated_at == timedelta(seconds=5)
    assert groups.page(PROJECT, 10).groups == [changed]
    with pytest.raises(NotFound):
        groups.update("other", group.id, {"name": "x"})


@pytest.mark.parametrize(("name", "slug"), [("Größe & More!", "gr-e-more"), ("  a_b  ", "a_b"), ("x" * 300, "x" * 128)])
def test_a_slug_is_made_of_the_name(groups: JobGroups, name: str, slug: str) -> None:
    """Of what a slug may hold."""
    assert groups.create(PROJECT, name).slug == slug


def test_a_name_that_gives_no_slug_takes_the_id(groups: JobGroups) -> None:
    """Two such groups don't get in each other's way."""
    one, two = groups.create(PROJECT, "日本"), groups.create(PROJECT, "!!")
    assert (one.slug, two.slug) == (one.id, two.id)


def test_a_taken_slug_is_refused(groups: JobGroups) -> None:
    """At creation and at a change."""
    groups.create(PROJECT, "a")
    other = groups.create(PROJECT, "b")
    with pytest.raises(Taken):
        groups.create(PROJECT, "A")
    with pytest.raises(Taken):
        groups.update(PROJECT, other.id, {"slug": "a"})


def test_a_group_with_jobs_stays(engine: Stage, groups: JobGroups) -> None:
    """It can be deleted when its last job is gone, or in another group."""
    group, other = groups.create(PROJECT, "a"), groups.create(PROJECT, "b")
    labels = frozenset({group_label(group.id)})
    job = engine.services.define.define(PROJECT, "jobs", "job", Plan((step("a"),)), {}, labels=labels)
    with pytest.raises(Conflict):
        groups.delete(PROJECT, group.id)
    engine.services.define.revise(PROJECT, job.id, {"labels": frozenset({group_label(other.id)})})
    groups.delete(PROJECT, group.id)
    with pytest.raises(NotFound):
        groups.get(PROJECT, group.id)
    with pytest.raises(NotFound):
        groups.delete(PROJECT, group.id)
    engine.services.delete_job(PROJECT, job.id)
    groups.delete(PROJECT, other.id)
    assert groups.page(PROJECT, 10).groups == []
