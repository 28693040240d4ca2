"""Builds the pipeline once, executes it, shows what it came to: a CSV file, a Python task, a SQL task. `pipeline.py [file.csv]`"""

import json
import os
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

PORT = int(os.environ.get("QUINTET_PORT", "8020"))
KEY = os.environ.get("QUINTET_API_KEY", "local-dev-key")
HERE = Path(__file__).parent
WEATHER = HERE.parent / "weather/seattle-weather.csv"
NAME = "seattle-weather"
WETTEST = """
SELECT year, month, rain_mm FROM (SELECT left(month, 4) AS year, month, rain_mm,
       row_number() OVER (PARTITION BY left(month, 4) ORDER BY rain_mm DESC) AS place FROM dataset)
WHERE place = 1 ORDER BY year
"""


def ask(method: str, path: str, body: Any = None, type_: str = "application/json", *, missing: bool = False) -> Any:
    """One request's JSON; None for a 404 if that may be. Raises RuntimeError for any other refusal."""
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection = HTTPConnection("localhost", PORT, timeout=60)
    try:
        connection.request(method, f"/webrobot/api{path}", sent, {"X-API-Key": KEY, "Content-Type": type_})
        answer = connection.getresponse()
        said = answer.read().decode()
    finally:
        connection.close()
    if missing and answer.status == 404:
        return None
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status} {said}")
    return json.loads(said)


def the_job() -> str:
    """The path of the pipeline's job: created with its dataset and tasks, or the one that is there."""
    project = ask("GET", f"/projects/{NAME}", missing=True) or ask("POST", "/projects", {"name": NAME})
    jobs = f"/projects/id/{project['id']}/jobs"
    if project["jobIds"]:
        return f"{jobs}/{project['jobIds'][0]}"
    data = ask("POST", "/datasets", {"name": "weather, day by day", "format": "csv"})
    job = f"{jobs}/{ask('POST', jobs, {'name': 'by month', 'inputDatasetId': data['id']})['id']}"
    clean = ask("POST", f"{job}/tasks", {"name": "clean", "taskType": "PYTHON", "botId": "weather-clean"})
    months = {"name": "months", "taskType": "SQL", "botId": "weather-months", "dependsOn": [clean["id"]]}
    ask("POST", f"{job}/tasks", {**months, "inputDatasetId": clean["outputDatasetId"]})
    return job


def execute(job: str) -> Any:
    """One execution from start to end; its status."""
    execution = ask("POST", f"{job}/execute", {"params": {"most_rain": 200}})["executionId"]
    shown = None
    while True:
        stands = ask("GET", f"{job}/executions/{execution}/status")
        if (said := f"{stands['status']} {stands['progress']:.0f} %") != shown:
            shown = said
            sys.stdout.write(f"{said}\n")
        if stands["status"] != "RUNNING":
            return stands
        time.sleep(0.2)


def main(file: str = str(WEATHER)) -> int:
    """Upload, execute, ask; the exit code is 0 for an execution that completed."""
    ask("PUT", "/bots/weather-clean", (HERE / "clean.py").read_bytes(), "text/x-python")
    ask("PUT", "/bots/weather-months", (HERE / "months.sql").read_bytes(), "application/sql")
    job = the_job()
    data = ask("GET", job)["inputDatasetId"]
    ask("PUT", f"/datasets/{data}/content", Path(file).read_bytes(), "text/csv")

    stands = execute(job)
    for task in ask("GET", f"{job}/tasks"):
        log = json.loads(task["executionLog"] or "{}")
        figures = f"{log.get('recordsProcessed')} rows in, {log.get('recordsOutput')} out"
        sys.stdout.write(f"{task['name']}: {task['executionStatus']}, {log.get('error') or figures}\n")
        last = task["id"]
    if stands["status"] != "COMPLETED":
        return 1
    answer = ask("POST", f"/datasets/query/task/{last}", {"sql": WETTEST})
    for row in answer["results"]:
        sys.stdout.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
