"""An interchange as it is kept: ISA to IEA, its groups, their transactions, and what is wrong with each.

A segment is the list of its name and its elements, `segment[3]` being element 03 as it was sent, components and
repetitions uncut. There is no escape to undo.
"""

from collections.abc import Iterator

from msgspec import Struct

from .delimiters import Delimiters
from .faults import Fault

Segment = list[str]


class Transaction(Struct, kw_only=True):
    """ST to SE, both among the segments; `position` is the place of ST in the interchange, ISA being 1."""

    segments: list[Segment]
    faults: list[Fault] = []
    position: int = 0

    @property
    def kind(self) -> str:
        """ST01: `271`."""
        return element(self.segments[0], 1)

    @property
    def control(self) -> str:
        """ST02."""
        return element(self.segments[0], 2)

    @property
    def guide(self) -> str:
        """ST03, the implementation guide; empty where the sender leaves it to GS08."""
        return element(self.segments[0], 3)


class Group(Struct, kw_only=True):
    """GS to GE."""

    gs: Segment
    ge: Segment | None = None
    transactions: list[Transaction] = []
    faults: list[Fault] = []

    @property
    def control(self) -> str:
        """GS06."""
        return element(self.gs, 6)

    @property
    def guide(self) -> str:
        """GS08."""
        return element(self.gs, 8)


class Interchange(Struct, kw_only=True):
    """ISA to IEA. `isa` is padded as it was sent; `ta1` are acknowledgements that travel outside of any group."""

    delimiters: Delimiters
    isa: Segment
    iea: Segment | None = None
    groups: list[Group] = []
    ta1: list[Segment] = []
    strays: list[Segment] = []
    faults: list[Fault] = []

    @property
    def control(self) -> str:
        """ISA13."""
        return self.isa[13]

    @property
    def usage(self) -> str:
        """ISA15: T or P."""
        return self.isa[15]

    @property
    def transactions(self) -> list[Transaction]:
        """Those of all groups."""
        return [transaction for group in self.groups for transaction in group.transactions]

    def every_fault(self) -> Iterator[Fault]:
        """The faults of the envelope, from the outside in."""
        yield from self.faults
        for group in self.groups:
            yield from group.faults
            for transaction in group.transactions:
                yield from transaction.faults


def element(segment: Segment, n: int) -> str:
    """Element n as sent, empty when it was not."""
    return segment[n] if n < len(segment) else ""
