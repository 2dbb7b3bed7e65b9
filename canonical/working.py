"""What a group of messages works on, and what a message did to it."""

from msgspec import Struct

from canonical.events import Event
from canonical.problems import Problem
from canonical.records import Record
from canonical.tasks import Task


class Refused(Exception):
    """The message contradicts what is known; nothing of it is applied. The code is a public exception code."""

    def __init__(self, code: str, queue: str, problem: Problem) -> None:
        super().__init__(code)
        self.code = code
        self.queue = queue
        self.problem = problem


class Working:
    """The records a group of messages may touch, by id and by identifier; later messages see what earlier ones did."""

    __slots__ = ("index", "records")

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.index: dict[tuple[str, str, str], list[str]] = {}

    def add(self, kind: str, record: Record) -> None:
        """Know a record, and find it by each of its identifiers."""
        known = self.records.get(record.id)
        self.records[record.id] = record
        if known is not None and known.identifiers is record.identifiers:
            return
        for one in record.identifiers:
            ids = self.index.setdefault((kind, one.system, one.value), [])
            if record.id not in ids:
                ids.append(record.id)


class Settled(Struct, kw_only=True):
    """What a message did: for each record its state before and after, and whether it is a new version."""

    before: dict[str, Record | None] = {}
    after: dict[str, Record] = {}
    fresh: set[str] = set()
    kinds: dict[str, str] = {}
    events: list[Event] = []
    tasks: list[Task] = []
    records: list[str] = []  # what the message was about, in the order of its patches; then what else it changed
    problems: list[Problem] = []  # those of the mapping, and what only the records before it could tell
