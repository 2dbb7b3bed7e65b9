"""An ER7 message is cut where its own MSH says, numbered as the standard numbers it, and nothing in it is lost."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.hl7v2.er7 import (
    Delimiters,
    Message,
    Place,
    Unparseable,
    component,
    components,
    encode,
    header,
    parse,
    place,
    repetitions,
    subcomponents,
)
from transforms.hl7v2.escapes import escape
from transforms.hl7v2.tree import tree

ROOT = Path(__file__).parents[3]
CORPORA = ROOT.parent / "shared" / "corpora"
FILES = sorted(CORPORA.rglob("*.hl7"))
REFUSED = {"no-msh-segment.hl7": "MSH"}

MSH = r"MSH|^~\&|EPICSCH|EAST^1.2^ISO|HUB|HUBFAC|20261121090000-0500||SIU^S12^SIU_S12|SCH0001|T|2.5.1"
SIU = "\r".join(
    [
        MSH,
        "SCH|P9001^EPICSCH|F7001^EPICSCH",
        r"NTE|1||Arrive 15 min early\.br\Bring films",
        "PID|1||00123456^^^EASTMRN&2.16.840&ISO^MR~W111^^^ABCHP^MB||SMITH^ROBERT|",
        "ZPI|local",
        "AIP|1||1234^WATSON",
        "AIP|2||5678^JONES",
        "",
    ]
).encode()


def shape(message: Message) -> list[tuple[str, list[str]]]:
    return [(segment.path, segment.fields) for segment in message.segments]


def refused(raw: bytes) -> str:
    with pytest.raises(Unparseable) as error:
        parse(raw)
    assert "DQ-MSGSTRUCT" == error.value.problem.code
    assert "error" == error.value.problem.severity
    return error.value.problem.path


def test_numbering() -> None:
    """Field n is field n, in MSH too, and segments say which of their name they are."""
    message = parse(SIU)
    msh = message.first("MSH")

    assert msh is not None
    assert ["MSH", "|", "^~\\&", "EPICSCH"] == msh.fields[:4]
    assert "SCH0001" == msh.get(10)
    assert "" == msh.get(99)
    assert ["MSH", "SCH", "NTE", "PID", "ZPI", "AIP[1]", "AIP[2]"] == [each.path for each in message.segments]
    assert [1, 2, 3, 4, 5, 6, 7] == [each.number for each in message.segments]
    assert ["1", "2"] == [each.get(1) for each in message.all("AIP")]
    assert message.first("PV1") is None
    assert [] == message.all("PV1")
    assert [] == message.problems


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-9.2", "S12"),
        ("PID-3.1", "00123456"),
        ("PID-3.4.2", "2.16.840"),
        ("PID-3[2].1", "W111"),
        ("PID-3[2]", "W111^^^ABCHP^MB"),
        ("PID-3[3].1", ""),
        ("PID-3.9", ""),
        ("PID-3.1.2", ""),
        ("PID-5", "SMITH^ROBERT"),
        ("PID-5.1.1", "SMITH"),
        ("PID", ""),
        ("AIP[2]-3.2", "JONES"),
        ("AIP[3]-3.2", ""),
        ("PV1-2", ""),
        ("ZPI-1", "local"),
        ("NTE-3", "Arrive 15 min early\nBring films"),
    ],
)
def test_value(path: str, value: str) -> None:
    """A place in a message holds what was sent there, unescaped, or nothing."""
    assert value == parse(SIU).value(path)


def test_place() -> None:
    """A path says segment, occurrence, field, repetition, component and subcomponent, as far as it goes."""
    assert Place("AIP", 2, 3, None, 1) == place("AIP[2]-3.1")
    assert Place("PID", 1, 3, 2, 4, 2) == place("PID-3[2].4.2")
    for bad in ("", "PID-", "pid-3", "PID-0", "PID-3.x", "PID[0]-3", "PID-3.1.1.1"):
        with pytest.raises(ValueError, match="not a place"):
            place(bad)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("tail", [True, False])
@pytest.mark.parametrize("lead", [b"", b"\xef\xbb\xbf", b"\x0b", b"\r\n", b"\x0b\xef\xbb\xbf", b"\n\x0b"])
def test_line_ends(end: str, tail: bool, lead: bytes) -> None:
    """CR, LF and CRLF, blank lines, a BOM or VT in front, a missing last CR: the same message, LF flagged."""
    raw = lead + SIU.decode().rstrip("\r").replace("\r", end).encode() + (end.encode() if tail else b"")
    message = parse(raw)

    assert shape(parse(SIU)) == shape(message)
    flagged = [("DQ-MSGSTRUCT", "information")] if "\n" in end else []
    assert flagged == [(problem.code, problem.severity) for problem in message.problems]
    assert header(raw) == header(SIU)


@pytest.mark.parametrize(
    ("separator", "encoding", "expected"),
    [
        ("|", "^~\\&", Delimiters()),
        ("|", "^~\\&#", Delimiters(truncation="#")),
        ("@", "~&#\\", Delimiters("@", "~", "&", "#", "\\")),
        ("|", "^~\\", Delimiters(subcomponent="")),
        ("|", "^~", Delimiters(escape="", subcomponent="")),
        ("|", "^", Delimiters(repetition="", escape="", subcomponent="")),
    ],
)
def test_delimiters_come_from_msh(separator: str, encoding: str, expected: Delimiters) -> None:
    """MSH-2 has one to five characters; what it leaves out never cuts."""
    d = expected
    leaf = f"a{d.subcomponent or '?'}b"
    raw = separator.join(["MSH", encoding, "A"]) + f"\rPID{separator}x{d.repetition or '?'}{leaf}{d.component}c"
    message = parse(raw.encode())
    pid = message.all("PID")[0]

    assert expected == message.delimiters
    last = repetitions(pid.get(1), d)[-1]
    assert "c" == component(last, 2, d) == components(last, d)[1]
    assert "b" == subcomponents(component(last, 1, d), d)[-1][-1]
    assert "" == component(last, 3, d)
    assert encode(message) == raw.encode() + b"\r"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"", "MSH"),
        (b"\x0b\x1c\r", "MSH"),
        (b"PID|1\rMSH|^~\\&|A", "MSH"),
        (b"hello", "MSH"),
        (b"FHS|^~\\&|\rBHS|^~\\&|\rMSH|^~\\&|A", "MSH"),
        (b"MSH", "MSH-2"),
        (b"MSH\r", "MSH-2"),
        (b"MSH|", "MSH-2"),
        (b"MSH||A|B", "MSH-2"),
        (b"MSH|^^\\&|A", "MSH-2"),
        (b"MSH|^~|&|A\\|", None),
        (b"MSH|^~\\&|&", None),
        (b"MSH|^a\\&|A", "MSH-2"),
        (b'MSH|^"\\&|A', "MSH-2"),
        (b"MSH|^ \\&|A", "MSH-2"),
        (b"MSHx^~\\&xA", "MSH-2"),
        (b"MSH|^~\\&#$|A", "MSH-2"),
        (b"MSH|^~\\&amp;|A", "MSH-2"),
        (b"MSH|^~\\\xe9|A", "MSH-2"),
        (b"MSH|^~\\&|A\rPID|1\rMSH|^~\\&|B", "MSH[2]"),
    ],
)
def test_refusals(raw: bytes, path: str | None) -> None:
    """No MSH in front, delimiters that cannot be, two messages in one frame: refused, with the place."""
    if path is None:
        assert "MSH" == parse(raw).segments[0].name
    else:
        assert path == refused(raw)


def test_a_refusal_quotes_nothing() -> None:
    """The exception's text holds no content."""
    with pytest.raises(Unparseable, match=r"^DQ-MSGSTRUCT at MSH: the message does not begin with MSH$"):
        parse(b"SMITH|ROBERT")


