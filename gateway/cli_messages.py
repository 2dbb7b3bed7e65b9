"""The commands that work on files of messages: send, translate, explain.

A file may hold one message or several, framed or in a batch, whose own segments are passed over (`frames`).
"""

import argparse
import asyncio
import math
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.addresses import split
from gateway.frames import messages
from gateway.site.folder import load
from gateway.site.forms import is_address
from gateway.site.settings import Feed, Peer, feed_of
from gateway.stop import Stop

ACCEPTED: Final = ("AA", "CA")
STDIN: Final = "-"
MSH_OF_TWO_BYTES: Final = b"M\0S\0H"
MEANT: Final = {"transient": "nothing was kept", "ambiguous": "it may have been kept"}
CONTROLS: Final = {one: f"\\x{one:02x}" for one in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if one != 0x0A}


def send(arguments: argparse.Namespace) -> int:
    """Send messages; 1 unless every one was accepted."""
    if not is_address(arguments.to):
        raise Stop("--to is written host:port, as in 127.0.0.1:2575")
    batch = [
        (f"message {number} of {called(name)}", one)
        for name in arguments.files
        for number, one in enumerate(_messages(name), 1)
    ]
    return asyncio.run(_send(arguments, batch))


async def _send(arguments: argparse.Namespace, batch: Sequence[tuple[str, bytes]]) -> int:
    """One after another; one that gets no answer is reported, and the next goes over a new connection."""
    from connectors.mllp.client import MllpError, Sender
    from transforms.hl7v2.ack import read_ack, wants_any
    from transforms.hl7v2.header import header

    host, port = split(arguments.to)
    sender = Sender(host, port, _tls(arguments), arguments.timeout)
    accepted = refused = 0
    try:
        for name, one in batch:
            head = header(one)
            try:
                if head and head.message_type != "ACK" and not wants_any(head):
                    await sender.tell(one)
                    accepted += 1
                    print(f"{name}: sent; it asks for no answer (MSH-15, MSH-16)\n", flush=True)
                    continue
                answer = await sender.send(one)
            except MllpError as error:
                _tell(f"{name}: {error} ({error.outcome}: {MEANT[error.outcome]})")
                continue
            found = read_ack(answer)
            if found and found[0] in ACCEPTED:
                accepted += 1
            else:
                refused += 1
            print(plain(answer.decode("utf-8", "replace").replace("\r", "\n")).rstrip() + "\n", flush=True)
    finally:
        await sender.close()
    if accepted == len(batch):
        return 0
    lost = len(batch) - accepted - refused
    _tell(f"{len(batch)} sent: {accepted} accepted, {refused} refused, {lost} without an answer")
    return 1


def _tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    from connectors.mllp.tls import tls_client

    certificate, key = arguments.certificate, arguments.private_key
    if not arguments.tls:
        if certificate or key:
            raise Stop("--certificate and --private-key are shown over TLS alone; name its CA with --tls")
        return None
    if key and not certificate:
        raise Stop("--private-key is the key of a --certificate")
    for option, path in (("--tls", arguments.tls), ("--certificate", certificate), ("--private-key", key)):
        if path and not path.is_file():
            raise Stop(f"{option}: there is no file {path}")
    try:
        return tls_client(arguments.tls, certificate, key)
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "reason", None) or error.strerror
        raise Stop(f"--tls, --certificate or --private-key cannot be used ({why})") from None


def translate(arguments: argparse.Namespace) -> int:
    """Messages as one JSON document: an object, or a list where there are several."""
    from gateway.translate import translate as translated

    feed = _feed(arguments)
    found = [translated(one, feed) for one in _messages(arguments.file)]
    document = msgspec.json.encode(found[0] if len(found) == 1 else found)
    _write(msgspec.json.format(document, indent=2) + b"\n")
    return _unread([one.state for one in found], arguments.file)


def explain(arguments: argparse.Namespace) -> int:
    """Messages with a remark beside each field."""
    from gateway.explain import explain as explained
    from gateway.translate import translate as translated

    feed = _feed(arguments)
    found = _messages(arguments.file)
    text = plain("\n".join(explained(one, feed) for one in found))
    _write(text.encode(sys.stdout.encoding, "backslashreplace"))
    return _unread([translated(one, feed).state for one in found], arguments.file)


def _write(content: bytes) -> None:
    """All of it: JSON is UTF-8 whatever the terminal is, and an unbuffered output takes a part at a time."""
    left = memoryview(content)
    while left:
        left = left[sys.stdout.buffer.write(left) :]
    sys.stdout.buffer.flush()


def _unread(states: Sequence[str], name: str) -> int:
    """1 where a message cannot be read, which is said of each."""
    wrong = [number for number, state in enumerate(states, 1) if state == "refused"]
    for number in wrong:
        _tell(f"message {number} of {called(name)}: it cannot be read as HL7 v2")
    return 1 if wrong else 0


def _feed(arguments: argparse.Namespace) -> Feed:
    """The feed whose eyes are used: one of a site, or one without any settings."""
    if arguments.site is None:
        if arguments.feed:
            raise Stop("--feed names a feed of a site; name the site with --site")
        return feed_of("file", Peer(), {})
    feeds = {feed.name: feed for feed in load(arguments.site).feeds}
    names = [arguments.feed] if arguments.feed else list(feeds)
    if len(names) != 1 or names[0] not in feeds:
        raise Stop(f"name one feed with --feed: {', '.join(sorted(feeds)) or 'this site has none'}")
    return feeds[names[0]]


def _messages(name: str) -> list[bytes]:
    """The messages of a file, at least one."""
    content = _content(name)
    if not content.strip():
        raise Stop(f"{called(name)} is empty")
    found = messages(content)
    if not found and MSH_OF_TWO_BYTES in content:
        raise Stop(f"{called(name)} is UTF-16; HL7 v2 is sent in UTF-8 or a character set of table 0211")
    if not found:
        raise Stop(f"{called(name)} is not HL7 v2: nowhere in it a line begins with MSH and a delimiter")
    return found


def _content(name: str) -> bytes:
    if name == STDIN and sys.stdin is None:
        raise Stop("standard input is closed")
    try:
        return sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise Stop(f"{called(name)} cannot be read ({error.strerror})") from None


def called(name: str) -> str:
    """A file as it is spoken of."""
    return "standard input" if name == STDIN else name


def plain(text: str) -> str:
    """Text for a terminal: a message may hold what would move its cursor."""
    return text.translate(CONTROLS)


def seconds(text: str) -> float:
    """An option that is a time."""
    found = float(text)
    if not math.isfinite(found) or found <= 0:
        raise ValueError(text)
    return found


def _tell(sentence: str) -> None:
    print(f"isthmus: {sentence}", file=sys.stderr, flush=True)
