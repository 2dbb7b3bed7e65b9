"""What the sender hears: its own names, ids and delimiters given back, and the place and kind of what was wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.problems import Problem
from transforms.hl7v2.ack import TABLE_0357, build, build_minimal, error_code, mode, read_ack, replies, wants
from transforms.hl7v2.er7 import Header, header, parse

NOW = "20261121090001-0500"
BAD_TIME = Problem(code="data-type-error", path="TQ1-7", detail="invalid DTM at TQ1-7", severity="error")


def inbound(
    kind: str = "SIU^S12^SIU_S12", version: str = "2.5.1", processing: str = "T", rest: str = "", msh2: str = "^~\\&"
) -> Header:
    d = msh2[0]
    facility = f"EAST{d}2.16.840.1.113883.3.999.1{d}ISO"
    front = ["MSH", msh2, "EPICSCH", facility, "HUB", "HUBFAC", "20261121090000-0500", "", kind, "SCH0001"]
    found = header("|".join([*front, processing, version, rest]).encode())
    assert found is not None
    return found


def lines(ack: bytes | None) -> list[str]:
    assert ack is not None
    assert ack.endswith(b"\r")
    return ack.decode("latin-1").split("\r")[:-1]


SWAPPED = r"MSH|^~\&|HUB|HUBFAC|EPICSCH|EAST^2.16.840.1.113883.3.999.1^ISO|20261121090001-0500|"


def test_accepted() -> None:
    """Annex A5: ends swapped, own time and control id, T stays T, MSA-2 is theirs."""
    ack = build(inbound(), "AA", "HUB000001", NOW)
    assert [SWAPPED + "|ACK^S12^ACK|HUB000001|T|2.5.1", "MSA|AA|SCH0001"] == lines(ack)


def test_error() -> None:
    """Annex A5: from 2.5 on the place is an ERL in ERR-2, with code, severity and our words."""
    assert [
        SWAPPED + "|ACK^S12^ACK|HUB000002|T|2.5.1",
        "MSA|AE|SCH0001",
        "ERR||TQ1^1^7^1^1|102^Data type error^HL70357|E|||invalid DTM at TQ1-7",
    ] == lines(build(inbound(), "AE", "HUB000002", NOW, [BAD_TIME]))


def test_error_before_2_5() -> None:
    """Annex A5: the place is an ELD in ERR-1, one repetition for each problem."""
    second = Problem(code="DQ-REQUIRED-MISSING", path="SCH[2]", detail="SCH-2 is empty")
    ack = build(inbound(version="2.3.1"), "AE", "HUB000002", NOW, [BAD_TIME, second])
    assert "ERR|TQ1^1^7^102&Data type error&HL70357~SCH^2^^101&Required field missing&HL70357" == lines(ack)[2]


@pytest.mark.parametrize(
    ("kind", "version", "expected"),
    [
        ("SIU^S12^SIU_S12", "2.5.1", "ACK^S12^ACK"),
        ("SIU^S12", "2.5.1", "ACK^S12^ACK"),
        ("SIU^ S12 ", "2.5.1", "ACK^S12^ACK"),
        ("SIU", "2.5.1", "ACK"),
        ("SIU^^SIU_S12", "2.5.1", "ACK"),
        ("", "2.5.1", "ACK"),
        ("SIU^S12^SIU_S12", "2.3.1", "ACK^S12^ACK"),
        ("SIU^S12^SIU_S12", "2.3", "ACK"),
        ("ADT^A01", "2.2", "ACK"),
        ("ADT^A01^ADT_A01", "2.8.2^USA", "ACK^A01^ACK"),
        ("ADT^A01^ADT_A01", "", "ACK^A01^ACK"),
        ("ADT^A01^ADT_A01", "v2", "ACK^A01^ACK"),
    ],
)
def test_type_names_the_event_and_the_structure(kind: str, version: str, expected: str) -> None:
    """MSH-9 has three components from 2.3.1 on, however many the sender uses; below, or with no event, one."""
    msh = lines(build(inbound(kind, version), "AA", "1", NOW))[0].split("|")
    assert expected == msh[8]
    assert version == (msh[11] if len(msh) > 11 else "")


@pytest.mark.parametrize("processing", ["P", "T", "D", "P^T", ""])
def test_processing_id_is_copied(processing: str) -> None:
    """A test message is answered as a test message."""
    assert processing == lines(build(inbound(processing=processing), "AA", "1", NOW))[0].split("|")[10]


@pytest.mark.parametrize(
    ("path", "erl"),
    [
        ("PID-7", "PID^1^7"),
        ("AIP[2]-3.1", "AIP^2^3^1^1"),
        ("PID-3[2].4.2", "PID^1^3^2^4^2"),
        ("PID-3[2]", "PID^1^3^2"),
        ("SCH", "SCH^1"),
        ("?", ""),
        ("Smith|Robert", ""),
    ],
)
def test_error_location(path: str, erl: str) -> None:
    """A problem's path as an ERL; what is no place says nothing at all."""
    ack = build(inbound(), "AE", "1", NOW, [Problem(code="DQ-CODE-UNMAPPED", path=path)])
    assert f"ERR||{erl}|103^Table value not found^HL70357|W" == lines(ack)[2]


