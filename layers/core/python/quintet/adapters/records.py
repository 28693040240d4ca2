"""How runs, events and keys are written down as JSON: one form for every store.

Times are milliseconds since 1970; what has its default is left out, since stored bytes are billed.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from quintet.domain.definition import Overrides, Strategy
from quintet.domain.errors import TooLarge
from quintet.domain.events import Event, event_from_dict, event_to_dict, from_millis, to_millis
from quintet.domain.jsontext import compact
from quintet.domain.run import Parent, Run, Slot, Trigger, VersionPolicy
from quintet.domain.status import RunStatus
from quintet.services.ports.keys import Key
from quintet.services.ports.world import LogEntry


def pack(value: Any) -> str:
    """Compact JSON text."""
    return compact(value)


def events_to_text(events: Iterable[Event]) -> str:
    """Events as one JSON text."""
    return pack([event_to_dict(event) for event in events])


def events_from_text(text: str) -> list[Event]:
    """The events that `events_to_text` wrote."""
    return [event_from_dict(packed) for packed in json.loads(text)]


def _moment(millis: int | None) -> datetime | None:
    return None if millis is None else from_millis(millis)


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def run_to_text(run: Run) -> str:
    """A run's face without its id and project, which every place that holds this text has as keys."""
    view: dict[str, Any] = {
        "j": run.job_id,
        "v": run.version,
        "w": run.version_id,
        "st": str(run.status),
        "c": to_millis(run.created_at),
        "u": to_millis(run.updated_at),
    }
    view |= _present(s=_millis(run.started_at), e=_millis(run.ended_at), ck=run.concurrency_key, g=run.group)
    view |= _present(sa=_millis(run.scheduled_at), xa=_millis(run.expires_at))
    if run.error is not None:
        view["err"] = dict(run.error)
    if run.trigger != Trigger():
        view["t"] = [run.trigger.type, run.trigger.source_type, run.trigger.source_id]
    if run.parent is not None:
        view["p"] = [run.parent.run_id, run.parent.path, run.parent.token]
    if run.slots:
        view["sl"] = [[slot.name, slot.limit, *([1] if slot.refuses else [])] for slot in run.slots]
    if run.waits:
        view["wl"] = [[slot.name, slot.limit] for slot in run.waits]
    if run.policy is not VersionPolicy.PIN:
        view["po"] = str(run.policy)
    if run.overrides != Overrides():
        view["ov"] = _overrides_to_dict(run.overrides)
    if run.asked:
        view["a"] = dict(run.asked)
    return pack(
        view
        | _present(
            f=1 if run.follows else None,
            pr=run.priority or None,
            dp=run.depth or None,
            i=run.item,
            n=run.attempt or None,
        )
    )


def run_from_text(run_id: str, project: str, text: str) -> Run:
    """The run that `run_to_text` wrote."""
    view = json.loads(text)
    return Run(
        id=run_id,
        project=project,
        job_id=view["j"],
        version=view["v"],
        version_id=view["w"],
        status=RunStatus(view["st"]),
        created_at=from_millis(view["c"]),
        updated_at=from_millis(view["u"]),
        started_at=_moment(view.get("s")),
        ended_at=_moment(view.get("e")),
        error=view.get("err"),
        trigger=Trigger(*view["t"]) if "t" in view else Trigger(),
        concurrency_key=view.get("ck"),
        parent=Parent(*view["p"]) if "p" in view else None,
        slots=tuple(Slot(name, limit, bool(refuses)) for name, limit, *refuses in view.get("sl", ())),
        waits=tuple(Slot(name, limit) for name, limit in view.get("wl", ())),
        priority=view.get("pr", 0),
        scheduled_at=_moment(view.get("sa")),
        expires_at=_moment(view.get("xa")),
        policy=VersionPolicy(view.get("po", VersionPolicy.PIN)),
        overrides=_overrides_from_dict(view.get("ov", {})),
        group=view.get("g"),
        follows=bool(view.get("f")),
        asked=view.get("a", {}),
        depth=view.get("dp", 0),
        item=view.get("i"),
        attempt=view.get("n", 0),
    )


_OVERRIDES = {"n": "max_attempts", "t": "timeout", "i": "initial_delay", "m": "max_delay"}


def _overrides_to_dict(overrides: Overrides) -> dict[str, Any]:
    strategy = None if overrides.strategy is None else str(overrides.strategy)
    return _present(s=strategy, **{short: getattr(overrides, name) for short, name in _OVERRIDES.items()})


def _overrides_from_dict(view: Mapping[str, Any]) -> Overrides:
    strategy = Strategy(view["s"]) if "s" in view else None
    return Overrides(strategy=strategy, **{name: view[short] for short, name in _OVERRIDES.items() if short in view})


def key_to_text(key: Key) -> str:
    """An API key's record."""
    view: dict[str, Any] = {
        "id": key.id,
        "p": key.project,
        "ns": key.namespace,
        "n": key.name,
        "pre": key.prefix,
        "sc": sorted(key.scopes),
        "c": to_millis(key.created_at),
    }
    if key.owner is not None:
        view["o"] = key.owner
    moments = _present(ex=_millis(key.expires_at), rv=_millis(key.revoked_at), lu=_millis(key.last_used_at))
    return pack(view | moments)


def key_from_text(text: str) -> Key:
    """The key that `key_to_text` wrote."""
    view = json.loads(text)
    return Key(
        id=view["id"],
        project=view["p"],
        namespace=view["ns"],
        name=view["n"],
        prefix=view["pre"],
        scopes=frozenset(view["sc"]),
        created_at=from_millis(view["c"]),
        owner=view.get("o"),
        expires_at=_moment(view.get("ex")),
        revoked_at=_moment(view.get("rv")),
        last_used_at=_moment(view.get("lu")),
    )


RECORD_BYTES = 380_000


def record_to_text(body: Mapping[str, Any]) -> str:
    """What a run's program keeps, as JSON text. Raises TooLarge for what an item would no longer hold."""
    written = pack(dict(body))
    if (length := len(written.encode())) > RECORD_BYTES:
        raise TooLarge(f"a record of {length} bytes is above what is kept")
    return written


LOG_CHARACTERS = 90_000


def log_parts(entry: LogEntry) -> tuple[str, str | None]:
    """A log line's message and its data as JSON text; where an item would not hold both, one text that is cut."""
    if entry.data is not None:
        data = pack(entry.data)
        if len(entry.message) + len(data) <= LOG_CHARACTERS:
            return entry.message, data
    message = entry.text
    return (message if len(message) <= LOG_CHARACTERS else message[:LOG_CHARACTERS] + "… (cut)"), None
