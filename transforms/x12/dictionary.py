"""The segments that we read and write, element by element (X12 005010): number, type, lengths, must it be there.

`"1365 ID 1 2 ^99"` is data element 1365, a code of one or two characters, up to 99 times; `M` marks what must be
there, `P8` that it must be there when element 8 is; `C003` is a composite. A segment with an empty line is known and
not looked into.
"""

import re
from typing import Final

from msgspec import Struct


class Element(Struct, frozen=True):
    """One element of a segment or one component of a composite; `kind` is AN, ID, N0, R, DT, TM or a composite."""

    number: str
    kind: str
    least: int = 1
    most: int = 0
    required: bool = False
    with_element: int = 0
    repeat: int = 1


_PROCEDURE = "235 ID 2 2 M, 234 AN 1 48 M, 1339 AN 2 2, 1339 AN 2 2, 1339 AN 2 2, 1339 AN 2 2, 352 AN 1 80, 234 AN 1 48"
_CONTACT = "365 ID 2 2, 364 AN 1 256 P{}"
COMPOSITE_LINES: Final = {
    "C003": _PROCEDURE,
    "C004": "1328 N0 1 2 M, 1328 N0 1 2, 1328 N0 1 2, 1328 N0 1 2",
    "C022": "1270 ID 1 3 M, 1271 AN 1 30 M, 1250 ID 2 3, 1251 AN 1 35, 782 R 1 18, 380 R 1 15, 799 AN 1 30, "
    "1271 AN 1 30, 1073 ID 1 1",
    "C023": "1331 AN 1 2 M, 1332 ID 1 2, 1325 ID 1 1",
    "C024": "1362 ID 2 3 M, 1362 ID 2 3, 1362 ID 2 3, 156 ID 2 2, 26 ID 2 3",
    "C030": "722 N0 1 2 M, 1528 N0 1 2, 1686 N0 1 4",
    "C998": "9998 AN 1 35 M, 9999 AN 1 35",
    "C999": "725 N0 1 4 M, 725 N0 1 4",
}
SEGMENT_LINES: Final = {
    "AAA": "1073 ID 1 1 M, 559 ID 2 2, 901 ID 2 2, 889 ID 1 1",
    "AK1": "479 ID 2 2 M, 28 N0 1 9 M, 480 AN 1 12",
    "AK2": "143 ID 3 3 M, 329 AN 4 9 M, 1705 AN 1 35",
    "AK9": "715 ID 1 1 M, 97 N0 1 6 M, 123 N0 1 6 M, 2 N0 1 6 M, 716 ID 1 3, 716 ID 1 3, 716 ID 1 3, 716 ID 1 3, "
    "716 ID 1 3",
    "AMT": "522 ID 1 3 M, 782 R 1 18 M, 478 ID 1 1",
    "BHT": "1005 ID 4 4 M, 353 ID 2 2 M, 127 AN 1 50, 373 DT 8 8, 337 TM 4 8, 640 ID 2 2",
    "CL1": "1315 ID 1 1, 1314 ID 1 1, 1352 ID 1 2, 1345 ID 1 1",
    "CR1": "",
    "CR2": "",
    "CR5": "",
    "CR6": "",
    "CRC": "1136 ID 2 2 M, 1073 ID 1 1 M, 1321 ID 2 3 M, 1321 ID 2 3, 1321 ID 2 3, 1321 ID 2 3, 1321 ID 2 3",
    "CTX": "C998 M ^10, 721 ID 2 3, 719 N0 1 10, 447 AN 1 6, C030, C999",
    "DMG": "1250 ID 2 3, 1251 AN 1 35 P1, 1068 ID 1 1, 1067 ID 1 1, C056 ^10, 1066 ID 1 2, 26 ID 2 3, 659 ID 1 2, "
    "380 R 1 15, 1270 ID 1 3, 1271 AN 1 30 P10",
    "DTP": "374 ID 3 3 M, 1250 ID 2 3 M, 1251 AN 1 35 M",
    "EB": "1390 ID 1 2 M, 1207 ID 3 3, 1365 ID 1 2 ^99, 1336 ID 1 3, 1204 AN 1 50, 615 ID 1 2, 782 R 1 18, "
    "954 R 1 10, 673 ID 2 2, 380 R 1 15 P9, 1073 ID 1 1, 1073 ID 1 1, C003, C004",
    "EQ": "1365 ID 1 2 ^99, C003, 1207 ID 3 3, 1336 ID 1 3, C004",
    "HCR": "306 ID 1 2 M, 127 AN 1 50, 1271 AN 1 30 ^5, 1073 ID 1 1",
    "HI": "C022 M, C022, C022, C022, C022, C022, C022, C022, C022, C022, C022, C022",
    "HL": "628 AN 1 12 M, 734 AN 1 12, 735 ID 1 2 M, 736 ID 1 1",
    "HSD": "673 ID 2 2, 380 R 1 15 P1, 355 ID 2 2, 1167 R 1 6, 615 ID 1 2, 616 N0 1 3 P5, 678 ID 1 2, 679 ID 1 1",
    "III": "1270 ID 1 3, 1271 AN 1 30 P1, 1136 ID 2 2, 933 AN 1 264, 380 R 1 15, C001, 752 ID 2 2, 752 ID 2 2, "
    "752 ID 2 2",
    "IK3": "721 ID 2 3 M, 719 N0 1 10 M, 447 AN 1 6, 620 ID 1 3",
    "IK4": "C030 M, 725 N0 1 4, 621 ID 1 3 M, 724 AN 1 99",
    "IK5": "717 ID 1 1 M, 618 ID 1 3, 618 ID 1 3, 618 ID 1 3, 618 ID 1 3, 618 ID 1 3",
    "INS": "1073 ID 1 1 M, 1069 ID 2 2 M, 875 ID 3 3, 1203 ID 2 3, 1216 ID 1 1, C052, 1219 ID 1 2, 584 ID 2 2, "
    "1220 ID 1 1, 1073 ID 1 1, 1250 ID 2 3, 1251 AN 1 35 P11, 1165 ID 1 1, 19 AN 2 30, 156 ID 2 2, 26 ID 2 3, "
    "1470 N0 1 9",
    "LE": "447 AN 1 6 M",
    "LS": "447 AN 1 6 M",
    "MPI": "1201 ID 1 1 M, 584 ID 2 2 M, 1595 ID 1 1 M, 352 AN 1 80, 1596 ID 1 2, 1250 ID 2 3, 1251 AN 1 35 P6",
    "MSG": "933 AN 1 264 M, 934 ID 2 2, 1470 N0 1 9",
    "N3": "166 AN 1 55 M, 166 AN 1 55",
    "N4": "19 AN 2 30, 156 ID 2 2, 116 ID 3 15, 26 ID 2 3, 309 ID 1 2, 310 AN 1 30 P5, 1715 ID 1 3",
    "NM1": "98 ID 2 3 M, 1065 ID 1 1 M, 1035 AN 1 60, 1036 AN 1 35, 1037 AN 1 25, 1038 AN 1 10, 1039 AN 1 10, "
    "66 ID 1 2, 67 AN 2 80 P8, 706 ID 2 2, 98 ID 2 3, 1035 AN 1 60",
    "PER": f"366 ID 2 2 M, 93 AN 1 60, {_CONTACT.format(3)}, {_CONTACT.format(5)}, {_CONTACT.format(7)}, 443 AN 1 20",
    "PRV": "1221 ID 1 3 M, 128 ID 2 3, 127 AN 1 50 P2, 156 ID 2 2, C035, 1223 ID 3 3",
    "PWK": "755 ID 2 2 M, 756 ID 1 2, 757 N0 1 2, 98 ID 2 3, 66 ID 1 2, 67 AN 2 80 P5, 352 AN 1 80, C002, 1525 ID 1 2",
    "REF": "128 ID 2 3 M, 127 AN 1 50, 352 AN 1 80, C040",
    "SE": "96 N0 1 10 M, 329 AN 4 9 M",
    "ST": "143 ID 3 3 M, 329 AN 4 9 M, 1705 AN 1 35",
    "SV1": "C003 M, 782 R 1 18, 355 ID 2 2, 380 R 1 15 P3, 1331 AN 1 2, 1365 ID 1 2, C004, 782 R 1 18, 1073 ID 1 1, "
    "1340 ID 1 1, 1073 ID 1 1, 1073 ID 1 1, 1364 ID 1 2, 1341 ID 1 1, 1327 ID 1 1, 1334 ID 1 1, 127 AN 1 50, "
    "116 ID 3 15, 1337 ID 1 1, 1360 ID 1 1, 1073 ID 1 1",
    "SV2": "234 AN 1 48, C003, 782 R 1 18, 355 ID 2 2, 380 R 1 15 P4, 1371 R 1 10, 782 R 1 18, 1073 ID 1 1, "
    "1345 ID 1 1, 1337 ID 1 1",
    "SV3": "",
    "TOO": "1270 ID 1 3, 1271 AN 1 30 P1, C005 ^5",
    "TRN": "481 ID 1 2 M, 127 AN 1 50 M, 509 AN 10 30, 127 AN 1 50",
    "UM": "1525 ID 1 2 M, 1322 ID 1 1, 1365 ID 1 2, C023, C024, 1338 ID 1 3, 1213 ID 1 1, 923 ID 1 1, 1363 ID 1 1, "
    "1514 ID 1 2",
}
CODES: Final = {  # data elements whose codes are few, and what they may be
    "306": frozenset(("A1", "A2", "A3", "A4", "A6", "C", "CT", "NA")),
    "481": frozenset(("1", "2")),
    "736": frozenset("01"),
    "889": frozenset("CNPRSWXY"),
    "1065": frozenset("12"),
    "1068": frozenset("FMU"),
    "1073": frozenset("YNUW"),
    "1207": frozenset(("CHD", "DEP", "ECH", "EMP", "ESP", "FAM", "IND", "SPC", "SPO")),
    "1322": frozenset("1234IRS"),
    "1525": frozenset(("AR", "HS", "IN", "SC")),
}
_LINE = re.compile(r"(\w+)(?: (AN|ID|N0|R|DT|TM) (\d+) (\d+))?( M)?(?: P(\d+))?(?: \^(\d+))?")


def _element(line: str) -> Element:
    match = _LINE.fullmatch(line)
    assert match, line
    number, kind, least, most, must, other, repeat = match.groups()
    return Element(
        number, kind or number, int(least or 1), int(most or 0), bool(must), int(other or 0), int(repeat or 1)
    )


def _elements(line: str) -> tuple[Element, ...]:
    return tuple(_element(one.strip()) for one in line.split(",") if one)


COMPOSITES: Final = {name: _elements(line) for name, line in COMPOSITE_LINES.items()}
SEGMENTS: Final = {name: _elements(line) for name, line in SEGMENT_LINES.items()}
