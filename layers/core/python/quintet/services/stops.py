"""Stops the work that attempts leave at work elsewhere, when nobody waits for it any more."""

from quintet.services.ports.world import Blobs, Parking

CODE, PARKED = "code", "parked"
"""What an attempt can leave at work elsewhere; see StepKind.leaves."""


class Stops:
    """Ends processes by their leash and parked work by its name. Both may be asked for again, for what has ended long since, and for what
    has not begun yet: that never will."""

    def __init__(self, blobs: Blobs, parking: Parking) -> None:
        self._blobs = blobs
        self._parking = parking

    def code(self, run_id: str, token: int) -> None:
        """Tells the process of an attempt to end: whoever runs it looks for this blob every second, the first time before it begins."""
        self._blobs.put(leash(run_id, token), b"{}")

    def parked(self, run_id: str, token: int) -> None:
        """Stops the parked work of an attempt."""
        self._parking.stop(run_id, token)


def leash(run_id: str, token: int) -> str:
    """The blob that is there once the attempt's process must end."""
    return f"leashes/{run_id}/{token}"
