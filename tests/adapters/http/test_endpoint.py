"""The endpoint kind over the real client, against a real server on loopback."""

from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from quintet.adapters.clock import SystemClock
from quintet.adapters.http import GuardedHttpClient
from quintet.adapters.http_guard import AddressGuard
from quintet.adapters.jsonata import JsonataExpressions
from quintet.adapters.jsonschema import JsonSchemas
from quintet.adapters.jwt import Jwt
from quintet.adapters.memory import MemoryVault
from quintet.adapters.memory.signing import MemorySigningSecrets
from quintet.adapters.signatures import StandardSignatures
from quintet.domain.definition import StepDef
from quintet.domain.outcome import Completed, Failed, Outcome
from quintet.domain.run import Run
from quintet.domain.state import StepState
from quintet.domain.status import RunStatus
from quintet.services.ports.steps import StepCall
from quintet.services.tokens import RunTokens
from quintet.steps.endpoint import EndpointKind

SECRET = "whsec_" + "c2VjcmV0" * 4
VAULT = MemoryVault()


@pytest.fixture
def kind(client: GuardedHttpClient) -> EndpointKind:
    """The kind with real tools, where it may reach loopback."""
    tokens = RunTokens(MemorySigningSecrets(), VAULT, Jwt())
    return EndpointKind(
        JsonataExpressions(), client, VAULT, tokens, _secrets, StandardSignatures(), JsonSchemas(), SystemClock()
    )


def _secrets(run: Run) -> list[str]:
    return [VAULT.seal(SECRET, f"webhook:{run.job_id}")]


def enact(kind: EndpointKind, **config: Any) -> Outcome:
    """One attempt that began now."""
    now = datetime.now(UTC)
    run = Run("run-1", "p", "job-1", 1, "v1", RunStatus.EXECUTING, now, now, started_at=now, follows=True)
    step = StepState("call", StepDef("call", "endpoint", config=config), "", 0)
    return kind.enact(
        StepCall(
            run=run,
            step=step,
            attempt=1,
            token=3,
            child=None,
            config=config,
            scope=lambda: {"input": {"a": "ü"}},
            timeout=10.0,
            now=now,
            log=lambda _level, _message: None,
            results=lambda _index: {},
            failure=lambda _index: None,
        )
    )


def test_what_arrives_is_what_was_signed(kind: EndpointKind, server: Any) -> None:
    """A receiver verifies the bytes it got; every phase was measured."""
    outcome = enact(kind, url=f"http://127.0.0.1:{server.port}/echo")

    assert isinstance(outcome, Completed)
    seen = outcome.result
    assert Webhook(SECRET).verify(seen["body"], seen["headers"]) == {"a": "ü"}
    assert (seen["method"], seen["headers"]["x-run-id"], seen["headers"]["x-run-token"]) == ("POST", "run-1", "***")
    assert outcome.trace is not None
    assert set(outcome.trace) == {
        "queue_wait_ms", "dequeue_ms", "dispatch_ms", "connect_ms", "ttfb_ms", "transfer_ms", "total_ms"
    }  # fmt: skip
    assert outcome.trace["connect_ms"] > 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://10.0.0.1/", "http://169.254.169.254/latest/", ""])
def test_a_redirect_is_not_followed(
    kind: EndpointKind, server: Any, other_server: Any, status: int, target: str
) -> None:
    """Payload, token and signature go to the address that was given; the call fails for good, and the fallback isn't called for it."""
    url = f"http://127.0.0.1:{server.port}/redirect/{status}?" + (
        target or f"http://127.0.0.1:{other_server.port}/echo"
    )

    outcome = enact(kind, url=url, fallback_url=f"http://127.0.0.1:{server.port}/echo")

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.retryable) == ("HttpStatus", False)
    assert outcome.error.details["status"] == status


def test_the_fallback_answers_when_nobody_listens(kind: EndpointKind, server: Any, other_server: Any) -> None:
    """A server that hangs up counts as nobody too."""
    outcome = enact(
        kind, url=f"http://127.0.0.1:{server.port}/cut", fallback_url=f"http://127.0.0.1:{other_server.port}/echo"
    )

    assert isinstance(outcome, Completed)
    assert outcome.result["path"] == "/echo"


def test_a_deployed_kind_calls_nothing_of_ours(server: Any) -> None:
    """The same call without a developer's machine's leave."""
    tokens = RunTokens(MemorySigningSecrets(), VAULT, Jwt())
    deployed = EndpointKind(
        JsonataExpressions(),
        GuardedHttpClient(AddressGuard()),
        VAULT,
        tokens,
        _secrets,
        StandardSignatures(),
        JsonSchemas(),
        SystemClock(),
    )

    outcome = enact(deployed, url=f"http://127.0.0.1:{server.port}/echo")

    assert isinstance(outcome, Failed)
    assert outcome.error.type == "HttpRefused"
