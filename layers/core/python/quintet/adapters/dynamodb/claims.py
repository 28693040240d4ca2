"""What runs claim beside their slots, as parts of transactions: guards, rates, labels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from quintet.adapters.claims import Held, Standing, Window, guards_of, labels_of, rates_of
from quintet.adapters.dynamodb.items import META, run_key
from quintet.adapters.dynamodb.slots import SLOT, holders_of, slot_key
from quintet.adapters.dynamodb.table import Item, Operation, Table, key, number, text
from quintet.domain.events import to_millis
from quintet.services.ports.runs import Claims, Guard, Rate

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Claimant:
    """A run that claims, and when (milliseconds since 1970)."""

    run_id: str
    project: str
    claims: Claims
    now: int


def guard_key(name: str) -> Place:
    """Where a guard lies."""
    return f"GUARD#{name}", "#GUARD"


def rate_key(name: str) -> Place:
    """Where a rate's counter lies."""
    return f"RATE#{name}", "#RATE"


def label_key(project: str, label: str) -> str:
    """The partition of a label's runs."""
    return f"LABEL#{project}#{label}"


def places(claimant: Claimant) -> set[Place]:
    """The items that a claim touches."""
    claims = claimant.claims
    found = {guard_key(guard.name) for guard in claims.guards} | {rate_key(rate.name) for rate in claims.rates}
    return found | {(label_key(claimant.project, label), claimant.run_id) for label in claims.labels}


def claiming(claimants: Sequence[Claimant], opening: Iterable[str] = ()) -> Iterator[Operation]:
    """The claims of many runs, of which no two have a guard in common. `opening` names the rates whose window is not open."""
    for one in claimants:
        for guard in guards_of(one.claims):
            yield _guarding(one, guard)
        for label in labels_of(one.claims):
            yield "label", "Put", {"Item": key(label_key(one.project, label), one.run_id)}
    counted: dict[str, list[tuple[Claimant, Rate]]] = {}
    for one in claimants:
        for rate in rates_of(one.claims):
            counted.setdefault(rate.name, []).append((one, rate))
    for name, counts in counted.items():
        yield _opening(name, counts) if name in opening else _counting(name, counts)


def _guarding(claimant: Claimant, guard: Guard) -> Operation:
    """Claims the guard's name, unless another run has it at this moment."""
    item = key(*guard_key(guard.name)) | {"run_id": text(claimant.run_id)}
    if guard.until is not None:
        item |= {"until": number(to_millis(guard.until)), "ttl": number(to_millis(guard.until) // 1000 + 1)}
    if guard.mark is not None:
        item["mark"] = text(guard.mark)
    condition, values = "attribute_not_exists(pk) OR #until <= :now", {":now": number(claimant.now)}
    if guard.over is not None:
        condition, values = f"{condition} OR run_id = :over", values | {":over": text(guard.over)}
    put = {
        "Item": item,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#until": "until"},
        "ExpressionAttributeValues": values,
    }
    return "guard", "Put", put


def _counting(name: str, counts: Sequence[tuple[Claimant, Rate]]) -> Operation:
    """Counts in the open window, if it has room for all."""
    most = min(rate.most for _, rate in counts)
    update = {
        "Key": key(*rate_key(name)),
        "UpdateExpression": "ADD n :more",
        "ConditionExpression": "#until > :now AND n <= :room",
        "ExpressionAttributeNames": {"#until": "until"},
        "ExpressionAttributeValues": {
            ":more": number(len(counts)),
            ":room": number(most - len(counts)),
            ":now": number(max(claimant.now for claimant, _ in counts)),
        },
    }
    return "rate", "Update", update


def _opening(name: str, counts: Sequence[tuple[Claimant, Rate]]) -> Operation:
    """Opens a window with the first counts in it, if none is open."""
    first, rate = counts[0]
    until = first.now + rate.window * 1000
    put = {
        "Item": key(*rate_key(name))
        | {"n": number(len(counts)), "until": number(until), "ttl": number(until // 1000 + 1)},
        "ConditionExpression": "attribute_not_exists(pk) OR #until <= :now",
        "ExpressionAttributeNames": {"#until": "until"},
        "ExpressionAttributeValues": {":now": number(first.now)},
    }
    return "rate", "Put", put


# --- reading ---------------------------------------------------------------------------------------------------------------------


def read_standing(table: Table, *, runs: Iterable[str], claims: Sequence[Claims], slots: Iterable[str]) -> Standing:
    """What stands in the way of these runs and claims, strongly consistent."""
    run_keys = {(run_key(run_id), META): run_id for run_id in runs}
    guards = {guard_key(guard.name): guard.name for one in claims for guard in one.guards}
    rates = {rate_key(rate.name): rate.name for one in claims for rate in one.rates}
    held = {slot_key(name): name for name in slots}
    items = table.get_many([*run_keys, *guards, *rates, *held])
    return Standing(
        runs={run_id for place, run_id in run_keys.items() if place in items},
        guards={name: _held(items[place]) for place, name in guards.items() if place in items},
        windows={name: _window(items[place]) for place, name in rates.items() if place in items},
        holders={name: set(holders_of(items.get(place))) for place, name in held.items()},
    )


def opening(standing: Standing, claimants: Iterable[Claimant]) -> set[str]:
    """The rates whose window has to be opened."""
    return {
        rate.name for one in claimants for rate in one.claims.rates if standing.open_window(rate.name, one.now) is None
    }


def slot_of(labels: Sequence[str]) -> str | None:
    """The first slot among a transaction's refused parts."""
    return next((label.removeprefix(SLOT) for label in labels if label.startswith(SLOT)), None)


def _held(item: Item) -> Held:
    until = int(item["until"]["N"]) if "until" in item else None
    return Held(item["run_id"]["S"], until, _text(item, "mark"))


def _window(item: Item) -> Window:
    return Window(int(item["n"]["N"]), int(item["until"]["N"]))


def _text(item: Mapping[str, Item], name: str) -> str | None:
    return item[name]["S"] if name in item else None
