"""The doors in: one MLLP listener per address, and which feed a frame on it belongs to.

A certificate is bound to the feeds that name it and opens no other on its port; MSH-3|MSH-4 chooses among those that
are left. Address is not identity (DOMAIN 2.9).
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

from canonical.problems import Problem
from connectors.mllp.framing import Fault, Framing
from connectors.mllp.listener import Answer, Limits, Listener, Peer, tls
from connectors.mllp.tls import Certificate
from gateway.addresses import split
from gateway.answers import timestamp
from gateway.intake import NO_ROUTE, welcome
from gateway.pipeline import Pipeline
from gateway.site.settings import Feed
from transforms.hl7v2 import ack
from transforms.hl7v2.header import header

GRACE = 2.0
TOO_LONG = Problem(code="value-too-long", path="MSH", severity="error", detail="larger than this feed takes")


class Door:
    """One listening address and the feeds that come in by it."""

    def __init__(self, feeds: Sequence[Feed], pipeline: Pipeline, shared: bool = False) -> None:
        self.pipeline = pipeline
        self.host, self.wanted = split(feeds[0].settings.mllp)
        self.listener = Listener(
            self.accept, self.oversize, observe=self._observe, unsecured=self._unsecured, reuse_port=shared
        )
        self.become(feeds)

    def become(self, feeds: Sequence[Feed]) -> None:
        """Open to these feeds from now on; what concerns a connection counts for those to come."""
        self.feeds = tuple(feeds)
        self.bound = any(feed.settings.certificates for feed in feeds)
        first = feeds[0].settings
        framing = Framing(
            max_bytes=max(feed.settings.max_bytes for feed in feeds),
            strict=first.strict_framing,
            missing_cr=None if first.strict_framing else GRACE,
        )
        limits = Limits(
            max_connections=first.max_connections,
            max_connections_per_address=first.max_connections,
            max_in_flight=first.max_in_flight,
            frame_deadline=first.frame_seconds,
            idle_timeout=first.idle_seconds,
        )
        certificate, key = first.certificate, first.private_key
        secured = tls(certificate, key, first.client_ca) if certificate and key else None
        self.listener.change(framing, limits, secured, first.commit_blocks)

    async def open(self) -> None:
        """Listen."""
        await self.listener.start(self.host, self.wanted)

    def accept(self, frame: bytes, peer: Peer) -> asyncio.Future[Answer]:
        """Hand a frame to its feed, or turn it away unkept."""
        feed = self.feeds[0] if len(self.feeds) == 1 and not self.bound else self.choose(frame, peer)
        if feed is None:
            return self._turned_away(self.feeds[0], frame, peer, "turned_away", NO_ROUTE)
        if len(frame) > feed.settings.max_bytes:  # a neighbour on the port may take more
            return self._turned_away(feed, frame, peer, "oversize", TOO_LONG)
        return self.pipeline.accept(feed, frame)

    def choose(self, frame: bytes, peer: Peer) -> Feed | None:
        """The feed of this certificate and sender; of several, the one that names the sender.

        Whoever shows a certificate that some feed names is for those alone, whatever the message says of its sender.
        """
        head = header(frame)
        bound = [feed for feed in self.feeds if names(feed, peer.certificate)]
        open_to = bound or [feed for feed in self.feeds if not feed.settings.certificates]
        named = [feed for feed in open_to if feed.settings.senders and head and welcome(feed, head)]
        general = [feed for feed in open_to if not feed.settings.senders]
        return next(iter(named or general), None)

    def _turned_away(self, feed: Feed, frame: bytes, peer: Peer, outcome: str, why: Problem) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        future.set_result(Answer(self._refused(feed, frame, peer, outcome, why), committed=False))
        return future

    def oversize(self, head: bytes, peer: Peer) -> bytes | None:
        """The last answer of a connection whose frame is too long. What came of it is not kept: a part of a message
        must never be taken for the whole, by a replay least of all.
        """
        return self._refused(self.choose(head, peer) or self.feeds[0], head, peer, "oversize", TOO_LONG)

    def _refused(self, feed: Feed, raw: bytes, peer: Peer, outcome: str, why: Problem) -> bytes | None:
        """Count and tell that nothing is kept of a message; the answer to it."""
        head, now = header(raw), self.pipeline.clock()
        kind = head.message_type if head else ""
        answer = ack.build_minimal(raw, "AR", sha256(raw).hexdigest()[:20], timestamp(now), (why,))
        self.pipeline.count(feed.name, kind, outcome)
        self.pipeline.answered(feed.name, answer)
        self.pipeline.journal.turned_away(feed.name, kind, why.code.lower(), peer)
        return answer

    def _observe(self, fault: Fault, peer: Peer) -> None:
        self._fault(str(fault), peer)

    def _unsecured(self, why: str, peer: Peer) -> None:
        self._fault("tls", peer, why)

    def _fault(self, fault: str, peer: Peer, why: str | None = None) -> None:
        feed = self.feeds[0].name
        self.pipeline.metrics.mllp_faults.child(feed, fault).inc()
        self.pipeline.journal.fault(feed, fault, peer, why)


def names(feed: Feed, certificate: Certificate | None) -> bool:
    """Whether the peer's certificate is one of those that the feed is bound to."""
    if certificate is None:
        return False
    shown = (certificate.subject, certificate.sha256, *certificate.names)
    return any(one in shown for one in feed.settings.certificates)


class Doors:
    """All doors of this process, one for each address; `shared` ones other processes may open beside us."""

    def __init__(self, feeds: Sequence[Feed], pipeline: Pipeline, shared: bool = False) -> None:
        self.pipeline = pipeline
        self.shared = shared
        self.open: list[Door] = [Door(group, pipeline, shared) for group in by_address(feeds).values()]

    async def start(self) -> None:
        """Open them."""
        for door in self.open:
            await door.open()

    async def become(self, feeds: Sequence[Feed], drain: float) -> None:
        """Open to these feeds; only a door that is no longer wanted is closed, behind its last answer.

        Raises OSError, and leaves everything as it was, where a new address cannot be listened on.
        """
        wanted, known = by_address(feeds), {door.feeds[0].settings.mllp: door for door in self.open}
        fresh = [Door(group, self.pipeline, self.shared) for address, group in wanted.items() if address not in known]
        try:
            for door in fresh:
                await door.open()
        except OSError:
            await asyncio.gather(*(door.listener.drain(0) for door in fresh))
            raise
        gone = [door for address, door in known.items() if address not in wanted]
        for address in known.keys() & wanted.keys():
            known[address].become(wanted[address])
        self.open[:] = [door for door in self.open if door not in gone] + fresh
        await asyncio.gather(*(door.listener.drain(drain) for door in gone))

    async def drain(self, seconds: float) -> None:
        """Close all of them behind the last answer."""
        await asyncio.gather(*(door.listener.drain(seconds) for door in self.open))


def by_address(feeds: Sequence[Feed]) -> dict[str, list[Feed]]:
    """The feeds that share a door."""
    there: dict[str, list[Feed]] = {}
    for feed in feeds:
        there.setdefault(feed.settings.mllp, []).append(feed)
    return there
