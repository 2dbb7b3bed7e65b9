"""The transactions that we know, as tables of loops (005010X279A1, X217, X231A1; DOMAIN 4.2 to 4.4).

What a table says must be there is what nothing can be read or answered without; it is no copy of a guide.
"""

from typing import Final

from .loops import Loop, Use

ST: Final = Use("ST", required=True)


def _use(name: str, repeat: int = 1, codes: str = "") -> Use:
    return Use(name, frozenset(codes.split()), repeat=repeat)


def _must(name: str, codes: str = "", repeat: int = 1) -> Use:
    return Use(name, frozenset(codes.split()), required=True, repeat=repeat)


def _root(*uses: Use, loops: tuple[Loop, ...]) -> Loop:
    return Loop("ST", ST, (*uses, _use("SE")), loops)


def _level(name: str, level: str, uses: tuple[Use, ...], *loops: Loop, required: bool = True, repeat: int = 0) -> Loop:
    return Loop(name, Use("HL"), uses, loops, required, repeat, level)


def _named(name: str, codes: str, *uses: Use, required: bool = True, repeat: int = 1) -> Loop:
    return Loop(name, Use("NM1", frozenset(codes.split())), uses, (), required, repeat)


_ADDRESS = (_use("N3"), _use("N4"))
_PROVIDERS = "1P 2B 36 80 FA GP P5 PR"

# 270: a question about benefits.
_PERSON_270 = (*(_use("REF", 9), *_ADDRESS, _use("PRV"), _use("DMG"), _use("INS"), _use("HI"), _use("DTP", 2)),)
_INQUIRY = (_use("III", 10), _use("AMT", 2), _use("REF"), _use("DTP"))


def _inquiry(name: str) -> Loop:
    return Loop(name, Use("EQ"), _INQUIRY, (), repeat=99)


_DEPENDENT_270 = _level(
    "2000D", "23", (_use("TRN", 2),), _named("2100D", "03", *_PERSON_270), _inquiry("2110D"), required=False
)
_SUBSCRIBER_270 = _level(
    "2000C", "22", (_use("TRN", 2),), _named("2100C", "IL", *_PERSON_270), _inquiry("2110C"), _DEPENDENT_270
)
_RECEIVER_270 = _level(
    "2000B", "21", (), _named("2100B", _PROVIDERS, _use("REF", 9), *_ADDRESS, _use("PRV")), _SUBSCRIBER_270
)
INQUIRY: Final = _root(
    _must("BHT", "0022"), loops=(_level("2000A", "20", (), _named("2100A", "2B 36 GP P5 PR"), _RECEIVER_270),)
)

# 271: the answer. MSG, DTP, REF and HSD belong to their own EB; III and NM1 within it open loops of their own.
_PERSON_271 = (
    *(_use("REF", 9), *_ADDRESS, _use("AAA", 9), _use("PRV"), _use("DMG"), _use("INS"), _use("HI"), _use("DTP", 9)),
    _use("MPI", 9),
)


def _benefit(name: str, further: str, named: str) -> Loop:
    return Loop(
        name,
        Use("EB"),
        (
            *(_use("HSD", 9), _use("REF", 9), _use("DTP", 20), _use("AAA", 9), _use("MSG", 10)),
            *(_use("LS"), _use("LE")),
        ),
        (
            Loop(further, Use("III"), repeat=10),
            Loop(named, Use("NM1"), (*_ADDRESS, _use("PER", 3), _use("PRV")), repeat=23),
        ),
        repeat=0,
    )


_DEPENDENT_271 = _level(
    "2000D",
    "23",
    (_use("TRN", 3),),
    _named("2100D", "03", *_PERSON_271),
    _benefit("2110D", "2115D", "2120D"),
    required=False,
)
_SUBSCRIBER_271 = _level(
    "2000C",
    "22",
    (_use("TRN", 3),),
    _named("2100C", "IL", *_PERSON_271),
    _benefit("2110C", "2115C", "2120C"),
    _DEPENDENT_271,
    required=False,
)
_RECEIVER_271 = _level(
    "2000B",
    "21",
    (),
    _named("2100B", _PROVIDERS, _use("REF", 9), *_ADDRESS, _use("AAA", 9), _use("PRV")),
    _SUBSCRIBER_271,
    required=False,
)
BENEFITS: Final = _root(
    _must("BHT", "0022"),
    loops=(
        _level(
            "2000A",
            "20",
            (_use("AAA", 9),),
            _named("2100A", "2B 36 GP P5 PR", _use("PER", 3), _use("AAA", 9)),
            _RECEIVER_271,
        ),
    ),
)

# 278: a request for leave to give care, and its answer.
_REVIEW_PROVIDERS = "71 72 73 77 AAJ DD DK DN FA G3 P3 QB QV SJ"
_CONTACT_278 = (_use("REF", 9), *_ADDRESS, _use("PER", 3), _use("AAA", 9), _use("PRV"))
_PERSON_278 = (_use("REF", 9), *_ADDRESS, _use("AAA", 9), _use("DMG"), _use("INS"))


