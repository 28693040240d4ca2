"""The repaired emulator as a process of its own, for tests that call it over HTTP or kill it: `emulator.py PORT HOME`.

`QUINTET_TEST_UNREPAIRED=1` leaves the repairs out: each test of this folder must fail then.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path


def configure(port: int, home: Path) -> None:
    """Set what MiniStack reads at import."""
    os.environ.update(
        {
            "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0",
            "STATE_DIR": str(home / "state"), "S3_DATA_DIR": str(home / "s3"), "S3_PERSIST": "1",
            "QUINTET_WORKER_DIR": str(home / "workers"), "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        }
    )  # fmt: skip


async def serve(port: int) -> None:
    """Serve until SIGTERM, then let MiniStack shut down."""
    from hypercorn.asyncio import serve as hypercorn_serve  # noqa: PLC0415 - MiniStack reads the environment that configure() sets
    from hypercorn.config import Config  # noqa: PLC0415 - MiniStack reads the environment that configure() sets
    from ministack.app import app  # noqa: PLC0415 - MiniStack reads the environment that configure() sets

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    await hypercorn_serve(app, config, shutdown_trigger=stop.wait)


def main() -> None:
    """Start with the repairs and, when asked, the write-ahead log."""
    port, home = int(sys.argv[1]), Path(sys.argv[2])
    configure(port, home)
    log = None
    if not os.environ.get("QUINTET_TEST_UNREPAIRED"):
        from quintet_cli.cloud import repairs  # noqa: PLC0415 - MiniStack reads the environment that configure() sets

        repairs.apply()
        if os.environ.get("QUINTET_TEST_WAL"):
            from quintet_cli.cloud.wal import WriteAheadLog  # noqa: PLC0415 - MiniStack reads the environment that configure() sets

            log = WriteAheadLog(home / "wal")
            log.attach()
    try:
        asyncio.run(serve(port))
    finally:
        if log is not None:
            log.close()
        if "ministack.core.lambda_runtime" in sys.modules:
            sys.modules["ministack.core.lambda_runtime"].reset()


if __name__ == "__main__":
    main()
