"""What is wrong with an interchange, in the codes that acknowledgements have for it, and as problems for people.

One fault is one line of a TA1 (TA105) or of a 999 (AK905, IK502, IK304, IK403; 005010X231A1). `fatal` ones refuse the
interchange, group or transaction that they are in; the others cost what they name and nothing else.
"""

from typing import Final, Literal

from msgspec import Struct

from canonical.problems import Problem

Level = Literal["interchange", "group", "transaction", "segment", "element"]

INTERCHANGE: Final = {  # TA105, I18
    "001": "the control numbers of ISA and IEA differ",
    "004": "the segment terminator cannot be one",
    "005": "the qualifier of the sender's id is unknown",
    "007": "the qualifier of the receiver's id is unknown",
    "014": "the date is none",
    "015": "the time is none",
    "016": "the repetition separator cannot be one",
    "017": "the version is not one that is read here",
    "018": "the control number is not nine digits",
    "019": "the request for an acknowledgement is neither 0 nor 1",
    "020": "the usage indicator is not that of this environment",
    "021": "the number of groups in IEA is not the number that came",
    "022": "the control segments are not built as they must be",
    "023": "the interchange ends before its IEA",
    "024": "there is something in the interchange that belongs to no group or transaction",
    "025": "the control number was used before for another interchange",
    "026": "the element separator cannot be one",
    "027": "the component separator cannot be one",
}
GROUP: Final = {  # AK905, 716
    "1": "groups of this kind are not read here",
    "2": "the version of the group is not one that is read here",
    "3": "the group ends before its GE",
    "4": "the control numbers of GS and GE differ",
    "5": "the number of transactions in GE is not the number that came",
    "6": "the control number of the group is not a number of one to nine digits",
}
TRANSACTION: Final = {  # IK502, 618
    "1": "transactions of this kind are not read here",
    "2": "the transaction ends before its SE",
    "3": "the control numbers of ST and SE differ",
    "4": "the number of segments in SE is not the number that came",
    "5": "one or more segments are in error",
    "6": "the transaction does not say what it is",
    "7": "the control number of the transaction is not four to nine characters",
    "23": "the control number of the transaction was used before in this group",
    "I6": "the implementation guide is not one that is read here",
}
SEGMENT: Final = {  # IK304, 620
    "1": "there is no such segment",
    "2": "the segment does not belong here",
    "3": "a segment that must be there is missing",
    "4": "the loop comes more often than it may",
    "5": "the segment comes more often than it may",
    "6": "the segment does not belong to this transaction",
    "7": "the segment is out of its order",
    "I6": "a segment that other data call for is missing",
}
ELEMENT: Final = {  # IK403, 621
    "1": "the element must be there",
    "2": "the element must be there because another one is",
    "3": "there are more elements than the segment has",
    "4": "the element is too short",
    "5": "the element is too long",
    "6": "the element has a character that it may not have",
    "7": "the code is not one that may stand here",
    "8": "not a date",
    "9": "not a time",
    "12": "the element may not be repeated",
    "I12": "the element has not the form that it must have",
}
WORDS: Final[dict[Level, dict[str, str]]] = {
    "interchange": INTERCHANGE,
    "group": GROUP,
    "transaction": TRANSACTION,
    "segment": SEGMENT,
    "element": ELEMENT,
}
CODES: Final = {  # how a problem calls it; all else is about the structure
    ("segment", "3"): "required-field-missing",
    ("segment", "I6"): "required-field-missing",
    ("element", "1"): "required-field-missing",
    ("element", "2"): "required-field-missing",
    ("element", "5"): "value-too-long",
    ("element", "6"): "DQ-CHARSET",
    ("element", "7"): "DQ-CODE-UNMAPPED",
    **{("element", code): "data-type-error" for code in ("4", "8", "9", "I12")},
    ("interchange", "025"): "DQ-CTRLID-REUSE",
}


class Fault(Struct, frozen=True, kw_only=True):
    """One thing wrong: how an acknowledgement says it, and where (`ISA-13`, `2110C[2]/EB-08`).

    `position` is that of the segment in its transaction, ST being 1; `reference` is the number of the data element
    in the standard's dictionary; `trigger` is the segment, position and loop that call for what is missing.
    """

    level: Level
    code: str
    path: str
    segment: str = ""
    position: int = 0
    loop: str = ""
    element: int = 0
    component: int = 0
    repetition: int = 0
    reference: str = ""
    trigger: tuple[str, int, str] | None = None
    fatal: bool = True

    @property
    def problem(self) -> Problem:
        """The same for people: it never repeats what stood there."""
        return Problem(
            code=CODES.get((self.level, self.code), "DQ-MSGSTRUCT"),
            path=self.path,
            detail=WORDS[self.level].get(self.code, "the standard's code for it is not known here"),
            severity="error" if self.fatal else "warning",
        )


class Unparseable(Exception):
    """The bytes cannot be read as an interchange; `fault` says why without quoting them."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.code} at {fault.path}: {fault.problem.detail}")
        self.fault = fault

    @property
    def problem(self) -> Problem:
        """What a person can mend."""
        return self.fault.problem
