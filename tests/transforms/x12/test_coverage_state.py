"""DOMAIN 4.3: what a payer's statements come to, row by row."""

from collections.abc import Sequence

import pytest

from tests.transforms.x12.story import PAYER, PEOPLE_271, RECEIVED, benefits, check
from transforms.x12.eligibility import Answer, answer

PLAN_ENDED = "DTP*347*D8*20261130"


def said(*segments: str, asked: Sequence[str] = ("98",), on: str = "2026-12-02") -> Answer:
    """What a 271 with these segments comes to."""
    found = answer(benefits(*segments), check(*asked, on=on), PAYER, RECEIVED)
    assert found.matched
    return found


@pytest.mark.parametrize(
    ("segments", "state", "exceptions"),
    [
        (["EB*1**98"], "active", ()),
        (["EB*2**98"], "active", ()),
        (["EB*3**98"], "active", ()),
        (["EB*4**98"], "active", ()),
        (["EB*5**98"], "active", ()),
        (["EB*1**30"], "active", ()),
        (["EB*1"], "active", ()),
        (["EB*6**98"], "inactive", ("ELG-INACTIVE",)),
        (["EB*6**98", "EB*1**30"], "inactive", ("ELG-INACTIVE",)),
        (["EB*6**98", "EB*1**98"], "active", ()),
        (["EB*6**35", "EB*1**30"], "active", ()),
        (["EB*7**98"], "pending", ("ELG-INACTIVE",)),
        (["EB*8**30"], "pending", ("ELG-INACTIVE",)),
        (["EB*I**98", "EB*1**30"], "active", ("ELG-SERVICE-NOTCOVERED",)),
        (["EB*U**30"], "unknown", ("ELG-AMBIGUOUS",)),
        (["EB*R**30"], "unknown", ("ELG-AMBIGUOUS",)),
        (["EB*B**98****27*30"], "unknown", ("ELG-AMBIGUOUS",)),
        (["AAA*N**75*C"], "not-found", ("ELG-NOTFOUND",)),
        (["AAA*N**71*C"], "not-found", ("ELG-NOTFOUND",)),
        (["AAA*N**76*C"], "not-found", ("ELG-NOTFOUND",)),
        (["AAA*Y**42*R"], "unknown", ("ELG-PAYER-DOWN",)),
        (["AAA*N**50*N"], "unknown", ("ELG-AMBIGUOUS",)),
        (["AAA*N**75*C", "EB*1**98"], "active", ()),
        ([], "unknown", ("ELG-AMBIGUOUS",)),
        ([PLAN_ENDED, "EB*1**98"], "inactive", ("ELG-INACTIVE",)),
        (["DTP*291*RD8*20260101-20261130", "EB*1**98"], "inactive", ("ELG-INACTIVE",)),
        (["DTP*291*D8*20260601", "EB*1**98"], "active", ()),
        (["DTP*346*D8*20270101", "EB*1**98"], "inactive", ("ELG-INACTIVE",)),
        (["DTP*356*D8*20260101", "DTP*357*D8*20261231", "EB*1**98"], "active", ()),
        ([PLAN_ENDED, "EB*1**98", "DTP*347*D8*20261231"], "active", ()),
        (["EB*1**98", "DTP*307*RD8*20260101-20261130"], "inactive", ("ELG-INACTIVE",)),
        (["DTP*472*D8*20251231", "EB*1**98"], "active", ()),
    ],
)
def test_state(segments: Sequence[str], state: str, exceptions: tuple[str, ...]) -> None:
    found = said(*segments)

    assert (state, exceptions) == (found.state, found.exceptions)


