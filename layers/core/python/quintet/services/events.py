"""Hands an event to every step that waits for it."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from quintet.domain import rules
from quintet.domain.errors import NotFound
from quintet.domain.outcome import Completed
from quintet.domain.rules import Draft
from quintet.services.endings import Endings
from quintet.services.journal import Journal, OpenRun
from quintet.services.payloads import Payloads
from quintet.services.ports.events import Subscription, Subscriptions
from quintet.services.ports.runs import Runs
from quintet.services.ports.world import Pool
from quintet.services.settling import Settling
from quintet.services.terms import DUE_GRACE

AT_ONCE = 16
"""How many runs hear of an event beside each other."""
LONGEST_WAIT = 60.0


class PublishEvent:
    """Completes the steps of a project that wait for an event; later subscribers never hear of it.

    An attempt subscribes before its wait is in the journal, and its token alone says whether it still counts: so an event that comes in
    between completes the step too, and one that is published again completes it no second time.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        runs: Runs,
        journal: Journal,
        settling: Settling,
        endings: Endings,
        payloads: Payloads,
        pool: Callable[[], Pool],
    ) -> None:
        self._subscriptions = subscriptions
        self._runs = runs
        self._journal = journal
        self._settling = settling
        self._endings = endings
        self._payloads = payloads
        self._pool = pool

    def __call__(self, project: str, event_key: str, payload: Any = None) -> int:
        """How many steps the event completed. When a store fails halfway the error is raised, and publishing again reaches the others."""
        stored = self._payloads.put(payload)
        waiting = self._subscriptions.of(project, event_key)
        pool = self._pool()
        delivered, faults = 0, list[Exception]()
        while batch := list(islice(waiting, AT_ONCE)):
            for told in self._tell(pool, project, event_key, batch, stored):
                if isinstance(told, Exception):
                    faults.append(told)
                else:
                    delivered += bool(told)
        if faults:
            raise faults[0]
        return delivered

    def _tell(
        self, pool: Pool, project: str, event_key: str, batch: Iterable[Subscription], stored: Any
    ) -> Iterable[object]:
        under_way = 0
        for subscription in batch:
            under_way += 1
            name = f"{subscription.run_id}#{subscription.token}"
            pool.submit(name, lambda one=subscription: self._deliver(project, event_key, one, stored))
        while under_way:
            for _, told in pool.wait(LONGEST_WAIT):
                under_way -= 1
                yield told

    def _deliver(self, project: str, event_key: str, subscription: Subscription, stored: Any) -> bool:
        run_id, path, token = subscription.run_id, subscription.path, subscription.token

        def decision(opened: OpenRun, draft: Draft) -> bool:
            if rules.fence(opened.state, path, token) is not None:
                return False
            deadline = opened.state.steps[path].deadline
            if deadline is not None and draft.now >= deadline:
                return False  # its time is over, whether or not anybody has looked yet
            # Should this process die between the append and the wake, the sweep finds the run by this.
            self._runs.postpone(run_id, draft.now + DUE_GRACE)
            self._settling.settle(draft, path, Completed(stored))
            return True

        try:
            _, taken = self._journal.decide(run_id, decision)
        except NotFound:  # the run is not kept any more
            taken = False
        else:
            if taken:
                self._endings.wake(run_id)
        self._subscriptions.remove(project, event_key, subscription)
        return taken