@pytest.mark.parametrize(
    ("code", "number"),
    [
        *((word, number) for word, (number, _) in TABLE_0357.items()),
        ("DQ-MSGSTRUCT", 100),
        ("DQ-REQUIRED-MISSING", 101),
        ("DQ-CHARSET", 102),
        ("DQ-PRECISION", 102),
        ("DQ-LATE", 0),
        ("INT-MAP", 207),
        ("INT-PARSE", 102),
        ("PAT-MULTI", 204),
        ("PAT-MERGE-CONFLICT", 204),
    ],
)
def test_table_0357(code: str, number: int) -> None:
    """Every problem has a number of table 0357."""
    assert number == error_code(code)[0]


def test_delimiters_and_our_text() -> None:
    """The reply is cut as the inbound message is, and our words are escaped for it."""
    odd = inbound("SIU$S12$SIU_S12", msh2="$%?#")
    ack = build(odd, "AE", "1", NOW, [Problem(code="data-type-error", path="PID-7", detail="a$b|c")], text="50% | ?")

    assert "MSH|$%?#|HUB|HUBFAC|EPICSCH|" == lines(ack)[0][:28]
    assert [
        "MSA|AE|SCH0001|50?R? ?F? ?E?",
        "ERR||PID$1$7$1$1|102$Data type error$HL70357|W|||a?S?b?F?c",
    ] == lines(ack)[1:]


def test_missing_delimiters() -> None:
    """A feed with one encoding character gets a reply in it."""
    ack = build(inbound("SIU^S12", "2.2", msh2="^"), "AE", "1", NOW, [BAD_TIME])
    assert "ERR|TQ1^1^7^102" == lines(ack)[2]


def test_charset() -> None:
    """MSH-18 is copied, their bytes come back as they were, and our words are in their charset."""
    raw = b"MSH|^~\\&|M\xfcller|B|C|D|||ADT^A01|\xe9|P|2.5.1||||||8859/1"
    found = header(raw)
    assert found is not None
    ack = build(found, "AE", "1", NOW, [Problem(code="DQ-CHARSET", path="MSH-18", detail="größer")])
    message = parse(ack)

    assert b"|M\xfcller|" in ack
    assert ("8859/1", "Müller", "é") == (
        message.value("MSH-18"),
        message.value("MSH-5"),
        message.value("MSA-2"),
    )
    assert "größer" == message.value("ERR-7")


def test_a_reply_never_breaks_its_frame() -> None:
    """A control id that ends like a frame does not end ours."""
    found = header(b"MSH|^~\\&|A|B|C|D|||ADT^A01|4\x0b2\x1c|P|2.5.1")
    assert found is not None
    assert "MSA|AA|4?2?" == lines(build(found, "AA", "1", NOW))[1]


def test_sequence_protocol() -> None:
    """The expected sequence number goes back in MSA-4."""
    assert "MSA|AA|SCH0001||8" == lines(build(inbound(rest="7"), "AA", "1", NOW, expected=8))[1]


@pytest.mark.parametrize("control_id", ["", "x" * 21])
def test_our_control_id(control_id: str) -> None:
    """MSH-10 of a reply has at most the twenty characters of old versions."""
    with pytest.raises(ValueError, match="1 to 20"):
        build(inbound(), "AA", control_id, NOW)


