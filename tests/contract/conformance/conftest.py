"""A local cloud of its own, that is thrown away: thousands of requests leave much behind."""

from collections.abc import Iterator

import httpx
import pytest
from tests.contract.conformance.world import Later, World
from tests.local_cloud.server import Server


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A project on a running cloud, with things that requests can name."""
    server = Server(tmp_path_factory.mktemp("conformance") / "home")
    with Later() as endpoint:
        try:
            with httpx.Client(base_url=server.start().url, timeout=60, trust_env=False) as client:
                yield World(client, endpoint)
        finally:
            server.stop()
