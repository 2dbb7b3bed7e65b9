"""What came back for a question of ours: an answer that can be trusted, an acknowledgement, or neither.

In real time the same response brings the answer (271, 278) or a 999 or TA1 that says why there is none. An answer whose
envelope or hierarchy does not add up may lack what matters most, so nothing of it is taken.
"""

from typing import Literal

from msgspec import Struct

from canonical.problems import Problem

from .ack import Verdict, read_ta1, read_verdict
from .envelope import parse
from .faults import Fault, Unparseable
from .guides import VERSIONS, guide
from .interchange import Interchange, Transaction, element
from .loops import Tree
from .profile import Payer
from .reader import read

Kind = Literal["answer", "acknowledgement", "refused"]


class Receipt(Struct, kw_only=True):
    """The transactions of the kind that was expected, each as its tree, and all that is wrong with what came."""

    kind: Kind
    interchange: Interchange | None = None
    trees: list[Tree] = []
    verdict: Verdict | None = None
    problems: list[Problem] = []


def receive(raw: bytes, expected: str, payer: Payer) -> Receipt:
    """What these bytes are; it never raises."""
    try:
        found = parse(raw)
    except Unparseable as bad:
        return Receipt(kind="refused", problems=[bad.problem])
    problems = [fault.problem for fault in found.every_fault()]
    if found.usage != payer.ends.usage:
        problems.append(Fault(level="interchange", code="020", path="ISA-15").problem)
    if any(problem.severity == "error" for problem in problems):
        return Receipt(kind="refused", interchange=found, problems=problems)
    wanted = [one for one in found.transactions if one.kind == expected]
    if not wanted:
        return _acknowledged(found, problems)
    trees = []
    for one in wanted:
        tree, wrong = _tree(one)
        problems += wrong
        trees += [tree] if tree else []
    return Receipt(
        kind="answer" if len(trees) == len(wanted) else "refused", interchange=found, trees=trees, problems=problems
    )


def _tree(transaction: Transaction) -> tuple[Tree | None, list[Problem]]:
    """The tree, unless it is of another guide or its hierarchy is broken: then who knows whom it speaks of."""
    purpose = element(transaction.segments[1], 2) if len(transaction.segments) > 1 else ""
    table = guide(transaction.kind, purpose)
    version = transaction.guide
    if table is None or (version and version not in VERSIONS[transaction.kind]):
        return None, [Fault(level="transaction", code="I6", path="ST-03").problem]
    tree = read(transaction, table)
    broken = any(fault.segment == "HL" and fault.fatal for fault in tree.faults)
    return (None if broken else tree), [fault.problem for fault in tree.faults]


def _acknowledged(found: Interchange, problems: list[Problem]) -> Receipt:
    verdicts = [read_ta1(one) for one in found.ta1]
    verdicts += [one for transaction in found.transactions if (one := read_verdict(transaction))]
    if not verdicts:
        problems.append(Fault(level="transaction", code="1", path="ST-01").problem)
        return Receipt(kind="refused", interchange=found, problems=problems)
    verdict = next((one for one in verdicts if not one.accepted), verdicts[-1])
    inner = [fault for one in verdict.transactions for fault in one.faults]
    problems += [fault.problem for fault in (*verdict.faults, *inner)]
    return Receipt(kind="acknowledgement", interchange=found, verdict=verdict, problems=problems)
