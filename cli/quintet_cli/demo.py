"""`quintet demo`: runs every example of the checkout through the HTTP API and shows each step as it goes."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

import httpx
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from quintet_cli import client
from quintet_cli.errors import CommandError
from quintet_cli.settings import Settings

_START_WITHIN_S = 60.0
_STOP_WITHIN_S = 12.0
_RUN_WITHIN_S = 300.0
_POLL_S = 0.1
_TERMINAL = frozenset({"completed", "failed", "cancelled", "timed_out"})
_GLYPHS = {
    "pending": "[dim]·[/]",
    "waiting": "[yellow]◌[/]",
    "running": "[cyan]▶[/]",
    "completed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[dim]↷[/]",
    "cancelled": "[yellow]■[/]",
}
_RESULT_WIDTH = 200
_REASON_WIDTH = 500
_REASON_LINES = 5
_CELL_WIDTH = 20


@dataclass(frozen=True)
class Example:
    """One folder of examples/: an automation, the input of its run, and the step whose rows are its answer."""

    name: str
    automation: dict[str, Any]
    run_input: dict[str, Any] = field(default_factory=dict)
    show: str | None = None


def run(settings: Settings, console: Console | None = None) -> int:
    """Run all examples to completion; return the exit code: 0 when each of them completed."""
    out = console or Console()
    examples = load(settings.root / "examples")
    with _server(settings, out), client.connect(settings.url, settings.api_key) as api:
        completed = [_run_example(api, example, out) for example in examples]
    out.print()
    if all(completed):
        out.print("Next: [bold]make run[/] and README.md's first session with curl; examples/ has more.")
    here = Path.cwd()
    home = settings.home.relative_to(here) if settings.home.is_relative_to(here) else settings.home
    out.print(f"The run is kept in {home}.", soft_wrap=True, highlight=False, markup=False)
    return 0 if all(completed) else 1


def load(folder: Path) -> list[Example]:
    """Read every example; raise CommandError when there is none or one cannot be read."""
    examples = []
    for path in sorted(folder.glob("*/example.json")):
        try:
            examples.append(_read(path))
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CommandError(f"{path} does not describe an example: {type(error).__name__}: {error}.") from error
    if not examples:
        raise CommandError(f"There are no examples in {folder}.")
    return examples


def _read(path: Path) -> Example:
    """One example.json: `automation` names the definition's file, `inputFiles` the files whose text becomes a field of the run's input."""
    described = _json(path)
    automation = _json(path.parent / described["automation"])
    files = {name: (path.parent / file).read_text() for name, file in described.get("inputFiles", {}).items()}
    return Example(path.parent.name, automation, {**described.get("input", {}), **files}, described.get("show"))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}.") from error


@contextmanager
def _server(settings: Settings, out: Console) -> Iterator[None]:
    """Use the server that answers, or start one for as long as the examples run."""
    if client.is_ready(settings.url):
        yield
        return
    # A file, not a pipe: nobody would read it while the examples run.
    with tempfile.TemporaryFile("w+") as complaints:
        child = subprocess.Popen(
            [sys.executable, "-m", "quintet_cli", "run", "--no-watch", "--root", str(settings.root)],
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            # Ctrl-C is ours to handle: the server is stopped below, after the display.
            start_new_session=True,
        )
        try:
            with out.status("Starting Quintet ..."):
                _await_ready(settings, child, complaints)
            yield
        finally:
            _stop(child)


def _await_ready(settings: Settings, child: "subprocess.Popen[bytes]", complaints: IO[str]) -> None:
    end = time.monotonic() + _START_WITHIN_S
    while not client.is_ready(settings.url):
        if child.poll() is not None:
            complaints.seek(0)
            said = complaints.read().strip().removeprefix("quintet: ")
            raise CommandError(said.splitlines()[-1] if said else "The server ended before it was ready.")
        if time.monotonic() > end:
            raise CommandError(f"The server was not ready within {_START_WITHIN_S:.0f} s.")
        time.sleep(_POLL_S)


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(timeout=_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _run_example(api: httpx.Client, example: Example, out: Console) -> bool:
    automation = _ask(api, "POST", "/api/v1/automations", json=example.automation)
    started = _ask(api, "POST", f"/api/v1/automations/{automation['id']}/run", json={"input": example.run_input})
    title = str(automation.get("name") or example.name)
    where = f"/api/v1/automation-runs/{started['id']}"
    try:
        with Live(console=out, refresh_per_second=12, transient=True) as live:
            current, steps = _follow(api, where, title, live)
    except KeyboardInterrupt:
        # Nobody watches it any more, and the server that it runs on may be about to end.
        with suppress(httpx.HTTPError):
            api.post(f"{where}/cancel")
        raise
    out.print(results(title, current, steps))
    for step in steps:
        if step["status"] == "failed":
            out.print(f"{step['key']}: {step['error']['message']}", style="red", markup=False, highlight=False)
        if step["key"] == example.show and step["status"] == "completed":
            out.print(rows(step["name"], step["result"]["preview"]))
    return bool(current["status"] == "completed")


def _follow(api: httpx.Client, where: str, title: str, live: Live) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    end = time.monotonic() + _RUN_WITHIN_S
    while True:
        # The run first: steps that are read after its end are final.
        current = _ask(api, "GET", where)
        steps: list[dict[str, Any]] = _ask(api, "GET", f"{where}/steps")["steps"]
        if current["status"] not in _TERMINAL:
            reasons = _ask(api, "GET", f"{where}/waiting")["reasons"]
            live.update(progress(title, current, steps, {reason["step"]: reason["detail"] for reason in reasons}))
        else:
            return current, steps
        if time.monotonic() > end:
            raise CommandError(f"The run {current['id']} is still {current['status']} after {_RUN_WITHIN_S:.0f} s.")
        time.sleep(_POLL_S)


def _ask(api: httpx.Client, method: str, path: str, **options: Any) -> Any:
    try:
        response = api.request(method, path, **options)
    except httpx.HTTPError as error:
        raise CommandError(f"{method} {path} got no answer from {api.base_url}: {error}.") from error
    if response.status_code >= 300:
        raise CommandError(f"{method} {path} was answered with {response.status_code}: {_reason(response)}")
    return response.json() if response.content else None


def _reason(response: httpx.Response) -> str:
    """Why a request was refused, in words: the API's own sentence, or each fault with its place on a line."""
    try:
        detail = response.json()["detail"]
        if isinstance(detail, str):
            hint = "; QUINTET_API_KEY must be the server's" if response.status_code == HTTPStatus.UNAUTHORIZED else ""
            return f"{detail}{hint}."
        lines = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in detail]
    except (ValueError, KeyError, TypeError):
        return response.text[:_REASON_WIDTH]
    more = [f"and {len(lines) - _REASON_LINES} more"] if len(lines) > _REASON_LINES else []
    return "".join(f"\n  {line}" for line in [*lines[:_REASON_LINES], *more])


