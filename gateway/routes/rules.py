"""What a value that is searched for must be, beyond its type: one that no record could ever have is refused with what
is allowed, since an empty list would say that there is nothing.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import date

from canonical.events import EVENTS
from canonical.meaning import PARTIAL_DATE, pattern_of
from canonical.records import RECORDS
from gateway.deliveries.fanout import speaks_of
from gateway.routes.reading import Fault, Rule
from gateway.store.keys import NUMBERED, OUR_KINDS, words
from transforms.hl7v2 import keys

KINDS = keys.KINDS | OUR_KINDS
FAMILIES = tuple(dict.fromkeys(f"{kind.partition('.')[0]}.*" for kind in EVENTS))
A_DATE = Fault("A date that there is: a year, a month (1985-06) or a day (1985-06-30).")


def one_of(known: Iterable[str], *, listed: bool = False) -> Rule:
    """One of these words, in these very letters."""
    allowed = tuple(known)
    fault = Fault(f"One of: {', '.join(allowed)}; upper and lower case are told apart.")
    return Rule(lambda text: None if text in allowed else fault, listed=listed)


def _number(text: str) -> Fault | None:
    value = text.rpartition("|")[2]
    return None if value.strip() else Fault("Write it as value or system|value.")


def _words(text: str) -> Fault | None:
    return None if words(text) else Fault("Give at least one word: letters or digits.")


def _date(text: str) -> Fault | None:
    with suppress(ValueError):
        if re.fullmatch(PARTIAL_DATE, text, re.ASCII):
            date.fromisoformat(f"{text}-01-01"[:10])
            return None
    return A_DATE


def _event_type(text: str) -> Fault | None:
    if any(speaks_of((text,), kind) for kind in EVENTS):
        return None
    detail = f"No event has this type. Give a type in full, one of {', '.join(FAMILIES)}, or *."
    return Fault(detail, code="unknown_type")


def _event_type_in_full(text: str) -> Fault | None:
    detail = "No event has this type. Give one in full: the reference of events lists them."
    return None if text in EVENTS else Fault(detail, code="unknown_type")


def _key(text: str) -> Fault | None:
    kind, _, value = text.partition("=")
    if kind not in KINDS:
        return Fault(f"Write it as kind=value. Kinds: {', '.join(KINDS)}.", code="unknown_key")
    if not value.strip():
        return Fault("Write it as kind=value, with a value.")
    return _OF_KINDS[kind](value.strip()) if kind in _OF_KINDS else None


def _record(text: str) -> Fault | None:
    return None if re.fullmatch(pattern_of(*RECORDS), text, re.ASCII) else Fault("The id of a record is needed.")


_OF_KINDS = {"birthdate": _date, "name": _words, "record": _record} | dict.fromkeys(NUMBERED, _number)

A_NUMBER = Rule(_number)
SOME_WORDS = Rule(_words)
A_PARTIAL_DATE = Rule(_date)
EVENT_TYPES = Rule(_event_type, listed=True)
AN_EVENT_TYPE = Rule(_event_type_in_full)
A_KEY = Rule(_key)
