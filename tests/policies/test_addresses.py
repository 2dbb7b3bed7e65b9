"""A webhook reaches the public internet and nothing behind our own door."""

import pytest

from policies.addresses import AllowList, refusal, url_refusal

INTERNAL = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "not an address",
]
PUBLIC = ["8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]
PUBLIC += ["64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses(address: str) -> None:
    """Private, loopback, link-local, metadata, shared, multicast and reserved addresses are refused."""
    assert refusal("hooks.example.com", [address]) == "address_internal"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """Public addresses are allowed, also in IPv6 clothes."""
    assert refusal("hooks.example.com", [address]) is None


def test_one_internal_address_refuses_the_name() -> None:
    """A name that also points inside is not trusted to point outside."""
    assert refusal("hooks.example.com", ["8.8.8.8", "10.0.0.1"]) == "address_internal"


def test_no_address() -> None:
    """A name that resolves to nothing is refused."""
    assert refusal("hooks.example.com", []) == "address_none"


def test_development_allow_list() -> None:
    """Hosts and networks that were named are allowed, their neighbours are not."""
    allowed = AllowList(hosts=frozenset({"localhost"}), networks=("10.1.0.0/16", "fd00::/64"))

    assert refusal("localhost", ["127.0.0.1", "::1"], allowed) is None
    assert refusal("erp.example", ["10.1.2.3", "fd00::5"], allowed) is None
    assert refusal("erp.example", ["10.2.2.3"], allowed) == "address_internal"
    assert refusal("localhost.example", ["127.0.0.1"], allowed) == "address_internal"


@pytest.mark.parametrize(
    ("code", "url"),
    [
        (None, "https://hooks.example.com/in?a=b"),
        (None, "https://hooks.example.com:8443/in"),
        (None, "https://93.184.216.34/in"),
        ("url_scheme", "http://hooks.example.com/in"),
        ("url_scheme", "ftp://hooks.example.com/in"),
        ("url_scheme", "//hooks.example.com/in"),
        ("url_malformed", "https:///in"),
        ("url_malformed", "https://hooks.example.com:99999/"),
        ("url_malformed", "https://hooks.example.com/#frag"),
        ("url_malformed", "https://hooks.example.com/a b"),
        ("url_malformed", "https://[::1/"),
        ("url_malformed", ""),
        ("url_credentials", "https://user:pass@hooks.example.com/"),
        ("url_credentials", "https://user@hooks.example.com/"),
        ("address_internal", "https://127.0.0.1/"),
        ("address_internal", "https://[::1]/"),
        ("address_internal", "https://[::ffff:10.0.0.1]/"),
        ("address_internal", "https://169.254.169.254/latest/meta-data"),
        ("host_internal", "https://localhost/"),
        ("host_internal", "https://metadata.google.internal./x"),
        ("host_internal", "https://printer.local/"),
        ("host_internal", "https://intranet/"),
        ("host_internal", "https://2130706433/"),
        ("host_internal", "https://0x7f.0.0.1/"),
        ("host_internal", "https://127.1/"),
        ("host_internal", "https://0177.0.0.01/"),
    ],
)
def test_urls(code: str | None, url: str) -> None:
    """Only https to a public name, without credentials; numbers in any spelling are seen through."""
    assert code == url_refusal(url)


@pytest.mark.parametrize(
    ("code", "url"),
    [
        (None, "http://localhost:9000/in"),
        (None, "http://127.0.0.1:9000/in"),
        (None, "https://localhost/in"),
        ("url_scheme", "http://hooks.example.com/in"),
        ("url_credentials", "http://u:p@localhost/in"),
    ],
)
def test_development_urls(code: str | None, url: str) -> None:
    """What the allow-list names may also be plain http."""
    allowed = AllowList(hosts=frozenset({"localhost"}), networks=("127.0.0.0/8",))

    assert code == url_refusal(url, allowed)
