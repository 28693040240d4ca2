"""Tells when schedules fire."""

from datetime import datetime
from typing import Protocol


class Schedules(Protocol):
    """Five-field cron expressions in IANA time zones."""

    def fault(self, expression: str, timezone: str) -> str | None:
        """What is wrong with an expression or a zone, None when both are fine."""
        ...

    def after(self, expression: str, timezone: str, moment: datetime) -> datetime | None:
        """The first moment of the schedule after another, None when there is none within fifty years."""
        ...
