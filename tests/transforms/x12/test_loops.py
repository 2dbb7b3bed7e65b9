"""Segments into loops by their table: order, repeats, strays, and parents that are named and not guessed."""

from collections.abc import Sequence

import pytest

from tests.transforms.x12.story import PEOPLE_271, benefits, decisions
from transforms.x12.envelope import parse
from transforms.x12.guides import BENEFITS, REVIEW_ANSWER
from transforms.x12.loops import Loop, Node, Tree
from transforms.x12.reader import read


def tree(raw: bytes, table: Loop = BENEFITS) -> Tree:
    return read(parse(raw).transactions[0], table)


def drawn(node: Node) -> str:
    """A tree on one line: `2000C(TRN 2100C(NM1))`."""
    inner = [found.name for found in node.segments[1:]] + [drawn(one) for one in node.nodes]
    return f"{node.loop.id}({' '.join([*inner, *(f'?{one.name}' for one in node.strays)])})"


def below(*segments: str) -> tuple[str, list[tuple[str, str]]]:
    """The patient's loop with these segments, and the faults."""
    found = tree(benefits(*segments))
    [patient] = found.all("2000C")
    return drawn(patient), [(fault.code, fault.path) for fault in found.faults]


@pytest.mark.parametrize(
    ("segments", "shape", "faults"),
    [
        (["EB*1**30"], "2000C(TRN 2100C() 2110C())", []),
        (["EB*1", "EB*B"], "2000C(TRN 2100C() 2110C() 2110C())", []),
        (
            ["EB*L", "LS*2120", "NM1*P3*1*J", "LE*2120", "EB*1"],
            "2000C(TRN 2100C() 2110C(LS LE 2120C()) 2110C())",
            [],
        ),
        (["EB*1", "III*ZZ*11", "MSG*A"], "2000C(TRN 2100C() 2110C(MSG 2115C()))", []),
        (["EB*1", "MSG*A", "DTP*291*D8*20260101"], "2000C(TRN 2100C() 2110C(MSG DTP))", [("7", "2110C/DTP")]),
        (["DMG*D8*19430519", "DMG*D8*19430519"], "2000C(TRN 2100C(DMG DMG))", [("5", "2100C/DMG[2]")]),
        (["UM*HS"], "2000C(TRN 2100C(?UM))", [("6", "2100C/UM")]),
        (["QQQ*1"], "2000C(TRN 2100C(?QQQ))", [("1", "2100C/QQQ")]),
        (["no name at all*1"], "2000C(TRN 2100C(????))", [("1", "2100C/???")]),
        (["EQ*30"], "2000C(TRN 2100C(?EQ))", [("6", "2100C/EQ")]),
    ],
)
def test_shapes(segments: Sequence[str], shape: str, faults: list[tuple[str, str]]) -> None:
    assert (shape, faults) == below(*segments)


def test_a_loop_too_often() -> None:
    """The first one beyond its number is told."""
    _, faults = below("EB*1", *["III*ZZ*11"] * 11)

    assert [("4", "2115C[11]/III")] == faults


def test_children_in_any_order() -> None:
    """An HL hangs under whom it names, though another one came between."""
    raw = benefits(
        *("EB*1", "HL*4*2*22*0", "NM1*IL*1*ROE*JOHN", "EB*6", "HL*5*3*23*0", "NM1*03*1*SMITH*MARY", "EB*1"),
        people=[one.replace("HL*3*2*22*0", "HL*3*2*22*1") for one in PEOPLE_271],
    )
    found = tree(raw)
    first, second = found.all("2000C")

    assert [] == found.faults
    assert ["2100C", "2110C", "2000D"] == [one.loop.id for one in first.nodes]
    assert ["2100C", "2110C"] == [one.loop.id for one in second.nodes]


def test_services_of_two_events() -> None:
    """Each belongs to the event that it names."""
    raw = decisions(
        *("HCR*A1", "HL*5*3*EV*1", "UM*HS*I*1", "HL*6*4*SS*0", "HCR*A3", "HL*7*5*SS*0", "HCR*A4"),
    )
    found = tree(raw, REVIEW_ANSWER)

    assert [["A3"], ["A4"]] == [
        [one.get(1) for service in event.within("2000F") for one in service.all("HCR")] for event in found.all("2000E")
    ]


@pytest.mark.parametrize(
    ("hierarchy", "path", "fatal"),
    [
        ("HL*3*9*22*0", "2000C/HL-02", True),
        ("HL*3**22*0", "2000C/HL-02", True),
        ("HL*3*1*22*0", "2000C/HL-02", True),
        ("HL*3*3*22*0", "2000C/HL-02", True),
        ("HL*1*2*22*0", "2000C/HL-01", True),
        ("HL*3*2*22*1", "2000C/HL-04", False),
        ("HL*3*2*XX*0", "HL/HL-03", False),
    ],
)
def test_parents(hierarchy: str, path: str, fatal: bool) -> None:
    """A parent that is none breaks the hierarchy; a wrong sign of children does not."""
    people = [one.replace("HL*3*2*22*0", hierarchy) for one in PEOPLE_271]
    found = tree(benefits("EB*1", people=people)).faults

    assert (path, fatal) in {(fault.path, fault.fatal) for fault in found}
