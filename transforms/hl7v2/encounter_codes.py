"""Code tables of registration: classes of visits, roles of staff, kinds of places and diagnoses (2.5.1 ch. 3.4)."""

from typing import Final

from canonical.datatypes import Coding, Concept

V3_CLASS: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
V3_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
V3_CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
V2_CLASS: Final = "http://terminology.hl7.org/CodeSystem/v2-0004"

# Table 0004 as v3 ActCode; the others of the table, and local codes, keep their own code alone.
CLASSES: Final = {
    "E": Coding(code="EMER", system=V3_CLASS, display="emergency"),
    "I": Coding(code="IMP", system=V3_CLASS, display="inpatient encounter"),
    "O": Coding(code="AMB", system=V3_CLASS, display="ambulatory"),
    "P": Coding(code="PRENC", system=V3_CLASS, display="pre-admission"),
}
OTHER_CLASSES: Final = frozenset({"R", "B", "C", "N", "U"})
NO_VISIT: Final = frozenset({"", '""', "N", "U"})  # not applicable, unknown: the message is not about a visit


def _role(code: str, display: str) -> Concept:
    return Concept(codings=(Coding(code=code, system=V3_PARTICIPATION, display=display),), text=display)


# The fields of PV1 that name staff, in the order in which they are listed.
ROLES: Final = {
    7: _role("ATND", "attender"),
    8: _role("REF", "referrer"),
    9: _role("CON", "consultant"),
    17: _role("ADM", "admitter"),
    52: _role("PART", "participation"),
}
ROL_ROLES: Final = {"AT": "ATND", "AD": "ADM", "RP": "REF", "CP": "CON"}  # table 0443

# The fields of PV1 that name places: what the place is to the visit, and in what state it holds it.
PLACES: Final = {3: "assigned", 6: "prior", 11: "temporary", 42: "pending", 43: "prior-temporary"}
DIAGNOSIS_USES: Final = {"A": "admitting", "W": "working", "F": "final"}  # table 0052
RESTRICTED: Final = Concept(
    codings=(Coding(code="R", system=V3_CONFIDENTIALITY, display="restricted"),), text="restricted"
)
