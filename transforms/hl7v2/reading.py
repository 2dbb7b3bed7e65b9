"""One message being read under one profile: where the reader is, what it found wrong, whom the message spoke of.

A field that cannot be read costs itself only: it becomes a problem, and the rest goes on.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from canonical.patches import SELF
from canonical.problems import Problem, Severity

from .actors import Cast
from .dialect import dialect
from .er7 import Message
from .profile import Profile

WHOLE: Final[Mapping[str, int]] = {}


class BadField(Exception):
    """A converter could not read its text. Never carries the text."""

    def __init__(self, code: str, detail: str, severity: Severity = "error") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.severity = severity


class Used(Struct, frozen=True):
    """Lineage of one canonical field: the place it was read from and the row that read it.

    In a message with several patches `2.start` is a field of the third; `participants/AIP/1` is one entry of a list.
    """

    field: str
    path: str
    by: str


class Reading:
    """One message being read under one profile: where we are, and what was wrong so far.

    `msh_offset` is the offset of MSH-7 in minutes east, `zone` the one in which local times are read, `zone_at` the
    place that it is the zone of (empty: the feed's), `received_at` our clock in microseconds. The patches that the
    message comes to are collected in `cast`. With `trace` set, each field that gets a value leaves a `Used` there;
    without it lineage costs nothing.
    """

    __slots__ = (
        *("at", "cast", "delimiters", "dialect", "field", "message", "msh_offset", "noted", "problems", "profile"),
        *("received_at", "trace", "zone", "zone_at"),
    )

    def __init__(
        self,
        message: Message,
        profile: Profile,
        received_at: int,
        msh_offset: int | None = None,
        trace: list[Used] | None = None,
    ) -> None:
        self.message = message
        self.delimiters = message.delimiters
        self.profile = profile
        msh = message.first("MSH")
        house = (msh.get(4), msh.get(3)) if msh else ("", "")
        self.dialect = dialect(profile, message.delimiters, message.charset, house)
        self.zone = self.dialect.zone
        self.zone_at = ""
        self.cast = Cast()
        self.noted: dict[str, Problem] = {}
        self.received_at = received_at
        self.msh_offset = msh_offset
        self.problems: list[Problem] = []
        self.trace = trace
        self.at = "MSH"
        self.field: str | None = None

    def complain(self, code: str, detail: str = "", severity: Severity = "warning", at: str | None = None) -> None:
        """Note a problem of the field being read; `at` is a place inside it (`.3`, `[2].1`) or a whole path."""
        path = self.at if at is None else self.at + at if at[0] in ".[-" else at
        self.problems.append(Problem(code=code, path=path, detail=detail, severity=severity, field=self.field))

    def remark(self, about: str, code: str, detail: str, at: str | None = None) -> None:
        """Note something worth knowing about the sender's ways, once a message."""
        if about not in self.noted:
            self.complain(code, detail, "information", at)
            self.noted[about] = self.problems[-1]

    def used(self, field: str, path: str, by: str) -> None:
        """Leave a trace that this field came from there."""
        if self.trace is not None:
            self.trace.append(Used(field, path, by))

    def instead(self, field: str, path: str, by: str) -> None:
        """Leave a trace that this field came from there, and from nowhere that was told before."""
        self.untraced(field)
        self.used(field, path, by)

    def untraced(self, field: str) -> None:
        """Take back what was told of where this field came from."""
        if self.trace is not None:
            self.trace[:] = [used for used in self.trace if used.field != field]

    def wrong(self, since: int) -> tuple[Problem, ...]:
        """What a record's segments have wrong: the problems from that number on, without mere remarks."""
        if len(self.problems) == since:
            return ()
        remarks = {id(problem) for problem in self.noted.values()}
        return tuple(problem for problem in self.problems[since:] if id(problem) not in remarks)

    def used_zone(self) -> None:
        """Leave a trace of whose zone the local times are read in; the feed's stands nowhere in the message."""
        if self.zone:
            self.used("zone", self.zone_at, "zone_of_place" if self.zone_at else "zone_of_feed")

    def introduced(self, reference: str, by: str, components: Mapping[str, int] = WHOLE) -> None:
        """Leave a trace that the place being read is where the record behind a reference comes from.

        `components` are those of fields that are one component each.
        """
        if self.trace is not None:
            number = reference[len(SELF) :]
            for field in ("identifiers", "status", *self.cast.patches[int(number)].fields):
                part = f".{components[field]}" if field in components else ""
                self.used(f"{number}.{field}", self.at + part, by)

    def number(self, patch: int, since: int) -> None:
        """What was traced from that number on is about this patch: `start` becomes `2.start`."""
        if self.trace is None:
            return
        for place, used in enumerate(self.trace[since:], since):
            if not used.field[0].isdecimal():
                self.trace[place] = Used(f"{patch}.{used.field}", used.path, used.by)
