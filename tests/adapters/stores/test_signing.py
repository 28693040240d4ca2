"""Port SigningSecrets."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from quintet.adapters.dynamodb.signing import DynamoSigningSecrets
from quintet.adapters.memory.signing import MemorySigningSecrets
from quintet.services.ports.signing import SigningSecrets

from .conftest import make_table


@pytest.fixture(params=["memory", "aws"])
def secrets(request: pytest.FixtureRequest) -> SigningSecrets:
    """An empty SigningSecrets."""
    if request.param == "memory":
        return MemorySigningSecrets()
    request.getfixturevalue("aws")
    return DynamoSigningSecrets(make_table("JobsTable"))


def test_the_first_secret_of_a_name_is_kept(secrets: SigningSecrets) -> None:
    """A second is not; other names have their own."""
    assert secrets.find("a") is None
    assert secrets.keep("a", "first") == "first"
    assert secrets.keep("a", "second") == "first"
    assert secrets.keep("b", "other") == "other"
    assert (secrets.find("a"), secrets.find("b"), secrets.find("c")) == ("first", "other", None)


def test_racing_callers_all_get_the_same(secrets: SigningSecrets) -> None:
    """Else tokens of one process would be refused by another."""
    with ThreadPoolExecutor(16) as pool:
        got = set(pool.map(lambda number: secrets.keep("a", f"secret {number}"), range(32)))
    assert got == {secrets.find("a")}
