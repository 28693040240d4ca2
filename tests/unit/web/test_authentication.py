"""API keys."""

import hashlib
from datetime import datetime, timedelta

import pytest

from quintet.adapters.memory import ManualClock, MemoryKeys
from quintet.domain.errors import Forbidden, Unauthenticated
from quintet.services.ports.keys import Key
from quintet.web.authentication import KEPT, Authenticator, Caller, credential, refuse_cross_site

CLOCK_START = ManualClock().now()


class CountingKeys(MemoryKeys):
    """Keys that count their look-ups, and the notes of their use."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_up = 0
        self.noted: list[float] = []

    def find(self, digest: str) -> Key | None:
        self.looked_up += 1
        return super().find(digest)

    def used(self, digest: str, at: datetime) -> None:
        self.noted.append((at - CLOCK_START).total_seconds())
        super().used(digest, at)


def put(keys: MemoryKeys, secret: str, **fields: object) -> None:
    """Stores a key of that secret."""
    found = {"scopes": frozenset({"runs:read"}), "created_at": CLOCK_START, **fields}
    key = Key(id=f"k-{secret}", project="p", namespace="p", name="n", prefix="s", **found)  # type: ignore[arg-type]
    keys.put(hashlib.sha256(secret.encode()).hexdigest(), key)


@pytest.mark.parametrize(
    ("headers", "cookies", "secret"),
    [
        ({"authorization": "Bearer a"}, [], "a"),
        ({"authorization": "bearer  a "}, [], "a"),
        ({"x-api-key": "b"}, [], "b"),
        ({"x-api-key": "org:b"}, [], "b"),
        ({"x-api-key": "org:team: b "}, [], "b"),
        ({"authorization": "Bearer org:a"}, [], "org:a"),
        ({}, ["other=1", "vai_token=c"], "c"),
        ({"cookie": "x=1; vai_token=c; y=2"}, [], "c"),
        ({"authorization": "Bearer a", "x-api-key": "b"}, ["vai_token=c"], "a"),
        ({"authorization": "Basic eA==", "x-api-key": "b"}, [], "b"),
    ],
)
def test_a_secret_comes_as_bearer_key_header_or_cookie(
    headers: dict[str, str], cookies: list[str], secret: str
) -> None:
    """The bearer token wins over the key header, and that over the cookie; only the key header may name an organisation first."""
    assert credential(headers, cookies).secret == secret


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer "}, {"cookie": "vai_token="}, {"x-api-key": " "}, {"x-api-key": "org:"}]
)
def test_without_a_secret_nobody_is_authenticated(headers: dict[str, str]) -> None:
    """No credential, or an empty one, is none."""
    with pytest.raises(Unauthenticated):
        credential(headers, [])


def test_a_key_is_remembered_for_thirty_seconds() -> None:
    """A valid key is looked up once in that time; a revoked one is refused from then on."""
    keys, clock, authenticator = CountingKeys(), ManualClock(), Authenticator()
    put(keys, "s")
    for _ in range(3):
        assert authenticator.caller("s", keys, clock).project == "p"
    assert keys.looked_up == 1
    put(keys, "s", revoked_at=clock.now())
    clock.advance(KEPT.total_seconds() - 1)
    assert authenticator.caller("s", keys, clock).project == "p"
    clock.advance(1)
    with pytest.raises(Unauthenticated):
        authenticator.caller("s", keys, clock)


def test_an_expired_key_is_refused_at_once_even_when_remembered() -> None:
    """Expiry is judged at every request."""
    keys, clock, authenticator = CountingKeys(), ManualClock(), Authenticator()
    put(keys, "s", expires_at=clock.now() + timedelta(seconds=5))
    authenticator.caller("s", keys, clock)
    clock.advance(5)
    with pytest.raises(Unauthenticated):
        authenticator.caller("s", keys, clock)


def test_a_rotated_key_lives_on_for_thirty_seconds() -> None:
    """A process that knows the old secret takes it until it asks again; the new one works at once."""
    keys, clock, authenticator = CountingKeys(), ManualClock(), Authenticator()
    put(keys, "old")
    assert authenticator.caller("old", keys, clock).project == "p"
    keys.rotate("p", "k-old", hashlib.sha256(b"new").hexdigest(), "n")
    assert authenticator.caller("new", keys, clock).project == "p"
    with pytest.raises(Unauthenticated):
        Authenticator().caller("old", keys, clock)
    clock.advance(KEPT.total_seconds())
    with pytest.raises(Unauthenticated):
        authenticator.caller("old", keys, clock)


def test_the_last_use_is_noted_once_a_minute() -> None:
    """However many calls and processes there are, a key costs one write a minute, and no look-up more."""
    keys, clock = CountingKeys(), ManualClock()
    put(keys, "s")
    authenticators = [Authenticator(), Authenticator()]
    for _ in range(13):
        for authenticator in authenticators:
            authenticator.caller("s", keys, clock)
        clock.advance(10)
    found = keys.get("p", "k-s").last_used_at
    assert found is not None
    assert (found - CLOCK_START).total_seconds() == 120
    assert keys.noted == [0, 60, 120]
    assert keys.looked_up == 2 * 5


def test_a_request_does_not_fail_by_the_note_of_its_use() -> None:
    """When the store can't take it, the caller is let in all the same."""

    class BusyKeys(MemoryKeys):
        def used(self, digest: str, at: datetime) -> None:
            raise RuntimeError("the store is busy")

    keys = BusyKeys()
    put(keys, "s")
    assert Authenticator().caller("s", keys, ManualClock()).project == "p"


