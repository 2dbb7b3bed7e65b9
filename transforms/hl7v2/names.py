"""What the standard calls a segment, a field and a component: for people who read a message, never for mapping it.

Field and component names come from hl7apy's tables, loaded on the first question because that is slow.
"""

import re
from functools import lru_cache
from importlib import import_module
from typing import NamedTuple

VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.1", "2.8.2")
_USUAL, _NEWEST = "2.5.1", VERSIONS[-1]

SEGMENTS: dict[str, str] = {
    "ABS": "Abstract",
    "ACC": "Accident",
    "ADD": "Addendum",
    "AIG": "Appointment Information - General Resource",
    "AIL": "Appointment Information - Location Resource",
    "AIP": "Appointment Information - Personnel Resource",
    "AIS": "Appointment Information - Service",
    "AL1": "Patient Allergy Information",
    "APR": "Appointment Preferences",
    "ARQ": "Appointment Request",
    "ARV": "Access Restriction",
    "AUT": "Authorization Information",
    "BHS": "Batch Header",
    "BLG": "Billing",
    "BTS": "Batch Trailer",
    "CTD": "Contact Data",
    "CTI": "Clinical Trial Identification",
    "DB1": "Disability",
    "DG1": "Diagnosis",
    "DRG": "Diagnosis Related Group",
    "DSC": "Continuation Pointer",
    "DSP": "Display Data",
    "ERR": "Error",
    "EVN": "Event Type",
    "FHS": "File Header",
    "FT1": "Financial Transaction",
    "FTS": "File Trailer",
    "GOL": "Goal Detail",
    "GT1": "Guarantor",
    "IAM": "Patient Adverse Reaction Information",
    "IN1": "Insurance",
    "IN2": "Insurance Additional Information",
    "IN3": "Insurance Additional Information, Certification",
    "LCC": "Location Charge Code",
    "LCH": "Location Characteristic",
    "LDP": "Location Department",
    "LOC": "Location Identification",
    "LRL": "Location Relationship",
    "MFA": "Master File Acknowledgment",
    "MFE": "Master File Entry",
    "MFI": "Master File Identification",
    "MRG": "Merge Patient Information",
    "MSA": "Message Acknowledgment",
    "MSH": "Message Header",
    "NK1": "Next of Kin / Associated Parties",
    "NPU": "Bed Status Update",
    "NTE": "Notes and Comments",
    "OBR": "Observation Request",
    "OBX": "Observation/Result",
    "ODS": "Dietary Orders, Supplements, and Preferences",
    "ORC": "Common Order",
    "ORG": "Practitioner Organization Unit",
    "PD1": "Patient Additional Demographic",
    "PDA": "Patient Death and Autopsy",
    "PID": "Patient Identification",
    "PR1": "Procedures",
    "PRA": "Practitioner Detail",
    "PRB": "Problem Details",
    "PRD": "Provider Data",
    "PRT": "Participation Information",
    "PTH": "Pathway",
    "PV1": "Patient Visit",
    "PV2": "Patient Visit - Additional Information",
    "RF1": "Referral Information",
    "RGS": "Resource Group",
    "ROL": "Role",
    "RQ1": "Requisition Detail-1",
    "RQD": "Requisition Detail",
    "RXA": "Pharmacy/Treatment Administration",
    "RXE": "Pharmacy/Treatment Encoded Order",
    "RXO": "Pharmacy/Treatment Order",
    "RXR": "Pharmacy/Treatment Route",
    "SAC": "Specimen Container Detail",
    "SCH": "Scheduling Activity Information",
    "SFT": "Software",
    "SPM": "Specimen",
    "STF": "Staff Identification",
    "TQ1": "Timing/Quantity",
    "TQ2": "Timing/Quantity Relationship",
    "TXA": "Transcription Document Header",
    "UAC": "User Authentication Credential",
    "UB1": "UB82",
    "UB2": "UB92 Data",
    "VAR": "Variance",
}
_AS_USUALLY_WRITTEN: dict[str, str] = {
    "DEGREE_E_G_MD": "Degree",
    "PREFIX_E_G_DR": "Prefix",
    "SUFFIX_E_G_JR_OR_III": "Suffix",
    "SECOND_AND_FURTHER_GIVEN_NAMES_OR_INITIALS_THEREOF": "Second and Further Given Names",
    "COUNTY_PARISH_CODE": "County/Parish Code",
    "PREFERRED_LANGUAGE_COUNTRY_ISO_CODE": "Preferred Language",
    "PATIENT_ID_INTERNAL_ID": "Patient ID (Internal ID)",
    "PATIENT_ID_EXTERNAL_ID": "Patient ID (External ID)",
    "SSN_NUMBER_PATIENT": "SSN Number - Patient",
    "DRIVER_S_LICENSE_NUMBER_PATIENT": "Driver's License Number - Patient",
    "RE_ADMISSION_INDICATOR": "Re-admission Indicator",
    "NEXT_OF_KIN_ASSOCIATED_PARTIES_NAME": "Next of Kin/Associated Parties Name",
}
_CAPITALS = re.compile(
    "ABN|AE|CLIA|CP|CPU|DEA|DMV|DNR|DRG|DTM|EDI|HL7|HPC|ID|IRB|ISO|LOA|NDC|OCE|PAC|PSRO|QRY|RX|SSN|TV|UB|UB82|UB92|"
    "UPC|UPIN|URL|VIP"
)
_SAID_APART = ("_HOME", "_BUSINESS")
_SMALL = frozenset(["a", "and", "at", "for", "from", "in", "of", "on", "or", "per", "the", "to", "with"])


