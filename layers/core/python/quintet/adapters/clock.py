"""The system's clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Port Clock on real time."""

    def now(self) -> datetime:
        """The present, aware UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Waits; nothing for a time already past."""
        if seconds > 0:
            time.sleep(seconds)
