"""Clients, secrets, scopes and what a refused caller is told."""

from base64 import b64encode

import pytest

from policies.auth import (
    Challenges,
    Client,
    Principal,
    Secrets,
    allows,
    basic_credentials,
    bearer_token,
    granted,
    hash_secret,
    matches,
)

SECRET = "s3cret-of-this-test"
KEPT = hash_secret(SECRET, b"0123456789abcdef")


def client(*scopes: str, secret_hash: str = KEPT, enabled: bool = True) -> Client:
    return Client(
        client_id="partner", secret_hash=secret_hash, tenant="north", scopes=frozenset(scopes), enabled=enabled
    )


def principal(*scopes: str) -> Principal:
    return Principal(client_id="partner", tenant="north", scopes=frozenset(scopes), token_id="t1")


@pytest.mark.parametrize(
    ("allowed", "held"),
    [
        (True, ["appointments.read"]),
        (True, ["admin"]),
        (False, ["appointments.write"]),
        (False, ["appointments"]),
        (False, []),
    ],
)
def test_what_scopes_allow(allowed: bool, held: list[str]) -> None:
    """A scope allows itself, `admin` allows everything, nothing else implies anything."""
    assert allowed is allows(principal(*held), "appointments.read")


@pytest.mark.parametrize(
    ("scopes", "requested"),
    [
        (frozenset({"a.read", "b.read"}), None),
        (frozenset({"a.read"}), "a.read"),
        (frozenset({"a.read", "b.read"}), "b.read a.read"),
        (None, "c.read"),
        (None, "a.read admin"),
        (None, ""),
        (None, "a.read  b.read"),
        (None, 'a.read"'),
    ],
)
def test_scopes_of_a_token(scopes: frozenset[str] | None, requested: str | None) -> None:
    """A client gets what it asks for among what it may, or all of it when it does not ask."""
    assert scopes == granted(client("a.read", "b.read"), requested)


def test_admin_may_ask_for_less() -> None:
    """An administrator's token can be narrowed to any scope."""
    assert granted(client("admin"), "a.read") == frozenset({"a.read"})


def test_hash_is_salted_and_says_its_cost() -> None:
    """The same secret under two salts has two hashes, and neither holds the secret."""
    other = hash_secret(SECRET, b"fedcba9876543210")

    assert other != KEPT
    assert KEPT.startswith("scrypt$14$8$1$")
    assert matches(SECRET, other)
    assert not matches(SECRET + " ", KEPT)
    assert SECRET not in KEPT + repr(client())


def test_answers_are_remembered() -> None:
    """After one scrypt the answer is known, right or wrong, and only for that secret and hash."""
    secrets, known = Secrets(b"k" * 32), client()
    unknown_before = secrets.known(known, SECRET)
    right, wrong = secrets.check(known, SECRET), secrets.check(known, "wrong")
    rotated = client(secret_hash=hash_secret("new", b"0" * 16))

    assert (unknown_before, right, wrong) == (None, True, False)
    assert (secrets.known(known, SECRET), secrets.known(known, "wrong")) == (True, False)
    assert secrets.known(rotated, SECRET) is None


@pytest.mark.parametrize("who", [None, client(enabled=False)])
def test_unknown_and_disabled_clients_fail(who: Client | None) -> None:
    """Nobody's secret is right for a client that does not exist or is switched off."""
    assert not Secrets(b"k" * 32).check(who, SECRET)


def test_memory_of_answers_is_bounded() -> None:
    """The oldest answer is forgotten when the table is full."""
    secrets = Secrets(b"k" * 32, capacity=1)
    secrets.check(client(), SECRET)
    secrets.check(client(), "wrong")

    assert secrets.known(client(), SECRET) is None


def basic(pair: bytes) -> str:
    return "Basic " + b64encode(pair).decode()


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (("partner", "secret"), basic(b"partner:secret")),
        (("partner", "a:b"), basic(b"partner:a:b")),
        (("a b", "ü+:"), basic(b"a+b:%C3%BC%2B%3A")),
        (("partner", "secret"), basic(b"partner:secret").replace("Basic", "bAsIc")),
        (("partner", ""), basic(b"partner:")),
        (None, basic(b"no colon")),
        (None, basic(b"\xff\xfe:x")),
        (None, "Basic !!!"),
        (None, "Basic"),
        (None, ""),
        (None, "Bearer abc"),
    ],
)
def test_basic(credentials: tuple[str, str] | None, header: str) -> None:
    """Id and secret are form-encoded inside Basic (RFC 6749 section 2.3.1)."""
    assert credentials == basic_credentials(header)


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        (None, []),
        (None, [(b"accept", b"*/*")]),
        ("abc", [(b"accept", b"*/*"), (b"authorization", b"Bearer abc")]),
        ("abc", [(b"authorization", b"bearer abc")]),
    ],
)
def test_bearer(token: str | None, headers: list[tuple[bytes, bytes]]) -> None:
    """The token is taken from the Authorization header and nowhere else."""
    assert token == bearer_token(headers)


@pytest.mark.parametrize(
    "values",
    [
        [b"Bearer"],
        [b"Bearer "],
        [b"Bearer a b"],
        [b"Bearer a", b"Bearer b"],
        [b"Basic a", b"Bearer b"],
        [b"Bearer \xff"],
    ],
)
def test_unclear_credentials(values: list[bytes]) -> None:
    """Two credentials, or something that is no bearer token, is a malformed request."""
    with pytest.raises(ValueError, match=r"bearer|ascii"):
        bearer_token([(b"authorization", value) for value in values])


METADATA = "https://host/.well-known/oauth-protected-resource"
BASE = f'Bearer realm="api", resource_metadata="{METADATA}"'


def test_challenges() -> None:
    """Each row of RFC 6750's table has its status and challenge; without credentials there is no error code."""
    challenges = Challenges("api", METADATA)
    refusals = [
        challenges.missing(),
        challenges.malformed(),
        challenges.invalid("The access token has expired."),
        challenges.insufficient(["b.read", "a.read"]),
    ]

    assert [(refusal.status, refusal.headers[0][1].decode()) for refusal in refusals] == [
        (401, BASE),
        (400, f'{BASE}, error="invalid_request"'),
        (401, f'{BASE}, error="invalid_token", error_description="The access token has expired."'),
        (403, f'{BASE}, error="insufficient_scope", scope="a.read b.read"'),
    ]
