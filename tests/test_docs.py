"""Docs that cannot rot: what they list is what there is, what they link to exists, and what they show runs."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import fields

from gateway.answers import code_for
from gateway.api import ROUTES
from gateway.frames import messages
from gateway.intake import Verdict
from gateway.problems import ProblemDetails
from gateway.reference import commands as reference_commands
from gateway.reference import settings as reference_settings
from gateway.reference.commands import commands
from gateway.reference.settings import PAGES
from gateway.routes.events import Events
from gateway.routes.lineage import LineageLine
from gateway.routes.oauth import Token
from gateway.routes.reading import from_json, from_query
from gateway.routes.serving import Route
from gateway.settling import STATES
from gateway.site.outward import RouteSettings
from gateway.site.setting import Setting
from gateway.site.settings import SENTENCES, FeedSettings, Main, Peer, RetentionSettings, feed_of
from gateway.site.tables import TableReader
from gateway.translate import translate
from policies.metrics import Metrics
from policies.signing import Hmac, new_secret, sign
from transforms.api import v1

ROOT = Path(__file__).parent.parent
PAGES_OF_DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) +(/[\w/{}.-]*)")
CURL = re.compile(r"^(?:\w+=\$\()?curl .*?(?:[^\\]$)", re.MULTILINE | re.DOTALL)
CALLED = re.compile(r"\$ISTHMUS(/[^\s?'\"]*)(?:\?([^\s'\"]*))?")
SHOWN: dict[str, type[msgspec.Struct]] = {
    "access_token": Token,
    "resourceType": v1.Appointment,
    "items": Events,
    "requestId": ProblemDetails,
    "mapping": LineageLine,
}
SECRET = new_secret(b"s" * 32)


def blocks(language: str) -> list[tuple[str, str]]:
    """Every block of a language, with its page and place."""
    return [
        (f"{page.relative_to(ROOT)}:{place}", code)
        for page in PAGES_OF_DOCS
        for place, (kind, code) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
        if kind == language
    ]


def code_of(text: str) -> str:
    """Only what stands in code: indented or fenced lines, and between backticks."""
    fenced = "\n".join(code for _, code in BLOCK.findall(text))
    indented = "\n".join(line for line in text.splitlines() if line.startswith("    "))
    return "\n".join([fenced, indented, *re.findall(r"`([^`\n]+)`", text)])


def everywhere(pattern: str) -> set[str]:
    """What the code in all docs names by this pattern."""
    return {found for page in PAGES_OF_DOCS for found in re.findall(pattern, code_of(page.read_text(encoding="utf-8")))}


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make, as a renderer names them."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


# -- what is listed is what there is


@pytest.mark.parametrize(
    ("path", "rendered"),
    [
        (reference_settings.PATH, reference_settings.render),
        (reference_commands.PATH, reference_commands.render),
    ],
)
def test_reference_pages_are_up_to_date(path: str, rendered: object) -> None:
    """What `make docs` writes is what is committed."""
    assert callable(rendered)
    assert rendered() == (ROOT / path).read_text(encoding="utf-8")


def tables(table: type[Setting] = Setting) -> Iterator[type[Setting]]:
    """Every table of a settings file."""
    for one in table.__subclasses__():
        yield one
        yield from tables(one)


def test_every_setting_has_a_sentence() -> None:
    """No setting without a sentence, no sentence without a setting, no table outside the reference."""
    ours = {table for table in tables() if table.__module__.startswith("gateway.site.")}
    listed = {table for _, parts in PAGES for _, table in parts}
    inner = {
        Main: {"server", "store", "intake", "redis", "tracing", "webhooks", "retention"},
        RetentionSettings: {"classes"},
        Peer: {"feed", "destination", "authorities", "mapping"},
        RouteSettings: {"edits"},
    }

    assert ours == listed == set(SENTENCES)
    for table in ours:
        settings = set(table.__struct_fields__) - inner.get(table, set())
        assert settings == set(SENTENCES[table]), table.__name__
        assert all(sentence.endswith(".") for sentence in SENTENCES[table].values())


def test_commands_are_real() -> None:
    """Every command that docs and README name exists, and the commands of the reference are all of them."""
    known = set(commands())

    assert everywhere(r"(?m)(?:^|\s|/)isthmus ([a-z]+)\b") <= known
    assert known == set(re.findall(r"^## isthmus (\w+)$", reference_commands.render(), re.MULTILINE))


def test_make_targets_are_real() -> None:
    """Every make target that is named exists."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert {"demo", "test"} <= everywhere(r"(?m)(?:^|\s)make (\w+)\b") <= targets


def test_metrics_are_all_listed() -> None:
    """The reference lists every metric of ours by the name that it is scraped under, and no page names another."""
    families = [family for family in Metrics().registry.collect() if not family.name.startswith("process")]
    names = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")

    assert names == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert everywhere(r"\bisthmus_\w+") <= names


def test_routes_are_real() -> None:
    """Every call of the API that docs show is one that it has."""
    known = {(route.method, re.sub(r"\{[^}]*\}", "{}", route.path)) for route in ROUTES}
    shown = {
        (method, re.sub(r"\{[^}]*\}", "{}", path.rstrip(".")))
        for page in PAGES_OF_DOCS
        for method, path in ROUTE.findall(page.read_text(encoding="utf-8"))
    }

    assert shown
    assert shown <= known, shown - known


