"""Interchanges from bytes: delimiters of all kinds, truncation, counts and control numbers that do not agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.x12.story import golden
from transforms.x12.delimiters import Delimiters
from transforms.x12.envelope import interchanges, parse
from transforms.x12.faults import Unparseable
from transforms.x12.interchange import Group, Interchange, Transaction
from transforms.x12.writer import Element, Unwritable, read_element, segment, write

QUESTION = golden("270-asked")
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~\\\x1c\x1d\x1f\x85"


@st.composite
def delimiters(draw: st.DrawFn) -> Delimiters:
    """Four distinct characters; the last may be a line end, and there need be no repetition."""
    element, component, repetition, end = draw(
        st.lists(st.sampled_from(PUNCTUATION), min_size=4, max_size=4, unique=True)
    )
    return Delimiters(
        element, component, draw(st.sampled_from(["", repetition])), draw(st.sampled_from([end, "\r", "\n"]))
    )


def values(d: Delimiters) -> st.SearchStrategy[str]:
    """Texts that can be written: no delimiter, no line end."""
    return st.text(
        st.characters(exclude_characters=d.every + "\r\n", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12
    )


@st.composite
def written(draw: st.DrawFn) -> tuple[Delimiters, list[list[Element]]]:
    """Delimiters, and segments of texts, composites and repetitions that do not end empty."""
    d = draw(delimiters())
    leaf = values(d)
    composite = st.lists(leaf, min_size=2, max_size=4).map(tuple)
    repeated = st.lists(leaf | composite, min_size=2, max_size=3)
    one = leaf | composite | repeated if d.repetition else leaf | composite
    name = st.text(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), min_size=2, max_size=3).filter(
        lambda name: name not in ("ISA", "IEA", "GS", "GE", "ST", "SE", "TA1")
    )
    elements = st.lists(st.just("") | one, max_size=5).flatmap(lambda some: one.map(lambda last: [*some, last]))
    line = st.tuples(name, elements).map(lambda pair: [pair[0], *pair[1]])
    lines: list[list[Element]] = [list(one) for one in draw(st.lists(line, max_size=5))]
    return d, lines


def interchange(d: Delimiters, body: list[list[str]]) -> Interchange:
    """A whole interchange around the segments of a transaction."""
    isa = ["ISA", "00", " " * 10, "00", " " * 10, "ZZ", "US".ljust(15), "ZZ", "THEM".ljust(15), "261121", "0900"]
    isa += [d.repetition or "U", "00501" if d.repetition else "00401", "000000009", "0", "T", d.component]
    inner = [["ST", "270", "0001", "005010X279A1"], *body, ["SE", str(len(body) + 2), "0001"]]
    gs = ["GS", "HS", "US", "THEM", "20261121", "0900", "7", "X", "005010X279A1"]
    group = Group(gs=gs, ge=["GE", "1", "7"], transactions=[Transaction(segments=inner, position=3)])
    return Interchange(delimiters=d, isa=isa, iea=["IEA", "1", "000000009"], groups=[group])


@given(written())
def test_what_is_written_is_read(made: tuple[Delimiters, list[list[Element]]]) -> None:
    """parse(write(x)) = x, down to the components and repetitions, whatever the delimiters are."""
    d, lines = made
    texts = [segment(line, d).split(d.element) for line in lines]
    before = interchange(d, texts)
    after = parse(write(before))

    assert before.groups == after.groups
    assert (before.isa, before.iea, d) == (after.isa, after.iea, after.delimiters)
    assert {"017"} >= {fault.code for fault in after.every_fault()}
    inner = after.transactions[0].segments[1:-1]
    assert lines == [[one[0], *(read_element(text, d) for text in one[1:])] for one in inner]


@given(written(), delimiters())
def test_other_delimiters(made: tuple[Delimiters, list[list[Element]]], others: Delimiters) -> None:
    """Written with other delimiters the same is read again, or it cannot be written; it is never cut elsewhere."""
    d, lines = made
    before = interchange(d, [segment(line, d).split(d.element) for line in lines])
    try:
        raw = write(before, others)
    except Unwritable:
        return
    inner = parse(raw).transactions[0].segments[1:-1]

    assert lines == [[one[0], *(read_element(text, others) for text in one[1:])] for one in inner]


@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    """Whatever arrives is an interchange or has a reason not to be one."""
    for candidate in (raw, b"ISA" + raw, QUESTION[:106] + raw):
        try:
            found = parse(candidate)
        except Unparseable:
            continue
        assert 9 == len(found.control)


@given(st.integers(min_value=0, max_value=len(QUESTION) - 1))
def test_truncation_is_seen(size: int) -> None:
    """However little is missing at the end, something fatal says so."""
    try:
        found = parse(QUESTION[:size])
    except Unparseable:
        return
    if size < len(QUESTION) - 1:  # a missing last terminator costs nothing
        assert [fault for fault in found.every_fault() if fault.fatal]
    else:
        assert [] == list(found.every_fault())


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends(end: bytes) -> None:
    """A line end may follow the terminator, or be it."""
    plain = parse(QUESTION)

    assert plain.groups == parse(QUESTION.replace(b"~", b"~" + end)).groups
    assert plain.groups == parse(QUESTION.replace(b"~", end)).groups


def test_wrapping() -> None:
    """A byte order mark, blanks and separators around an interchange are none of it."""
    assert parse(QUESTION).groups == parse(b"\xef\xbb\xbf \x1c\r\n" + QUESTION + b"\r\n\x1a\x00").groups


@pytest.mark.parametrize(
    ("was", "becomes", "code", "path"),
    [
        (b"IEA*1*000000101", b"IEA*1*000000102", "001", "IEA-02"),
        (b"IEA*1", b"IEA*2", "021", "IEA-01"),
        (b"IEA*1*000000101~", b"", "023", "IEA"),
        (b"*00501*", b"*00401*", "017", "ISA-12"),
        (b"000000101*0*T", b"00000010A*0*T", "018", "ISA-13"),
        (b"*0*T*", b"*5*T*", "019", "ISA-14"),
        (b"*0*T*", b"*0*X*", "020", "ISA-15"),
        (b"*261121*", b"*261321*", "014", "ISA-09"),
        (b"*261121*0900", b"*261121*2500", "015", "ISA-10"),
        (b"*ZZ*SENDERID ", b"*Z?*SENDERID ", "005", "ISA-05"),
        (b"*ZZ*PAYERID ", b"*Z?*PAYERID ", "007", "ISA-07"),
        (b"GE*1*1~", b"GE*1*2~", "4", "GE-02"),
        (b"GE*1*1~", b"GE*3*1~", "5", "GE-01"),
        (b"GE*1*1~", b"", "3", "GE"),
        (b"*0900*1*X", b"*0900*x*X", "6", "GS-06"),
        (b"SE*13*0001", b"SE*13*0002", "3", "SE-02"),
        (b"SE*13*0001", b"SE*12*0001", "4", "SE-01"),
        (b"SE*13*0001~", b"", "2", "SE"),
        (b"ST*270*0001", b"ST*27*0001", "6", "ST-01"),
        (b"ST*270*0001", b"ST*270*1", "7", "ST-02"),
    ],
)
def test_envelope_faults(was: bytes, becomes: bytes, code: str, path: str) -> None:
    """Each disagreement has its own code and place."""
    assert was in QUESTION
    found = parse(QUESTION.replace(was, becomes))

    assert (code, path) in {(fault.code, fault.path) for fault in found.every_fault()}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda raw: raw.replace(b"00501*", b"501*"), "022"),
        (lambda raw: raw.replace(b"*", b"Q"), "026"),
        (lambda raw: raw.replace(b"*T*:~", b"*T***"), "022"),
        (lambda raw: raw.replace(b"*T*:~", b"*T*A~"), "027"),
        (lambda raw: raw.replace(b"*^*", b"*:*"), "016"),
        (lambda raw: raw[:105] + b":" + raw[106:], "004"),
        (lambda raw: raw[:90], "023"),
        (lambda raw: b"MSH|^~\\&|" + raw, "022"),
    ],
)
def test_no_interchange(change: object, code: str) -> None:
    """Without an ISA that can be cut nothing is read, and the reason has a code."""
    with pytest.raises(Unparseable) as refused:
        parse(change(QUESTION))  # type: ignore[operator]

    assert code == refused.value.fault.code


def test_what_holds_a_delimiter_is_refused() -> None:
    """There is no escape, so it is a problem with its place; what stood there is not told."""
    with pytest.raises(Unwritable) as refused:
        segment(["NM1", "IL", "1", "SMITH~JONES", ("HC", "9*9")], Delimiters())

    assert [("X12-SEP", "NM1-03"), ("X12-SEP", "NM1-04.2")] == [(one.code, one.path) for one in refused.value.problems]
    assert "SMITH" not in str(refused.value)


def test_several_interchanges() -> None:
    """Each is cut at its own delimiters; asked for one, the rest is a fault and not lost in silence."""
    other = write(parse(QUESTION), Delimiters("|", ">", "!", "\n"))

    assert ["*", "|"] == [one.delimiters.element for one in interchanges(QUESTION + other)]
    assert [("024", "IEA", False)] == [
        (fault.code, fault.path, fault.fatal) for fault in parse(QUESTION + other).every_fault()
    ]


def test_a_control_number_twice_in_a_group() -> None:
    """Two transactions under one ST02 cannot be told apart."""
    begin, end = QUESTION.index(b"ST*"), QUESTION.index(b"GE*")
    twice = QUESTION[:end] + QUESTION[begin:end] + b"GE*2*1~IEA*1*000000101~"

    assert [("23", "ST-02")] == [(fault.code, fault.path) for fault in parse(twice).every_fault()]
