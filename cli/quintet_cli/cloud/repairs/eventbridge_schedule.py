"""EventBridge rules that fire on time, and not again because the cloud was restarted.

Faults: scheduled rules are looked at every 10 s, so that a minute's tick is up to 10 s late and a rate drifts by as much each
time; a rate rule that is restored with its old creation time fires at once on every start; every event is
remembered for ever.

Repair: rules are looked at every second; a rate's occurrences are multiples of its interval since its creation, and
one that passed while the cloud was down is not made up for; the last 1,000 to 2,000 events are remembered.

Asserted: the edited lines of `_tick_scheduled_rules` and `_events_log_list`, and the loop's interval.
"""

from ministack.services import eventbridge

from .source import RepairError, rewrite

_TICK_SECONDS = 1
_EVENTS_KEPT = 1000


def last_occurrence(created: float, now: float, interval: float) -> float:
    """The latest time at or before now that is a whole number of intervals after the rule's creation."""
    return now - max(0.0, now - created) % interval


def repair() -> None:
    """Tick every second, on a grid."""
    if eventbridge._SCHEDULER_TICK_INTERVAL not in (10, _TICK_SECONDS):
        raise RepairError(f"eventbridge looks at its rules every {eventbridge._SCHEDULER_TICK_INTERVAL} s, not 10")
    eventbridge._SCHEDULER_TICK_INTERVAL = _TICK_SECONDS
    rewrite(
        eventbridge,
        "_tick_scheduled_rules",
        (
            '_rule_last_fired[state_key] = rule.get("CreationTime", now)',
            '_rule_last_fired[state_key] = quintet_last_occurrence(rule.get("CreationTime", now), now, interval)',
        ),
        (
            "        _rule_last_fired[state_key] = now\n        targets = ",
            "        _rule_last_fired[state_key] = (\n"
            "            now if interval is None else quintet_last_occurrence(_rule_last_fired[state_key], now, interval))\n"
            "        targets = ",
        ),
        quintet_last_occurrence=last_occurrence,
    )
    rewrite(
        eventbridge,
        "_events_log_list",
        (
            "    return entries\n",
            f"    if len(entries) > {2 * _EVENTS_KEPT}:\n        del entries[:-{_EVENTS_KEPT}]\n    return entries\n",
        ),
    )
