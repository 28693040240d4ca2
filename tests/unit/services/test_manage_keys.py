"""API keys as their holders may use them."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from tenancy_desk import Desk, places

from quintet.domain.errors import Conflict, Forbidden, Invalid, NotFound
from quintet.domain.scopes import SCOPES, WORKING
from quintet.services.keys import digest_of


@pytest.fixture
def desk() -> Desk:
    """Nothing but the project `default`."""
    return Desk()


def test_a_key_is_shown_once_and_kept_hashed(desk: Desk) -> None:
    """The secret has 32 random bytes; the store finds the key by its digest and knows nothing of the secret but its beginning."""
    admin = desk.key("admin")
    key, secret = desk.manage.issue(admin, "default", "ci", ["jobs:read", "runs:*"])
    assert re.fullmatch(r"qk_[A-Za-z0-9_-]{43}", secret)
    assert (key.prefix, key.project, key.namespace, key.name) == (secret[:8], "default", "default", "ci")
    assert key.scopes == {"jobs:read", "runs:*"}
    assert desk.keys.find(digest_of(secret)) == desk.manage.get(admin, key.id) == key
    assert secret not in repr(vars(desk.keys))
    assert desk.manage.issue(admin, "default", "ci")[1] != secret


def test_without_scopes_a_key_gets_those_to_work_with(desk: Desk) -> None:
    """As far as the caller has them; a caller that has none must name what to give."""
    assert desk.manage.issue(desk.key("*"), "default", "a")[0].scopes == set(WORKING)
    some = desk.key("api-keys:manage", "jobs:read", "runs:*")
    assert desk.manage.issue(some, "default", "b")[0].scopes == {"jobs:read", "runs:read", "runs:write"}
    with pytest.raises(Invalid) as fault:
        desk.manage.issue(desk.key("api-keys:manage"), "default", "c")
    assert places(fault) == [("scopes",)]


def test_every_fault_of_a_new_key_has_its_place(desk: Desk) -> None:
    """Name, unknown scopes by their index, no scopes, an end that is not in the future."""
    admin, now = desk.key("admin"), desk.clock.now()
    with pytest.raises(Invalid) as fault:
        desk.manage.issue(admin, "default", " ", ["jobs:read", "jobs:delete", "Admin"], now)
    assert places(fault) == [("name",), ("scopes", 1), ("scopes", 2), ("expires_at",)]
    with pytest.raises(Invalid) as fault:
        desk.manage.issue(admin, "default", "x" * 256, [])
    assert places(fault) == [("name",), ("scopes",)]
    assert len(desk.manage.page(admin, "default", 50).keys) == 1


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_gives_only_what_it_has(desk: Desk, scope: str) -> None:
    """Who may manage keys can't make itself stronger by them; admin and * give everything."""
    weak = desk.key("api-keys:manage", "jobs:*", "projects:read")
    if scope in {"api-keys:manage", "jobs:*", "jobs:read", "jobs:write", "jobs:trigger", "projects:read"}:
        assert desk.manage.issue(weak, "default", "k", [scope])[0].scopes == {scope}
    else:
        with pytest.raises(Invalid) as fault:
            desk.manage.issue(weak, "default", "k", ["jobs:read", scope])
        assert places(fault) == [("scopes", 1)]
    for strong in ("admin", "*"):
        assert desk.manage.issue(desk.key(strong), "default", "k", [scope])[0].scopes == {scope}


def test_an_end_is_kept_to_the_millisecond(desk: Desk) -> None:
    """What is answered is what is stored."""
    admin = desk.key("admin")
    ends = desk.clock.now() + timedelta(days=1, microseconds=1234)
    key, secret = desk.manage.issue(admin, "default", "k", None, ends)
    assert key == desk.keys.find(digest_of(secret))
    assert key.expires_at == ends.replace(microsecond=1000)


def test_a_revoked_key_stays_in_the_list(desk: Desk) -> None:
    """Revoking again changes nothing; the caller's own key, and the last one with admin, may go too."""
    admin = desk.key("admin")
    key, _ = desk.manage.issue(admin, "default", "ci")
    desk.clock.advance(5)
    gone = desk.manage.revoke(admin, key.id)
    assert gone.revoked_at == desk.clock.now()
    desk.clock.advance(5)
    assert desk.manage.revoke(admin, key.id) == gone
    assert gone in desk.manage.page(admin, "default", 50).keys
    assert desk.manage.revoke(admin, admin.id).revoked_at == desk.clock.now()