class _Entry(NamedTuple):
    name: str
    datatype: str


def segment_name(segment: str) -> str:
    """`PID` -> `Patient Identification`; empty for a Z segment or one that nobody knows."""
    return SEGMENTS.get(segment, "")


def field_name(segment: str, n: int, version: str = _USUAL) -> str:
    """`PID`, 7 -> `Date/Time of Birth`; empty when the standard has no such field."""
    entry = _entry("FIELDS", f"{segment}_{n}", version)
    return readable(entry.name, segment) if entry else ""


def field_type(segment: str, n: int, version: str = _USUAL) -> str:
    """`PID`, 3 -> `CX`."""
    entry = _entry("FIELDS", f"{segment}_{n}", version)
    return entry.datatype if entry else ""


def component_name(datatype: str, n: int, version: str = _USUAL) -> str:
    """`CX`, 4 -> `Assigning Authority`."""
    entry = _entry("DATATYPES", f"{datatype}_{n}", version)
    return readable(entry.name, datatype) if entry else ""


def component_type(datatype: str, n: int, version: str = _USUAL) -> str:
    """`CX`, 4 -> `HD`."""
    entry = _entry("DATATYPES", f"{datatype}_{n}", version)
    return entry.datatype if entry else ""


@lru_cache(maxsize=4096)
def readable(name: str, owner: str = "") -> str:
    """hl7apy's `DATE_TIME_OF_BIRTH` as the standard prints it."""
    if name in _AS_USUALLY_WRITTEN:
        return _AS_USUALLY_WRITTEN[name]
    text = re.sub(r"_S(?=_|$)", "'S", name.replace("DATE_TIME", "DATE/TIME"))
    text, dash, tail = text.rpartition("_") if text.endswith((*_SAID_APART, f"_{owner}")) else (text, "", "")
    words = text.split("_")
    title = " ".join(_word(word, first=not at) for at, word in enumerate(words))
    return f"{title} - {tail if tail == owner else _word(tail, first=True)}" if dash else title


def _word(word: str, first: bool) -> str:
    if _CAPITALS.fullmatch(word):
        return word
    if not first and word.lower() in _SMALL:
        return word.lower()
    return "/".join(part.capitalize() for part in word.split("/"))


@lru_cache(maxsize=4096)
def _entry(table: str, key: str, version: str) -> _Entry | None:
    """From the sender's version, else from the usual one, else the newest: senders use fields before their time."""
    for each in dict.fromkeys((version if version in VERSIONS else _USUAL, _USUAL, _NEWEST)):
        found = getattr(_library(each), table).get(key)
        if found and found[3]:
            return _Entry(found[3], found[2] or "")  # of reserved fields hl7apy knows no type
    return None


@lru_cache(maxsize=len(VERSIONS))
def _library(version: str) -> object:
    return import_module(f"hl7apy.v{version.replace('.', '_')}")
