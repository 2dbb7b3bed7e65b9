"""Messages that these tests send."""


def er7(*segments: str) -> bytes:
    """Segments as a message."""
    return "".join(f"{segment}\r" for segment in segments).encode()


def oru(number: int, order: str = "7", family: str = "DOE") -> bytes:
    """A result, which the model does not know."""
    return er7(
        rf"MSH|^~\&|LAB|EAST|HUB|HUB|20261121090000-0500||ORU^R01^ORU_R01|R{number}|P|2.5.1",
        f"PID|1||P{number % 3}^^^EASTMRN^MR||{family}^JANE||19850612|F",
        f"ORC|RE|{order}",
        f"OBR|1|{order}||GLU^Glucose^L",
        "OBX|1|NM|GLU^Glucose^L||5.4|mmol/L",
    )


def siu(number: int, event: str = "S12", minute: int = 0, appointment: str = "") -> bytes:
    """A booking."""
    name = appointment or f"F{number}"
    return er7(
        rf"MSH|^~\&|EPIC|EAST|HUB|HUB|202611210900{number % 60:02}-0500||SIU^{event}^SIU_S12|S{number}|P|2.5.1",
        f"SCH||{name}^EPICSCH||||NEW^New^L|PAIN^Pain^L|MRI^MRI visit^L|30|min^minute^ISO+",
        f"TQ1|1||||||2026120209{minute:02}00|2026120210{minute:02}00",
        "PID|1||P1^^^EASTMRN^MR||DOE^JANE||19850612|F",
        "RGS|1",
        "AIS|1||MRI^MRI knee^L",
        "AIL|1||IMG^MR1^^EAST",
    )


def fields(raw: bytes, name: str) -> list[str]:
    """The fields of the first segment of a name, its name first; of MSH the second is MSH-2."""
    return next(line for line in raw.decode().split("\r") if line.startswith(name)).split("|")
