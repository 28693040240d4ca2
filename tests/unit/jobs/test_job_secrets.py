"""The secrets of jobs: what they sign, how one takes the place of another, and that nobody is shown them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jobs_desk import URL, Desk

from quintet.adapters.signatures import StandardSignatures
from quintet.dialects.automations.app import build as build_automations
from quintet.services.ports.http import HttpRequest

SECRETS = ["the first secret", "the second secret", "the third secret"]


def sealed(desk: Desk, job_id: str) -> list[tuple[str, timedelta | None]]:
    """The secrets that a job has, in clear, each with how long it is still valid."""
    entries = desk.services.jobs.get("default", job_id).settings.get("signing", {"secrets": []})["secrets"]
    return [
        (
            desk.vault.open(entry["sealed"], f"webhook:{job_id}"),
            desk.clock.now().fromisoformat(entry["until"]) - desk.clock.now() if "until" in entry else None,
        )
        for entry in entries
    ]


def signers(desk: Desk, call: HttpRequest | None = None) -> list[str]:
    """The secrets that signed a call (the last one), in their order."""
    sent = call or desk.endpoints.calls[-1]
    at = datetime.fromtimestamp(int(sent.headers["webhook-timestamp"]), UTC)
    text = (sent.body or b"").decode()
    known = {StandardSignatures().sign(one, sent.headers["webhook-id"], at, text): one for one in SECRETS}
    return [known[signature] for signature in sent.headers.get("webhook-signature", "").split()]


@pytest.mark.parametrize("given", [{}, {"webhook_url": URL}])
def test_a_new_secret_leaves_the_old_one_a_day(desk: Desk, given: dict[str, str]) -> None:
    """Both are kept meanwhile; what is over goes with the next change of secrets; null removes all at once. None of it is a version."""
    made = desk.job(**given, webhook_secret=SECRETS[0])
    assert sealed(desk, made["id"]) == [(SECRETS[0], None)]
    desk.clock.advance(1)
    changed = desk.patch(f"/jobs/{made['id']}", {"webhook_secret": SECRETS[1]}).json
    assert (changed["version"], changed["version_id"]) == (1, made["version_id"])
    assert changed["updated_at"] > made["updated_at"]
    assert sealed(desk, made["id"]) == [(SECRETS[1], None), (SECRETS[0], timedelta(hours=24))]
    desk.patch(f"/jobs/{made['id']}", {"description": "other"})
    assert len(sealed(desk, made["id"])) == 2
    desk.clock.advance(90_000)
    desk.patch(f"/jobs/{made['id']}", {"webhook_secret": SECRETS[2]})
    assert sealed(desk, made["id"]) == [(SECRETS[2], None), (SECRETS[1], timedelta(hours=24))]
    desk.patch(f"/jobs/{made['id']}", {"webhook_secret": None})
    assert sealed(desk, made["id"]) == []
    assert [version["version"] for version in desk.get(f"/jobs/{made['id']}/versions").json] == [2, 1]


@pytest.mark.parametrize("policy", [{}, {"version_policy": "latest"}])
def test_a_call_is_signed_by_what_its_job_has_when_it_is_made(desk: Desk, policy: dict[str, str]) -> None:
    """Runs that were delayed long before: both secrets sign after a rotation, a day later the new one, and after null none does."""
    made = desk.job(**policy, webhook_secret=SECRETS[0])
    path, began = f"/jobs/{made['id']}", desk.now()
    for hours in (1, 2, 30, 40):
        at = (began + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
        assert desk.trigger(made["id"], scheduled_at=at, payload=hours)["status"] == "delayed"
    desk.pass_time(3600)
    assert signers(desk) == [SECRETS[0]]
    desk.patch(path, {"webhook_secret": SECRETS[1]})
    desk.patch(path, {"max_attempts": 9})
    desk.pass_time(3600)
    assert signers(desk) == [SECRETS[1], SECRETS[0]]
    desk.pass_time(28 * 3600)
    assert signers(desk) == [SECRETS[1]]
    desk.patch(path, {"webhook_secret": None})
    desk.pass_time(10 * 3600)
    assert signers(desk) == []
    assert [call.body for call in desk.endpoints.calls] == [b"1", b"2", b"30", b"40"]


def test_queued_retried_and_replayed_runs_are_signed_by_the_present_secret(desk: Desk) -> None:
    """A replay enacts the version of before, by the secret of now."""
    job_id = desk.job(max_concurrency=1, webhook_secret=SECRETS[0], retry_strategy="fixed")["id"]

    def rotate(_request: HttpRequest) -> tuple[int, Any]:
        desk.patch(f"/jobs/{job_id}", {"webhook_secret": None})
        desk.patch(f"/jobs/{job_id}", {"webhook_secret": SECRETS[1]})
        return 503, None

    desk.endpoints.replies[URL] = [rotate, (200, None)]
    first, second = (desk.trigger(job_id, payload=n)["id"] for n in (1, 2))
    desk.drive()
    desk.pass_time(60)
    assert [desk.get(f"/runs/{run_id}").json["status"] for run_id in (first, second)] == ["completed", "completed"]
    desk.patch(f"/jobs/{job_id}", {"webhook_secret": None})
    desk.patch(f"/jobs/{job_id}", {"webhook_secret": SECRETS[2]})
    assert desk.post(f"/runs/{first}/replay").status == 201
    desk.drive()
    assert [signers(desk, call) for call in desk.endpoints.calls] == [
        [one] for one in (*SECRETS[:2], SECRETS[1], SECRETS[2])
    ]


def test_a_job_of_tasks_signs_each_of_its_calls(desk: Desk) -> None:
    """By the job's secret, though the endpoints are the tasks'."""
    tasks = [{"step_ref": ref, "endpoint": f"{URL}/{ref}"} for ref in ("a", "b")]
    desk.trigger(desk.job(tasks=tasks, webhook_secret=SECRETS[0])["id"])
    desk.drive()
    assert [signers(desk, call) for call in desk.endpoints.calls] == [[SECRETS[0]], [SECRETS[0]]]


def test_a_copy_has_the_present_secret_alone(desk: Desk) -> None:
    """Sealed for it anew; a copy of a job whose secret was removed has none."""
    made = desk.job(webhook_secret=SECRETS[0])
    desk.patch(f"/jobs/{made['id']}", {"webhook_secret": SECRETS[1]})
    copy = desk.post(f"/jobs/{made['id']}/clone").json["id"]
    assert sealed(desk, copy) == [(SECRETS[1], None)]
    desk.patch(f"/jobs/{made['id']}", {"webhook_secret": None})
    assert sealed(desk, desk.post(f"/jobs/{made['id']}/clone").json["id"]) == []


@pytest.mark.parametrize("fields", [{}, {"tasks": [{"step_ref": "a", "endpoint": URL}]}])
def test_the_automations_api_shows_no_secret_of_a_job(desk: Desk, fields: dict[str, Any]) -> None:
    """Neither in clear nor sealed, in the definition and in its versions: whoever may read jobs reads these."""
    made = desk.job(**fields, webhook_url=URL, webhook_secret=SECRETS[0])
    desk.patch(f"/jobs/{made['id']}", {"webhook_secret": SECRETS[1]})
    kept = [one["sealed"] for one in desk.services.jobs.get("default", made["id"]).settings["signing"]["secrets"]]
    assert len(kept) == 2
    version = desk.services.jobs.version(made["id"], 1)
    desk.api = build_automations(lambda: desk.services)
    shown = [desk.send("GET", f"/api/v1/automations{tail}") for tail in (f"/{made['id']}", f"/{made['id']}/versions/1")]
    assert [answer.status for answer in shown] == [200, 200]
    texts = [*(answer.text for answer in shown), repr(version)]
    assert all(URL in text for text in texts)
    for told in (*SECRETS, *kept, "secret_context", '"secrets"', "'secrets'"):
        assert not [text for text in texts if told in text]


def test_secrets_never_come_back(desk: Desk) -> None:
    """In no answer about the job, its versions or its copies, and not in what is stored in clear."""
    made = desk.job(webhook_url=URL, webhook_secret=SECRETS[0])
    job_id = made["id"]
    answers = [desk.patch(f"/jobs/{job_id}", {"webhook_secret": SECRETS[1]}), desk.post(f"/jobs/{job_id}/clone")]
    answers += [desk.get(path) for path in ("/jobs", f"/jobs/{job_id}", f"/jobs/{job_id}/versions")]
    answers.append(desk.patch(f"/jobs/{job_id}", {"webhook_secret": 1}))
    for answer in answers:
        assert not [secret for secret in SECRETS if secret in answer.text]
        assert answer.status == 400 or "webhook_secret" not in answer.text
