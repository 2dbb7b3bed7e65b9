"""What the sender hears: TA1 and 999 as they are written, and ours as they come back."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.x12.story import AT, benefits, decisions, envelope, golden, numbers
from transforms.x12.ack import Verdict, acknowledge, read_ta1, read_verdict, ta1
from transforms.x12.envelope import parse
from transforms.x12.faults import Unparseable
from transforms.x12.snip import faults
from transforms.x12.writer import Ends

BACK = Ends(sender="SENDERID", receiver="PAYERID")
QUESTION = golden("270-asked")


def lines(raw: bytes | None) -> list[str]:
    """The segments of an acknowledgement between its envelopes."""
    assert raw is not None
    found = parse(raw)
    assert [] == list(found.every_fault())
    inner = [one for transaction in found.transactions for one in transaction.segments[1:-1]]
    return ["*".join(one) for one in (*found.ta1, *inner)]


def heard(raw: bytes) -> list[str]:
    """The 999 about these bytes."""
    return lines(acknowledge(parse(raw), BACK, numbers(), AT))


def test_accepted() -> None:
    assert [
        "AK1*HS*1*005010X279A1",
        "AK2*270*0001*005010X279A1",
        "IK5*A",
        "AK9*A*1*1*1",
    ] == heard(QUESTION)


@pytest.mark.parametrize(
    ("was", "becomes", "expected"),
    [
        (b"EQ*98^62~", b"", ["IK3*EQ*12*2110C*I6", "CTX*SITUATIONAL TRIGGER*HL*7*2000C", "IK5*R*4*5"]),
        (b"NM1*IL*1*SMITH", b"NM1*QQ*1*SMITH", ["IK3*NM1*9*2100C*8", "IK4*1*98*7", "IK5*E*5"]),
        (b"HL*3*2*22*0", b"HL*3*9*22*0", ["IK3*HL*7*2000C*8", "IK4*2*734*7", "IK5*R*5"]),
        (b"HL*3*2*22*0", b"HL*3*2*22*1", ["IK3*HL*7*2000C*8", "IK4*4*736*7", "IK5*E*5"]),
        (b"HL*3*2*22*0", b"HL*2*2*22*0", ["IK3*HL*7*2000C*8", "IK4*1*628*7", "IK5*R*5"]),
        (b"19430519", b"19430231", ["IK3*DMG*10*2100C*8", "IK4*2*1251*8", "IK5*E*5"]),
        (b"EQ*98^62", b"EQ*98^6200", ["IK3*EQ*12*2110C*8", "IK4*1::2*1365*5", "IK5*E*5"]),
        (b"*20261121*0900~HL", b"*20261121*2560~HL", ["IK3*BHT*2**8", "IK4*5*337*9", "IK5*E*5"]),
        (b"BHT*0022*13", b"BHT**13", ["IK3*BHT*2**8", "IK4*1*1005*1", "IK5*R*5"]),
        (b"EQ*98", b"ZZZ*1~EQ*98", ["IK3*ZZZ*12*2100C*1", "IK5*R*4*5"]),
        (b"EQ*98", b"HCR*A1~EQ*98", ["IK3*HCR*12*2100C*6", "IK5*R*4*5"]),
        (b"DMG*D8*19430519*M~DTP", b"DTP", ["IK5*R*4"]),
        (b"EQ*98^62", b"EQ**HC^AD", ["IK3*EQ*12*2110C*8", "IK4*2**12", "IK5*E*5"]),
    ],
)
def test_what_is_wrong_and_where(was: bytes, becomes: bytes, expected: Sequence[str]) -> None:
    """Segment, position, loop and code; element, component and repetition. Never what stood there."""
    assert was in QUESTION
    found = heard(QUESTION.replace(was, becomes))

    assert set(expected) <= set(found)
    assert not any("SMITH" in line or "W111" in line for line in found)


def test_the_worst_decides_and_the_rest_is_counted() -> None:
    """Of two transactions one is refused: the group is partially accepted."""
    begin, end = QUESTION.index(b"ST*"), QUESTION.index(b"GE*")
    other = QUESTION[begin:end].replace(b"0001*005010", b"0002*005010").replace(b"SE*13*0001", b"SE*12*0002")
    found = heard(QUESTION[:end] + other + b"GE*2*1~IEA*1*000000101~")

    assert ["IK5*A", "IK5*R*4"] == [line for line in found if line.startswith("IK5")]
    assert "AK9*P*2*2*1" == found[-1]


def test_a_group_whose_numbers_differ() -> None:
    """Nothing of it is accepted, whatever its transactions are."""
    assert "AK9*R*1*1*0*4" == heard(QUESTION.replace(b"GE*1*1", b"GE*1*2"))[-1]


def test_kinds_that_are_not_read_here() -> None:
    """An unknown transaction and an unknown guide are refused by their own codes."""
    claim = envelope("837", "HC", "005010X222A2", ["BHT*0019*00*1*20261121*0900*CH"])

    assert ["IK5*R*1", "AK9*R*1*1*0*1"] == heard(claim)[-2:]
    assert "IK5*R*I6" in heard(QUESTION.replace(b"005010X279A1", b"004010X092A1"))


def test_nobody_acknowledges_an_acknowledgement() -> None:
    written = acknowledge(parse(QUESTION), BACK, numbers(), AT)
    assert written

    assert acknowledge(parse(written), BACK, numbers(), AT) is None


@pytest.mark.parametrize(
    ("raw", "duplicate", "expected"),
    [
        (QUESTION, False, None),
        (QUESTION.replace(b"*0*T*", b"*1*T*"), False, "TA1*000000101*261121*0900*A*000"),
        (QUESTION.replace(b"*0*T*", b"*5*T*"), False, None),
        (QUESTION.replace(b"*0*T*", b"*1*T*").replace(b"*ZZ*S", b"*Z?*S"), False, "TA1*000000101*261121*0900*E*005"),
        (QUESTION.replace(b"IEA*1*000000101", b"IEA*1*000000102"), False, "TA1*000000101*261121*0900*R*001"),
        (QUESTION, True, "TA1*000000101*261121*0900*R*025"),
    ],
)
def test_ta1(raw: bytes, duplicate: bool, expected: str | None) -> None:
    """Where it is asked for, or the interchange is rejected; a fault that costs nothing is an E."""
    written = ta1(parse(raw), BACK, numbers(), AT, duplicate=duplicate)

    assert expected == (lines(written)[0] if written else None)


def test_what_we_write_we_read() -> None:
    """A verdict says of each transaction what was wrong, and where."""
    wrong = QUESTION.replace(b"HL*3*2*22*0", b"HL*3*9*22*0").replace(b"19430519", b"19430231")
    written = acknowledge(parse(wrong), BACK, numbers(), AT)
    assert written
    verdict = read_verdict(parse(written).transactions[0])

    assert isinstance(verdict, Verdict)
    assert ("1", "R", False) == (verdict.control, verdict.code, verdict.accepted)
    assert ("270", "0001", "R") == (
        verdict.transactions[0].kind,
        verdict.transactions[0].control,
        verdict.transactions[0].code,
    )
    assert [("2000C/HL-02", "7"), ("2100C/DMG-02", "8")] == [
        (fault.path, fault.code) for fault in verdict.transactions[0].faults
    ]


def test_our_acknowledgements_are_without_fault() -> None:
    """A 999 passes the checks that it is written by."""
    written = acknowledge(parse(QUESTION.replace(b"EQ*98^62~", b"")), BACK, numbers(), AT)
    assert written

    assert [] == faults(written)


def test_an_old_acknowledgement() -> None:
    """A 997 says the same in other segments."""
    raw = envelope(
        "997", "FA", "005010", ["AK1*HS*1", "AK2*270*0001", "AK3*NM1*8**8", "AK4*3*1035*1", "AK5*R*5", "AK9*R*1*1*0"]
    )
    verdict = read_verdict(parse(raw).transactions[0])

    assert verdict
    assert [("NM1-03", "1")] == [(fault.path, fault.code) for fault in verdict.transactions[0].faults]


def test_a_ta1_about_ours() -> None:
    verdict = read_ta1(["TA1", "000000101", "261121", "0900", "R", "001"])

    assert ("000000101", False, ["001"]) == (
        verdict.control,
        verdict.accepted,
        [fault.code for fault in verdict.faults],
    )


@pytest.mark.parametrize(
    "raw", [QUESTION, golden("271-covered"), golden("278-asked"), benefits("EB*1"), decisions("HCR*A1")]
)
def test_answers_to_what_was_cut_or_flipped(raw: bytes) -> None:
    """Whatever happens to the bytes of a transaction, it is acknowledged or is no interchange."""

    @given(st.integers(0, len(raw) - 1), st.binary(max_size=6), st.integers(0, 40))
    def attempt(at: int, put: bytes, gone: int) -> None:
        try:
            found = parse(raw[:at] + put + raw[at + gone :])
        except Unparseable:
            return
        for written in (acknowledge(found, BACK, numbers(), AT), ta1(found, BACK, numbers(), AT)):
            assert written is None or [] == list(parse(written).every_fault())

    attempt()
