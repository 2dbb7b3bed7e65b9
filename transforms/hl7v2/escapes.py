"""HL7 escape sequences (2.5.1 ch. 2.7), undone once per leaf in one scan from left to right.

A sequence that is unknown or never ends stays in the text as it was sent and is reported: `C:\\temp` survives.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from string import hexdigits

from . import charset as charsets
from .delimiters import Delimiters

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
CONTROLS = bytes(code for code in (*range(0x20), 0x7F) if code not in b"\t\n\r")  # neither text nor line break
_CONTROLS = dict.fromkeys(CONTROLS)

_LAYOUT = re.compile(r"\.(br|sp|in|ti|sk|ce|fi|nf)\s*[+-]?(\d{0,3})", re.IGNORECASE)
_KEPT = re.compile(
    r"Z[0-9A-Za-z ]*|[CM](?:[0-9A-Fa-f]{2}){2,3}"
)  # local, and ISO 2022 switches: ours to keep, not to read
_MOST = 99  # a layout command repeats a character at most this often, whatever the sender asks

_WIDEST = 8  # bytes: no character of table 0211 needs more


def unescape(text: str, d: Delimiters, charset: str = "utf-8") -> tuple[str, bool]:
    """The text a leaf stands for, and whether every sequence in it was understood."""
    if not d.escape or d.escape not in text:
        return text, True
    pieces = [*_pieces(text, d, charset)]
    meant = "".join(source if value is None else value for source, value in pieces)
    return meant, all(value is not None for _, value in pieces)


def audible(text: str) -> str:
    """Text without control characters, but with its tabs and line breaks."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def escape(text: str, d: Delimiters) -> str:
    """Text as a leaf: the escape character first, then delimiters, and control characters as `\\Xhh\\`."""
    return text.translate(_table(d))


def rewrite(text: str, d: Delimiters, charset: str = "utf-8") -> str:
    """A raw field without control characters, standing for the same text; its sequences are kept as sent."""
    if not CONTROL.search(text):
        return text
    table = _controls(d)
    if d.escape not in text or not d.escape:
        return text.translate(table)
    lone = f"{d.escape}E{d.escape}"
    return "".join(
        lone if source == d.escape else source.translate(table) if source == value else source
        for source, value in _pieces(text, d, charset)
    )


def _pieces(text: str, d: Delimiters, charset: str) -> Iterator[tuple[str, str | None]]:
    """(as sent, as meant) from left to right; None where the sequence is not understood.

    After a sequence that is not one, the scan goes on behind its first character: the character that seemed to
    close it may open the next.
    """
    mark, at = d.escape, 0
    while (start := text.find(mark, at)) >= 0:
        if start > at:
            yield text[at:start], text[at:start]
        end = text.find(mark, start + 1)
        body = text[start + 1 : end] if end > 0 else ""
        if body[:1] == "X":
            end, value = _hex(text, start, end, mark, charset)
        else:
            value = _meaning(body, d)
        known = value is not None or _KEPT.fullmatch(body)
        at = end + 1 if known else start + 1
        yield text[start:at], value
    if at < len(text):
        yield text[at:], text[at:]


def _meaning(body: str, d: Delimiters) -> str | None:
    """What stands between two escape characters, other than hexadecimal."""
    if len(body) == 1:
        return _letters(d).get(body)
    layout = _LAYOUT.fullmatch(body)
    if not layout:
        return None
    command, count = layout[1].lower(), min(int(layout[2] or 1), _MOST)
    if command in ("br", "ce"):
        return "\n"
    if command == "sp":
        return "\n" * max(count, 1)
    return " " * count if command == "sk" else ""


def _hex(text: str, start: int, end: int, mark: str, charset: str) -> tuple[int, str | None]:
    """Hexadecimal bytes in the message's charset; some senders write one character as several sequences."""
    raw, stop = b"", end
    while text[start : start + 2] == mark + "X" and stop > 0 and len(raw) < _WIDEST:
        digits = text[start + 2 : stop]
        if not digits or len(digits) % 2 or digits.strip(hexdigits):
            break
        raw += bytes.fromhex(digits)
        value = chr(raw[0]) if len(raw) == 1 and raw[0] < 0x80 else charsets.read(raw, charset)
        if value is not None:
            return stop, value
        start, stop = stop + 1, text.find(mark, stop + 2)
    return end, None


@lru_cache(maxsize=64)
def _letters(d: Delimiters) -> dict[str, str]:
    return {
        "F": d.field,
        "S": d.component,
        "T": d.subcomponent or "&",
        "R": d.repetition or "~",
        "E": d.escape,
        "P": d.truncation or "#",
        "H": "",
        "N": "",
    }


@lru_cache(maxsize=64)
def _controls(d: Delimiters) -> dict[int, str]:
    codes = (*range(0x20), 0x7F)
    return {code: f"{d.escape}X{code:02X}{d.escape}" if d.escape else " " for code in codes}


@lru_cache(maxsize=64)
def _table(d: Delimiters) -> dict[int, str]:
    """One pass of `str.translate`; a feed without an escape character gets blanks for what it cannot carry."""
    letters = {"F": d.field, "S": d.component, "T": d.subcomponent, "R": d.repetition, "P": d.truncation, "E": d.escape}
    marks = {ord(char): f"{d.escape}{name}{d.escape}" if d.escape else " " for name, char in letters.items() if char}
    return _controls(d) | marks
