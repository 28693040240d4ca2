"""Which URLs may be saved."""

import socket
import threading
from typing import Any

import pytest

from quintet.adapters import http_socket, http_urls
from quintet.adapters.http_guard import AddressGuard
from quintet.adapters.http_urls import GuardedUrls

HOSTS_CLOSED = [
    # loopback and unspecified, in every spelling of IPv4
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0.0.1", "017700000001", "0177.0.0.1",
    "0177.1", "0", "0.0.0.0", "0x0", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "a.localhost", "①②⑦.⓪.⓪.①",
    # private, carrier-grade, link-local, metadata, special
    "10.0.0.1", "0xa.1", "012.0.0.1", "167772161", "172.16.5.4", "192.168.1.1", "0xc0a80101", "3232235777",
    "100.64.0.1", "1681915905", "100.127.255.255", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
    "169.254.43518", "169.254.170.2", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.7", "224.0.0.1",
    "255.255.255.255", "4294967295",
    # IPv6: loopback, unspecified, link-local, unique-local, metadata
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[fe80::1]", "[fe80::1%25eth0]", "[fd00:ec2::254]", "[fc00::1]", "[ff02::1]",
    # IPv4 inside IPv6: compatible, mapped, translated, NAT64, NAT64 of a local prefix, 6to4, Teredo
    "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]", "[::ffff:0:10.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]", "[64:ff9b:1:ffff::8.8.8.8]",
    "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2002:c0a8:101::1]", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[2001:db8::1]",
]  # fmt: skip
HOSTS_OPEN = ["8.8.8.8", "134744072", "0x08080808", "[2606:4700::1111]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]",
              "public.example", "PUBLIC.example.", "bücher.example"]  # fmt: skip


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to; every other name is public."""
    known: dict[str, list[str]] = {}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        found = known.get(host, ["93.184.216.34"])
        if not found:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(http_socket.socket, "getaddrinfo", look_up)
    return known


@pytest.fixture
def urls() -> GuardedUrls:
    """As it is deployed."""
    return GuardedUrls(AddressGuard())


@pytest.mark.parametrize("host", HOSTS_CLOSED)
@pytest.mark.parametrize("form", ["http://{}/", "https://{}:8443/a?b#c"])
def test_closed_hosts_are_refused(urls: GuardedUrls, host: str, form: str) -> None:
    """Whatever the spelling, with a reason."""
    assert urls.refusal(form.format(host))


@pytest.mark.parametrize("host", HOSTS_OPEN)
def test_open_hosts_pass(urls: GuardedUrls, host: str) -> None:
    """The public internet."""
    assert urls.refusal(f"https://{host}/hook") is None


@pytest.mark.parametrize(
    "url",
    ["", "x", "/path", "ftp://public.example/", "file:///etc/passwd", "gopher://public.example/", "javascript:alert(1)",
     "http://", "http:///x", "http://user@public.example/", "http://user:pw@public.example/", "http://@public.example/",
     "http://public.example:99999/", "http://public.example:x/", "http://[::1", "http://a b.example/",
     "http://public.example\\@10.0.0.1/", "http://" + "a" * 64 + ".example/", "http://pub_lic%2e.example/"],
)  # fmt: skip
def test_what_is_no_plain_http_url_is_refused(urls: GuardedUrls, url: str) -> None:
    """Other schemes, credentials, no host, and what parsers disagree about."""
    assert urls.refusal(url)


def test_a_name_that_resolves_to_a_closed_address_is_refused(urls: GuardedUrls, names: dict[str, list[str]]) -> None:
    """Though another of its addresses is public."""
    names["inside.example"] = ["93.184.216.34", "10.1.2.3"]
    reason = urls.refusal("https://inside.example/")
    assert reason and "inside.example" in reason and "private" in reason


def test_a_name_that_does_not_resolve_passes(urls: GuardedUrls, names: dict[str, list[str]]) -> None:
    """It may do so tomorrow; the connection is judged by itself."""
    names["new.example"] = []
    assert urls.refusal("https://new.example/") is None


def test_a_resolver_that_hangs_is_not_waited_for(urls: GuardedUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving takes no longer than the bound."""
    released = threading.Event()
    monkeypatch.setattr(http_socket.socket, "getaddrinfo", lambda *_, **__: released.wait(20) and [])
    monkeypatch.setattr(http_urls, "RESOLVE_SECONDS", 0.05)
    assert urls.refusal("https://slow.example/") is None
    released.set()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "a.localhost"]
)
def test_a_developers_machine_opens_loopback_but_not_the_emulator(host: str) -> None:
    """In any spelling."""
    local = GuardedUrls(AddressGuard(allow_loopback=True, closed_ports=frozenset({4566})))
    assert local.refusal(f"http://{host}:8020/") is None
    assert local.refusal(f"http://{host}:4566/")
    assert local.refusal("http://10.0.0.1/")
