"""The engine's terms of time, in one place."""

from datetime import timedelta

LEASE = timedelta(seconds=30)
"""How long a burst may be silent before the sweep takes its run."""

RENEW_BEFORE = timedelta(seconds=15)
"""A burst renews its lease when less than this is left of it."""

QUEUE_CHECK = timedelta(seconds=60)
"""How often the sweep looks again at a queued run, should the run before it have failed to let it in."""

DUE_GRACE = timedelta(seconds=30)
"""How late a timer may be before the sweep does its work."""

CARRIED_CHECK = timedelta(minutes=5)
"""How often a run that waits for a carrier or a child run is looked at."""

FRUITLESS_BURSTS = 5
"""Bursts in a row that died before they wrote anything, after which the run has failed by the system, not to be restarted for ever."""
