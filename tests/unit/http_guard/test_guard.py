"""Which addresses a user's URL may reach."""

import re

import pytest

from quintet.adapters.http_guard import AddressGuard, guard_of

CLOSED = [
    "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.9.9.9", "169.254.169.254",
    "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:10.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff02::1", "not-an-address", "",
]  # fmt: skip
LOOPBACK = re.compile(r"127|^::1$|7f00:1$")
OPEN = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1",
        "::ffff:8.8.8.8", "64:ff9b::808:808"]  # fmt: skip


@pytest.mark.parametrize("address", CLOSED)
def test_closed_addresses(address: str) -> None:
    """Ours, private, local, special and embedding addresses are refused with a reason."""
    assert AddressGuard().refusal(address, 443)


@pytest.mark.parametrize("address", OPEN)
def test_open_addresses(address: str) -> None:
    """The public internet is open, also seen through NAT64."""
    assert AddressGuard().refusal(address, 443) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_open_on_a_developers_machine_only(address: str) -> None:
    """And there not the ports that are the emulator's and the runtime's, in any spelling of the address."""
    local = guard_of(
        {
            "QUINTET_STAGE": "local",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
            "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        }
    )
    deployed = guard_of({"QUINTET_STAGE": "prod"})

    assert local.refusal(address, 8020) is None
    assert local.refusal(address, 4566)
    assert local.refusal(address, 9001)
    assert deployed.refusal(address, 8020)


@pytest.mark.parametrize("address", [address for address in CLOSED if not LOOPBACK.search(address)])
def test_a_developers_machine_opens_nothing_but_loopback(address: str) -> None:
    """Metadata and private networks stay closed."""
    assert AddressGuard(allow_loopback=True).refusal(address, 80)


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://localhost:4566/", 4566), ("https://127.0.0.1", 443), ("http://127.0.0.1", 80), ("127.0.0.1:9001", 9001)],
)
def test_every_aws_endpoint_is_closed(endpoint: str, port: int) -> None:
    """Those of single services too, with and without a port."""
    guard = guard_of({"QUINTET_STAGE": "local", "AWS_ENDPOINT_URL_S3": endpoint})

    assert guard.refusal("127.0.0.1", port)
