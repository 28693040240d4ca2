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

LONGEST_LEASE = timedelta(minutes=15)
"""How far a lease grows while bursts come to nothing: in an overload they stand in line, and must not be overtaken by their own repeats."""

FRUITLESS_BURSTS = 12
FRUITLESS_TIME = timedelta(hours=2)
"""Bursts in a row that wrote nothing, and for how long, before the run has failed by the system, not to be restarted for ever."""

QUEUE_CHECK_BEHIND = timedelta(minutes=15)
"""The same check for a queued run that isn't first in its queue."""

UNTAKEN_CHECK = timedelta(minutes=1)
"""How long a carrier may take to begin before it is called again."""

RESTING_CHECK = timedelta(hours=1)
"""When the sweep first looks at a resting run that nothing else would wake."""

LONGEST_CHECK = timedelta(days=1)
"""How far apart the looks at a run come that has waited long. No run is without one: whatever call was lost, it is taken up."""

DELAY_SLACK = timedelta(seconds=2)
"""How early a timer may be: clocks differ, and a state machine's timestamps are whole seconds."""