def test_a_rotated_key_is_the_same_with_another_secret(desk: Desk) -> None:
    """Id, scopes and end stay; the old secret finds nothing at once."""
    admin = desk.key("admin")
    key, secret = desk.manage.issue(admin, "default", "ci", ["runs:read"], desk.clock.now() + timedelta(days=1))
    turned, new = desk.manage.rotate(admin, key.id)
    assert turned == replace(key, prefix=new[:8])
    assert desk.keys.find(digest_of(secret)) is None
    assert desk.keys.find(digest_of(new)) == turned


def test_a_key_that_works_no_more_is_not_rotated(desk: Desk) -> None:
    """Revoked or expired: Conflict."""
    admin = desk.key("admin")
    revoked, _ = desk.manage.issue(admin, "default", "a")
    desk.manage.revoke(admin, revoked.id)
    ended, _ = desk.manage.issue(admin, "default", "b", None, desk.clock.now() + timedelta(seconds=5))
    desk.clock.advance(5)
    for key in (revoked, ended):
        with pytest.raises(Conflict):
            desk.manage.rotate(admin, key.id)


def test_nobody_rotates_a_key_to_get_its_scopes(desk: Desk) -> None:
    """A secret for more than the caller has is not told: Forbidden, and the key's own secret goes on working."""
    admin, weak = desk.key("admin"), desk.key("api-keys:manage", "runs:read")
    with pytest.raises(Forbidden, match="admin"):
        desk.manage.rotate(weak, admin.id)
    assert desk.keys.find(digest_of(admin.id)) == admin
    own, _ = desk.manage.issue(weak, "default", "k", ["runs:read"])
    assert desk.manage.rotate(weak, own.id)[0].id == own.id


def test_another_projects_keys_are_not_found(desk: Desk) -> None:
    """Unknown ids and foreign ones alike, for every act; foreign projects too."""
    stranger, admin = desk.key("admin", project="elsewhere"), desk.key("admin")
    for key_id in (admin.id, "nobody"):
        for act in (desk.manage.get, desk.manage.revoke, desk.manage.rotate):
            with pytest.raises(NotFound):
                act(stranger, key_id)
    with pytest.raises(NotFound):
        desk.manage.page(stranger, "default", 5)
    with pytest.raises(NotFound):
        desk.manage.issue(stranger, "default", "k")
    assert desk.manage.get(admin, admin.id) == admin


def test_admins_manage_the_keys_of_projects_they_made(desk: Desk) -> None:
    """Issue, list, get, rotate, revoke, all by the key's id; who only sees the project is told what is lacking."""
    admin, reader = desk.key("admin"), desk.key("projects:*", "api-keys:manage", "runs:read")
    child = desk.child(admin)
    key, secret = desk.manage.issue(admin, child.id, "first", ["admin"])
    assert key.project == key.namespace == child.id
    assert desk.manage.page(admin, child.id, 5).keys == [key]
    assert desk.manage.rotate(admin, key.id)[0].id == key.id
    assert desk.keys.find(digest_of(secret)) is None
    with pytest.raises(Forbidden, match="admin"):
        desk.manage.issue(reader, child.id, "k", ["runs:read"])
    with pytest.raises(Forbidden, match="admin"):
        desk.manage.page(reader, child.id, 5)
    with pytest.raises(NotFound):
        desk.manage.revoke(reader, key.id)
    assert desk.manage.revoke(admin, key.id).revoked_at is not None


def test_a_project_sees_nothing_of_the_one_that_made_it(desk: Desk) -> None:
    """Ownership leads down one step: not up, and not to grandchildren."""
    admin = desk.key("admin")
    child = desk.child(admin)
    below = desk.key("admin", project=child.id)
    grandchild = desk.child(below)
    for caller, project in ((below, "default"), (admin, grandchild.id)):
        with pytest.raises(NotFound):
            desk.projects.get(caller, project)
        with pytest.raises(NotFound):
            desk.manage.issue(caller, project, "k")
