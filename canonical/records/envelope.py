"""What every record has (DOMAIN 1.0).

A record is the state that all messages heard so far add up to. Beside its fields it carries what makes that sum
independent of their order: the facts its status is folded from and a clock for every field.
"""

from msgspec import Struct

from canonical.datatypes import Concept, Identifier, Value
from canonical.problems import Problem


class Stamp(Struct, frozen=True, array_like=True, order=True, gc=False):
    """When a field was spoken about, by whom: feed rank, the sender's clock in microseconds, the message.

    Ordered by rank, then clock; the message only names (two messages with one clock: the later received wins).
    """

    rank: int
    at: int
    message: str

    def yields_to(self, other: "Stamp") -> bool:
        """Whether a value with this stamp gives way to one with the other."""
        return (self.rank, self.at) <= (other.rank, other.at)


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """One thing a sender said about a status: the status is the fold of all facts by clock (canonical/status.py).

    A `weak` fact counts only while nothing stronger was said before it (an A08 about an unknown encounter).
    `cancels` names the events it can undo; it has no effect when the state came from another (A11 after A03).
    An `implied` one is what the event usually stands for: it does not bring back what was entered in error.
    """

    status: str
    stamp: Stamp
    feed: str
    event: str
    recorded_at: int
    weak: bool = False
    cancels: tuple[str, ...] = ()
    reason: Concept | None = None
    source: Concept | None = None
    late: bool = False  # received when a newer one was known
    implied: bool = False
    actor: str | None = None  # the client whose command it was


class Record(Value, frozen=True):
    """The envelope of every record (DOMAIN 1.0). Instants are RFC 3339 in UTC; `*_at` integers are microseconds.

    `effective_at` is the senders' time of the last version. `newest` is the newest clock heard, by which a message is
    late or not: it moves with every message, and is shown to nobody.
    """

    id: str
    tenant: str
    version: int = 0
    status: str | None = None
    status_reason: Concept | None = None
    source_status: Concept | None = None
    identifiers: tuple[Identifier, ...] = ()
    created_at: int = 0
    updated_at: int = 0
    effective_at: int = 0
    newest: int = 0
    message: str | None = None  # the last message that changed it
    feed: str | None = None
    problems: tuple[Problem, ...] = ()
    security_labels: tuple[Concept, ...] = ()
    facts: tuple[Fact, ...] = ()
    stamps: tuple[Stamp, ...] = ()
    clocks: dict[str, int] = {}  # field (or field/key) -> index into stamps
