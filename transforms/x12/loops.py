"""A transaction as the tree of its loops: the table that says which segment opens a loop and what stands in it, the
loops and segments that were found, and how a fault names its place among them.
"""

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

from msgspec import Struct

from .faults import Fault

UNNAMED = "???"


@lru_cache(maxsize=1024)
def is_name(text: str) -> bool:
    """Whether a text can be the name of a segment."""
    return re.fullmatch("[A-Z][A-Z0-9]{1,2}", text) is not None


class Use(Struct, frozen=True):
    """A segment of a loop. `codes` are what its first element may be here; `repeat` 0 is without end."""

    name: str
    codes: frozenset[str] = frozenset()
    required: bool = False
    repeat: int = 1


class Loop(Struct, frozen=True, dict=True):
    """A loop: the segment that opens it, those that follow, and the loops within. `level` is HL03 where HL opens it."""

    id: str
    opens: Use
    uses: tuple[Use, ...] = ()
    loops: tuple["Loop", ...] = ()
    required: bool = False
    repeat: int = 1
    level: str = ""

    @cached_property
    def places(self) -> dict[str, list[tuple[int, Use]]]:
        """The uses of a segment in this loop, each with its place."""
        found: dict[str, list[tuple[int, Use]]] = {}
        for index, use in enumerate(self.uses, 1):
            found.setdefault(use.name, []).append((index, use))
        return found

    @cached_property
    def children(self) -> dict[str, list["Loop"]]:
        """The loops within that a segment may open."""
        found: dict[str, list[Loop]] = {}
        for loop in self.loops:
            found.setdefault(loop.opens.name, []).append(loop)
        return found


class Found(Struct):
    """One segment in its loop. `position` counts from ST, which is 1; `occurrence` within the loop."""

    elements: list[str]
    position: int
    node: "Node"
    occurrence: int = 1

    @property
    def name(self) -> str:
        """The segment's name; what cannot be one may be anything, and is never repeated."""
        name = self.elements[0]
        return name if is_name(name) else UNNAMED

    @property
    def path(self) -> str:
        """`2110C[2]/EB`, `2110C/MSG[3]`."""
        number = f"[{self.occurrence}]" if self.occurrence > 1 else ""
        return f"{self.node.path}/{self.name}{number}"

    def get(self, n: int) -> str:
        """Element n as sent, empty when it was not."""
        return self.elements[n] if n < len(self.elements) else ""


class Node(Struct):
    """One loop that was found: its segments in order, and the loops within. `number` is which of its kind it is."""

    loop: Loop
    parent: "Node | None" = None
    number: int = 1
    segments: list[Found] = []
    nodes: list["Node"] = []
    strays: list[Found] = []
    last: int = 0
    counts: dict[int, int] = {}

    @property
    def path(self) -> str:
        """`2110C[2]`; the first one has no number."""
        return f"{self.loop.id}[{self.number}]" if self.number > 1 else self.loop.id

    @property
    def opening(self) -> Found:
        return self.segments[0]

    def first(self, name: str) -> Found | None:
        """The first segment of this name in the loop itself."""
        return next((one for one in self.segments if one.elements[0] == name), None)

    def all(self, name: str) -> list[Found]:
        return [one for one in self.segments if one.elements[0] == name]

    def within(self, *ids: str) -> Iterator["Node"]:
        """The loops right within that have one of these ids."""
        return (node for node in self.nodes if node.loop.id in ids)

    def up(self) -> Iterator["Node"]:
        """This loop and those around it, outwards."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent


class Tree(Struct):
    """A transaction by its loops. `every` holds all its segments in order, also those without a place; `nodes` all its
    loops."""

    root: Node
    nodes: list[Node]
    every: list[Found]
    faults: list[Fault]

    def all(self, *ids: str) -> list[Node]:
        """Every loop with one of these ids, in the order in which they were opened."""
        return [node for node in self.nodes if node.loop.id in ids]


def segment_fault(found: Found, code: str, fatal: bool = True) -> Fault:
    """Something is wrong with a segment as such."""
    loop = loop_id(found.node.loop.id)
    return Fault(
        level="segment",
        code=code,
        path=found.path,
        segment=found.name,
        position=found.position,
        loop=loop,
        fatal=fatal,
    )


def element_fault(
    found: Found,
    n: int,
    code: str,
    *,
    component: int = 0,
    repetition: int = 0,
    reference: str = "",
    fatal: bool = False,
) -> Fault:
    """Something is wrong with an element of a segment."""
    at = f"[{repetition}]" if repetition else ""
    part = f".{component}" if component else ""
    return Fault(
        level="element",
        code=code,
        path=f"{found.path}-{n:02d}{at}{part}",
        segment=found.name,
        position=found.position,
        loop=loop_id(found.node.loop.id),
        element=n,
        component=component,
        repetition=repetition,
        reference=reference,
        fatal=fatal,
    )


def loop_id(loop: str) -> str:
    """A loop as acknowledgements call it; the transaction itself has no id there."""
    return "" if loop in ("ST", "HL") else loop