def test_a_line_break_inside_a_text() -> None:
    """What a bare line break cut off goes back into the field it came from, and the fields behind it with it."""
    message = parse(MSH.encode() + b"\rOBX|1|TX|a||line one\nline two\r\nand three||||F\rNTE|1||x\rmore\rZZ1|1")

    assert "line one\nline two\nand three" == message.value("OBX-5")
    assert "F" == message.value("OBX-9")
    assert "x\nmore" == message.value("NTE-3")
    assert "1" == message.value("ZZ1-1")
    assert ["MSH", "OBX", "NTE"] == [problem.path for problem in message.problems]
    assert shape(parse(encode(message)))[2:] != shape(message)  # the line breaks are escaped now
    assert "line one\nline two\nand three" == parse(encode(message)).value("OBX-5")


def test_a_line_that_is_no_segment() -> None:
    """A bad segment name, or text behind MSH, is kept in its place without a name and flagged once."""
    raw = MSH.encode() + b"\rgarbage\rPID|1\rpv1|1|O\rP2\xc3\x89|x\rPV1|1\r"
    message = parse(raw)

    assert ["MSH", "?[1]", "PID", "?[2]", "?[3]", "PV1"] == [segment.path for segment in message.segments]
    assert ["pv1", "1", "O"] == message.all("?")[1].fields
    assert ["?"] == [problem.path for problem in message.problems]
    assert raw == encode(message)


