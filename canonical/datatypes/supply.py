"""What requisitions are made of: lines, and what became of each (ORC, RQD, RQ1; DOMAIN 1.7)."""

from typing import Annotated

from canonical.datatypes.common import Concept, Identifier, Money, Note, Quantity, Value
from canonical.meaning import codes, identity, means, partial_date, when


class Item(Value, frozen=True):
    """A thing or service by all the numbers that it goes under: ours, the supplier's, GTIN, UDI, UNSPSC, HCPCS."""

    identifiers: Annotated[tuple[Identifier, ...], means("Item numbers and device identifiers.")] = ()
    codes: Annotated[tuple[Concept, ...], means("What kind of thing it is: HCPCS, UNSPSC.")] = ()
    description: Annotated[str | None, means("The thing in words.")] = None


class Source(Value, frozen=True):
    """Who makes or sells an item, and its number there (RQ1-2 to -5)."""

    name: Annotated[str | None, means("Its name, in words.")] = None
    identifier: Annotated[Identifier | None, means("Its number.")] = None
    catalog: Annotated[str | None, means("The item's number in its catalogue.")] = None
    organization: Annotated[str | None, identity("The id of its record, where there is one.", "organization")] = None


class Line(Value, frozen=True):
    """What is asked for in one line. What became of it is told by `Progress` under the same key."""

    key: Annotated[str, means("The number of the line; it stays through updates.")]
    item: Annotated[Item, means("What is asked for.")]
    quantity: Annotated[Quantity, means("How many, in which unit.")]
    per_package: Annotated[Quantity | None, means("How many of the base unit are in one of that unit.")] = None
    identifiers: Annotated[tuple[Identifier, ...], means("Its own numbers: placer (ORC-2), filler (ORC-3).")] = ()
    manufacturer: Annotated[Source | None, means("Who makes it.")] = None
    vendor: Annotated[Source | None, means("Who sells it.")] = None
    unit_price: Annotated[Money | None, means("The price of one.")] = None
    price_text: Annotated[str | None, means("The price as it was written (RQ1-1 is free text).")] = None
    taxable: Annotated[bool | None, means("Whether it is taxed.")] = None
    substitute_allowed: Annotated[bool | None, means("Whether another item will do.")] = None
    account: Annotated[Concept | None, means("The general ledger account.")] = None
    cost_center: Annotated[Concept | None, means("The cost centre.")] = None
    project: Annotated[str | None, means("The project or WBS element.")] = None
    deliver_to: Annotated[str | None, means("Where it is to be brought, in words.")] = None
    needed_by: Annotated[str | None, partial_date("When it is needed.")] = None
    lot: Annotated[str | None, means("The lot that is wanted.")] = None
    serial: Annotated[str | None, means("The serial number that is wanted.")] = None
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()


class Progress(Value, frozen=True):
    """How much of one line was approved, ordered, received, cancelled, is on back order or was rejected: in all.

    Each line has one for each of these, so that an order, a receipt and a cancel never undo each other.
    """

    line: Annotated[str, means("The `key` of the line.")]
    what: Annotated[
        str,
        codes("What became of it.", "approved", "ordered", "received", "cancelled", "backordered", "rejected"),
    ]
    quantity: Annotated[Quantity, means("How many by now, in the unit of the line.")]
    identifier: Annotated[Identifier | None, means("The number of the purchase order or the receipt.")] = None
    date: Annotated[str | None, partial_date("When: of what is ordered, when it is promised.")] = None
    reason: Annotated[Concept | None, means("Why.")] = None

    @property
    def key(self) -> str:
        """Names this entry among the others of its requisition."""
        return f"{self.line}/{self.what}"


class Approval(Value, frozen=True):
    """One step of an approval."""

    decision: Annotated[str, codes("What was decided.", "approved", "rejected", "returned")]
    at: Annotated[str, when("When.")]
    by: Annotated[str | None, means("By whom: the name of a client, or a login.")] = None
    note: Annotated[str | None, means("What was written to it.")] = None
