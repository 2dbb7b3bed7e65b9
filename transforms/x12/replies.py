"""What a 271 says of each patient in it: traces, the person, benefits, rejections, dates (005010X279A1)."""

from msgspec import Struct

from canonical.datatypes import Benefit, Identifier, PlanDate, Rejection, Subscriber

from .benefits import TRN, read_benefit, read_dates, read_rejections
from .loops import Node, Tree
from .parties import read_person
from .rows import Reading


class Reply(Struct, kw_only=True):
    """What a 271 says of one patient: a subscriber's loop, or a dependent's."""

    loop: str
    traces: list[Identifier] = []
    person: Subscriber | None = None
    benefits: list[Benefit] = []
    rejections: list[Rejection] = []
    dates: list[PlanDate] = []


def replies(tree: Tree, reading: Reading) -> list[Reply]:
    """One for each patient: dependents by themselves, subscribers where they have no dependents or are spoken of."""
    before = read_rejections(tree.root, reading)
    for node in tree.all("2000A", "2100A", "2000B", "2100B"):
        before += read_rejections(node, reading)
    found = []
    for node in tree.all("2000C"):
        dependents = list(node.within("2000D"))
        whole = _reply(node, reading, before, [])
        if not dependents or whole.benefits or whole.rejections[len(before) :]:
            found.append(whole)
        found += [_reply(one, reading, before + whole.rejections[len(before) :], whole.dates) for one in dependents]
    if not found and before:
        found.append(Reply(loop=before[0].loop or "", rejections=before))
    return found


def _reply(node: Node, reading: Reading, before: list[Rejection], dates: list[PlanDate]) -> Reply:
    reply = Reply(loop=node.loop.id, rejections=[*before, *read_rejections(node, reading)])
    for found in node.all("TRN"):
        reply.traces += [one] if (one := TRN.read(found, reading).get("identifier")) else []
    for inner in node.nodes:
        if inner.loop.id in ("2100C", "2100D"):
            reply.person = read_person(inner, reading, "corrected_subscriber/")
            reply.dates += read_dates(inner, reading, "plan_")
            reply.rejections += read_rejections(inner, reading)
        elif inner.loop.id in ("2110C", "2110D"):
            one = read_benefit(inner, reading, f"benefits/{len(reply.benefits)}/")
            reply.benefits += [one] if one else []
            reply.rejections += read_rejections(inner, reading)
    reply.dates = reply.dates or dates  # a dependent without dates has those of the subscriber
    return reply
