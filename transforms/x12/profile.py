"""What is agreed with one payer: ids, separators, what it can look up. Values only, and only ever narrower than the
guide: HIPAA forbids trading partners to extend it (DOMAIN 4.8)."""

from typing import Literal

from msgspec import Struct

from canonical.datatypes import Entity

from .delimiters import STANDARD, Delimiters
from .writer import Ends

Key = Literal["member", "name", "birth_date"]
EVERYTHING: tuple[Key, ...] = ("member", "name", "birth_date")


class Payer(Struct, frozen=True, kw_only=True):
    """How one payer is asked and read.

    `originator` is TRN03: 1 and the EIN, 3 and the DUNS, or 9 and a number of one's own, ten characters. `searches` are
    the combinations by which the payer finds a member, the first being the usual one. Where `members_only` holds every
    patient has a member id of their own, and is asked for as a subscriber even where another holds the insurance.
    `provider` asks where the record does not say who.
    """

    tenant: str = "main"
    feed: str = "payer"
    ends: Ends
    name: str
    payer_id: str
    payer_qualifier: str = "PI"
    originator: str
    provider: Entity | None = None
    delimiters: Delimiters = STANDARD
    line_ends: str = ""
    zone: str = "UTC"
    currency: str = "USD"
    upper_case: bool = False
    members_only: bool = True
    searches: tuple[tuple[Key, ...], ...] = (EVERYTHING,)
    most_service_types: int = 99
    days_back: int | None = None
    days_ahead: int | None = None

    @property
    def members(self) -> str:
        """The system of the payer's member ids."""
        return f"urn:x-{self.tenant}:payer:{self.payer_id}"
