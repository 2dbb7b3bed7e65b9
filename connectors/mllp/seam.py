"""The words between the MLLP listener and its owner: who sent a frame, what goes back, what is put up with."""

import asyncio
from collections import Counter
from collections.abc import Callable

from msgspec import Struct, field

from connectors.mllp.framing import Fault
from connectors.mllp.tls import Certificate


class Peer(Struct, frozen=True):
    """The other end of one connection. Its address is not its identity; its certificate is."""

    connection: int
    address: str
    port: int
    certificate: Certificate | None = None


class Answer(Struct, frozen=True):
    """What goes back for one frame: a payload or silence, and whether the connection ends with it.

    `committed` only matters to MLLP Release 2: it chooses between the commit blocks for "kept" and "not kept".
    """

    payload: bytes | None
    close: bool = False
    committed: bool = True


Accept = Callable[[bytes, Peer], asyncio.Future[Answer]]
Refuse = Callable[[bytes, Peer], bytes | None]
Observe = Callable[[Fault, Peer], None]
Unsecured = Callable[[str, Peer], None]


class Limits(Struct, frozen=True, kw_only=True):
    """What one listener puts up with. Times are in seconds.

    `frame_deadline` runs from a frame's first byte to its last. `idle_timeout` ends a connection that has sent no
    whole frame and waits for no answer, or that does not read its answers. `max_in_flight` is how many frames of one
    connection may wait for their answers before its reading stops.
    """

    max_connections: int = 1024
    max_connections_per_address: int = 256
    max_in_flight: int = 64
    frame_deadline: float = 120.0
    idle_timeout: float = 3600.0
    handshake_timeout: float = 10.0


class Counts(Struct):
    """What has happened at one listener since it was made.

    `unread` counts answers whose sender had left: those messages are kept, and will come again. `closed` counts
    connections by why they ended: `peer`, `reset`, `idle`, `deadline`, `missing_cr` (the deadline, one CR short),
    `stalled` (answers not read), `oversize`, `answer` (the owner's wish), `failed`, `drained`, `cut` (the drain ran
    out of time), and, before they began, `limit`, `limit_address`, `handshake`.
    """

    connections: int = 0
    open: int = 0
    frames: int = 0
    bytes: int = 0
    junk: int = 0
    acks: int = 0
    unread: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