def test_acknowledgements_are_as_the_guide_says() -> None:
    """The table of what a sender hears is what the gateway answers."""
    page = (ROOT / "docs" / "guides" / "feeds.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    told = {(row[2].partition(",")[0], row[3][:2]) for row in rows if len(row) == 5}
    verdicts: list[Verdict] = ["mapped", "unmapped", "parked", "failed", "refused"]

    assert {(STATES[one], code_for(one, FeedSettings(), ())) for one in verdicts} <= told


# -- what is linked exists


@pytest.mark.parametrize("page", PAGES_OF_DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that is there, and a heading that is in it."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


# -- what is shown runs


@pytest.mark.parametrize(("place", "code"), blocks("python"), ids=lambda value: value.partition("\n")[0])
def test_python_compiles(place: str, code: str) -> None:
    """Every block of Python is Python."""
    compile(code, place, "exec")


@pytest.mark.parametrize(("place", "code"), blocks("json"), ids=lambda value: value.partition("\n")[0])
def test_json_can_be_read(place: str, code: str) -> None:
    """Every block of JSON is JSON."""
    assert json.loads(code), place


@pytest.mark.parametrize(("place", "code"), blocks("toml"), ids=lambda value: value.partition("\n")[0])
def test_settings_that_are_shown_are_settings(place: str, code: str) -> None:
    """Every settings file in the docs would be accepted."""
    found = tomllib.loads(code)
    kinds: tuple[type[Setting], ...] = (Main, RouteSettings, Peer)
    kind = next((one for one in kinds if {*found} & {*one.__struct_encode_fields__} - {"tenant"}), Peer)
    wrong: list[str] = []

    TableReader(Path(), lambda *said: wrong.append(": ".join(said))).table(found, kind)

    assert not wrong, place


def calls_of_the_guide() -> list[str]:
    """Every curl of the guide to the API, on one line."""
    page = (ROOT / "docs" / "guides" / "api.md").read_text(encoding="utf-8")
    shell = "\n".join(code for kind, code in BLOCK.findall(page) if kind == "sh")
    return [re.sub(r"\s*\\\n\s*", " ", call) for call in CURL.findall(shell)]


def routed(method: str, path: str) -> Route:
    """The route of a call, its ids being shell variables."""
    wanted = re.sub(r"\$\w+", "{id}", path)
    return next(route for route in ROUTES if (route.method, route.template) == (method, wanted))


@pytest.mark.parametrize("call", calls_of_the_guide())
def test_calls_of_the_guide_are_accepted(call: str) -> None:
    """Each curl names a route, and its query or body is one that the route reads."""
    ((path, query),) = CALLED.findall(call)
    body = re.search(r"-d '(\{.*?\})'", call)
    named = re.search(r"-X (\w+)", call)
    route = routed(named[1] if named else "POST" if " -d " in call else "GET", path)

    assert bool(body) == (route.body is not None)
    if route.query:
        assert isinstance(from_query(route.query, query.encode()), route.query)
    if route.body and body:
        assert isinstance(from_json(route.body, "application/json", body[1].encode()), route.body)


@pytest.mark.parametrize(
    ("place", "code"),
    [one for one in blocks("json") if "guides/api.md" in one[0]],
    ids=lambda one: one.partition("\n")[0],
)
def test_answers_of_the_guide_are_of_the_contract(place: str, code: str) -> None:
    """What the guide shows as an answer is what its type would write: no field is invented or called otherwise."""
    found = json.loads(code)
    kind = next(kind for name, kind in SHOWN.items() if name in found)

    said = msgspec.to_builtins(msgspec.convert(found, kind))
    left_out = {field.encode_name: field.default for field in fields(kind)}

    assert found == {name: said.get(name, left_out.get(name)) for name in found}, place


@pytest.fixture
def is_genuine() -> object:
    """The verification that the webhook guide gives to partners."""
    (code,) = (code for place, code in blocks("python") if "webhooks.md" in place)
    names: dict[str, object] = {}
    exec(code, names)
    return names["is_genuine"]


@pytest.mark.parametrize(
    ("change", "body", "now", "expected"),
    [
        ({}, b'{"a":1}', 1000, True),
        ({}, b'{"a":1}', 1290, True),
        ({}, b'{"a":1}', 1310, False),
        ({}, b'{"a":1}', 690, False),
        ({}, b'{"a":2}', 1000, False),
        ({"webhook-id": "dlv_2"}, b'{"a":1}', 1000, False),
        ({"webhook-timestamp": "x"}, b'{"a":1}', 1000, False),
        ({"webhook-signature": "v1,AAAA"}, b'{"a":1}', 1000, False),
        ({"webhook-signature": ""}, b'{"a":1}', 1000, False),
    ],
)
def test_verification_of_the_guide(
    is_genuine: object, change: dict[str, str], body: bytes, now: float, expected: bool
) -> None:
    """The code in the guide takes what we sign, also while a secret is rotated, and nothing else."""
    assert callable(is_genuine)
    signers = [Hmac(new_secret(b"n" * 32)), Hmac(SECRET)]
    headers = sign(signers, "dlv_1", 1000, b'{"a":1}') | change

    assert expected == is_genuine(SECRET, headers, body, now)


def test_first_message_of_the_start_page() -> None:
    """The message that newcomers send is applied, and the problem they are promised is found."""
    page = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"<<'HL7'\n(.*?)^HL7$", page, re.MULTILINE | re.DOTALL)
    (raw,) = messages(text.encode())

    found = translate(raw, feed_of("east", Peer(zone="America/New_York"), {}))

    assert "applied" == found.state
    assert ["PID-7"] == [one.path for one in found.problems if one.severity == "error"]
