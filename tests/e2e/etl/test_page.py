"""The sessions of docs/etl.md and of the README's part on ETL answer what they promise, typed into a shell as they stand."""

import json
import re
import subprocess
from typing import Any

from tests.local_cloud.server import ROOT, Server

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("agent.py", "spark")
"""What a session needs beside the server is looked at elsewhere: a port of its own (test_work), Spark (tests/e2e/spark)."""


def _typed(server: Server, *blocks: str) -> list[Any]:
    """What a shell prints that is JSON, piece by piece."""
    script = "\n".join(blocks).replace("8020", str(server.port))
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    decoder, found, rest = json.JSONDecoder(), [], done.stdout.lstrip()
    while rest:
        one, end = decoder.raw_decode(rest)
        found.append(one)
        rest = rest[end:].lstrip()
    return found


def test_the_page_promises_what_comes(server: Server) -> None:
    """Nothing that is typed is refused, and every result that the page shows is among the answers."""
    fences = FENCE.findall((ROOT / "docs/etl.md").read_text())
    typed = [body for kind, body in fences if kind == "sh" and not any(word in body for word in ELSEWHERE)]
    shown = [json.loads(body) for kind, body in fences if kind == "json" and body.startswith('{"results"')]
    promised = [one for one in shown if "seen" not in one["results"][0]]
    answers = _typed(server, *typed)
    assert len(promised) == 3
    assert [one for one in answers if isinstance(one, dict) and "error" in one and "code" in one] == []
    assert [one for one in promised if one not in answers] == []


def test_the_first_page_promises_what_comes(server: Server) -> None:
    """The README's session ends with the answer that it shows."""
    text = (ROOT / "README.md").read_text()
    part = text.split("\n## ETL\n")[1].split("\n## ")[0]
    ((_, typed),) = FENCE.findall(part)
    (promised,) = re.findall(r"answers `(\{.*?\})`\.", part)
    before = [line for line in text.splitlines() if line.startswith(("json=", "id()"))]
    assert _typed(server, *before, typed)[-1] == json.loads(promised)
