"""What a change of a file leads to."""

import asyncio
import py_compile
from pathlib import Path
from typing import Any

import pytest

from quintet_cli.cloud.control_plane import Deployment
from quintet_cli.cloud.watch import Watcher, syntax_fault
from quintet_cli.errors import DeployError
from quintet_cli.settings import Settings


class FakeCloud:
    """Stands for the emulator and the deployer, and keeps what they were told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[str] = []
        self.current = True
        self.fault = ""

    def is_current(self) -> bool:
        """Tell whether the template is the deployed one."""
        return self.current

    def deploy(self) -> Deployment:
        """Deploy, or fail as the test wants."""
        if self.fault:
            raise DeployError(self.fault)
        self.told.append("deploy")
        return Deployment()

    def remember(self) -> None:
        """Write the record."""
        self.told.append("remember")

    def functions_of(self, paths: set[Path]) -> dict[str, str]:
        """Name the function of each path below functions/."""
        found = [path.relative_to(self.root / "functions").parts[0] for path in paths if "functions" in path.parts]
        return {name: f"stack-{name}" for name in found}

    def retire_workers(self, names: Any) -> None:
        """End workers."""
        self.told.append("retire " + " ".join(sorted(names)))


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    """A cloud over a checkout with one function."""
    (tmp_path / "functions/f").mkdir(parents=True)
    (tmp_path / "functions/f/handler.py").write_text("x = 1\n")
    return FakeCloud(tmp_path)


def _apply(cloud: FakeCloud, *names: str) -> list[str]:
    said: list[str] = []

    def opened(_deployment: Deployment) -> None:
        cloud.told.append("open")

    settings = Settings(root=cloud.root, home=cloud.root / ".quintet")
    watcher = Watcher(settings, cloud, cloud, opened, said.append)  # type: ignore[arg-type]  # the fake is both
    asyncio.run(watcher.apply({cloud.root / name for name in names}))
    return said


def test_new_code_needs_new_workers_and_nothing_else(cloud: FakeCloud) -> None:
    """A changed handler retires its function's workers and says so in one line."""
    [said] = _apply(cloud, "functions/f/handler.py")
    assert cloud.told == ["retire stack-f"]
    assert said.startswith("Deployed new code of f in ")


def test_two_saves_within_a_second_are_two(cloud: FakeCloud) -> None:
    """What Python compiled of the first save is not taken for the second one, which has the same size and second."""
    compiled = Path(py_compile.compile(str(cloud.root / "functions/f/handler.py")) or "")
    assert compiled.exists()
    _apply(cloud, "functions/f/handler.py")
    assert not compiled.exists()


def test_a_changed_template_is_deployed_and_recorded(cloud: FakeCloud) -> None:
    """The stack is updated, its record written, and the front door opened on it."""
    cloud.current = False
    [said] = _apply(cloud, "template.yaml")
    assert cloud.told == ["deploy", "remember", "open"]
    assert said.startswith("Deployed the template and the state machines in ")


def test_a_syntax_error_changes_nothing_and_is_said_in_one_line(cloud: FakeCloud) -> None:
    """Workers with the old code go on while the new code cannot be compiled."""
    (cloud.root / "functions/f/handler.py").write_text("x = 1\ndef (\n")
    assert _apply(cloud, "functions/f/handler.py") == ["Not deployed: functions/f/handler.py:2: invalid syntax"]
    assert cloud.told == []


def test_a_template_that_is_refused_is_said_in_one_line(cloud: FakeCloud) -> None:
    """A deployment that fails leaves the server running."""
    cloud.current, cloud.fault = False, "template.yaml was refused: no."
    assert _apply(cloud, "template.yaml") == ["Not deployed: template.yaml was refused: no."]


def test_new_code_is_live_even_while_the_template_is_refused(cloud: FakeCloud) -> None:
    """A template that cannot be deployed does not hold back the code."""
    cloud.current, cloud.fault = False, "no."
    _apply(cloud, "functions/f/handler.py")
    assert cloud.told == ["retire stack-f"]


def test_a_file_that_changes_nothing_says_nothing(cloud: FakeCloud) -> None:
    """A touched file outside of what is deployed is no news."""
    assert _apply(cloud, "statemachines/readme.txt") == []


@pytest.mark.parametrize(("text", "said"), [(b"x = 1", ""), (b"def (", ":1: invalid syntax"), (b"x = '\xff'", ":1: ")])
def test_what_does_not_compile_is_located(tmp_path: Path, text: bytes, said: str) -> None:
    """The line and the reason are given, for wrong encodings as well."""
    path = tmp_path / "m.py"
    path.write_bytes(text)
    found = syntax_fault(path)
    assert found.startswith(said) and bool(found) is bool(said)


def test_a_removed_file_is_no_syntax_error(tmp_path: Path) -> None:
    """A module that is deleted is not compiled."""
    assert syntax_fault(tmp_path / "none.py") == ""
