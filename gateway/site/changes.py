"""A site's changes to the mapping, `[mapping."appointment.visit"]` in a peer's file: checked, and made ready."""

from collections import defaultdict
from collections.abc import Callable, Mapping

from canonical.records import RECORDS
from gateway.site.settings import Changes, MappingSettings
from gateway.site.tables import meant
from transforms.api.v1 import CALLED
from transforms.hl7v2.changeable import TABLES, BadChange, changeable, fixed, left_out, read_from
from transforms.hl7v2.changes import Change

Complain = Callable[[str, str], None]  # the place, what to do
ONE_OF = "needs one of from, value and drop"


def changes_of(declared: Mapping[str, MappingSettings], complain: Complain) -> Changes:
    """The changes by record type; of those that cannot be made it is said why."""
    ready: defaultdict[str, list[Change]] = defaultdict(list)
    for name, one in declared.items():
        record, _, called = name.partition(".")
        try:
            ready[record].append(_change(record, _field(record, called), one))
        except BadChange as bad:
            complain(f"mapping.{name}", str(bad))
    return dict(ready)


def _field(record: str, called: str) -> str:
    """The canonical field that the API calls so, if a site may change it."""
    if record not in TABLES:
        raise BadChange(f"must begin with {', '.join(TABLES)} and a point{meant(record, TABLES)}")
    names = CALLED[RECORDS[record]]
    known = {names[name]: name for name in changeable(record) if name in names}
    if called not in known:
        raise BadChange(f"no field of {record} that can be changed has this name{meant(called, known)}")
    return known[called]


def _change(record: str, field: str, said: MappingSettings) -> Change:
    if (said.from_ is not None) + (said.value is not None) + said.drop != 1:
        raise BadChange(ONE_OF)
    if said.as_ and not said.from_:
        raise BadChange("as says how a place is read: name it with from")
    if said.system and said.value is None:
        raise BadChange("system is that of a value")
    if said.from_:
        return read_from(record, field, said.from_, said.as_)
    return left_out(field) if said.drop else fixed(record, field, said.value, said.system)