def test_control_characters_do_not_come_back() -> None:
    """A control character in a field is escaped on the way out and still there for the next reader."""
    message = parse(MSH.encode() + b"\rNTE|1||a\x0bb\\\x1cF\\c\x00")
    again = encode(message)

    assert not set(again.replace(b"\r", b"")) & set(range(0x20))
    assert message.value("NTE-3") == parse(again).value("NTE-3") == "a\x0bb\\\x1cF\\c\x00"


def test_header() -> None:
    """MSH from bytes, its names and control id exactly as sent."""
    raw = SIU.replace(b"T|2.5.1", b"T^A|2.5.1^USA|7||AL|NE|USA|8859/1").replace(b"SCH0001", b" SCH\xe9 ")
    found = header(raw)

    assert found is not None
    assert ("EPICSCH", "EAST^1.2^ISO", "HUB", "HUBFAC") == (
        found.sending_application,
        found.sending_facility,
        found.receiving_application,
        found.receiving_facility,
    )
    assert ("SIU", "S12", "SIU_S12") == (found.message_type, found.event, found.structure)
    assert (" SCH\xe9 ", "20261121090000-0500") == (found.control_id, found.timestamp)
    assert ("T", "T^A", "2.5.1", "2.5.1^USA") == (
        found.processing_id,
        found.processing,
        found.version,
        found.version_id,
    )
    assert ("7", "AL", "NE", "8859/1") == (
        found.sequence,
        found.accept_ack,
        found.application_ack,
        found.charset,
    )


def test_header_of_what_cannot_be_parsed() -> None:
    """Bad encoding characters do not keep us from seeing whom to answer."""
    found = header(b"MSH|^^^^|A|B|C|D|||ADT^A01|42|P|2.3")

    assert found is not None
    assert ("A", "42", "A01") == (found.sending_application, found.control_id, found.event)
    assert header(b"MSHx^~\\&xA") is None
    assert header(b"EVN|A01") is None
    assert header(b"MSH") is None


@given(st.binary(max_size=60), st.sampled_from([b"", b"MSH", b"MSH|", b"MSH|^~\\&|", b"MSH|^~\\&|A\rPID|"]))
def test_any_bytes(tail: bytes, lead: bytes) -> None:
    """Whatever arrives is a message or Unparseable, and its header is read or absent."""
    header(lead + tail)
    try:
        message = parse(lead + tail)
    except Unparseable:
        return
    parse(encode(message))
    tree(message)


