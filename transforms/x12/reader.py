"""Reads a transaction into its loops by the table of its guide.

It never refuses: a segment that the table has no place for stays, with a fault, where it was met, and nothing reads it.
Loops of an HL segment hang under the parent that HL02 names, whatever order they come in.
"""

from collections.abc import Iterator

from .dictionary import SEGMENTS
from .faults import Fault
from .interchange import Transaction
from .loops import Found, Loop, Node, Tree, Use, element_fault, loop_id, segment_fault


def read(transaction: Transaction, guide: Loop) -> Tree:
    """The tree of a transaction; `guide` is the loop of ST."""
    return _Reader(transaction, guide).read()


class _Reader:
    """One transaction being read."""

    def __init__(self, transaction: Transaction, guide: Loop) -> None:
        self.segments = transaction.segments
        self.guide = guide
        self.root = Node(loop=guide)
        self.nodes = [self.root]
        self.node = self.root
        self.every: list[Found] = []
        self.faults: list[Fault] = []
        self.by_id: dict[str, Node] = {}
        self.opened: list[Node] = []
        self.numbers: dict[str, int] = {}

    def read(self) -> Tree:
        for position, elements in enumerate(self.segments, 1):
            if position == 1:
                self._attach(self.root, elements, position)
            elif elements[0] == "HL":
                self._hierarchy(elements, position)
            elif elements[0] == "SE" and position == len(self.segments):
                self._attach(self.root, elements, position)
            else:
                self._place(elements, position)
        self._close()
        return Tree(self.root, self.nodes, self.every, self.faults)

    def _attach(self, node: Node, elements: list[str], position: int) -> Found:
        found = Found(elements, position, node)
        if len(node.segments) > 1:
            found.occurrence = 1 + sum(one.elements[0] == elements[0] for one in node.segments)
        node.segments.append(found)
        self.every.append(found)
        return found

    def _open(self, parent: Node, loop: Loop, elements: list[str], position: int) -> Found:
        number = self.numbers[loop.id] = self.numbers.get(loop.id, 0) + 1
        self.node = Node(loop, parent, number)
        parent.nodes.append(self.node)
        self.nodes.append(self.node)
        return self._attach(self.node, elements, position)

    def _place(self, elements: list[str], position: int) -> None:
        """Where the segment fits with its qualifier; else where it fits without; else it is a stray."""
        for strict in (True, False):
            for node in self._reachable():
                found = self._into(node, elements, position, strict)
                if found is None:
                    continue
                if not strict:
                    self._wrong_code(found)
                return
        self._stray(elements, position)

    def _reachable(self) -> Iterator[Node]:
        """The open loops from the inside out, up to the one that an HL opened: what belongs elsewhere has its own."""
        for node in self.node.up():
            yield node
            if node.loop.level:
                return

    def _into(self, node: Node, elements: list[str], position: int, strict: bool) -> Found | None:
        name = elements[0]
        code = elements[1] if len(elements) > 1 else ""
        fitting = [pair for pair in node.loop.places.get(name, ()) if _fits(pair[1], code, strict)]
        if fitting:
            return self._use(node, fitting, elements, position)
        for loop in node.loop.children.get(name, ()):
            if _fits(loop.opens, code, strict):
                return self._open(node, loop, elements, position)
        return None

    def _use(self, node: Node, fitting: list[tuple[int, Use]], elements: list[str], position: int) -> Found:
        index, use = next((pair for pair in fitting if pair[0] >= node.last), fitting[-1])
        found = self._attach(node, elements, position)
        self.node = node
        count = node.counts[index] = node.counts.get(index, 0) + 1
        if use.repeat and count > use.repeat:
            self._wrong(found, "5")
        elif index < node.last:
            self._wrong(found, "7")
        node.last = max(node.last, index)
        return found

    def _hierarchy(self, elements: list[str], position: int) -> None:
        """An HL opens its loop under the parent that it names; where there is none such, under the nearest that may."""
        number, parent, level = (elements[n] if n < len(elements) else "" for n in (1, 2, 3))
        named = self.by_id.get(parent) if parent else self.root
        place = _accepts(named, level) if named else None
        if place is None:
            found = self._astray(elements, position, level)
        else:
            found = self._open(named or self.root, place, elements, position)
        if number and number in self.by_id:
            self._element(found, 1, "7", "628")
        self.by_id[number] = self.node
        self.opened.append(self.node)

    def _astray(self, elements: list[str], position: int, level: str) -> Found:
        """An HL without its parent: it is read where its level may stand, but the transaction is not to be trusted."""
        node = next((one for one in (*reversed(self.opened), self.root) if _accepts(one, level)), None)
        if node is None:
            known = any(level == loop.level for loop in _loops(self.guide))
            found = self._open(self.root, Loop(id="HL", opens=Use("HL"), level=level or "?"), elements, position)
            self._element(found, 2 if known else 3, "7", "734" if known else "735", fatal=known)
            return found
        place = _accepts(node, level)
        assert place is not None
        found = self._open(node, place, elements, position)
        self._element(found, 2, "7", "734")
        return found

    def _stray(self, elements: list[str], position: int) -> None:
        node = self.node
        found = Found(elements, position, node, 1 + sum(one.elements[0] == elements[0] for one in node.strays))
        node.strays.append(found)
        self.every.append(found)
        known = any(elements[0] == use.name for loop in _loops(self.guide) for use in (loop.opens, *loop.uses))
        self._wrong(found, "2" if known else "6" if elements[0] in SEGMENTS else "1")

    def _close(self) -> None:
        """What should have been there and was not, and loops that came too often."""
        for node in self.nodes:
            for index, use in enumerate(node.loop.uses, 1):
                if use.required and index not in node.counts:
                    self._missing(node, use, node.loop.id)
            for loop in node.loop.loops:
                there = [one for one in node.nodes if one.loop is loop]
                if loop.required and not there:
                    self._missing(node, loop.opens, loop.id)
                if loop.repeat and len(there) > loop.repeat:
                    self._wrong(there[loop.repeat].opening, "4")
            self._children(node)

    def _children(self, node: Node) -> None:
        """HL04 says whether loops of other HL segments follow within this one."""
        if not node.loop.level or node.loop.id == "HL":
            return
        said = node.opening.get(4)
        if said in ("0", "1") and (said == "1") != any(one.loop.level for one in node.nodes):
            self._element(node.opening, 4, "7", "736", fatal=False)

    def _missing(self, node: Node, use: Use, loop: str) -> None:
        """The place is the one behind the last segment of its loop."""
        position = (node.segments[-1].position if node.segments else 0) + 1
        path = f"{node.path}/{use.name}" if loop == node.loop.id else f"{loop}/{use.name}"
        self.faults.append(
            Fault(level="segment", code="3", path=path, segment=use.name, position=position, loop=loop_id(loop))
        )

    def _wrong(self, found: Found, code: str) -> None:
        self.faults.append(segment_fault(found, code, fatal=False))

    def _wrong_code(self, found: Found) -> None:
        elements = SEGMENTS.get(found.name, ())
        self._element(found, 1, "7", elements[0].number if elements else "", fatal=False)

    def _element(self, found: Found, n: int, code: str, reference: str, fatal: bool = True) -> None:
        self.faults.append(element_fault(found, n, code, reference=reference, fatal=fatal))


def _fits(use: Use, code: str, strict: bool) -> bool:
    return not strict or not use.codes or code in use.codes


def _accepts(node: Node, level: str) -> Loop | None:
    return next((loop for loop in node.loop.children.get("HL", ()) if loop.level == level), None)


def _loops(loop: Loop) -> Iterator[Loop]:
    yield loop
    for one in loop.loops:
        yield from _loops(one)