def test_a_refused_key_is_not_used() -> None:
    """Neither an expired nor a revoked key gets a last use by being tried."""
    keys, clock = CountingKeys(), ManualClock()
    put(keys, "ended", expires_at=clock.now())
    put(keys, "revoked", revoked_at=clock.now())
    for secret in ("ended", "revoked"):
        with pytest.raises(Unauthenticated):
            Authenticator().caller(secret, keys, clock)
    assert keys.noted == []


def test_an_unknown_key_is_not_remembered() -> None:
    """A key that is made after it was refused works at once."""
    keys, clock, authenticator = CountingKeys(), ManualClock(), Authenticator()
    with pytest.raises(Unauthenticated):
        authenticator.caller("s", keys, clock)
    put(keys, "s")
    assert authenticator.caller("s", keys, clock).name == "n"


def test_what_is_remembered_is_bounded() -> None:
    """However many keys call, only the last ones are remembered; all go on working."""
    keys, clock, authenticator = CountingKeys(), ManualClock(), Authenticator()
    for number in range(1100):
        put(keys, f"s{number}")
        authenticator.caller(f"s{number}", keys, clock)
    authenticator.caller("s1099", keys, clock)
    assert keys.looked_up == 1100
    authenticator.caller("s0", keys, clock)
    assert keys.looked_up == 1101


def test_an_absurd_secret_is_refused_without_a_look_up() -> None:
    """A secret longer than any key is refused."""
    keys = CountingKeys()
    with pytest.raises(Unauthenticated):
        Authenticator().caller("s" * 10_000, keys, ManualClock())
    assert keys.looked_up == 0


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ({"runs:read"}, True),
        ({"runs:*"}, True),
        ({"admin"}, True),
        ({"*"}, True),
        ({"runs:write"}, False),
        ({"jobs:*"}, False),
        (set(), False),
    ],
)
def test_scopes(scopes: set[str], allowed: bool) -> None:
    """The scope itself, its noun's star, admin and * allow; anything else is refused, naming the scope."""
    caller = Caller(Key("k", "p", "p", "n", "s", frozenset(scopes), CLOCK_START))
    if allowed:
        caller.require("runs:read")
    else:
        with pytest.raises(Forbidden, match="runs:read"):
            caller.require("runs:read")


@pytest.mark.parametrize(
    ("method", "headers", "allowed"),
    [
        ("GET", {"origin": "https://evil.test", "host": "q.test"}, True),
        ("POST", {"host": "q.test"}, True),
        ("POST", {"origin": "https://q.test", "host": "q.test"}, True),
        ("POST", {"origin": "https://evil.test", "host": "q.test"}, False),
        ("POST", {"origin": "null", "host": "q.test"}, False),
        ("DELETE", {"sec-fetch-site": "cross-site", "host": "q.test"}, False),
        ("POST", {"sec-fetch-site": "same-origin", "origin": "http://q.test:1", "host": "q.test:1"}, True),
    ],
)
def test_another_sites_page_changes_nothing_with_a_users_cookie(
    method: str, headers: dict[str, str], allowed: bool
) -> None:
    """Changes by cookie need the request to come from the API's own origin, as browsers say."""
    if allowed:
        refuse_cross_site(method, headers)
    else:
        with pytest.raises(Forbidden):
            refuse_cross_site(method, headers)
