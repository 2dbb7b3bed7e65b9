"""What the simulated systems of these scenarios send: a scheduler's SIU and a hospital's ADT, every value invented.

Times of events lie in the past of any clock, because a sender's clock that is ahead of ours is not believed.
"""

SCHEDULED = "20250110090000-0500"
SYSTEM = "urn:x-main:soak:SCHED"  # what an authority that no file knows becomes
NORTH = "urn:x-main:soak:NORTH"


def message(
    kind: str, control: str, *segments: str, at: str = SCHEDULED, sender: str = "SCHED|NORTH", msh: str = ""
) -> bytes:
    """Any message; `msh` goes on after MSH-12."""
    head = f"MSH|^~\\&|{sender}|HUB|HUB|{at}||{kind}|{control}|P|2.5.1{msh}"
    return "\r".join((head, *segments)).encode()


def person(mrn: str = "M100", family: str = "DOE", born: str = "19800229") -> str:
    """PID."""
    return f"PID|1||{mrn}^^^NORTH^MR||{family}^JANE||{born}|F"


def scheduled(number: str, reason: str = "", status: str = "Booked") -> str:
    """SCH of the appointment with this filler number."""
    numbers, kind = f"P{number}^SCHED|{number}^SCHED", "CHECK^Check-up^L|ROUTINE^Routine^L"
    return f"SCH|{numbers}||||{reason}|{kind}|30|min|||||||||||||||{status}"


def slot(start: str, end: str) -> str:
    """TQ1."""
    return f"TQ1|1||||||{start}|{end}"


def resources(start: str) -> tuple[str, ...]:
    """RGS and what is booked: a service, a room, a doctor."""
    doctor = "1234567893^WELBY^MARCUS^^^DR^^^NPI&2.16.840.1.113883.4.6&ISO^L^^^NPI"
    return (
        "RGS|1",
        f"AIS|1||99213^Office visit^C4|{start}|||30|min",
        f"AIL|1||CLIN^R7^^NORTH|||{start}|||30|min",
        f"AIP|1||{doctor}|GP^General practice^L||{start}|||30|min",
    )


def booking(
    number: str,
    control: str,
    event: str = "S12",
    *,
    at: str = SCHEDULED,
    start: str = "20270601090000",
    end: str = "20270601093000",
    mrn: str = "M100",
    reason: str = "",
    status: str = "Booked",
    msh: str = "",
) -> bytes:
    """A whole scheduling message."""
    parts = (scheduled(number, reason, status), slot(start, end), person(mrn), *resources(start))
    return message(f"SIU^{event}^SIU_S12", control, *parts, at=at, msh=msh)


def visit(
    event: str, control: str, number: str, at: str, *, mrn: str = "M100", place: str = "W1^101^A^NORTH", **pv1: str
) -> bytes:
    """An ADT message about a visit; `pv1` adds fields by number (`f44="2025..."`)."""
    fields = {2: "I", 3: place, 19: f"{number}^^^NORTH^VN"} | {int(key[1:]): value for key, value in pv1.items()}
    said = "|".join(fields.get(n, "") for n in range(1, max(fields) + 1))
    evn = f"EVN|{event}|{at}"
    return message(f"ADT^{event}", control, evn, person(mrn), f"PV1|{said}", at=at, sender="ADT|NORTH")


def merge(control: str, survivor: str, retired: str, at: str) -> bytes:
    """ADT^A40: the retired number's record is replaced by the survivor's."""
    parts = (f"EVN|A40|{at}", person(survivor), f"MRG|{retired}^^^NORTH^MR")
    return message("ADT^A40^ADT_A39", control, *parts, at=at, sender="ADT|NORTH")
