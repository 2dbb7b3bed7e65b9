"""Bytes to text and back by MSH-18 (table 0211), for a whole message at once.

The message is decoded before it is cut: in Big5, GB 18030 and Shift JIS a trail byte may equal a delimiter.
What cannot be read is replaced and reported, never dropped; UTF-16 and UTF-32 break framing and are refused.
"""

from functools import lru_cache

from canonical.problems import Problem

UTF8 = "utf-8"
JIS_X0201 = "jis_x0201"  # Python has no codec for these two: see `_read` and `encode`
CNS_11643 = "cns11643"

TABLE_0211: dict[str, str] = {
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    "UNICODE": UTF8,  # withdrawn, and in practice always UTF-8
    "UNICODE UTF-8": UTF8,
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
    "KS X 1001": "euc_kr",
    "ISO IR6": "ascii",
    "ISO IR14": JIS_X0201,
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_2",
    "CNS 11643-1992": CNS_11643,
}
IN_THE_WILD: dict[str, str] = {
    "UTF-8": UTF8,
    "UTF8": UTF8,
    "UNICODEUTF-8": UTF8,
    "US-ASCII": "ascii",
    **{f"ISO-8859-{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    **{f"ISO8859-{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
    "GB18030": "gb18030",
    "BIG5": "big5",
}
_KATAKANA = dict(zip(range(0xA1, 0xE0), range(0xFF61, 0xFFA0), strict=True))
_FROM_JIS_X0201 = {byte: _KATAKANA.get(byte, 0xFFFD) for byte in range(0x80, 0x100)}

_UNKNOWN = "MSH-18 names no character set of table 0211; the feed's, UTF-8 or Windows-1252 was assumed"
_ASSUMED = "MSH-18 declares no character set for bytes beyond ASCII and they are not UTF-8; read as Windows-1252"
_MISDECLARED = "MSH-18 declares ASCII but there are bytes beyond it; read as UTF-8, else as Windows-1252"
_REPLACED = "bytes that the character set in MSH-18 does not have were replaced; the message is kept as received"
_UNSUPPORTED = (
    "the character set in MSH-18 is not supported: what is beyond ASCII was replaced; the message is kept as received"
)


def is_wide(raw: bytes, declared: str = "") -> bool:
    """Whether these bytes are, or say that they are, UTF-16 or UTF-32."""
    return b"\x00" in raw[:8] or raw[:2] in (b"\xff\xfe", b"\xfe\xff") or _is_wide_name(declared)


def codec(declared: str, repetition: str = "~") -> str | None:
    """The codec for MSH-18; "" when it is empty, None when table 0211 does not know it."""
    return _codec(declared, repetition)


def decode(raw: bytes, declared: str, repetition: str, default: str | None) -> tuple[str, str, Problem | None]:
    """Text, the codec it was read with, and what was wrong.

    Without MSH-18: the feed's default, else strict UTF-8, else Windows-1252 with a problem (DOMAIN 2.10).
    """
    named = _codec(declared, repetition)
    unknown = _problem(_UNKNOWN) if named is None else None
    chosen = named or (_codec(default, "~") if default else "") or ""
    if raw.isascii() and b"\x1b" not in raw:  # no escape switches either: every codec reads these bytes alike
        return raw.decode("ascii"), chosen or UTF8, unknown
    if chosen in ("", "ascii"):
        return _guess(raw, _problem(_MISDECLARED) if named == "ascii" else unknown)
    return _read_whole(raw, chosen, unknown)


def read(raw: bytes, name: str) -> str | None:
    """A few bytes in a codec of `codec`, or None when they are not in it."""
    try:
        text = _read(raw, name, "strict")
    except UnicodeDecodeError:
        return None
    return None if "\ufffd" in text else text


def encode(text: str, name: str) -> bytes:
    """Text in a codec of `codec`; characters it does not have become `?`."""
    return text.encode({JIS_X0201: "shift_jis", CNS_11643: "ascii"}.get(name, name), "replace")


@lru_cache(maxsize=256)
def _codec(declared: str, repetition: str) -> str | None:
    names = [" ".join(name.upper().split()) for name in (declared.split(repetition) if repetition else [declared])]
    first = names[0]
    switched = set(names) & {"ISO IR87", "ISO IR159"}  # reached by ISO 2022 escapes, with the first as the ground
    if switched and len(names) > 1 and first in ("", "ASCII", "ISO IR6", "ISO IR14", *switched):
        if "ISO IR14" in names:
            return "iso2022_jp_ext"
        return "iso2022_jp_2" if "ISO IR159" in switched else "iso2022_jp"
    return TABLE_0211.get(first) or IN_THE_WILD.get(first) or (None if first else "")


@lru_cache(maxsize=256)
def _is_wide_name(declared: str) -> bool:
    return any(wide in declared.upper() for wide in ("UTF-16", "UTF-32", "UTF16", "UTF32"))


def _guess(raw: bytes, problem: Problem | None) -> tuple[str, str, Problem | None]:
    try:
        return raw.decode(UTF8), UTF8, problem
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace"), "cp1252", problem or _problem(_ASSUMED)


def _read_whole(raw: bytes, name: str, problem: Problem | None) -> tuple[str, str, Problem | None]:
    try:
        text = _read(raw, name, "strict")
    except UnicodeDecodeError:
        return _read(raw, name, "replace"), name, _problem(_UNSUPPORTED if name == CNS_11643 else _REPLACED)
    return text, name, _problem(_REPLACED) if name == JIS_X0201 and "\ufffd" in text else problem


def _read(raw: bytes, name: str, errors: str) -> str:
    """JIS X 0201 is ASCII with half-width katakana from 0xA1 to 0xDF; of CNS 11643 only ASCII can be read."""
    if name == JIS_X0201:
        return raw.decode("latin-1").translate(_FROM_JIS_X0201)
    return raw.decode("ascii" if name == CNS_11643 else name, errors)


def _problem(detail: str) -> Problem:
    return Problem(code="DQ-CHARSET", path="MSH-18", detail=detail)