@pytest.mark.parametrize(
    ("accept", "application", "aa", "ae", "ar"),
    [
        ("", "", ["AA"], ["AE"], ["AR"]),
        ("AL", "NE", ["CA"], ["CA"], ["CR"]),
        ("AL", "", ["CA"], ["CA"], ["CR"]),
        ("NE", "AL", ["AA"], ["AE"], ["AR"]),
        ("", "AL", ["AA"], ["AE"], ["AR"]),
        ("AL", "AL", ["CA", "AA"], ["CA", "AE"], ["CR"]),
        ("al", "al", ["CA", "AA"], ["CA", "AE"], ["CR"]),
        ("ER", "ER", [], ["AE"], ["CR"]),
        ("SU", "SU", ["CA", "AA"], ["CA"], []),
        ("NE", "NE", [], [], []),
        ("AL", "ER", ["CA"], ["CA", "AE"], ["CR"]),
        ("XX", "NE", ["CA"], ["CA"], ["CR"]),
    ],
)
def test_modes(accept: str, application: str, aa: list[str], ae: list[str], ar: list[str]) -> None:
    """MSH-15 and MSH-16 decide which answers go out for success, a content error and a refusal, in which order."""
    found = inbound(rest=f"||{accept}|{application}")

    assert ("original" if not accept + application else "enhanced") == mode(found)
    assert [aa, ae, ar] == [[*replies(found, code)] for code in ("AA", "AE", "AR")]


@pytest.mark.parametrize(
    ("accept", "application", "ae", "ar"),
    [("", "", "AE", "AR"), ("AL", "AL", "CE", "CR"), ("NE", "AL", "AE", "AR"), ("ER", "NE", "CE", "CR")],
)
def test_what_was_not_kept_is_never_accepted(accept: str, application: str, ae: str, ar: str) -> None:
    """One answer in either mode, and no CA among them."""
    found = inbound(rest=f"||{accept}|{application}")

    assert [(ae,), (ar,)] == [replies(found, code, kept=False) for code in ("AE", "AR")]


def test_an_acknowledgement_is_never_acknowledged() -> None:
    """Not even when it asks for it."""
    assert not any(wants(inbound("ACK^S12^ACK", rest="||AL|AL"), code) for code in ("AA", "CA", "CR"))
    assert () == replies(inbound("ACK"), "AE")


def test_application_reply_asks_for_none() -> None:
    """In enhanced mode the application acknowledgement goes out with MSH-15 NE; the accept one says nothing."""
    found = inbound(rest="||AL|AL")

    assert "NE" == parse(build(found, "AA", "1", NOW)).value("MSH-15")
    assert "" == parse(build(found, "CA", "1", NOW)).value("MSH-15")


def test_minimal() -> None:
    """Junk in front of an MSH, or encoding characters that cannot be, still get an answer; no MSH gets none."""
    assert "MSA|AR|42" == lines(build_minimal(b"\x00junk MSH|^^|A|B|C|D|||ADT^A01|42|P|2.5", "AR", "1", NOW))[1]
    assert ["MSH|^~\\&|||||" + NOW + "||ACK|1", "MSA|AR"] == lines(build_minimal(b"MSH|", "AR", "1", NOW))
    assert build_minimal(b"hello", "AR", "1", NOW) is None
    assert build_minimal(b"MSHello", "AR", "1", NOW) is None


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"MSH|^~\\&|A|B|C|D|||ACK|9|P|2.5\rMSA|AA|SCH0001\r", ("AA", "SCH0001")),
        (b"\x0bMSH|^~\\&|A|B|C|D|||ACK|9|P|2.5\nSFT|x\nMSA|ce |S\\T\\1|text\n\x1c\r", ("CE", "S&1")),
        (b"MSH@^~\\&@A@@@@@@ACK@9\rMSA@AR\r", ("AR", "")),
        (b"MSH|^~\\&|A|B|C|D|||ACK|9|P|2.5\r", None),
        (b"MSA|AA|1", None),
        (b"", None),
    ],
)
def test_read_ack(payload: bytes, expected: tuple[str, str] | None) -> None:
    """The other side: the code and whose message it answers."""
    assert expected == read_ack(payload)


@given(st.binary(max_size=80))
def test_any_bytes_are_answered_or_not(tail: bytes) -> None:
    """Whatever stands in an MSH, the answer is one readable ACK for the same control id."""
    raw = b"MSH|^~\\&|" + tail
    found = header(raw)
    assert found is not None
    ack = build_minimal(raw, "AR", "1", NOW, [BAD_TIME])

    if not replies(found, "AR"):
        assert ack is None
        return
    assert ack is not None
    assert not {0x0B, 0x1C} & set(ack)
    answer = read_ack(ack)
    assert answer is not None
    assert replies(found, "AR")[0] == answer[0]
