"""The system's clock."""

import time
from datetime import datetime

from quintet.domain.events import from_millis


class SystemClock:
    """Port Clock on real time."""

    def now(self) -> datetime:
        """The present, aware UTC, in whole milliseconds: what every store keeps."""
        return from_millis(time.time_ns() // 1_000_000)

    def sleep(self, seconds: float) -> None:
        """Waits; nothing for a time already past."""
        if seconds > 0:
            time.sleep(seconds)