@pytest.mark.parametrize(
    ("segments", "services"),
    [
        (["EB*1**30"], {"98": "unknown", "62": "unknown"}),
        (["EB*1**98^62"], {"98": "covered", "62": "covered"}),
        (["EB*1**30", "EB*I**62"], {"98": "unknown", "62": "not-covered"}),
        (["EB*1**98", "EB*I**98"], {"98": "unknown", "62": "unknown"}),
        (["EB*6**98"], {"98": "not-covered", "62": "not-covered"}),
        (["AAA*N**75*C"], {"98": "unknown", "62": "unknown"}),
    ],
)
def test_a_plan_is_not_a_service(segments: Sequence[str], services: dict[str, str]) -> None:
    """EB*1*30 says that there is a plan, never that a service is covered."""
    assert services == said(*segments, asked=("98", "62")).services


@pytest.mark.parametrize(
    ("segments", "needs"),
    [
        (["EB*1**98", "EB*A**62*****.2***Y*Y"], ("62",)),
        (["EB*1**98", "EB*A**62*****.2***N*Y"], ()),
        (["EB*1**98", "EB*A**62*****.2***U*Y"], ()),
        (["EB*1**98", "EB*A**35*****.2***Y*Y"], ()),
        (["EB*1**98", "MSG*PRIOR AUTHORIZATION REQUIRED"], ()),
    ],
)
def test_leave_is_needed_where_eb11_says_so(segments: Sequence[str], needs: tuple[str, ...]) -> None:
    """Not where words say so, and not for what was not asked about."""
    assert needs == said(*segments, asked=("98", "62")).needs_authorization


@pytest.mark.parametrize(
    ("segments", "repeat"),
    [
        (["AAA*Y**42*R"], "same"),
        (["AAA*Y**80*P"], "same"),
        (["AAA*Y**42*N"], "no"),
        (["AAA*Y**42*R", "AAA*N**72*C"], "no"),
        (["AAA*N**75*C"], "other-keys"),
        (["AAA*N**72*R"], "no"),
        (["EB*1**98"], "no"),
    ],
)
def test_asking_again(segments: Sequence[str], repeat: str) -> None:
    """Only what the payer allows, and only what can help."""
    assert repeat == said(*segments).repeat


def test_under_investigation() -> None:
    """It is active, and said to be looked into."""
    assert ["DQ-CODE-UNMAPPED"] == [one.code for one in said("EB*5**98").problems]


def test_a_fraction_is_a_fraction() -> None:
    """EB08 .2 is 20 %; one place to the left it is an amount."""
    share, amount = said("EB*A**98*****.2", "EB*A**98****.2").fields["benefits"]

    assert ("0.2", None) == (share.percent, share.amount)
    assert (None, "0.2") == (amount.percent, amount.amount.amount)


def test_what_belongs_to_a_statement_stays_there() -> None:
    """HSD, REF, DTP, MSG, III and NM1 are of the EB above them and of no other."""
    found = said(
        *("EB*1**98", "HSD*VS*10***23*1", "REF*1L*G1", "DTP*348*D8*20260101", "MSG*ONE", "III*ZZ*11", "LS*2120"),
        *("NM1*P3*1*JONES*MARCUS", "PER*IC**TE*5555550100", "LE*2120", "EB*B**98****27*30", "MSG*TWO"),
    )
    first, second = found.fields["benefits"]

    assert (("VS*10***23*1",), ("ONE",)) == (first.limits, first.messages)
    assert ["G1"] == [one.value for one in first.references]
    assert ["11"] == [one.codings[0].code for one in first.places_of_service]
    assert ["5555550100"] == [one.value for one in first.entities[0].telecoms]
    assert ((), ("TWO",), (), ()) == (second.limits, second.messages, second.references, second.entities)


def test_a_dependent() -> None:
    """The patient's loop is the dependent's; the subscriber's dates hold where it has none."""
    people = [one.replace("HL*3*2*22*0", "HL*3*2*22*1") for one in PEOPLE_271 if not one.startswith("TRN")]
    raw = benefits(
        *("DTP*347*D8*20261130", "HL*4*3*23*0", "TRN*2*01JD8ELG0001*9SENDERID00", "NM1*03*1*SMITH*MARY", "EB*1**98"),
        people=people,
    )
    found = answer(raw, check("98"), PAYER, RECEIVED)

    assert (True, "inactive") == (found.matched, found.state)
