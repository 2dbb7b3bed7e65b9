"""Escape sequences are undone once, from left to right, and what is not one stays as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.hl7v2.delimiters import STANDARD, Delimiters
from transforms.hl7v2.escapes import escape, rewrite, unescape

ODD = Delimiters("|", "$", "%", "?", "#")
LATIN = "iso8859-1"
MARKS = st.sampled_from("|^~\\&#\r\n\x0b\x1c\x00EFSTRXZ0Aa.br")


@pytest.mark.parametrize(
    ("sent", "charset", "meant"),
    [
        (r"A\T\B", "utf-8", "A&B"),
        (r"C:\E\temp", "utf-8", r"C:\temp"),
        (r"x\.br\y", "utf-8", "x\ny"),
        (r"\X48C4\ ".strip(), LATIN, "HÄ"),
        (r"\Xc384\ ".strip(), "utf-8", "Ä"),
        (r"\XC3\\X84\ ".strip(), "utf-8", "Ä"),
        (r"\XE5\\XB1\\XB1\x", "utf-8", "山x"),
        (r"\F\R\F\ ".strip(), "utf-8", "|R|"),
        (r"\E\T\E\ ".strip(), "utf-8", r"\T\ ".strip()),
        (r"1\S\128 mg\F\dL\X21\ ".strip(), "utf-8", "1^128 mg|dL!"),
        (r"a\R\b\P\c", "utf-8", "a~b#c"),
        (r"\H\high\N\ now", "utf-8", "high now"),
        (r"a\.sp2\b\.sk3\c\.ce\d", "utf-8", "a\n\nb   c\nd"),
        (r"\.in+4\a\.ti-2\b\.fi\c\.nf\d", "utf-8", "abcd"),
        (r"a\X0D\b", "utf-8", "a\rb"),
        ("plain", "utf-8", "plain"),
        ("", "utf-8", ""),
    ],
)
def test_understood(sent: str, charset: str, meant: str) -> None:
    """Every sequence of the standard means what the standard says."""
    assert (meant, True) == unescape(sent, STANDARD, charset)


@pytest.mark.parametrize(
    "sent",
    [
        "50\\%",
        r"C:\temp",
        r"C:\temp\more",
        "\\",
        "\\\\",
        r"\Z99\ x",
        r"\C2842\ and \M824041\ ".strip(),
        r"\X4\ ".strip(),
        r"\XZZ\ ".strip(),
        r"\X\ ".strip(),
        r"\XC3\ ".strip(),
        r"\.xx\ ".strip(),
        r"\f\ ".strip(),
    ],
)
def test_kept_literally(sent: str) -> None:
    """What is unknown, unterminated or not in the charset stays in the text and is reported."""
    assert (sent, False) == unescape(sent, STANDARD, "utf-8")


def test_a_sequence_behind_a_lone_escape_is_still_read() -> None:
    """The character that failed to close one sequence may open the next."""
    assert (r"C:\temp&x", False) == unescape(r"C:\temp\T\x", STANDARD, "utf-8")


def test_other_delimiters() -> None:
    """The escape character and what the letters stand for come from MSH-2."""
    assert ("a$b%c", True) == unescape("a?S?b?R?c", ODD, "utf-8")
    assert ("a\\S\\b", True) == unescape("a\\S\\b", ODD, "utf-8")


def test_no_escape_character() -> None:
    """A feed without one sends text as it is, and gets blanks for what it cannot carry."""
    bare = Delimiters("|", "^", "~", "", "")

    assert (r"a\T\b", True) == unescape(r"a\T\b", bare, "utf-8")
    assert "a b\\c d" == escape("a|b\\c\rd", bare)


def test_layout_cannot_be_used_to_fill_memory() -> None:
    """A repeated layout command is cut off at 99 characters."""
    assert 99 == len(unescape(r"\.sp999\ ".strip(), STANDARD, "utf-8")[0])


def test_escape() -> None:
    """The escape character goes first, and a control character can never end a segment."""
    assert r"a\E\b\F\c\S\d\T\e\R\f\X0D\g#" == escape("a\\b|c^d&e~f\rg#", STANDARD)
    assert r"\P\ ".strip() == escape("#", Delimiters(truncation="#"))


@given(text=st.text(st.one_of(MARKS, st.characters(exclude_categories=["Cs"]))), d=st.sampled_from([STANDARD, ODD]))
def test_any_text_survives(text: str, d: Delimiters) -> None:
    """unescape(escape(x)) is x, and the escaped form holds no delimiter and no control character."""
    sent = escape(text, d)

    assert (text, True) == unescape(sent, d, "utf-8")
    assert not set(sent) & {d.field, d.component, d.repetition, d.subcomponent, "\r", "\n", "\x0b", "\x1c"}


@given(st.text(MARKS, max_size=30), st.sampled_from(["utf-8", LATIN]))
def test_rewriting_keeps_the_meaning(sent: str, charset: str) -> None:
    """A leaf cleaned of control characters stands for the same text as before, broken sequences included."""
    cleaned = rewrite(sent, STANDARD, charset)

    assert not set(cleaned) & set("\r\n\x0b\x1c\x00")
    assert unescape(sent, STANDARD, charset)[0] == unescape(cleaned, STANDARD, charset)[0]
