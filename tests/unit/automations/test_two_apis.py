"""Several APIs of one process."""

from automations_desk import Desk, step

from quintet.dialects.automations.openapi import document


def test_each_answers_with_its_own_engine() -> None:
    """Also after another was made of the same routes, be it only to print the document."""
    first = Desk()
    made = first.define(step("a"))["id"]
    second = Desk()
    document()
    assert first.get(f"/automations/{made}").status == 200
    assert second.get(f"/automations/{made}").status == 404
    assert first.get("/automations").json["total"] == 1
