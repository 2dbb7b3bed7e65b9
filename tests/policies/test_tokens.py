"""Access tokens are RFC 9068's, and nothing that only looks like one gets in."""

import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from policies.tokens import (
    Issuer,
    Revocations,
    TokenCache,
    TokenRefused,
    Verifier,
    generate_key,
    key_set,
    load_key,
    public_jwks,
)

ISSUER, AUDIENCE, NOW = "https://isthmus.example", "https://isthmus.example/v1", 1_800_000_000.0
KEY = generate_key()
OTHER = generate_key()


def verifier(name: str = "api", cache: TokenCache | None = None, audience: str = AUDIENCE) -> Verifier:
    return Verifier(name, ISSUER, audience, key_set(KEY), Revocations(), cache)


def token(now: float = NOW, token_id: str = "tok1") -> str:
    issuer = Issuer(ISSUER, AUDIENCE, KEY)
    return issuer.issue("partner", "north", frozenset({"b.read", "a.read"}), now, token_id)


def forged(key: Any = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token that differs from a good one in what is given."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "partner", "client_id": "partner", "jti": "tok1", "iat": int(NOW)}
    good |= {"exp": int(NOW) + 300, "scope": "a.read", "tenant": "north"}
    made = {name: value for name, value in (good | claims).items() if value is not None}
    head = {"typ": "at+jwt", "alg": "ES256", "kid": KEY.kid} | (header or {})
    return jwt.encode({k: v for k, v in head.items() if v is not None}, made, key, [head["alg"]], default_type=None)


def test_round_trip() -> None:
    """What was issued is what the verified principal says."""
    principal = verifier().verify(token(), NOW)

    assert (principal.client_id, principal.tenant, principal.token_id) == ("partner", "north", "tok1")
    assert principal.scopes == {"a.read", "b.read"}


def test_header_and_claims() -> None:
    """The token has the type, the algorithm, the key id and every claim of RFC 9068 section 2.2."""
    decoded = jwt.decode(token(), KEY, ["ES256"])

    assert decoded.header == {"typ": "at+jwt", "alg": "ES256", "kid": KEY.thumbprint()}
    assert decoded.claims == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "partner",
        "client_id": "partner",
        "jti": "tok1",
        "iat": int(NOW),
        "exp": int(NOW) + 300,
        "scope": "a.read b.read",
        "tenant": "north",
    }


@pytest.mark.parametrize("audience", [[AUDIENCE], ["other", AUDIENCE]])
def test_audience_may_be_a_list(audience: list[str]) -> None:
    """A token for several services is good for each of them."""
    assert verifier().verify(forged(aud=audience), NOW).client_id == "partner"


def test_media_type_form_of_typ() -> None:
    """`application/at+jwt` is the same type (RFC 9068 section 2.1)."""
    assert verifier().verify(forged(header={"typ": "application/at+jwt"}), NOW).client_id == "partner"


RSA = RSAKey.generate_key(2048)


def confused() -> str:
    """A token signed with HS256, our public key being the secret."""
    header = urlsafe_b64encode(json.dumps({"typ": "at+jwt", "alg": "HS256", "kid": KEY.kid}).encode()).rstrip(b"=")
    content = header + b"." + forged().split(".")[1].encode()
    signature = urlsafe_b64encode(hmac.digest(KEY.as_pem(private=False), content, "sha256")).rstrip(b"=")
    return (content + b"." + signature).decode()


REFUSED = {
    "an ID token": forged(header={"typ": "JWT"}),
    "no type": forged(header={"typ": None}),
    "no key id": forged(header={"kid": None}),
    "an unknown key id": forged(OTHER, {"kid": OTHER.kid}),
    "another key under our id": forged(OTHER),
    "HS256 with our public key": confused(),
    "RS256": forged(RSA, {"alg": "RS256"}),
    "another issuer": forged(iss=ISSUER + "/"),
    "another audience": forged(aud="https://elsewhere"),
    "expired": forged(exp=int(NOW)),
    "from the future": forged(iat=int(NOW) + 60),
    "no tenant": forged(tenant=None),
    "no scope": forged(scope=None),
    "no jti": forged(jti=None),
    "an expiry in words": forged(exp="tomorrow"),
    "an audience of another type": forged(aud=7),
    "no token": "",
    "one dot": "a.b",
    "no JSON": "e30.e30.e30",
    "no ASCII": "é.é.é",
    "alg none": "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.",
    "a cut signature": token()[:-4],
    "a changed claim": ".".join([token().split(".")[0], forged(scope="admin").split(".")[1], token().split(".")[2]]),
}


