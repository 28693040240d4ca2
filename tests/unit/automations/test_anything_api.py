"""Whatever is sent, the answer is one of this API's."""

import json
from typing import Any

from automations_desk import Desk, step
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet.dialects.automations.kinds import KINDS

DESK = Desk()
AUTOMATION = DESK.define(step("a"), triggerType="webhook")["id"]
RUN = DESK.run(step("gate", kind="approval_gate"))
SEGMENTS = st.sampled_from(
    ["automation-runs", "automations", "webhooks", "steps", "events", "approve", "run", "versions", "retry", "cancel",
     AUTOMATION, RUN, "1", "a", "gate", "%00", "é", "..", "0" * 32, "urn:uuid:" + RUN, ""]
)  # fmt: skip
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
OTHER_FIELDS = (
    "name config steps key kind retry when input mode stepKey schedule cron webhook path fields comment triggerType status timezone "
    "dependsOn onFailure timeoutSeconds maxAttempts"
)
FIELDS = st.sampled_from([*sorted({f for words in KINDS.values() for f in words.fields}), *OTHER_FIELDS.split()])
WORDS = st.sampled_from(
    [*KINDS, "a", "schedule", "webhook", "custom", "{% 1 %}", "{% ( %}", "* * * * *", "UTC", "from_step"]
)
JSON = st.recursive(
    PLAIN | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=15,
)
STEPS = st.lists(
    st.fixed_dictionaries(
        {"key": WORDS | PLAIN, "kind": st.sampled_from(list(KINDS))},
        optional={"config": st.dictionaries(FIELDS, JSON, max_size=5), "when": JSON, "retry": JSON, "dependsOn": JSON},
    ),
    max_size=3,
)
BODIES = JSON | st.fixed_dictionaries(
    {"name": st.just("n"), "config": st.fixed_dictionaries({"steps": STEPS}, optional={"schedule": JSON})}
)


def in_shape(status: int, text: str) -> None:
    """Asserts that an answer is no fault of ours and has this API's form."""
    assert status < 500, text
    if status >= 400:
        detail = json.loads(text)["detail"]
        assert isinstance(detail, list) is (status == 422)
        for fault in detail if status == 422 else []:
            assert set(fault) == {"loc", "msg", "type"}
            assert all(isinstance(place, str | int) for place in fault["loc"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"]),
    st.lists(SEGMENTS, max_size=5),
    st.text(max_size=20) | st.sampled_from(["limit=1&offset=0", "status=running", "nested=true", "lastEventId=1-0"]),
    BODIES,
)
def test_any_request_gets_an_answer_in_shape(method: str, path: list[str], query: str, body: Any) -> None:
    """Random paths, queries and bodies with a valid key."""
    target = "/api/v1/" + "/".join(path)
    if method == "DELETE" and AUTOMATION in path:
        return
    answer = DESK.send(method, target, body, query=query, headers={"x-quintet-stream": "1"})
    in_shape(answer.status, answer.text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BODIES)
def test_any_definition_is_made_or_refused_in_shape(body: Any) -> None:
    """Whatever is posted as an automation; what is made can be read back."""
    answer = DESK.post("/automations", body)
    in_shape(answer.status, answer.text)
    if answer.status == 201:
        read = DESK.get(f"/automations/{answer.json['id']}")
        assert read.json["config"] == body["config"]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]",:0123e+-. ntf\\u', max_size=40).map(str.encode))
def test_any_bytes_are_refused_in_shape(raw: bytes) -> None:
    """Bodies that are mostly no JSON."""
    answer = DESK.post("/automations", raw=raw.decode("latin-1"))
    in_shape(answer.status, answer.text)
    assert answer.status == 422
