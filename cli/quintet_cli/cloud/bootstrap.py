"""What a freshly started local cloud does before it is ready: its key, and the first sweep."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable

from quintet_cli.cloud.control_plane import Deployment
from quintet_cli.cloud.emulator import Emulator
from quintet_cli.errors import DeployError
from quintet_cli.settings import Settings

_SWEEP = "SweepFunction"
# Every lease of the process before this one is dead: its workers ended with it.
_SWEEP_EVENT = {"leases": "lapsed"}
_SEED = "from quintet.bootstrap import seed_local_key; import sys; seed_local_key(sys.argv[1])"


async def prepare(settings: Settings, emulator: Emulator, deployment: Deployment, say: Callable[[str], None]) -> None:
    """Seed the local key and run the first sweep, both at once; raise DeployError when the key cannot be seeded."""
    await asyncio.gather(
        asyncio.to_thread(_seed_key, settings, emulator),
        asyncio.to_thread(_sweep, emulator, deployment, say),
    )


def _seed_key(settings: Settings, emulator: Emulator) -> None:
    code = settings.root / "layers" / "core" / "python"
    if not (code / "quintet").is_dir():  # a template without our code
        return
    # A process of its own: the product's settings come from the environment, which in here belongs to the emulator.
    done = subprocess.run(
        [sys.executable, "-c", _SEED, settings.api_key],
        env={**os.environ, **emulator.function_variables(), "PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DeployError(f"The local API key could not be stored: {reason}")


def _sweep(emulator: Emulator, deployment: Deployment, say: Callable[[str], None]) -> None:
    name = deployment.physical_id(_SWEEP)
    if not name:
        return
    fault = emulator.invoke(name, json.dumps(_SWEEP_EVENT).encode())
    if fault:
        # A broken function must not keep the server from starting: mending it is what the server runs for.
        say(f"The first sweep failed, so runs of the last start may wait for the next one: {fault}")