@pytest.mark.parametrize("made", REFUSED.values(), ids=REFUSED.keys())
def test_refused(made: str) -> None:
    """Each is refused, twice, and the refusal repeats nothing of it."""
    subject = verifier()
    for _ in range(2):
        with pytest.raises(TokenRefused) as caught:
            subject.verify(made, NOW)

        assert caught.value.__cause__ is None
        assert not made or made not in str(caught.value)


def test_expiry_beats_the_cache() -> None:
    """A remembered token is refused from the second it expires."""
    subject, made = verifier(), token()
    subject.verify(made, NOW + 299)

    with pytest.raises(TokenRefused, match="expired"):
        subject.verify(made, NOW + 300)


@pytest.mark.parametrize("revoke", ["token", "client"])
def test_revocation_beats_the_cache(revoke: str) -> None:
    """The next request after a revocation is refused, however warm the cache."""
    revocations, made = Revocations(), token()
    subject = Verifier("api", ISSUER, AUDIENCE, key_set(KEY), revocations)
    subject.verify(made, NOW)
    if revoke == "token":
        revocations.revoke_token("tok1", NOW + 300)
    else:
        revocations.revoke_client("partner", NOW + 1)

    with pytest.raises(TokenRefused, match="revoked"):
        subject.verify(made, NOW)


def test_client_revocation_spares_what_came_after() -> None:
    """A token issued after its client's tokens were taken back is good."""
    revocations = Revocations()
    revocations.revoke_client("partner", NOW - 1)

    assert Verifier("api", ISSUER, AUDIENCE, key_set(KEY), revocations).verify(token(), NOW).token_id == "tok1"


def test_expired_revocations_are_forgotten() -> None:
    """A revocation is kept for as long as its token could be used."""
    revocations = Revocations()
    revocations.revoke_token("tok1", NOW + 300)
    revocations.forget_expired(NOW + 299)
    with pytest.raises(TokenRefused):
        Verifier("api", ISSUER, AUDIENCE, key_set(KEY), revocations).verify(token(), NOW)
    revocations.forget_expired(NOW + 310)

    assert not revocations._tokens


def test_a_lax_verifier_does_not_warm_a_strict_one() -> None:
    """In one shared cache, what one verifier accepted says nothing to another."""
    cache, made = TokenCache(), token()
    verifier("lax", cache).verify(made, NOW)

    with pytest.raises(TokenRefused, match="another service"):
        verifier("strict", cache, audience="https://strict").verify(made, NOW)


def test_cache_is_used_and_bounded() -> None:
    """A second look costs no signature, and the table never outgrows its capacity."""
    cache = TokenCache(capacity=2)
    subject = verifier(cache=cache)
    made = [token(token_id=f"tok{index}") for index in range(3)]
    for one in made:
        subject.verify(one, NOW)

    assert len(cache.entries) == 2
    assert subject.verify(made[2], NOW) is subject.verify(made[2], NOW + 59)


def test_new_key_beside_the_old() -> None:
    """While a key is rolled over, tokens of both are good."""
    subject = Verifier("api", ISSUER, AUDIENCE, key_set(OTHER, KEY), Revocations())

    assert subject.verify(token(), NOW).client_id == "partner"
    assert subject.verify(forged(OTHER, {"kid": OTHER.kid}), NOW).client_id == "partner"


def test_published_keys_hold_no_private_part() -> None:
    """What is published verifies, and cannot sign."""
    published = public_jwks(key_set(KEY, OTHER))["keys"]

    assert [key["kid"] for key in published] == [KEY.kid, OTHER.kid]
    assert all(set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"} for key in published)


def test_key_survives_its_file() -> None:
    """A key read from its PEM has the same id, and accepts what it signed before."""
    again = load_key(KEY.as_pem(private=True))

    assert again.kid == KEY.kid
    assert Verifier("api", ISSUER, AUDIENCE, key_set(again), Revocations()).verify(token(), NOW).token_id == "tok1"
