"""The step kinds of this API and how their config fields are called in the core: one table, read both ways."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KindWords:
    """One kind: its name in the core, and the core name of each of its config fields. BODY marks where a body's steps go."""

    core: str
    fields: Mapping[str, str]

    def wire_field(self, core_field: str) -> str:
        """This API's name of a core config field; an unknown one keeps its own."""
        return next((wire for wire, core in self.fields.items() if core == core_field), core_field)


BODY = "<body>"
TIMEOUT = "<timeout>"

KINDS: dict[str, KindWords] = {
    "http_request": KindWords(
        "http",
        {
            "url": "url",
            "method": "method",
            "headers": "headers",
            "query": "query",
            "body": "body",
            "expectStatus": "expect_status",
        },
    ),
    "python": KindWords("python", {"code": "code", "timeout": TIMEOUT, "memoryMb": "memory_mb"}),
    "duckdb_transform": KindWords("sql", {"sql": "sql", "inputs": "inputs", "format": "format"}),
    "wait": KindWords("wait", {"seconds": "seconds", "until": "until"}),
    "conditional_branch": KindWords("switch", {"expression": "expression"}),
    "approval_gate": KindWords(
        "input",
        {"message": "message", "approvers": "approvers", "fields": "fields", "timeoutSeconds": "timeout_seconds"},
    ),
    "call_automation": KindWords("subrun", {"automationId": "job_id", "input": "input", "wait": "wait"}),
    "loop": KindWords("loop", {"while": "while", "until": "until", "steps": BODY, "maxIterations": "max_iterations"}),
    "map": KindWords(
        "map",
        {
            "items": "items",
            "steps": BODY,
            "maxConcurrency": "max_concurrency",
            "tolerateFailures": "tolerate_failures",
        },
    ),
    "shell": KindWords("shell", {"script": "script", "env": "env"}),
    "spark": KindWords("spark", {"program": "program", "args": "args", "conf": "conf"}),
    "set": KindWords("set", {"values": "values"}),
}

WIRE_KINDS: dict[str, str] = {words.core: wire for wire, words in KINDS.items()}
"""This API's name of each core kind."""


def kind_list() -> str:
    """The kinds one can use, for messages."""
    return ", ".join(f"'{name}'" for name in KINDS)
