"""Names that must never be seen outside the API's bodies: messages full of them, good and bad, and where to look."""

import itertools
import re

WORDS = {
    "family": "CANARYFAMILY",
    "given": "CANARYGIVEN",
    "street": "CANARYSTREET",
    "city": "CANARYCITY",
    "mrn": "CANARYMRN77",
    "visit": "CANARYVISIT5",
    "filler": "CANARYFILLER3",
    "note": "CANARYNOTE",
    "phone": "5550199471",
    "birth": "19630717",
    "ssn": "900551234",
    "provider": "CANARYDOC",
    "code": "CANARYCODE",
}
MSH = "MSH|^~\\&|EHR|NORTH|||20261121093000||{}|{{control}}|T|2.5.1"
SEEN = re.compile("|".join(WORDS.values()).encode(), re.IGNORECASE)


def segments(**changes: str) -> dict[str, str]:
    """A booking with a canary in every field that can hold one."""
    w = WORDS
    return {
        "MSH": "MSH|^~\\&|EHR|NORTH|HUB|HUB|20261121093000-0500||SIU^S12^SIU_S12|{control}|T|2.5.1",
        "SCH": f"SCH|P{w['filler']}^EHR|{w['filler']}^EHR||||{w['code']}^{w['note']}^L|{w['code']}^{w['note']}^L|"
        f"{w['code']}|30|min|^^30^20270601090000^20270601093000|||||9^{w['provider']}^A||||9^{w['provider']}|||||Booked",
        "NTE": f"NTE|1||{w['note']} of {w['family']}",
        "PID": f"PID|1||{w['mrn']}^^^NORTH^MR||{w['family']}^{w['given']}||{w['birth']}|F|||{w['street']}^^{w['city']}|"
        f"|{w['phone']}|||||{w['visit']}A|{w['ssn']}",
        "PV1": f"PV1|1|O|{w['code']}^R1||||9^{w['provider']}^A||||||||||||{w['visit']}",
        "RGS": "RGS|1",
        "AIS": f"AIS|1||{w['code']}^{w['note']}^L|20270601090000",
        "AIP": f"AIP|1||9^{w['provider']}^A|{w['code']}",
    } | changes


def messages() -> list[bytes]:
    """Good ones, ones with a canary where a date, a code, an escape or a delimiter should be, and ones in ruins."""
    w = WORDS
    changes: list[dict[str, str]] = [
        {},
        {"PID": f"PID|1||{w['mrn']}^^^NORTH^MR||{w['family']}||{w['family']}13|{w['code']}"},
        {"PID": f"PID|1||||{w['family']}^{w['given']}"},
        {"SCH": f"SCH|||||||||||^^^{w['note']}"},
        {"SCH": f"SCH|{w['filler']}|||||||||{w['note']}|^^{w['note']}^{w['birth']}99||||||||||||||{w['code']}"},
        {"NTE": f"NTE|1||{w['note']}\\X{w['family']}\\ \\.{w['given']}\\ \\Z"},
        {"PV1": f"{w['family']}|broken|line"},
        {"AIS": f"AIS|{w['code']}||{w['code']}|{w['note']}|{w['code']}|{w['code']}|{w['code']}"},
        {"MSH": f"MSH|^~\\&|EHR|NORTH|||{w['birth']}99||SIU^S99|{{control}}|T|9"},
        {"MSH": MSH.format(f"SIU^{w['code']}")},
        {"MSH": MSH.format(f"{w['family']}^A01")},
        {"MSH": MSH.format("ADT^A01")},
        {"MSH": MSH.format("ADT^A40"), "MRG": f"MRG|{w['mrn']}9^^^NORTH^MR"},
        {"MSH": MSH.format("ORU^R01"), "OBX": f"OBX|1|TX|{w['note']}"},
        {"MSH": MSH.format("SIU^S12") + "||||||UNICODE UTF-16"},
    ]
    count = itertools.count(1)
    whole = [
        "\r".join(segments(**change).values()).replace("{control}", f"K{next(count)}").encode() for change in changes
    ]
    return [*whole, f"NOTHL7 {w['family']} {w['ssn']}".encode(), b"MSH" + w["family"].encode(), whole[0]]


def found(where: str, data: bytes) -> list[str]:
    """Every canary in some bytes, with what is round it."""
    hits = itertools.islice(SEEN.finditer(data), 5)
    return [f"{where}: {data[max(0, hit.start() - 60) : hit.end() + 20]!r}" for hit in hits]
