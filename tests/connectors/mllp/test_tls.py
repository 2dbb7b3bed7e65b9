"""TLS on the listener: who may come in, and who they proved to be."""

import ssl

import pytest

from connectors.mllp.client import MllpError, Sender, Unreachable
from connectors.mllp.listener import Limits, tls
from connectors.mllp.tls import Certificate, certificate, tls_client
from tests.connectors.mllp.conftest import Dial, Listen, Owner, Papers, Until

M = b"MSH|^~\\&|1\r"


async def test_server_side_only(listen: Listen, owner: Owner, papers: Papers) -> None:
    """Without a client CA anyone who trusts the server may send, and has no certificate."""
    listener = await listen(ssl=tls(papers.server, papers.server))
    sender = Sender("127.0.0.1", listener.port, papers.trusting(papers.client))

    assert b"ACK " + M == await sender.send(M)
    assert owner.peers[0].certificate is None
    await sender.close()


@pytest.mark.parametrize("who", ["nobody", "a stranger"])
async def test_mutual_tls_turns_away(listen: Listen, owner: Owner, papers: Papers, until: Until, who: str) -> None:
    """With a client CA, whoever has no certificate of it reaches no owner."""
    listener = await listen(ssl=papers.listening(mutual=True))
    sender = Sender("127.0.0.1", listener.port, papers.trusting(papers.stranger if who == "a stranger" else None))

    with pytest.raises(MllpError):
        await sender.send(M)
    await until(lambda: listener.counts.closed["handshake"] == 1)
    assert ([], 0) == (owner.frames, listener.counts.open)


async def test_plain_bytes_on_a_tls_port(
    listen: Listen, dial: Dial, owner: Owner, papers: Papers, until: Until
) -> None:
    """A sender that forgot TLS is a failed handshake and no frame."""
    listener = await listen(ssl=papers.listening())
    wire = await dial(listener)
    await wire.send(b"\x0b" + M + b"\x1c\r")

    await wire.reader.read()
    await until(lambda: listener.counts.closed["handshake"] == 1)
    assert [] == owner.frames


async def test_handshake_timeout(listen: Listen, dial: Dial, papers: Papers, until: Until) -> None:
    """A connection that never begins its handshake takes a place for the handshake timeout and no longer."""
    listener = await listen(ssl=papers.listening(), limits=Limits(handshake_timeout=0.05))
    await dial(listener)

    await until(lambda: listener.counts.closed["handshake"] == 1)
    await until(lambda: listener.counts.open == 0)  # when the greeting has ended, a moment later


async def test_handshakes_count_towards_the_limit(listen: Listen, dial: Dial, papers: Papers, until: Until) -> None:
    """Connections that have not finished their handshake count: nobody is let in around the limit."""
    listener = await listen(ssl=papers.listening(), limits=Limits(max_connections=1))
    await dial(listener)
    await until(lambda: listener.counts.open == 1)
    refused = await dial(listener)

    assert b"" == await refused.reader.read()
    assert await listener.drain(1)
    assert 0 == listener.counts.open


async def test_the_server_must_prove_itself(listen: Listen, owner: Owner, papers: Papers) -> None:
    """A sender whose receiver's certificate has another name, or another CA, sends nothing."""
    listener = await listen(ssl=papers.listening())
    renamed = Sender("127.0.0.1", listener.port, papers.trusting(), server_name="elsewhere.example")
    distrusting = Sender("127.0.0.1", listener.port, tls_client())

    for sender in (renamed, distrusting):
        with pytest.raises(MllpError) as raised:
            await sender.send(M)
        assert "transient" == raised.value.outcome
    assert [] == owner.frames


def test_old_versions_are_refused(papers: Papers) -> None:
    """Nothing before TLS 1.2, on either end."""
    assert ssl.TLSVersion.TLSv1_2 == papers.listening().minimum_version
    assert ssl.TLSVersion.TLSv1_2 == papers.trusting().minimum_version


def test_an_unreadable_certificate_has_only_its_fingerprint() -> None:
    """Bytes that no certificate can be read from match no rule by name; no bytes are no certificate."""
    unreadable = certificate(b"\x30\x00")

    assert isinstance(unreadable, Certificate)
    assert ("", ()) == (unreadable.subject, unreadable.names)
    assert certificate(None) is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [1, 300_000])
async def test_a_handshake_that_the_receiver_refuses_sends_nothing(
    listen: Listen, papers: Papers, version: ssl.TLSVersion, size: int
) -> None:
    """Also in TLS 1.3, where the sender's end of the handshake comes first, it is known that nothing was kept."""
    listener = await listen(ssl=papers.listening(mutual=True))
    context = papers.trusting()
    context.maximum_version = version

    with pytest.raises(Unreachable, match="the TLS handshake failed"):
        await Sender("127.0.0.1", listener.port, context).send(M * size)


async def test_a_receiver_without_session_tickets(listen: Listen, papers: Papers) -> None:
    """It gets its message too."""
    context = papers.listening()
    context.num_tickets = 0
    listener = await listen(ssl=context)
    sender = Sender("127.0.0.1", listener.port, papers.trusting())

    assert b"ACK " + M == await sender.send(M)
    await sender.close()


async def test_the_owner_hears_why_a_handshake_failed(
    listen: Listen, dial: Dial, owner: Owner, papers: Papers, until: Until
) -> None:
    """One word for each, and whose connection it was."""
    listener = await listen(ssl=papers.listening(mutual=True), limits=Limits(handshake_timeout=0.3))
    for client in (None, papers.stranger):
        with pytest.raises(MllpError):
            await Sender("127.0.0.1", listener.port, papers.trusting(client)).send(M)
    wire = await dial(listener)
    await wire.send(b"\x0b" + M + b"\x1c\r")
    await dial(listener)
    await until(lambda: len(owner.unsecured) == 4)

    assert {("127.0.0.1", "peer_did_not_return_a_certificate"), ("127.0.0.1", "timeout")} < set(owner.unsecured)
    assert ("127.0.0.1", "certificate_verify_failed") in owner.unsecured
