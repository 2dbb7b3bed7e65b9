"""Whether a patient is covered, from what a payer said (DOMAIN 4.3).

A statement about the plan as such (service type 30) says that there is a plan, and never that a service is covered.
What a payer adds in words (MSG) is shown and decides nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from canonical.datatypes import Benefit, PlanDate, Rejection

from .codes import X12
from .converters import code_of

State = Literal["active", "inactive", "pending", "not-found", "unknown"]

PLAN: Final = "30"
ACTIVE: Final = frozenset(("1", "2", "3", "4"))
INVESTIGATED: Final = "5"
INACTIVE: Final = frozenset("6")
PENDING: Final = frozenset("78")
STATUS: Final = ACTIVE | INACTIVE | PENDING | {INVESTIGATED}
NOT_COVERED: Final = "I"
NOT_FOUND: Final = frozenset(("58", "64", "65", "67", "68", "71", "72", "73", "75", "76", "77", "78"))
BEGINS: Final = ("346", "356")
ENDS: Final = ("347", "357")
SPANS: Final = ("291", "307")  # a day alone is an echo of the question; two are the span of the plan


def information(benefit: Benefit) -> str:
    """EB01."""
    return code_of(benefit.information, f"{X12}1390")


def service_types(benefit: Benefit) -> set[str]:
    """EB03; a statement without one is about the plan as such, unless it is about a procedure."""
    found = {code_of(one, f"{X12}1365") for one in benefit.service_types}
    return found or (set() if benefit.procedure else {PLAN})


def procedure(benefit: Benefit) -> set[str]:
    """EB13."""
    return {coding.code for coding in benefit.procedure.code.codings} if benefit.procedure else set()


def of(
    benefits: Sequence[Benefit],
    rejections: Iterable[Rejection],
    dates: Sequence[PlanDate],
    asked: Sequence[str],
    on: str | None,
) -> State:
    """The state on a day, with regard to the service types that were asked about, or else to the plan."""
    statuses = set(_statuses(benefits, set(asked) or {PLAN}, dates, on))
    statuses = statuses or set(_statuses(benefits, {PLAN}, dates, on))
    if statuses & (ACTIVE | {INVESTIGATED}):
        return "active"
    if statuses & INACTIVE:
        return "inactive"
    if statuses & PENDING:
        return "pending"
    reasons = {code_of(one.reason, f"{X12}901") for one in rejections}
    return "not-found" if reasons & NOT_FOUND else "unknown"


def _statuses(benefits: Iterable[Benefit], types: set[str], dates: Sequence[PlanDate], on: str | None) -> Iterator[str]:
    """What is said of these service types; an active plan that is not so on the day counts as inactive."""
    for benefit in benefits:
        status = information(benefit)
        if status not in STATUS or types.isdisjoint(service_types(benefit)):
            continue
        own = _dated(benefit.dates)
        holds = on is None or is_within(on, benefit.dates if own else dates)
        yield status if holds or status not in ACTIVE | {INVESTIGATED} else "6"


def _dated(dates: Iterable[PlanDate]) -> bool:
    return any(code_of(one.of, f"{X12}374") in (*BEGINS, *ENDS, *SPANS) for one in dates)


def is_within(day: str, dates: Iterable[PlanDate]) -> bool:
    """Whether a day lies within what the dates of a plan say; dates of other things say nothing about that."""
    day = day[:10]
    for one in dates:
        of_what = code_of(one.of, f"{X12}374")
        first, last = (one.start or "")[:10], (one.end or "")[:10]
        begins = first if of_what in BEGINS or (of_what in SPANS and last) else ""
        ends = last if of_what in SPANS else (last or first) if of_what in ENDS else ""
        if (begins and day < begins) or (ends and day > ends):
            return False
    return True


def of_services(benefits: Sequence[Benefit], types: Iterable[str], procedures: Iterable[str] = ()) -> dict[str, str]:
    """For each service type and procedure that was asked about: covered, not-covered, or unknown where nobody spoke of
    it."""
    found: dict[str, str] = {}
    for one in (*types, *procedures):
        said = {information(benefit) for benefit in benefits if one in service_types(benefit) | procedure(benefit)}
        yes, no = bool(said & (ACTIVE | {INVESTIGATED})), bool(said & (INACTIVE | PENDING | {NOT_COVERED}))
        found[one] = "not-covered" if no and not yes else "covered" if yes and not no else "unknown"
    return found


def needing_leave(benefits: Iterable[Benefit], asked: Iterable[str]) -> tuple[str, ...]:
    """The service types and procedures for which EB11 says Y, of those that were asked about."""
    wanted, found = set(asked), dict[str, None]()
    for benefit in benefits:
        if benefit.authorization_required == "Y":
            found |= dict.fromkeys(sorted(wanted & (service_types(benefit) | procedure(benefit))))
    return tuple(found)
