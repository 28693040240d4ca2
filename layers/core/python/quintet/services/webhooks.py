"""Completion webhooks: told when a run has ended, by queue, tried again for a day, listed and replayable."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from quintet.domain.delivery import (
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    begun,
    claimed,
    postponed,
    replayed,
    settled,
)
from quintet.domain.errors import Invalid, NotFound
from quintet.domain.jsontext import compact
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.services.completion import told_of
from quintet.services.hooks import Hook, hook_of, secret_context
from quintet.services.payloads import Payloads
from quintet.services.ports.http import HttpClient, HttpFault, HttpRequest
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.secrets import Vault
from quintet.services.ports.webhooks import Deliveries, DeliveryPage, DeliveryQueue, Signatures
from quintet.services.ports.world import Clock, Ids

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 15.0
ANSWER_BYTES = 1024 * 1024
EARLY = timedelta(seconds=1)
"""How early an attempt may be: a queue's delays are whole seconds, and clocks differ."""

SWEPT_AT_ONCE = 500
SWEPT_AT_MOST = 5_000
OPENED_SECRETS = 256
_ERROR_CHARACTERS = 300


class CompletionWebhooks:
    """Tells endpoints of ended runs, at least once each; receivers tell repeats by `webhook-id`. Safe to use from several threads."""

    def __init__(
        self,
        deliveries: Deliveries,
        queue: DeliveryQueue,
        jobs: Jobs,
        vault: Vault,
        signatures: Signatures,
        http: HttpClient,
        payloads: Payloads,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._deliveries = deliveries
        self._queue = queue
        self._jobs = jobs
        self._vault = vault
        self._signatures = signatures
        self._http = http
        self._payloads = payloads
        self._clock = clock
        self._ids = ids
        self._opened: dict[tuple[str, str], str] = {}
        self._reading = Lock()

    # --- sending -------------------------------------------------------------------------------------------------------------

    def send(self, run: Run, state: RunState, result: Any) -> None:
        """Has an ended run told to its job's webhook, if it has one; the same run again changes nothing.

        `result` is the run's result as a value; None for a run without one.
        """
        hook = self._hook(run.tenant, run.job_id)
        if hook is None:
            return
        now = self._clock.now()
        delivery = begun(delivery_id(run.id), run.tenant, run.job_id, run.id, hook.url, now)
        if self._deliveries.create(delivery, self._payloads.put(told_of(run, state, result))):
            # Dying before this line leaves a record without a message: the sweep sends it.
            self._queue.put(delivery.id, delivery.turn, 0)

    def _hook(self, project: str, job_id: str) -> Hook | None:
        try:
            return hook_of(self._jobs.get(project, job_id).settings)
        except NotFound:
            return None

    # --- delivering ----------------------------------------------------------------------------------------------------------

    def deliver(self, delivery_id: str, turn: int) -> None:
        """Makes that turn's attempt if it is still to be made; one that comes before its time is queued again."""
        delivery = self._deliveries.find(delivery_id)
        if delivery is None or delivery.state is not DeliveryState.PENDING or delivery.turn != turn:
            return
        now = self._clock.now()
        early = (delivery.next_at or now) - now
        if early > EARLY:
            self._queue.put(delivery_id, turn, early.total_seconds())
            return
        # The job as it is now: a mended address or a rotated secret serves deliveries that are under way.
        hook = self._hook(delivery.project, delivery.job_id)
        secrets = self._secrets(hook, delivery.job_id, now)
        claim = self._deliveries.change(claimed(delivery, hook.url if hook else delivery.url, now))
        if claim is None:
            return  # somebody else makes it
        if hook is None:
            attempt = DeliveryAttempt(now, 0, error="NoWebhook: the job has no completion webhook any more")
            self._book(claim, attempt, final=True)
        elif secrets is None:
            self._book(claim, DeliveryAttempt(now, 0, error="BadSecret: the webhook's secret does not open"))
        else:
            self._book(claim, self._attempt(claim, hook.url, secrets))

    def _secrets(self, hook: Hook | None, job_id: str, now: datetime) -> list[str] | None:
        """The valid secrets in clear; None when one can't be opened: what should be signed is never sent unsigned."""
        try:
            return [self._open(sealed, job_id) for sealed in (hook.valid(now) if hook else ())]
        except Invalid:
            return None

    def _open(self, sealed: str, job_id: str) -> str:
        known = self._opened.get((sealed, job_id))
        if known is None:
            known = self._vault.open(sealed, secret_context(job_id))
            if len(self._opened) >= OPENED_SECRETS:
                self._opened.clear()
            self._opened[sealed, job_id] = known
        return known

    def _attempt(self, delivery: Delivery, url: str, secrets: Sequence[str]) -> DeliveryAttempt:
        began = self._clock.now()
        status: int | None = None
        error: str | None = None
        try:
            body = self._body(delivery.id)
            headers = self._headers(delivery.id, began, body, secrets)
            request = HttpRequest("POST", url, headers, body.encode(), TIMEOUT_SECONDS, ANSWER_BYTES)
            answer = self._http.send(request)
            status = answer.status
            if answer.url != url:
                error = "Redirected: a webhook is delivered to the address it was given, not to where that one points"
        except HttpFault as fault:
            error = f"{fault.type}: {fault}"[:_ERROR_CHARACTERS]
        except Invalid:
            error = "BadSecret: the webhook's secret signs nothing"
        took = self._clock.now() - began
        return DeliveryAttempt(began, round(took.total_seconds() * 1000), status, error)

    def _body(self, delivery_id: str) -> str:
        with self._reading:  # payloads are remembered, which is not for several threads
            return compact(self._payloads.get(self._deliveries.body(delivery_id)))

    def _headers(self, message_id: str, at: datetime, body: str, secrets: Sequence[str]) -> dict[str, str]:
        signed = [self._signatures.sign(secret, message_id, at, body) for secret in secrets]
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
        }
        return headers | ({"webhook-signature": " ".join(signed)} if signed else {})

    def _book(self, claim: Delivery, attempt: DeliveryAttempt, *, final: bool = False) -> None:
        current: Delivery | None = claim
        while current is not None:
            now = self._clock.now()
            stored = self._deliveries.change(settled(current, claim, attempt, now, self._ids.chance(), final=final))
            if stored is None:  # swept or replayed meanwhile
                current = self._deliveries.find(claim.id)
                continue
            if stored.state is DeliveryState.PENDING and stored.turn == claim.turn and stored.next_at:
                self._queue.put(stored.id, stored.turn, (stored.next_at - now).total_seconds())
            return

    # --- what was lost -------------------------------------------------------------------------------------------------------

    def sweep(self, now: datetime) -> int:
        """Sends again the messages of deliveries that should long have been tried; how many."""
        seen: set[str] = set()
        sent = 0
        while len(seen) < SWEPT_AT_MOST:
            due = self._deliveries.due(now, SWEPT_AT_ONCE + len(seen))
            fresh = [delivery for delivery in due if delivery.id not in seen]
            for delivery in fresh:
                seen.add(delivery.id)
                try:
                    sent += self._send_again(delivery, now)
                except Exception:  # one delivery's fault must not keep the others lost
                    log.exception("delivery %s could not be taken up", delivery.id)
            if not fresh:
                break
        return sent

    def _send_again(self, delivery: Delivery, now: datetime) -> bool:
        stored = self._deliveries.change(postponed(delivery, now))
        if stored is None:
            return False
        self._queue.put(stored.id, stored.turn, max((stored.next_at or now) - now, timedelta()).total_seconds())
        return True

    # --- for people ----------------------------------------------------------------------------------------------------------

    def get(self, project: str, delivery_id: str) -> Delivery:
        """A project's delivery. Raises NotFound."""
        found = self._deliveries.find(delivery_id)
        if found is None or found.project != project:
            raise NotFound(f"no webhook delivery {delivery_id}")
        return found

    def page(
        self,
        project: str,
        job_id: str | None,
        limit: int,
        cursor: str | None,
        *,
        run_id: str | None = None,
        state: DeliveryState | None = None,
    ) -> DeliveryPage:
        """A project's deliveries, newest first: of one job, of one run, of one state. Raises Invalid for a cursor that is none."""
        if run_id is None:
            return self._deliveries.page(project, job_id, state, limit, cursor)
        found = self._deliveries.find(delivery_id(run_id))
        fits = (
            found is not None
            and found.project == project
            and job_id in {None, found.job_id}
            and state in {None, found.state}
        )
        return DeliveryPage([found] if found is not None and fits else [], None)

    def replay(self, project: str, delivery_id: str) -> Delivery:
        """Has a delivery made anew, at once, with a day of attempts, whatever has become of it. Raises NotFound."""
        while True:
            stored = self._deliveries.change(replayed(self.get(project, delivery_id), self._clock.now()))
            if stored is not None:
                self._queue.put(stored.id, stored.turn, 0)
                return stored


def delivery_id(run_id: str) -> str:
    """The id of a run's delivery, which is its `webhook-id` too: the same for every attempt."""
    return f"msg_{run_id}"