def progress(title: str, current: dict[str, Any], steps: list[dict[str, Any]], waits: dict[str | None, str]) -> Group:
    """Show a run that is under way: one line a step, with what a waiting one waits for (`waits`, by key)."""
    lines = [Text.from_markup(f"[bold]{escape(title)}[/]  {escape(current['status'])}")]
    for step in steps:
        glyph = _GLYPHS.get(step["status"], "·")
        said = waits.get(step["key"]) or _seconds(step["durationSeconds"])
        line = Text.from_markup(
            f"  {glyph} {escape(step['name']):<28} [dim]{escape(step['status']):<10} {escape(said)}[/]"
        )
        line.no_wrap, line.overflow = True, "ellipsis"
        lines.append(line)
    return Group(*lines)


def results(title: str, current: dict[str, Any], steps: list[dict[str, Any]]) -> Table:
    """Show a run that has ended: one row a step."""
    colour = "green" if current["status"] == "completed" else "red"
    heading = f"{escape(title)}: [{colour}]{current['status']}[/] in {_seconds(current['durationSeconds']) or '0 s'}"
    table = Table(title=heading, title_justify="left", title_style="bold", expand=True)
    # In a narrow terminal the result gives way; what names a step and how it ended stays whole.
    table.add_column("step", min_width=max((len(step["key"]) + 2 for step in steps), default=0), no_wrap=True)
    table.add_column("status", min_width=len("completed"), no_wrap=True)
    table.add_column("time", min_width=len("99.99 s"), justify="right", no_wrap=True)
    table.add_column("result", overflow="ellipsis", no_wrap=True, ratio=1)
    for step in steps:
        text = _outcome(step)
        table.add_row(
            f"{_GLYPHS.get(step['status'], '·')} {escape(step['key'])}", step["status"], _seconds(step["durationSeconds"]),
            escape(text if len(text) <= _RESULT_WIDTH else text[: _RESULT_WIDTH - 1] + "…"),
        )  # fmt: skip
    return table


def rows(title: str, found: list[dict[str, Any]]) -> Table:
    """Show the rows of a query; a heading breaks at its underscores, so that nine columns fit into a terminal of 80."""
    table = Table(title=escape(title), title_justify="left", title_style="bold")
    for name in found[0] if found else ():
        numbers = all(isinstance(row[name], (int, float)) for row in found)
        heading = name.replace("_", " ")
        # A number or a word that is broken in two is no longer read as one; long texts may be.
        words = [*heading.split(), *("" if row[name] is None else str(row[name]) for row in found)]
        width = max(map(len, words), default=1)
        least, most = (width, width) if width <= _CELL_WIDTH else (_CELL_WIDTH, None)
        table.add_column(
            escape(heading), justify="right" if numbers else "left", overflow="fold", min_width=least, max_width=most
        )
    for row in found:
        table.add_row(*("" if value is None else escape(str(value)) for value in row.values()))
    return table


def _outcome(step: dict[str, Any]) -> str:
    """What a step came to, as text: its error, its result, or the beginning of a result too large to be sent whole."""
    if step["error"] is not None:
        return json.dumps(step["error"], ensure_ascii=False)
    if step["resultTruncated"]:
        return str(step["result"]["preview"])
    return "" if step["result"] is None else json.dumps(step["result"], ensure_ascii=False)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
