"""What is sealed can be opened with its key, in its row, and in no other way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.vault import Vault, WrongKey

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@given(body=st.binary(), row=st.text())
@pytest.mark.parametrize("key", [None, KEY])
def test_a_body_comes_back(key: bytes | None, body: bytes, row: str) -> None:
    """Sealed or plain, also by another process with the same key."""
    sealed = Vault(key).seal(body, row)

    assert body == Vault(key).unseal(sealed, row)


def test_a_sealed_body_shows_nothing() -> None:
    """The same body is never sealed to the same bytes, and none of them are its own."""
    vault = Vault(KEY)
    sealed = {vault.seal(b"CANARY" * 10, "row") for _ in range(100)}

    assert 100 == len(sealed)
    assert not [one for one in sealed if b"CANARY" in one]


@pytest.mark.parametrize("place", [1, 6, 25, 40, -1])
def test_a_changed_byte_is_noticed(place: int) -> None:
    """In the key's name, the salt, the nonce, the body and the tag."""
    sealed = bytearray(Vault(KEY).seal(b"a body of some length", "row"))
    sealed[place] ^= 1

    with pytest.raises(WrongKey):
        Vault(KEY).unseal(bytes(sealed), "row")


def test_a_body_belongs_to_its_row() -> None:
    """A body that was copied to another row does not open there."""
    with pytest.raises(WrongKey):
        Vault(KEY).unseal(Vault(KEY).seal(b"body", "apt_1/1"), "apt_1/2")


@pytest.mark.parametrize("vault", [Vault(None), Vault(OTHER)])
def test_another_key_opens_nothing(vault: Vault) -> None:
    """Nor does none."""
    with pytest.raises(WrongKey):
        vault.unseal(Vault(KEY).seal(b"body", "row"), "row")


def test_keys_are_rotated() -> None:
    """A retired key opens what it sealed; what was plain stays readable; only the current key seals."""
    old, plain = Vault(KEY).seal(b"old", "row"), Vault(None).seal(b"plain", "row")
    vault = Vault(OTHER, KEY)
    new = vault.seal(b"new", "row")

    assert [b"old", b"plain", b"new"] == [vault.unseal(one, "row") for one in (old, plain, new)]
    assert [False, False, True] == [vault.is_current(one) for one in (old, plain, new)]
    assert b"new" == Vault(OTHER).unseal(new, "row")


def test_a_key_has_its_length() -> None:
    """A key of another size is refused at once."""
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(b"short")
