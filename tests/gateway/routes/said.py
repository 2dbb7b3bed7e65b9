"""What the senders of these tests say: HL7 messages, written for this project."""

ZONE = "America/New_York"


def booking(
    number: int,
    event: str = "S12",
    patient: int = 1,
    day: str = "20270601",
    at: str = "20261121093000-0500",
    **more: str,
) -> bytes:
    """An appointment of a patient, with a provider, a place and a visit number."""
    status, control = more.get("status", "Booked"), more.get("control", f"B{number}{event}")
    lines = (
        f"MSH|^~\\&|SCHED|NORTH|ISTHMUS|HUB|{at}||SIU^{event}^SIU_S12|{control}|T|2.5.1",
        f"SCH|P{number}^SCHED|F{number}^SCHED||||ROUTINE^Routine^HL70276|KNEE^Knee pain^L|MRI^MRI visit^L|45|min|"
        f"^^45^{day}090000-0500^{day}094500-0500||||||||||||||{status}^{status}^HL70278",
        pid(patient),
        f"PV1|1|O|IMG^MR2^^NORTH||||4411223^Baker^Iris^L^^^MD||||||||||||V{number}^^^NORTH",
        "RGS|1|A",
        f"AIS|1|A|MRI^MRI of the knee^L|{day}090000-0500|0|min|45|min",
        "AIL|1|A|IMG^MR2^^NORTH|C^Clinic",
        f"AIP|1|A|4411223^Baker^Iris^L^^^MD|ATT^Attending||{day}090000-0500|0|min|45|min",
        "ZPI|1|something nobody mapped",
    )
    return "\r".join((*lines, "")).encode()


def admission(number: int, event: str = "A01", patient: int = 1, at: str = "20261121080000-0500") -> bytes:
    """A visit of a patient."""
    lines = (
        f"MSH|^~\\&|ADT|NORTH|ISTHMUS|HUB|{at}||ADT^{event}|A{number}{event}|T|2.5.1",
        f"EVN|{event}|{at}",
        pid(patient),
        f"PV1|1|I|WEST^12^1^NORTH||||4411223^Baker^Iris^L^^^MD||||||||||||V{number}^^^NORTH|||||||||||||||||||||||||{at}",
    )
    return "\r".join((*lines, "")).encode()


def merge(source: int, survivor: int, at: str = "20261121100000-0500") -> bytes:
    """Patient `source` is the one who is also known as `survivor` (A40)."""
    lines = (
        f"MSH|^~\\&|ADT|NORTH|ISTHMUS|HUB|{at}||ADT^A40^ADT_A39|M{source}-{survivor}|T|2.5.1",
        f"EVN|A40|{at}",
        pid(survivor),
        f"MRG|N000{source}^^^NORTH^MR",
    )
    return "\r".join((*lines, "")).encode()


def pid(patient: int) -> str:
    """Who it is about."""
    name = f"Archer{'abcdefghij'[patient % 10]}"
    return f"PID|1||N000{patient}^^^NORTH^MR||{name}^Lena^M^^Mrs||19710305|F|||77 Canal Street^^Albany^NY^12207^USA"
