"""Scopes and slugs."""

import pytest

from quintet.domain.scopes import SCOPES, WORKING, allows
from quintet.domain.slug import SLUG, slug_of


@pytest.mark.parametrize(
    ("held", "scope", "allowed"),
    [
        ({"jobs:read"}, "jobs:read", True),
        ({"jobs:read"}, "jobs:write", False),
        ({"jobs:*"}, "jobs:trigger", True),
        ({"jobs:*"}, "runs:read", False),
        ({"jobs:*"}, "jobs:*", True),
        ({"projects:read", "projects:write"}, "projects:*", False),
        ({"admin"}, "api-keys:manage", True),
        ({"*"}, "admin", True),
        ({"admin"}, "*", True),
        ({"jobs:*", "runs:*", "projects:*"}, "admin", False),
        ({"jobs:*", "runs:*", "projects:*"}, "*", False),
        ({"job:*"}, "jobs:read", False),
        (set(), "jobs:read", False),
    ],
)
def test_what_scopes_include(held: set[str], scope: str, allowed: bool) -> None:
    """A scope includes itself, a noun's star every scope of that noun, admin and * everything."""
    assert allows(held, scope) is allowed


def test_the_usual_scopes_are_scopes_that_rule_nobody() -> None:
    """What a key gets by itself exists, and has no say over keys or projects."""
    assert set(WORKING) < set(SCOPES)
    assert not any(allows(WORKING, scope) for scope in ("api-keys:manage", "projects:read", "admin", "*"))


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Nightly Report", "nightly-report"),
        ("  Größe & Maß!  ", "groe-ma"),
        ("Café_2", "cafe_2"),
        ("日本", ""),
        ("a" * 300, "a" * 128),
        ("a" * 127 + " b", "a" * 127),
    ],
)
def test_a_name_becomes_a_slug(name: str, slug: str) -> None:
    """Lower case, accents dropped, the rest dashes, never too long, never with a dash at an end."""
    assert slug_of(name) == slug
    assert not slug or SLUG.fullmatch(slug)
