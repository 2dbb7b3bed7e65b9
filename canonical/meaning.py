"""What a field says of itself: a sentence, and the form of its values where there is one.

It stands beside the field's type, as `Annotated[str, codes("What it is for.", "home", "work")]`. Documents are written
from it; nothing is checked by it, because what a sender said is kept whatever its form.
"""

from msgspec import Meta

from canonical.ids import PREFIXES

ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
PARTIAL_DATE = r"^\d{4}(-\d\d(-\d\d)?)?$"
DECIMAL = r"^-?\d+(\.\d+)?$"
ROUGH = r"^\d{4}(-\d\d(-\d\d(T[0-9:.]+Z)?)?)?$"
OPEN = "x-extensible-enum"  # the known values of a list that may grow: a reader must tolerate others


def means(text: str, **form: object) -> Meta:
    """A sentence; `form` are keywords of JSON Schema."""
    return Meta(description=text, extra_json_schema=form or None)


def codes(text: str, *known: str) -> Meta:
    """One of a list that may grow."""
    return Meta(description=text, extra_json_schema={OPEN: list(known)})


def when(text: str) -> Meta:
    """An instant in UTC (RFC 3339)."""
    return means(text, format="date-time")


def roughly(text: str) -> Meta:
    """An instant, or a date where no time of day was said."""
    return means(f"{text} An instant, or a date as precise as it was said.", pattern=ROUGH)


def partial_date(text: str) -> Meta:
    """A date as precise as it was said."""
    return means(f"{text} A year, a month (`1985-06`) or a day.", pattern=PARTIAL_DATE)


def identity(text: str, *kinds: str) -> Meta:
    """An id of ours, of one of these kinds."""
    return means(text, pattern=pattern_of(*kinds))


def pattern_of(*kinds: str) -> str:
    """What ids of these kinds look like: the prefix and a ULID."""
    found = "|".join(PREFIXES[kind] for kind in kinds)
    return f"^({found})_{ULID}$" if len(kinds) > 1 else f"^{found}_{ULID}$"
