"""What the simulated EHR writes: ADT and SIU messages of version 2.5.1, as a hospital's own system would."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from gateway.demo.people import REASONS, Clinic, Clinician, Person
from transforms.hl7v2.delimiters import STANDARD
from transforms.hl7v2.escapes import escape

STRUCTURES = {  # what the standard calls the structure where it is not the trigger's own (2.5.1 table 0354)
    **dict.fromkeys(("A04", "A08", "A13"), "ADT_A01"),
    **dict.fromkeys(("A05", "A28", "A31"), "ADT_A05"),
    **dict.fromkeys(("A11", "A12"), "ADT_A09"),
    "A40": "ADT_A39",
}
SCHEDULED = {"S12": "Booked", "S13": "Booked", "S14": "Booked", "S15": "Cancelled", "S26": "Noshow"}
WHY = {
    "S12": "NEW^New appointment^L",
    "S13": "RESCHED^Moved at patient's wish^L",
    "S14": "UPDATE^Details changed^L",
    "S15": "PTREQ^Cancelled at patient's wish^L",
    "S26": "NOSHOW^Did not come^L",
}
DESK = "77^Desk^Front^^^^^^EASTSTAFF"


class Booking(Struct):
    """An appointment as the scheduling desk has it at the moment."""

    number: str
    clinic: Clinic
    staff: Clinician
    start: datetime
    note: str = ""


class Stay(Struct):
    """A visit or stay as the ward has it at the moment."""

    number: str
    kind: str  # I, O, E, P as in table 0004
    place: str
    staff: Clinician
    admitted: datetime
    prior: str = ""
    reason: tuple[str, str] = REASONS[0]
    diagnosis: tuple[str, str] | None = None
    discharged: datetime | None = None


def text(value: str) -> str:
    """Free text as it goes into a field."""
    return escape(value, STANDARD)


def stamp(at: datetime) -> str:
    """An instant with its offset, as MSH-7 has it."""
    return at.strftime("%Y%m%d%H%M%S%z")


def local(at: datetime) -> str:
    """A time of day as the hospital's staff write it: without an offset."""
    return at.strftime("%Y%m%d%H%M%S")


def message(kind: str, control: str, at: datetime, *segments: str) -> bytes:
    """One message; CR after every segment."""
    family, event = kind.split("^")
    structure = "SIU_S12" if family == "SIU" else STRUCTURES.get(event, f"ADT_{event}")
    head = f"MSH|^~\\&|EASTEHR|EAST|ISTHMUS|HUB|{stamp(at)}||{kind}^{structure}|{control}|T|2.5.1||||||UNICODE UTF-8"
    return "".join(f"{segment.rstrip('|')}\r" for segment in (head, *segments) if segment).encode()


def evn(at: datetime, event: str) -> str:
    return f"EVN|{event}|{stamp(at)}||||{stamp(at)}"


def pid(who: Person, mrn: str = "", born: str = "", given: str = "") -> str:
    """PID; what is given beside the person takes the place of what is known."""
    city, state, postal = who.city
    fields = [
        *("PID", "1", "", f"{mrn or who.mrn}^^^EASTMRN^MR", ""),
        f"{text(who.family)}^{given or text(who.given)}^{who.middle}^^^^L",
        *("", born or who.born, who.sex, "", ""),
        f"{text(who.street)}^^{city}^{state}^{postal}^USA^H",
        *("", f"^PRN^PH^^1^{who.phone[:3]}^{who.phone[3:]}", "", "EN^English^HL70296"),
    ]
    return "|".join(fields)


def xcn(one: Clinician) -> str:
    return f"{one.number}^{text(one.family)}^{text(one.given)}^^^DR^^^EASTSTAFF"


def pv1(stay: Stay, status: str = "") -> str:
    """PV1 with the fields that a ward fills in."""
    fields = [""] * 46
    fields[:4] = ["PV1", "1", stay.kind, stay.place]
    fields[6], fields[7] = stay.prior, xcn(stay.staff)
    fields[10] = "MED"
    fields[19] = f"{stay.number}^^^EASTVN^VN"
    fields[36] = status
    fields[44] = local(stay.admitted)
    fields[45] = local(stay.discharged) if stay.discharged else ""
    return "|".join(fields)


def pv2(stay: Stay) -> str:
    return f"PV2|||{stay.reason[0]}^{text(stay.reason[1])}^L"


def dg1(stay: Stay) -> str:
    return (
        f"DG1|1||{stay.diagnosis[0]}^{text(stay.diagnosis[1])}^I10||{local(stay.admitted)}|W" if stay.diagnosis else ""
    )


def mrg(mrn: str) -> str:
    return f"MRG|{mrn}^^^EASTMRN^MR"


def schedule(event: str, one: Booking, status: str = "") -> list[str]:
    """SCH, TQ1 and NTE of an appointment."""
    service, name = one.clinic.service
    fields = [""] * 26
    fields[:3] = ["SCH", f"P{one.number}^EASTSCH", f"F{one.number}^EASTSCH"]
    fields[6] = WHY[event]
    fields[8] = f"{service}^{text(name)}^L"
    fields[9:11] = [str(one.clinic.minutes), "min^minute^ISO+"]
    fields[16], fields[20] = DESK, DESK
    fields[25] = f"{(status or SCHEDULED[event])}^^HL70278"
    end = one.start.timestamp() + one.clinic.minutes * 60
    until = local(datetime.fromtimestamp(end, one.start.tzinfo))
    notes = [f"NTE|1||{text(one.note)}"] if one.note else []
    return [
        "|".join(fields),
        f"TQ1|1|||||{one.clinic.minutes}^min|{local(one.start)}|{until}|R^Routine^HL70485",
        *notes,
    ]


def resources(one: Booking) -> Sequence[str]:
    """RGS, AIS, AIL and AIP: the service, the room and the clinician."""
    start, length = local(one.start), f"{one.clinic.minutes}|min"
    service, name = one.clinic.service
    code, role = one.staff.role
    return (
        "RGS|1",
        f"AIS|1||{service}^{text(name)}^L|{start}|||{length}||Booked^^HL70278",
        f"AIL|1||{one.clinic.unit}^{one.clinic.room}^^EAST|C^Clinic^HL70305||{start}|||{length}",
        f"AIP|1||{xcn(one.staff)}|{code}^{role}^HL70182||{start}|||{length}",
    )
