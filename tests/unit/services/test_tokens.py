"""Tokens of runs."""

import base64
import json
from collections.abc import Callable

import jwt
import pytest

from quintet.adapters.jwt import Jwt
from quintet.adapters.memory import MemoryVault
from quintet.adapters.memory.signing import MemorySigningSecrets
from quintet.domain.errors import Unauthenticated
from quintet.services.tokens import CONTEXT, NAME, RunToken, RunTokens

RUN = "0192f5a0-7c3e-7000-8000-0000000000aa"


class CountingVault(MemoryVault):
    """Counts what it opens."""

    opened = 0

    def open(self, sealed: str, context: str) -> str:
        """The secret."""
        self.opened += 1
        return super().open(sealed, context)


def tokens(kept: MemorySigningSecrets | None = None, vault: MemoryVault | None = None) -> RunTokens:
    """The tokens of one process."""
    return RunTokens(kept or MemorySigningSecrets(), vault or MemoryVault(), Jwt())


def test_a_token_says_whom_it_speaks_for() -> None:
    """The run's own, and that of one attempt of a step."""
    ours = tokens()
    assert ours.read(ours.issue(RUN)) == RunToken(RUN)
    assert ours.read(ours.issue(RUN, "poll[3].fetch", 17)) == RunToken(RUN, "poll[3].fetch", 17)
    assert ours.issue(RUN) == ours.issue(RUN)


def test_processes_share_one_secret_and_open_it_once() -> None:
    """Whoever needs it first makes it; 32 bytes, kept sealed."""
    kept, vault = MemorySigningSecrets(), CountingVault()
    first, second = tokens(kept, vault), tokens(kept, vault)
    issued = [first.issue(RUN) for _ in range(3)]
    assert [second.read(token) for token in issued] == [RunToken(RUN)] * 3
    assert vault.opened == 2
    sealed = kept.find(NAME)
    assert sealed is not None
    assert len(base64.b64decode(vault.open(sealed, CONTEXT))) == 32


def test_of_two_that_make_the_secret_at_once_one_wins() -> None:
    """The loser takes over what the winner kept."""
    kept, vault = MemorySigningSecrets(), MemoryVault()
    winner = tokens(kept, vault)

    class Late(MemorySigningSecrets):
        def find(self, name: str) -> str | None:
            return None

        def keep(self, name: str, sealed: str) -> str:
            winner.issue(RUN)
            return kept.keep(name, sealed)

    assert winner.read(tokens(Late(), vault).issue(RUN)) == RunToken(RUN)


def _resigned(token: str, algorithm: str, key: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, key, algorithm=algorithm)


def _unsigned(token: str) -> str:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    return f"{header}.{token.split('.')[1]}."


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: "no token",
        lambda token: "a.b.c",
        lambda token: "ä.ö.ü",
        lambda token: "x" * 5000,
        lambda token: token[:-2],
        lambda token: token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"),
        lambda token: (
            f"{token.split('.')[0]}.{_resigned(token, 'HS256', 'k' * 32).split('.')[1][:-3]}abc.{token.split('.')[2]}"
        ),
        lambda token: _resigned(token, "HS256", "another key of thirty-two bytes!"),
        lambda token: _resigned(token, "HS512", "k" * 64),
        _unsigned,
        lambda token: tokens().issue(RUN),
        lambda token: "qk_" + "a" * 43,
    ],
)
def test_what_is_not_ours_is_refused(spoil: Callable[[str], str]) -> None:
    """Malformed, cut, altered, signed by another key or algorithm, or not at all."""
    ours = tokens()
    with pytest.raises(Unauthenticated):
        ours.read(spoil(ours.issue(RUN, "call", 3)))


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"run": 1},
        {"run": None},
        {"run": RUN, "path": "a"},
        {"run": RUN, "tok": 1},
        {"run": RUN, "path": 1, "tok": 1},
    ],
)
def test_claims_of_another_shape_are_refused(claims: dict[str, object]) -> None:
    """Though our own key signed them."""
    kept, vault = MemorySigningSecrets(), MemoryVault()
    ours = tokens(kept, vault)
    ours.issue(RUN)
    key = base64.b64decode(vault.open(str(kept.find(NAME)), CONTEXT))
    with pytest.raises(Unauthenticated):
        ours.read(Jwt().encode(claims, key))