@given(st.lists(st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=3), min_size=1, max_size=3), max_size=4))
def test_any_text_travels(fields: list[list[list[str]]]) -> None:
    """Text of any kind, escaped into repetitions and components, is the same after a parse, encode and parse."""
    d = Delimiters()
    cut = [d.repetition.join(d.component.join(escape(leaf, d) for leaf in part) for part in field) for field in fields]
    raw = (MSH + "||||||UNICODE UTF-8\rZZZ|" + d.field.join(cut)).encode()
    message = parse(raw)

    assert raw + b"\r" == encode(message)
    assert shape(message) == shape(parse(encode(message)))
    for n, field in enumerate(fields, 1):
        for r, part in enumerate(field, 1):
            for c, leaf in enumerate(part, 1):
                assert leaf == message.value(f"ZZZ-{n}[{r}].{c}")


def test_long_broken_text_is_linear() -> None:
    """A document cut into a hundred thousand lines is put together once."""
    lines = b"\n".join([b"QUJD" * 19] * 100_000)
    message = parse(MSH.encode() + b"\rOBX|1|ED|a||" + lines + b"||||F")

    assert len(lines) == len(message.value("OBX-5"))
    assert 2 == len(message.problems)


def test_tree() -> None:
    """The decoded tree names every field and shows leaves unescaped, with the path of each."""
    message = parse(SIU.replace(b"SMITH^ROBERT", rb"SM\T\ITH^ROBERT"))
    nodes = {node.path: node for node in tree(message)}
    pid = {field.path: field for field in nodes["PID"].fields}

    assert ("Patient Identification", 4) == (nodes["PID"].name, nodes["PID"].number)
    assert ["PID-1", "PID-3", "PID-5"] == [*pid]
    assert ("Patient Identifier List", "CX") == (pid["PID-3"].name, pid["PID-3"].datatype)
    assert ["PID-3[1]", "PID-3[2]"] == [each.path for each in pid["PID-3"].repetitions]
    authority = pid["PID-3"].repetitions[0].parts[1]
    assert ("PID-3[1].4", "Assigning Authority") == (authority.path, authority.name)
    assert [("PID-3[1].4.1", "Namespace ID", "EASTMRN")] == [(p.path, p.name, p.value) for p in authority.parts[:1]]
    assert "SM&ITH" == pid["PID-5"].repetitions[0].parts[0].value
    assert "^~\\&" == nodes["MSH"].fields[1].repetitions[0].value
    assert "" == nodes["ZPI"].name
    assert b'"path":"MSH"' in msgspec.json.encode(tree(message))


def test_tree_values_are_at_their_paths() -> None:
    """Every leaf of the tree is what `value` finds at the leaf's path."""
    message = parse(SIU + b"OBX|1|CWE|X&Y||1^two~3\rZZ9|a&b|\r")

    def leaves(node: object) -> list[tuple[str, str]]:
        if isinstance(node, list):
            return [leaf for each in node for leaf in leaves(each)]
        assert isinstance(node, dict)
        if "value" in node:
            return [(node["path"], node["value"])]
        return leaves(node.get("fields") or node.get("repetitions") or node.get("parts") or [])

    found = leaves(msgspec.to_builtins(tree(message)))
    assert ("ZZ9-1.1.2", "b") in found
    assert ("OBX-5[1].2", "two") in found
    for path, value in found:
        assert value == message.value(path)


@pytest.mark.skipif(not FILES, reason="the shared corpora are not beside the project")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_corpora(path: Path) -> None:
    """Every message that others wrote parses and comes back the same, or is refused with a reason."""
    raw = path.read_bytes()
    if path.name in REFUSED:
        assert REFUSED[path.name] == refused(raw)
        return
    message = parse(raw)
    assert header(raw) is not None
    again = parse(encode(message))
    assert shape(message) == shape(again)
    assert [] == again.problems
    assert len(message.segments) == len(tree(message))
