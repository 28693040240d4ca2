"""Watches the checkout and brings each change live within a second, without touching data."""

import asyncio
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

from watchfiles import Change, awatch

from quintet_cli.cloud.control_plane import Deployment
from quintet_cli.cloud.deployer import Deployer
from quintet_cli.cloud.emulator import Emulator
from quintet_cli.errors import CommandError
from quintet_cli.settings import Settings

_DEBOUNCE_MS = 120
_STEP_MS = 30
_FOLDERS = ("functions", "layers", "statemachines")
_IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


class Watcher:
    """Follows functions/, layers/, statemachines/ and template.yaml."""

    def __init__(
        self,
        settings: Settings,
        emulator: Emulator,
        deployer: Deployer,
        opened: Callable[[Deployment], None],
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._emulator = emulator
        self._deployer = deployer
        self._opened = opened
        self._say = say
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Handle changes until cancelled."""
        root = self._settings.root
        folders = [root / name for name in _FOLDERS if (root / name).is_dir()]
        # Editors replace a file by a new one, which a watch on the template itself would lose; the checkout as a whole
        # holds the data folder and the environment, whose files change all the time.
        await asyncio.gather(self._follow(*folders, recursive=True), self._follow(root, recursive=False))

    async def _follow(self, *paths: Path, recursive: bool) -> None:
        watching = awatch(
            *paths, watch_filter=self._concerns, debounce=_DEBOUNCE_MS, step=_STEP_MS, recursive=recursive
        )
        async for changes in watching:
            async with self._turn:
                await self.apply({Path(path) for _, path in changes})

    async def apply(self, paths: set[Path]) -> None:
        """Bring the changes of these files live and say so in one line; never raises for what a file holds."""
        began = time.monotonic()
        try:
            done = await self._apply(paths)
        except CommandError as error:
            self._say(f"Not deployed: {error}")
            return
        except Exception as error:  # noqa: BLE001 - a change that nobody foresaw must not end the server
            self._say(f"Not deployed: {type(error).__name__}: {error}")
            return
        if done:
            self._say(f"Deployed {done} in {time.monotonic() - began:.2f} s")

    async def _apply(self, paths: set[Path]) -> str:
        for path in sorted(paths):
            if path.suffix == ".py" and (fault := syntax_fault(path)):
                raise CommandError(f"{path.relative_to(self._settings.root)}{fault}")
        for path in paths:
            _forget_compiled(path)
        done = []
        names = self._deployer.functions_of(paths)
        if names:
            await asyncio.to_thread(self._emulator.retire_workers, names.values())
            done.append("new code of " + (", ".join(sorted(names)) if len(names) <= 3 else f"{len(names)} functions"))
        if not self._deployer.is_current():
            deployment = await asyncio.to_thread(self._deployer.deploy)
            self._deployer.remember()
            self._opened(deployment)
            done.append("the template and the state machines")
        return " and ".join(done)

    def _concerns(self, _change: Change, path: str) -> bool:
        try:
            parts = Path(path).relative_to(self._settings.root).parts
        except ValueError:
            return False
        if _IGNORED & set(parts) or parts[-1].endswith((".pyc", "~", ".swp", ".tmp")):
            return False
        return parts == ("template.yaml",) or (len(parts) > 1 and parts[0] in _FOLDERS)


def _forget_compiled(path: Path) -> None:
    # Python tells a compiled file's source by its size and the second it was saved in: two saves can look like one.
    if path.suffix == ".py":
        Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)


def syntax_fault(path: Path) -> str:
    """Return where and why a Python file does not compile, as `:line: reason`, or nothing."""
    try:
        compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except FileNotFoundError:
        return ""
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return f":{line}: {error.msg if isinstance(error, SyntaxError) else error}"
    return ""
