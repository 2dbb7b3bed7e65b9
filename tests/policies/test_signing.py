"""Signatures agree with Standard Webhooks' published vectors and its own library."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from policies.signing import Ed25519, Hmac, checker, new_secret, sign, signer, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OLD = new_secret(bytes(range(24)))
PRIVATE = "whsk_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
VECTORS = (
    Path(__file__).parents[2].parent / "shared" / "corpora" / "standard-webhooks__standard-webhooks" / "vectors.json"
)


def headers(signature: str = SIGNATURE, at: str = str(AT), webhook_id: str = ID) -> dict[str, str]:
    return {"webhook-id": webhook_id, "webhook-timestamp": at, "webhook-signature": signature}


def test_published_vector() -> None:
    """The vector of the specification is reproduced."""
    assert headers() == sign([Hmac(SECRET)], ID, AT, BODY)


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    if not VECTORS.exists():
        pytest.skip("the Standard Webhooks vectors are not beside this repository")
    return dict(json.loads(VECTORS.read_text()))


def test_vectors_to_sign(vectors: dict[str, Any]) -> None:
    """Every published signature is ours."""
    for vector in vectors["sign_vectors"]:
        made = sign([signer(vector["secret"])], vector["msg_id"], vector["timestamp"], vector["payload"].encode())

        assert made["webhook-signature"] == vector["signature"]


def test_vectors_to_reject(vectors: dict[str, Any]) -> None:
    """Every published mistake in a header or a secret is refused."""
    for vector in vectors["must_reject"]:
        changed = {name: value for name, value in vector.items() if name.startswith("webhook-")}
        sent = headers() | changed if "headers" not in vector else {}
        if "secrets" in vector:
            for secret in vector["secrets"]:
                with pytest.raises(ValueError, match="24 to 64"):
                    checker(secret)
        else:
            late = vector.get("tolerance_seconds", 0) + 1 if "tolerance_seconds" in vector else 0

            assert verify([Hmac(SECRET)], sent, BODY, AT + late), vector["why"]


def test_vectors_to_accept(vectors: dict[str, Any]) -> None:
    """One right signature among several is enough."""
    offered = [v["webhook-signature"] for v in vectors["must_accept"] if "webhook-signature" in v]
    for signature in offered:
        assert verify([Hmac(SECRET)], headers(signature.replace("<valid v1>", SIGNATURE)), BODY, AT) is None


def test_secret_without_prefix() -> None:
    """The prefix of a shared secret may be missing."""
    assert verify([checker(SECRET.removeprefix("whsec_"))], headers(), BODY, AT) is None


@given(dice=st.binary(min_size=24, max_size=64), body=st.binary(max_size=200).map(lambda raw: raw.hex().encode()))
def test_library_accepts_ours_and_we_theirs(dice: bytes, body: bytes) -> None:
    """The reference library verifies what we sign, and signs what we verify."""
    secret, now = new_secret(dice), int(datetime.now(UTC).timestamp())
    library = Webhook(secret)
    body = b'"%b"' % body
    ours = sign([Hmac(secret)], "msg_1", now, body)
    theirs = library.sign("msg_1", datetime.fromtimestamp(now, UTC), body.decode())

    assert library.verify(body.decode(), ours) == json.loads(body)
    assert verify([Hmac(secret)], headers(theirs, str(now), "msg_1"), body, now) is None


def test_rotation_signs_with_both() -> None:
    """While a secret is rotated, a receiver with either secret accepts."""
    made = sign([signer(OLD), signer(SECRET)], ID, AT, BODY)

    assert len(made["webhook-signature"].split()) == 2
    assert [verify([checker(secret)], made, BODY, AT) for secret in (OLD, SECRET)] == [None, None]
    assert verify([checker(OLD), checker(SECRET)], headers(), BODY, AT) is None


def test_asymmetric() -> None:
    """v1a is checked with the public key alone, and says nothing to a shared secret."""
    key = Ed25519(PRIVATE)
    made = sign([signer(PRIVATE), signer(SECRET)], ID, AT, BODY)

    assert [part.partition(",")[0] for part in made["webhook-signature"].split()] == ["v1a", "v1"]
    assert verify([checker(key.public)], made, BODY, AT) is None
    assert verify([checker(key.public)], made, BODY + b" ", AT) == "bad_signature"
    assert verify([checker(key.public)], headers(), BODY, AT) == "bad_signature"


@pytest.mark.parametrize(
    ("refused", "signature"),
    [
        ("bad_signature", "v1"),
        ("bad_signature", SIGNATURE.replace(",", "")),
        ("bad_signature", "v1,"),
        ("bad_signature", "v1,é"),
        ("bad_signature", "v2," + SIGNATURE.partition(",")[2]),
        ("bad_signature", "v1a," + SIGNATURE.partition(",")[2]),
        ("bad_signature", SIGNATURE + "x"),
        ("malformed", ""),
        (None, f"v9,whatever v1 {SIGNATURE}"),
    ],
)
def test_signatures_offered(refused: str | None, signature: str) -> None:
    """What is no signature is refused, never an error of ours."""
    assert refused == verify([Hmac(SECRET)], headers(signature), BODY, AT)


@pytest.mark.parametrize(
    ("refused", "now"), [("too_old", 301), ("too_new", -301), (None, 300), (None, -300), (None, 0)]
)
def test_tolerance(refused: str | None, now: int) -> None:
    """Five minutes in both directions."""
    assert refused == verify([Hmac(SECRET)], headers(), BODY, AT + now)


@pytest.mark.parametrize("at", ["", "hello", "-1", "1.5", "１６", "9" * 30, " 1614265330"])
def test_timestamp_is_digits(at: str) -> None:
    """A timestamp is whole seconds in ASCII digits."""
    assert verify([Hmac(SECRET)], headers(at=at), BODY, AT) == "malformed"


def test_id_holds_no_dot() -> None:
    """A dot in the id would let two webhooks share a signature: neither signed nor accepted."""
    with pytest.raises(ValueError, match="no dot"):
        sign([Hmac(SECRET)], "a.b", AT, BODY)

    assert verify([Hmac(SECRET)], headers(webhook_id="a.b"), BODY, AT) == "malformed"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "whpk_!!!"])
def test_senseless_secrets(secret: str) -> None:
    """A secret that is too short or no base64 is refused when it is set, and not repeated."""
    with pytest.raises(ValueError, match=r"24 to 64|base64"):
        checker(secret)
