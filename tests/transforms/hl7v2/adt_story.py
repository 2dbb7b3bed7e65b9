"""The segments of a small hospital's ADT messages, and what is known after some of them."""

from canonical.records import Encounter, Patient
from tests.transforms.hl7v2.story import EAST, er7, msh, only, tell
from transforms.hl7v2.profile import Profile

PID = "PID|1||A^^^EASTMRN^MR||SMITH^ROBERT||19430519|M||||||||||ACC1^^^EASTACC^AN"
DOCTOR, OTHER = "D1^WATSON^SUSAN^^^^^^EASTSTAFF", "D2^JONES^MARCUS^^^^^^EASTSTAFF"


def segment(name: str, fields: dict[str, str]) -> str:
    """A segment by its fields: `{"f3": "4W^401^A"}` is PV1-3."""
    values = [name, *[""] * 60]
    for field, value in fields.items():
        values[int(field[1:])] = value
    return "|".join(values).rstrip("|")


def pid(number: str, account: str = "", place: int = 1, **fields: str) -> str:
    """A PID with a number of the eastern house, and perhaps an account."""
    known = {"f1": str(place), "f3": f"{number}^^^EASTMRN^MR", "f5": f"SMITH^{number}"}
    if account:
        known["f18"] = f"{account}^^^EASTACC^AN"
    return segment("PID", known | fields)


def pv1(visit: str = "V1", **fields: str) -> str:
    """A PV1 with a visit number."""
    known = {"f1": "1", "f19": f"{visit}^^^EASTVN^VN"} if visit else {"f1": "1"}
    return segment("PV1", known | fields)


def mrg(number: str = "", **fields: str) -> str:
    """A MRG, perhaps with a number of the eastern house."""
    return segment("MRG", ({"f1": f"{number}^^^EASTMRN^MR"} if number else {}) | fields)


def adt(event: str, clock: int, *segments: str) -> bytes:
    """An ADT of a minute of 2026-11-21."""
    at = f"202611211{clock // 60:d}{clock % 60:02d}00-0500"
    return er7(msh(f"ADT^{event}", at, str(clock)), f"EVN|{event}|{at}", *segments)


def visit(*messages: bytes, profile: Profile = EAST) -> Encounter:
    """The one encounter after these messages."""
    return only(tell(*messages, profile=profile)[0], Encounter)


def patient(*messages: bytes) -> Patient:
    """The one patient after these messages."""
    return only(tell(*messages)[0], Patient)
