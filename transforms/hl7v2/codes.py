"""Code tables of HL7 v2 chapter 2.C as the canonical model reads them, and the names of coding systems (table 0396)."""

from functools import lru_cache

from .authority import universal_system
from .dialect import Dialect

V2_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"

CODING_SYSTEMS = {
    "C4": "http://www.ama-assn.org/go/cpt",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "CPT4": "http://www.ama-assn.org/go/cpt",
    "HCPCS": "http://terminology.hl7.org/CodeSystem/HCPCS-all-codes",
    "I10": "http://hl7.org/fhir/sid/icd-10-cm",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD10": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD-10": "http://hl7.org/fhir/sid/icd-10-cm",
    "I10P": "http://www.cms.gov/Medicare/Coding/ICD10",
    "I9": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9CDX": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD9": "http://hl7.org/fhir/sid/icd-9-cm",
    "LN": "http://loinc.org",
    "LOINC": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "SNM": "http://snomed.info/sct",
    "SNOMED": "http://snomed.info/sct",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "MVX": "http://hl7.org/fhir/sid/mvx",
    "UCUM": "http://unitsofmeasure.org",
    "CDCREC": "urn:oid:2.16.840.1.113883.6.238",
    "NUCC": "http://nucc.org/provider-taxonomy",
    "NUBC": "http://www.nubc.org/patient-discharge",
    "ISO3166_1": "urn:iso:std:iso:3166",
    "ISO639": "urn:ietf:bcp:47",
}

GENDERS = {"F": "female", "M": "male", "O": "other", "U": "unknown", "A": "other", "N": "other"}  # table 0001

NAME_USES = {  # table 0200
    "L": "official",
    "D": "usual",
    "I": "usual",
    "M": "maiden",
    "N": "nickname",
    "A": "old",
    "B": "old",
    "C": "old",
    "NOUSE": "old",
    "BAD": "old",
    "S": "anonymous",
    "MSK": "anonymous",
    "NAV": None,
    "P": "official",
}
ADDRESS_USES = {  # table 0190
    "H": "home",
    "P": "home",
    "L": "home",
    "HV": "home",
    "B": "work",
    "O": "work",
    "C": "temp",
    "V": "temp",
    "BA": "old",
    "BI": "billing",
}
ADDRESS_TYPES = {"M": "postal", "SH": "postal"}
TELECOM_USES = {  # table 0201
    "PRN": "home",
    "ORN": "home",
    "VHN": "temp",
    "WPN": "work",
    "ASN": "work",
    "EMR": None,
    "PRS": "mobile",
    "NET": None,
    "BPN": None,
}
TELECOM_SYSTEMS = {  # table 0202
    "PH": "phone",
    "CP": "phone",
    "SAT": "phone",
    "FX": "fax",
    "BP": "pager",
    "INTERNET": "email",
    "X.400": "email",
    "MD": "other",
    "TDD": "other",
    "TTY": "other",
}

MEMBER_TYPES = frozenset({"MB", "SN"})  # table 0203: they name a coverage, not a person

# Table 0278 in capitals without blanks; Overbook is booked with a flag, Blocked is not an appointment (DOMAIN 1.2).
APPOINTMENT_STATUSES = {
    "PENDING": "pending",
    "WAITLIST": "waitlist",
    "BOOKED": "booked",
    "OVERBOOK": "booked",
    "STARTED": "checked-in",
    "COMPLETE": "fulfilled",
    "CANCELLED": "cancelled",
    "CANCELED": "cancelled",
    "CANC": "cancelled",
    "CA": "cancelled",
    "DC": "cancelled",
    "DISCONTINUED": "cancelled",
    "DELETED": "entered-in-error",
    "NOSHOW": "noshow",
    "NS": "noshow",
}
OVERBOOKED = "OVERBOOK"
BLOCKED = "BLOCKED"
DISCONTINUED = frozenset({"DC", "DISCONTINUED"})

PARTICIPATIONS = {  # how the status of one resource reads as a participation (FHIR participationstatus)
    "proposed": "needs-action",
    "pending": "needs-action",
    "waitlist": "tentative",
    "booked": "accepted",
    "arrived": "accepted",
    "checked-in": "accepted",
    "fulfilled": "accepted",
    "cancelled": "declined",
    "noshow": "declined",
    "entered-in-error": "declined",
}

UNITS_IN_SECONDS = {  # durations: ISO+, ANS+, UCUM and what people type
    **dict.fromkeys(("S", "SEC", "SECS", "SECOND", "SECONDS"), 1),
    **dict.fromkeys(("M", "MIN", "MINS", "MN", "MINUTE", "MINUTES"), 60),
    **dict.fromkeys(("H", "HR", "HRS", "HOUR", "HOURS"), 3600),
    **dict.fromkeys(("D", "DAY", "DAYS"), 86_400),
    **dict.fromkeys(("W", "WK", "WEEK", "WEEKS"), 604_800),
}

# AIG-4 says what kind of thing a general resource is; what it does not name is a device.
RESOURCE_KINDS = {
    **dict.fromkeys(
        ("P", "PHYSICIAN", "PROVIDER", "PRACTITIONER", "DOCTOR", "NURSE", "STAFF", "PERSONNEL"), "provider"
    ),
    **dict.fromkeys(("L", "LOC", "LOCATION", "R", "ROOM", "CLINIC"), "location"),
}


@lru_cache(maxsize=4096)
def coding_system(name: str, dialect: Dialect) -> str:
    """The URI of a coding system named as in CWE-3; one that nobody knows is the feed's own."""
    upper = name.upper()
    if known := CODING_SYSTEMS.get(upper):
        return known
    if upper.startswith("HL7") and upper[3:].isdecimal():
        return f"{V2_TABLE}{upper[3:].zfill(4)}"
    return universal_system(name, "ISO") or (name if "://" in name else f"{dialect.urn}{'-'.join(name.split())}")