def _patient(name: str, level: str, person: str, codes: str, *loops: Loop, required: bool = True) -> Loop:
    return _level(name, level, (), _named(person, codes, *_PERSON_278), *loops, required=required)


def _service(answer: bool) -> Loop:
    return _level(
        "2000F",
        "SS",
        (
            *(_use("TRN", 3), _use("AAA", 9), _use("UM"), *([_use("HCR")] if answer else [])),
            *(_use("REF", 9), _use("DTP", 9), _use("HI"), _use("SV1"), _use("SV2"), _use("SV3"), _use("TOO", 32)),
            *(_use("HSD"), _use("PWK", 10), _use("MSG")),
        ),
        _named("2010F", _REVIEW_PROVIDERS, *_CONTACT_278, required=False, repeat=12),
        required=False,
    )


def _event(answer: bool) -> Loop:
    return _level(
        "2000E",
        "EV",
        (
            *(_use("TRN", 3), _use("AAA", 9), _must("UM"), *([_use("HCR")] if answer else [])),
            *(_use("REF", 9), _use("DTP", 9), _use("HI"), _use("HSD"), _use("CRC", 9), _use("CL1"), _use("CR1")),
            *(_use("CR2"), _use("CR5"), _use("CR6"), _use("PWK", 10), _use("MSG")),
        ),
        _named("2010EA", _REVIEW_PROVIDERS, *_CONTACT_278, required=False, repeat=14),
        _named("2010EB", "45 FS ND PW R3", *_ADDRESS, required=False, repeat=5),
        _named("2010EC", "X3 CA", *_CONTACT_278, required=False, repeat=3),
        _service(answer),
        required=not answer,
    )


def _review(answer: bool) -> Loop:
    dependent = _patient("2000D", "23", "2010D", "03 QC", _event(answer), required=False)
    event = _event(answer)
    subscriber = Loop(
        "2000C",
        Use("HL"),
        (),
        (_named("2010C", "IL", *_PERSON_278), _optional(event), dependent),
        not answer,
        0,
        "22",
    )
    requester = _level("2000B", "21", (), _named("2010B", "1P FA", *_CONTACT_278), subscriber, required=not answer)
    reviewer = _named("2010A", "X3", *([_use("PER", 3), _use("AAA", 9)] if answer else []))
    return _root(_must("BHT", "0007"), loops=(_level("2000A", "20", (_use("AAA", 9),), reviewer, requester),))


def _optional(loop: Loop) -> Loop:
    """An event hangs under the dependent where there is one."""
    return Loop(loop.id, loop.opens, loop.uses, loop.loops, False, loop.repeat, loop.level)


REVIEW_REQUEST: Final = _review(answer=False)
REVIEW_ANSWER: Final = _review(answer=True)

# 999: what was wrong with a group. 997 has other names for the same (AK3, AK4, AK5).
_SEGMENT_999 = Loop(
    "2100",
    Use("IK3"),
    (_use("CTX", 10),),
    (Loop("2110", Use("IK4"), (_use("CTX", 10),), (), repeat=0),),
    repeat=0,
)
_SEGMENT_997 = Loop("2100", Use("AK3"), (), (Loop("2110", Use("AK4"), repeat=0),), repeat=0)
ACKNOWLEDGEMENT: Final = _root(
    _must("AK1"), _must("AK9"), loops=(Loop("2000", Use("AK2"), (_must("IK5"),), (_SEGMENT_999,), repeat=0),)
)
OLD_ACKNOWLEDGEMENT: Final = _root(
    _must("AK1"), _must("AK9"), loops=(Loop("2000", Use("AK2"), (_must("AK5"),), (_SEGMENT_997,), repeat=0),)
)

VERSIONS: Final = {  # ST01 -> the guides that we read, the first being the one that we write
    "270": ("005010X279A1", "005010X279"),
    "271": ("005010X279A1", "005010X279"),
    "278": ("005010X217", "005010X216"),
    "999": ("005010X231A1", "005010X231"),
    "997": ("005010", ""),
}
GROUPS: Final = {"270": "HS", "271": "HB", "278": "HI", "999": "FA", "997": "FA"}  # GS01


def guide(kind: str, purpose: str) -> Loop | None:
    """The table of a transaction by its ST01 and BHT02; a 278 with the purpose 11 is an answer."""
    match kind:
        case "270":
            return INQUIRY
        case "271":
            return BENEFITS
        case "278":
            return REVIEW_ANSWER if purpose == "11" else REVIEW_REQUEST
        case "999":
            return ACKNOWLEDGEMENT
        case "997":
            return OLD_ACKNOWLEDGEMENT
    return None
