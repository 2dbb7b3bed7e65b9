"""MSH-18 decides how the whole message is read, and nothing that cannot be read is dropped."""

import pytest

from transforms.hl7v2 import charset
from transforms.hl7v2.charset import codec, decode, encode
from transforms.hl7v2.er7 import Unparseable, parse

MSH = r"MSH|^~\&|A|B|C|D|20260101||ADT^A08|1|P|2.5.1||||||{}"


def sent(declared: str, name: bytes) -> bytes:
    """A message whose PID-5 is these bytes."""
    return MSH.format(declared).encode() + b"\rPID|1||M1||" + name + b"^X\r"


@pytest.mark.parametrize(
    ("declared", "python", "name"),
    [
        ("8859/1", "iso8859-1", "Müller"),
        ("8859/2", "iso8859-2", "Łódź"),
        ("8859/5", "iso8859-5", "Иванов"),
        ("8859/7", "iso8859-7", "Παπα"),
        ("8859/9", "iso8859-9", "Şahin"),
        ("8859/15", "iso8859-15", "Œuvre €"),
        ("UNICODE UTF-8", "utf-8", "山田 Zörb"),
        ("unicode  utf-8", "utf-8", "Zörb"),
        ("UNICODE", "utf-8", "Zörb"),
        ("UTF-8", "utf-8", "Zörb"),
        ("GB 18030-2000", "gb18030", "张伟㐀"),
        ("BIG-5", "big5", "許功蓋"),
        ("KS X 1001", "euc_kr", "김철수"),
        ("~ISO IR87", "iso2022_jp", "山田"),
        ("ASCII~ISO IR87~ISO IR159", "iso2022_jp_2", "山田"),
        ("ISO IR14~ISO IR87", "iso2022_jp_ext", "山田"),
        ("ISO IR87", "iso2022_jp", "山田"),
    ],
)
def test_table_0211(declared: str, python: str, name: str) -> None:
    """Each value of table 0211 reads its own bytes, without a problem."""
    message = parse(sent(declared, name.encode(python)))

    assert name == message.value("PID-5.1")
    assert "X" == message.value("PID-5.2")
    assert [] == message.problems


def test_trail_bytes_that_look_like_delimiters() -> None:
    """Big5 and GB 18030 characters may end in a backslash, a bar or a tilde: decoding comes before cutting."""
    for declared, python, name in [("BIG-5", "big5", "功餐會"), ("GB 18030-2000", "gb18030", "乗亅")]:
        raw = name.encode(python)
        assert set(raw) & set(b"|\\^~&")
        assert name == parse(sent(declared, raw)).value("PID-5.1")


def test_jis_x0201() -> None:
    """ISO IR14 is one byte a character: half-width katakana, and nothing may swallow the next delimiter."""
    message = parse(sent("ISO IR14", b"\xd4\xcf\xc0\xde"))
    assert "ﾔﾏﾀﾞ" == message.value("PID-5.1")
    assert b"\xd4\xcf\xc0\xde" == encode("ﾔﾏﾀﾞ", charset.JIS_X0201)

    broken = parse(sent("ISO IR14", b"\x81"))
    assert ("\ufffd", "X") == (broken.value("PID-5.1"), broken.value("PID-5.2"))
    assert ["DQ-CHARSET"] == [problem.code for problem in broken.problems]


def test_cns_11643() -> None:
    """Python cannot read CNS 11643: its ASCII is read, the rest replaced and reported."""
    assert [] == parse(sent("CNS 11643-1992", b"WANG")).problems

    message = parse(sent("CNS 11643-1992", b"\xa4\xa4"))
    assert ("\ufffd\ufffd", "X") == (message.value("PID-5.1"), message.value("PID-5.2"))
    assert ["DQ-CHARSET"] == [problem.code for problem in message.problems]


@pytest.mark.parametrize(
    ("raw", "default", "name", "problems"),
    [
        ("Müller".encode(), None, "Müller", []),
        ("Müller".encode("latin-1"), None, "Müller", ["DQ-CHARSET"]),
        (b"\x93x\x94", None, "“x”", ["DQ-CHARSET"]),
        ("Müller".encode("latin-1"), "8859/1", "Müller", []),
        ("Łódź".encode("iso8859-2"), "8859/2", "Łódź", []),
        (b"Mueller", None, "Mueller", []),
    ],
)
def test_without_msh18(raw: bytes, default: str | None, name: str, problems: list[str]) -> None:
    """The feed's default, else strict UTF-8, else Windows-1252 and a problem."""
    message = parse(sent("", raw), default)

    assert name == message.value("PID-5.1")
    assert problems == [problem.code for problem in message.problems]


@pytest.mark.parametrize(
    ("declared", "raw", "name"),
    [
        ("UNICODE UTF-8", b"M\xfcller", "M\ufffdller"),
        ("UNICODE UTF-8", b"M\xc3", "M\ufffd"),
        ("BIG-5", b"a\xff", "a\ufffd"),
        ("ASCII", "Müller".encode(), "Müller"),
        ("ASCII", b"M\xfcller", "Müller"),
        ("KLINGON", b"M\xfcller", "Müller"),
        ("KLINGON", b"Mueller", "Mueller"),
    ],
)
def test_wrong_declaration(declared: str, raw: bytes, name: str) -> None:
    """Bytes that do not fit MSH-18 are replaced or guessed, always with a problem that does not quote them."""
    message = parse(sent(declared, raw))

    assert (name, "X") == (message.value("PID-5.1"), message.value("PID-5.2"))
    assert ["DQ-CHARSET"] == [problem.code for problem in message.problems]
    assert all("ller" not in problem.detail and "KLINGON" not in problem.detail for problem in message.problems)


@pytest.mark.parametrize(
    "raw",
    [
        sent("", b"X").decode().encode("utf-16"),
        sent("", b"X").decode().encode("utf-16-le"),
        sent("", b"X").decode().encode("utf-32-be"),
        sent("UNICODE UTF-16", b"X"),
        sent("UNICODE UTF-32", b"X"),
    ],
)
def test_wide_charsets_are_refused(raw: bytes) -> None:
    """UTF-16 and UTF-32 contain the framing bytes, so they cannot be received, whether declared or just sent."""
    with pytest.raises(Unparseable) as refused:
        parse(raw)
    assert "UTF-16" in refused.value.problem.detail


def test_hexadecimal_is_in_the_message_charset() -> None:
    """An escape sequence of bytes is read with MSH-18 too."""
    assert "HÄ" == parse(sent("8859/1", rb"\X48C4\ ".strip())).value("PID-5.1")
    assert "Ä" == parse(sent("", rb"\XC384\ ".strip())).value("PID-5.1")


def test_codec_answers() -> None:
    """Empty is empty and unknown is None: the caller decides what to assume."""
    assert ("", None, "ascii") == (codec(""), codec("ROT13"), codec("ASCII"))
    assert ("x", "iso8859-1", None) == decode(b"x", "8859/1", "~", None)


def test_a_character_set_that_is_not_supported_says_so() -> None:
    """CNS 11643 is in table 0211, and no codec of ours reads it: it is not the bytes that are wrong."""
    _, _, problem = decode(b"MSH|\xa4\xa4", "CNS 11643-1992", "~", None)

    assert problem
    assert "is not supported" in problem.detail
