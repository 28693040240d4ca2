"""Tables of free rows on the whole deployment: races through the gateway, on the store that is deployed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest

TABLE = "/api/strapi-tables/races"
NUMBERS = '"a":123456789012345678901234567890,"b":[1.10,0.1,1E+400]'


@pytest.fixture
def api(url: str) -> Iterator[httpx.Client]:
    """A client for many at once; the table is empty again after it."""
    headers = {"x-api-key": "local-dev-key", "content-type": "application/json"}
    with httpx.Client(base_url=url, headers=headers, timeout=40, trust_env=False) as client:
        yield client
        for row in client.get(TABLE, params={"pageSize": 1000}).json():
            client.delete(f"{TABLE}/{row['id']}")


def test_racing_writers_lose_nothing(api: httpx.Client) -> None:
    """Every row has an id of its own, every field of every change is there, of two removals one is told that it came too late; the
    total is that of the rows."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: api.post(TABLE, json={"n": n}).json(), range(40)))
        ids = [row["id"] for row in made]
        assert len(set(ids)) == 40
        changed = list(pool.map(lambda n: api.put(f"{TABLE}/{ids[0]}", json={f"f{n}": n}).status_code, range(12)))
        removed = list(pool.map(lambda row: api.delete(f"{TABLE}/{row}").status_code, ids[1:9] * 2))
    assert set(changed) == {200}
    row = api.get(f"{TABLE}/{ids[0]}").json()
    assert {f"f{n}": n for n in range(12)}.items() <= row.items()
    assert sorted(removed) == [200] * 8 + [404] * 8
    listed = api.get(TABLE)
    assert listed.headers["x-total-count"] == "32"
    left = sorted(map(int, set(ids) - set(ids[1:9])))
    assert [int(row["id"]) for row in listed.json()] == left


def test_pages_hold_still_while_others_write(api: httpx.Client) -> None:
    """Who walks the table, page by page, sees each row that stays once and in order; rows come behind it and go ahead of it."""
    with ThreadPoolExecutor(8) as pool:
        ids = sorted(int(row["id"]) for row in pool.map(lambda _: api.post(TABLE, json={}).json(), range(120)))
        over = Event()

        def write() -> None:
            doomed = iter(reversed(ids[80:]))
            while not over.is_set() and (last := next(doomed, None)):
                api.post(TABLE, json={"late": True})
                api.delete(f"{TABLE}/{last}")

        writer = pool.submit(write)
        seen: list[int] = []
        for page in range(8):
            seen += [int(row["id"]) for row in api.get(TABLE, params={"page": page, "pageSize": 10}).json()]
        over.set()
        writer.result()
    assert seen == ids[:80]


def test_numbers_pass_the_gateway_as_they_were_written(api: httpx.Client) -> None:
    """Digit by digit, into the store and out of it."""
    made = api.post(TABLE, content=f"{{{NUMBERS}}}")
    assert made.status_code == 201
    for text in (made.text, api.get(f"{TABLE}/{made.json()['id']}").text, api.get(TABLE).text):
        assert NUMBERS in text
