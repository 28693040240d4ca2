"""The example of a pipeline does what its page says, on the local cloud."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
from tests.local_cloud.server import ROOT, Server

EXAMPLE = ROOT / "examples/etl"
ENDS_WITHIN_S = 120.0
HEADER = "date,precipitation,temp_max,temp_min\n"


def _pipeline(server: Server, *arguments: str) -> list[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QUINTET_")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "pipeline.py"), *arguments],
        env={**clean, "QUINTET_PORT": str(server.port)},
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def _promised() -> list[str]:
    """What the example's page says that it ends with."""
    (block,) = re.findall(r"^```text\n(.*?)^```$", (EXAMPLE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return str(block).splitlines()


def test_the_pipeline_ends_as_its_page_says_each_time(server: Server) -> None:
    """The first session builds the pipeline, the second one finds it; both end as the page says."""
    for _ in range(2):
        assert _pipeline(server)[-len(_promised()) :] == _promised()


def test_days_that_can_not_be_true_are_left_out_and_counted(server: Server, tmp_path: Path) -> None:
    """Another file with a missing figure and a day that is colder at its warmest: the rest is summed up, both are warned of."""
    file = tmp_path / "days.csv"
    file.write_text(f"{HEADER}2020-01-01,1.5,8,2\n2020-01-02,,9,3\n2020-01-03,4,1,6\n2020-01-04,2,7,1\n")
    said = _pipeline(server, str(file))
    assert said[-3:] == [
        "clean: COMPLETED, 4 rows in, 2 out",
        "months: COMPLETED, 2 rows in, 1 out",
        '{"year": "2020", "month": "2020-01", "rain_mm": 3.5}',
    ]
    http = httpx.Client(
        base_url=f"{server.url}/webrobot/api", headers={"X-API-Key": "local-dev-key"}, trust_env=False, timeout=30
    )
    project = http.get("/projects/seattle-weather").json()
    tasks = f"/projects/id/{project['id']}/jobs/{project['jobIds'][0]}/tasks"
    (clean, _) = http.get(tasks).json()
    assert http.get(f"{tasks}/{clean['id']}/metrics").json()["warningCount"] == 2
    http.close()
