"""Edits change what they name and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.hl7v2.editing import Edit, edited, is_editable
from transforms.hl7v2.er7 import parse

RAW = (
    b"MSH|^~\\&|LAB|EAST^1.2.3^ISO|HUB|HUB|20261121090000||ORU^R01|7|P|2.5.1\r"
    b"PID|1||A^^^X~B^^^Y||DOE^JANE\r\nNK1|1|DOE^JOHN\rNK1|2|DOE^JIM\rZZZ||\x0a\rOBX|1|ST|A||x\\T\\y||\r"
)


def edit(verb: str, at: str, value: str = "", source: str = "") -> Edit:
    return Edit(verb=verb, at=at, value=value, source=source)  # type: ignore[arg-type] # a test may say it shortly


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (edit("set", "MSH-5", "LAB|9"), b"|HUB|HUB|", b"|LAB\\F\\9|HUB|"),
        (edit("set", "MSH-4.1", "WEST"), b"|EAST^1.2.3^ISO|", b"|WEST^1.2.3^ISO|"),
        (edit("set", "PID-3.4", "Z"), b"|A^^^X~B^^^Y|", b"|A^^^Z~B^^^Z|"),
        (edit("set", "PID-3[2].4", "Z"), b"|A^^^X~B^^^Y|", b"|A^^^X~B^^^Z|"),
        (edit("set", "PID-3[3].1", "C"), b"|A^^^X~B^^^Y|", b"|A^^^X~B^^^Y~C|"),
        (edit("set", "PID-3[1].4.2", "9"), b"|A^^^X~B^^^Y|", b"|A^^^X&9~B^^^Y|"),
        (edit("set", "PID-8", "F"), b"DOE^JANE\r\n", b"DOE^JANE|||F\r\n"),
        (edit("set", "NK1-3", "SPO"), b"NK1|1|DOE^JOHN\rNK1|2|DOE^JIM\r", b"NK1|1|DOE^JOHN|SPO\rNK1|2|DOE^JIM|SPO\r"),
        (edit("set", "NK1[2]-3", "SPO"), b"NK1|2|DOE^JIM\r", b"NK1|2|DOE^JIM|SPO\r"),
        (edit("set", "PV1-2", "I"), b"", b""),
        (edit("copy", "PID-2", source="PID-3[2].1"), b"PID|1||", b"PID|1|B|"),
        (edit("copy", "NK1-3", source="NK1-2.1"), b"NK1|2|DOE^JIM\r", b"NK1|2|DOE^JIM|DOE\r"),
        (edit("copy", "OBX-4", source="PID-5"), b"OBX|1|ST|A||", b"OBX|1|ST|A|DOE^JANE|"),
        (edit("copy", "OBX-4", source="PV1-2"), b"", b""),
        (edit("drop", "PID-5"), b"|DOE^JANE\r\n", b"|\r\n"),
        (edit("drop", "PID-19"), b"", b""),
        (edit("drop", "NK1[1]"), b"NK1|1|DOE^JOHN\r", b""),
        (edit("drop", "NK1"), b"NK1|1|DOE^JOHN\rNK1|2|DOE^JIM\r", b""),
    ],
)
def test_an_edit(change: Edit, before: bytes, after: bytes) -> None:
    """One place is another, and every byte around it is as it was."""
    expected = RAW.replace(before, after, 1) if before else RAW
    if change.at == "NK1-3" and change.verb == "copy":
        expected = expected.replace(b"DOE^JOHN\r", b"DOE^JOHN|DOE\r")

    assert expected == edited(RAW, [change])


def test_in_the_message_s_own_charset() -> None:
    """What is put in is written in the character set of the message, whose trail bytes may look like delimiters."""
    head = "MSH|^~\\&|A|B|||20261121||ORU^R01|1|P|2.5.1||||||BIG-5\r"
    raw = (head + "PID|1||1||功^許\r").encode("big5")

    assert (head + "PID|1||1||功^蓋\r").encode("big5") == edited(raw, [edit("set", "PID-5.2", "蓋")])


def test_bytes_that_are_no_text() -> None:
    """A byte that the character set does not have stays that byte."""
    raw = b"MSH|^~\\&|A|B|||20261121||ORU^R01|1|P|2.5.1||||||UNICODE UTF-8\rPID|1||1||\xff\xfe|\rPV1||I\r"

    assert raw.replace(b"|1||1|", b"|1|\xc3\xbc|1|") == edited(raw, [edit("set", "PID-2", "ü")])


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_without_edits_any_bytes(rest: bytes) -> None:
    """Nothing to do is nothing done; and an edit of what is not there changes nothing."""
    raw = b"MSH|^~\\&|A|B|||20261121||ORU^R01|1|P|2.5.1\r" + rest.replace(b"MSH", b"")

    assert raw == edited(raw, [])
    if b"QQQ" not in raw and b"\x00" not in raw[:8]:
        assert raw == edited(raw, [edit("set", "QQQ-1", "x")])


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        *(("PID-3", True), ("PID[2]-3[1].4.2", True), ("NTE", True), ("MSH-5", True), ("BHS-4", True)),
        *(("MSH", False), ("MSH-1", False), ("MSH-2", False), ("MSH-10", False), ("MSH-18", False)),
        *(("PID3", False), ("pid-3", False), ("", False), ("?-1", False)),
    ],
)
def test_places(text: str, is_one: bool) -> None:
    """A place is a segment or a field, and not how the message is cut, read or answered."""
    assert is_one == is_editable(text)


def test_the_result_can_be_read() -> None:
    """An edited message says what it was made to say."""
    assert "a|b^c&d~e\\f" == parse(edited(RAW, [edit("set", "PID-5.1", "a|b^c&d~e\\f")])).value("PID-5.1")
