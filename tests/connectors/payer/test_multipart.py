"""The envelope's body: what is built is read by a library that knows nothing of us; any bytes are read or refused."""

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from multipart import MultipartParser

from connectors.payer import multipart

names = st.text(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=20)
bodies = st.dictionaries(names, st.binary(max_size=200), min_size=1, max_size=6)


@given(bodies)
def test_what_is_built_is_read(fields: dict[str, bytes]) -> None:
    """By our own reader and by another, byte for byte."""
    edge = multipart.boundary("seed", fields)
    body = multipart.build(fields, edge, {})

    assert fields == multipart.parse(body, f'multipart/form-data; boundary="{edge}"')
    assert fields == {part.name: part.raw for part in MultipartParser(BytesIO(body), edge, strict=True)}


@given(bodies, st.data())
def test_a_body_that_is_cut(fields: dict[str, bytes], data: st.DataObject) -> None:
    """Without its last boundary it is not taken: what is missing could be the payload's end."""
    edge = multipart.boundary("seed", fields)
    body = multipart.build(fields, edge, {})
    size = data.draw(st.integers(0, len(body) - 5))

    assert multipart.parse(body[:size], f"multipart/form-data; boundary={edge}") is None


@given(st.binary(max_size=300), st.text(max_size=60))
def test_any_bytes(body: bytes, content_type: str) -> None:
    """Never an exception."""
    for kind in (content_type, "multipart/form-data; boundary=x", f"multipart/form-data; boundary={content_type}"):
        found = multipart.parse(b"--x\r\n" + body, kind)
        assert found is None or all(isinstance(value, bytes) for value in found.values())


def test_a_boundary_that_stands_in_the_payload() -> None:
    """Another one is taken."""
    fields = {"Payload": b"--isthmus-seed--"}

    assert "isthmus-seedx" == multipart.boundary("seed", fields)
