"""The local cloud with a meter on its functions: `python -m benchmarks.metered run ...`, otherwise as `quintet run`.

Three things are added in memory, nothing in the product knows of them: every worker gets QUINTET_METER (its AWS calls,
quintet.adapters.aws), every invocation's duration is noted, and every request to S3 that no AWS client made: those by
links, of the runner and of people (`links.jsonl`). One file a function in the folder that BENCH_METER names, one JSON
document a line.
"""

import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

FOLDER = "BENCH_METER"


def attach(folder: Path) -> None:
    """Meters the workers of this process."""
    from quintet_cli.cloud.repairs import lambda_worker  # noqa: PLC0415 - it reads the environment that the emulator has set

    inherited, invoke = lambda_worker._environment, lambda_worker.PythonWorker.invoke

    def environment(config: dict[str, Any], *rest: Any) -> dict[str, str]:
        return {**inherited(config, *rest), "QUINTET_METER": str(folder / f"{config['FunctionName']}.jsonl")}

    def metered(worker: Any, event: Any, request_id: str, **options: Any) -> dict[str, Any]:
        began = time.perf_counter()
        answer = invoke(worker, event, request_id, **options)
        name, memory = worker.config["FunctionName"], int(worker.config.get("MemorySize", 128))
        line = {
            "ms": (time.perf_counter() - began) * 1000,
            "mb": memory,
            "cold": answer["cold_start"],
            "log": len(answer["log"]),
        }
        with (folder / f"{name}.jsonl").open("a", encoding="utf-8") as meter:
            meter.write(json.dumps({"invocation": line}) + "\n")
        return answer

    def linked(method: str) -> None:
        line = {"service": "s3", "operation": f"{method.capitalize()}Object", "capacity": {}}
        with (folder / "links.jsonl").open("a", encoding="utf-8") as meter:
            meter.write(json.dumps({"quintet_meter": line}) + "\n")

    s3 = importlib.import_module("ministack.services.s3")
    handle = s3.handle_request

    async def handled(method: str, path: str, headers: dict[str, str], *rest: Any, **more: Any) -> Any:
        if "botocore" not in headers.get("user-agent", "").lower():
            linked(method)
        return await handle(method, path, headers, *rest, **more)

    setattr(s3, "handle_request", handled)  # noqa: B010 - another's member, as the types see it
    setattr(lambda_worker, "_environment", environment)  # noqa: B010 - another's member, as the types see it
    setattr(lambda_worker.PythonWorker, "invoke", metered)  # noqa: B010


def main() -> None:
    """`quintet`, with the meter attached once the emulator is there."""
    from quintet_cli.cloud.emulator import Emulator  # noqa: PLC0415 - as above
    from quintet_cli.main import main as quintet  # noqa: PLC0415

    start = Emulator.start

    async def started(emulator: Emulator) -> None:
        await start(emulator)
        attach(Path(os.environ[FOLDER]))

    setattr(Emulator, "start", started)  # noqa: B010 - as above
    quintet()


if __name__ == "__main__":
    main()
