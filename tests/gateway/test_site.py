"""A site folder is read whole, with every problem at once, and kept under a name that changes with the files alone."""

import io
import json
import os
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from msgspec.structs import fields

from canonical.datatypes import Coding
from gateway.reference.settings import PAGES
from gateway.site.folder import BadSite, load, pack, remarks, unpacked
from gateway.site.forms import worded
from gateway.site.settings import Site
from policies.auth import hash_secret

SECRET = hash_secret("a secret of the tests", b"0123456789abcdef")
PEER = 'zone = "America/New_York"\n[feed]\nmllp = "127.0.0.1:2575"\n'
HEADER = "local,code,system,display\n"
CLIENT = f'client-id = "desk"\nsecret-hash = "{SECRET}"\nscopes = ["appointments.read"]\n'


def write(folder: Path, **files: str) -> Path:
    """A site of these files; `peers__east` is peers/east.toml, `codes__east__HL70278` a table of that peer."""
    given = {"isthmus": "", **files}
    for name, text in given.items():
        suffix = "csv" if name.startswith("codes") else "toml"
        path = folder / f"{name.replace('__', '/')}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path) -> list[str]:
    """What is wrong with it, as a user reads it."""
    with pytest.raises(BadSite) as caught:
        load(folder)
    return [str(problem) for problem in caught.value.problems]


LAB = '[destination]\nmllp = "lab.example.org:2575"\n'


def packed(site: Site) -> dict[str, bytes]:
    """The files that are kept under the site's digest."""
    with tarfile.open(fileobj=io.BytesIO(site.files)) as archive:
        return {one.name: found.read() for one in archive if (found := archive.extractfile(one))}


def test_whole_site(tmp_path: Path) -> None:
    """Peers become feeds with a profile, clients are found by their id, paths are taken from the folder."""
    site = load(write(tmp_path, peers__east=PEER, clients__desk=CLIENT))

    assert ["east"] == [feed.name for feed in site.feeds]
    assert "America/New_York" == site.feeds[0].profile.zone
    assert {"desk"} == set(site.clients)
    assert tmp_path / "data" == site.main.store.path


def test_peer_without_feed(tmp_path: Path) -> None:
    """A peer without a feed is no door."""
    assert () == load(write(tmp_path, peers__east='zone = "America/New_York"\n')).feeds


def test_ways_out(tmp_path: Path) -> None:
    """A peer's destination and the routes that lead there are read, each edit whole."""
    route = """
to = ["lab"]
types = ["ORU", "MDM^T02"]
[keys]
order = ["7"]
[[edits]]
set = "MSH-5"
value = "LAB"
[[edits]]
copy = "PID-3.1"
to = "PID-2"
[[edits]]
drop = "NTE"
"""
    site = load(
        write(tmp_path, peers__east=PEER, peers__lab=LAB + 'events = ["appointment.*"]\n', routes__results=route)
    )

    (destination,), (made,) = site.destinations, site.routes
    assert ("lab", "mllp://lab.example.org:2575", True) == (
        destination.name,
        destination.settings.url,
        destination.settings.is_forgiving,
    )
    assert ("results", ("lab",), {"order": ("7",)}) == (made.name, made.settings.to, made.settings.keys)
    assert [("set", "MSH-5", "LAB", ""), ("copy", "PID-2", "", "PID-3.1"), ("drop", "NTE", "", "")] == [
        (one.verb, one.at, one.value, one.source) for one in made.edits
    ]


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("[destination]\n", "peers/lab.toml:1: destination: is one of the two: mllp or http"),
        (LAB + 'http = "https://lab.example.org"\n', "peers/lab.toml:1: destination: is one of the two: mllp or http"),
        ('[destination]\nmllp = "lab"\n', "peers/lab.toml:2: destination.mllp: must be host:port of the receiver"),
        ('[destination]\nmllp = "lab:0"\n', "peers/lab.toml:2: destination.mllp: must be host:port of the receiver"),
        (
            LAB + 'events = ["appointment.movd"]\n',
            "peers/lab.toml:3: destination.events[1]: must be an event that becomes",
        ),
        (
            LAB + 'events = ["patient.created"]\n',
            "peers/lab.toml:3: destination.events[1]: must be an event that becomes",
        ),
        (
            LAB + 'feeds = ["eats"]\n',
            "peers/lab.toml:3: destination.feeds[1]: the tenant has no feed of this name; is east",
        ),
        (LAB + 'ca = "no.pem"\n', "peers/lab.toml:3: destination.ca: there is no such file"),
        (LAB + 'certificate = "no.pem"\n', "peers/lab.toml:1: destination: certificate and private-key go together"),
        (
            LAB + 'order = "patients"\n',
            "peers/lab.toml:3: destination.order: must be `receiver` or `patient`; is patient",
        ),
        (LAB + 'facility = "A|B"\n', "peers/lab.toml:3: destination.facility: must be a name, or NAMESPACE^ID^TYPE"),
        (LAB + "retry-seconds = [400000, 90000]\n", "peers/lab.toml:3: destination.retry-seconds: together"),
    ],
)
def test_what_is_wrong_with_a_destination(tmp_path: Path, peer: str, expected: str) -> None:
    """Each mistake is named by file and line."""
    found = problems(write(tmp_path, peers__east=PEER, peers__lab=peer))

    assert any(one.startswith(expected) for one in found), found


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ('to = ["lba"]\n', "routes/r.toml:1: to[1]: the tenant has no destination of this name; is lab meant?"),
        ('to = ["east"]\n', "routes/r.toml:1: to[1]: the tenant has no destination of this name"),
        ('to = ["lab", "lab"]\n', "routes/r.toml:1: to[2]: stands here twice"),
        ("to = []\n", "routes/r.toml:1: to: must be a list"),
        ('to = ["lab"]\ntypes = ["ORU_R01"]\n', "routes/r.toml:2: types[1]: must be a message type"),
        (
            'to = ["lab"]\nkeys = {ordr = ["7"]}\n',
            "routes/r.toml:2: keys.ordr: messages have no search key of this kind; is o",
        ),
        (
            'to = ["lab"]\n[[edits]]\nset = "PID3"\nvalue = "1"\n',
            "routes/r.toml:3: edits[1].set: must be a place in a mess",
        ),
        ('to = ["lab"]\n[[edits]]\ndrop = "MSH-10"\n', "routes/r.toml:3: edits[1].drop: must be a place in a message"),
        ('to = ["lab"]\n[[edits]]\nset = "PID-3"\n', "routes/r.toml:2: edits[1]: set and value go together"),
        (
            'to = ["lab"]\n[[edits]]\ndrop = "PID-3"\n[[edits]]\n',
            "routes/r.toml:4: edits[2]: is one of these: set, copy, drop",
        ),
        ('to = ["lab"]\n[[edits]]\nset = "PID"\nvalue = ""\n', "routes/r.toml:2: edits[1]: a segment is only dropped"),
        ('to = ["lab"]\n[[edits]]\ncopy = "PID-3"\n', "routes/r.toml:2: edits[1]: copy and to go together"),
        ('to = ["lab"]\ntenant = "other"\n', "routes/r.toml:2: tenant: is not one of isthmus.toml's tenants"),
    ],
)
def test_what_is_wrong_with_a_route(tmp_path: Path, route: str, expected: str) -> None:
    """Each mistake is named by file and line, with a guess at what was meant."""
    found = problems(write(tmp_path, peers__east=PEER, peers__lab=LAB, routes__r=route))

    assert any(one.startswith(expected) for one in found), found


def test_all_problems_at_once(tmp_path: Path) -> None:
    """One bad file does not hide what is wrong with the others."""
    write(
        tmp_path,
        isthmus='[server]\nhttp = "nowhere"\n[store]\nkey-file = "none.key"\n',
        peers__east='zone = "Mars/Olympus"\ntenant = "other"\n[feed]\nmllp = "2575"\n',
        peers__west="[feed\n",
        clients__desk=CLIENT + 'tenant = "other"\n',
    )

    found = problems(tmp_path)

    places = {problem.rpartition(": ")[0] for problem in found}
    assert {
        "isthmus.toml:2: server.http",
        "isthmus.toml:4: store.key-file",
        "peers/east.toml:1: zone",
        "peers/east.toml:2: tenant",
        "peers/east.toml:4: feed.mllp",
        "clients/desk.toml:4: tenant",
    } <= places
    assert any(problem.startswith("peers/west.toml: not TOML") for problem in found)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"isthmus": "[server]\nhtttp = 1\n"},
            "isthmus.toml:2: server.htttp: there is no such setting; is http meant?",
        ),
        (
            {"isthmus": "[server]\nhttp_ = 1\n"},
            "isthmus.toml:2: server.http_: there is no such setting; is http meant?",
        ),
        ({"isthmus": "[sever]\nburst = 1\n"}, "isthmus.toml:1: sever: there is no such setting; is server meant?"),
        ({"peers__east": 'colour = "red"\n'}, "peers/east.toml:1: colour: there is no such setting"),
        ({"isthmus": '[server]\nburst = "many"\n'}, "isthmus.toml:2: server.burst: must be a whole number from 1 to"),
        ({"isthmus": "server = 3\n"}, "isthmus.toml:1: server: must be a table"),
        ({"clients__desk": 'client-id = "desk"\n'}, "clients/desk.toml: secret-hash: is missing"),
        ({"peers__east": PEER + 'certificates = ["CN=x"]\n'}, "peers/east.toml:4: feed.certificates: certificates are"),
        ({"peers__east": PEER + 'client-ca = "no.pem"\n'}, "peers/east.toml:4: feed.client-ca: there is no such file"),
        ({"peers__east": 'location-zones = {NORTH = "Nowhere"}\n'}, "peers/east.toml:1: location-zones.NORTH: must be"),
        ({"isthmus": '[server]\ncertificate = "x.pem"\n'}, "isthmus.toml:1: server: certificate and private-key"),
        ({"codes__HL70278": "local,code\nA,B\n"}, "codes/HL70278.csv:1: the header must be "),
        ({"codes__HL70278": "local,code,system,display\nA\n"}, "codes/HL70278.csv:2: local and code"),
        ({"codes__HL70278": f"{HEADER}A,B,,\nA,C,,\n"}, "codes/HL70278.csv:3: this local code stands here twice"),
        ({"codes__HL70278": f"{HEADER}A,B,,x,y\n"}, "codes/HL70278.csv:2: has more than four columns"),
        ({"codes__HL70278": f'{HEADER}A,B,,"x\n'}, "codes/HL70278.csv: cannot be read ("),
        ({"codes__status": HEADER}, "codes/status.csv: is named neither for a table (HL70278.csv) nor for a field"),
        ({"peers__east": PEER, "codes__eats__HL70278": HEADER}, "codes/eats: there is no peer of this name; is east"),
        ({"peer__east": PEER}, "peer: this folder is not read; is peers meant?"),
        ({"clients__desk": CLIENT.replace("scrypt", "plain")}, "clients/desk.toml:2: secret-hash: must be a hash that"),
        ({"clients__desk": CLIENT.replace("$14$", "$40$")}, "clients/desk.toml:2: secret-hash: must be a hash that"),
        (
            {"clients__desk": CLIENT.replace("s.read", ".read")},
            "clients/desk.toml:3: scopes[1]: must be a scope; is appointments.read meant?",
        ),
        (
            {"clients__desk": CLIENT.replace('["appointments.read"]', "[]")},
            "clients/desk.toml:3: scopes: must be a list",
        ),
        ({"clients__a": CLIENT, "clients__b": CLIENT}, "clients/b.toml:1: client-id: is used by another client"),
        (
            {"isthmus": 'tenants = ["main", "east"]\n', "peers__a": 'tenant = "esat"\n'},
            "peers/a.toml:1: tenant: is not",
        ),
        (
            {"isthmus": "[webhooks]\nretry-seconds = [400000, 90000]\n"},
            "isthmus.toml:2: webhooks.retry-seconds: together",
        ),
        (
            {"isthmus": '[server]\nhttp = "0.0.0.0:2575"\n', "peers__east": PEER},
            "peers/east.toml:3: feed.mllp: is the address of server.http (0.0.0.0:2575)",
        ),
        (
            {"peers__a": PEER, "peers__b": PEER.replace("127.0.0.1", "")},
            "peers/b.toml:3: feed.mllp: is the address of a.toml (127.0.0.1:2575)",
        ),
    ],
)
def test_problem_names_file_and_place(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    """Each problem says which file, where in it, and what to do."""
    found = problems(write(tmp_path, **files))

    assert any(problem.startswith(expected) for problem in found), found


def test_missing_folder_and_file(tmp_path: Path) -> None:
    """Neither a missing folder nor a missing isthmus.toml is a traceback."""
    assert [f"{tmp_path / 'none'}: is not a folder"] == problems(tmp_path / "none")
    assert ["isthmus.toml: is missing"] == problems(tmp_path)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_site_key_has_32_bytes(tmp_path: Path, size: int) -> None:
    """A site key of another length is refused before it encrypts anything."""
    write(tmp_path, isthmus='[store]\nkey-file = "site.key"\n')
    (tmp_path / "site.key").write_bytes(os.urandom(size))

    assert ["isthmus.toml:2: store.key-file: a site key is 32 random bytes"] == problems(tmp_path)


def test_shared_address(tmp_path: Path) -> None:
    """On a shared address one feed may be open to all; a second such could not be told apart."""
    named = PEER + 'senders = ["EPIC|EAST"]\n'
    good = write(tmp_path / "good", peers__a=PEER, peers__b=named)
    bad = write(tmp_path / "bad", peers__a=PEER, peers__b=named, peers__c=PEER)

    assert 2 == len(load(good).feeds)
    assert ["peers/c.toml:2: feed: shares 127.0.0.1:2575: name its senders or certificates"] == problems(bad)


def test_a_shared_address_is_one_listener(tmp_path: Path) -> None:
    """What belongs to the listener must be the same in every feed on it: no feed is let out of another's TLS."""
    a, b = PEER + 'senders = ["A|A"]\n', PEER + 'senders = ["B|B"]\nidle-seconds = 5\n'

    assert ["peers/b.toml:5: feed.idle-seconds: shares 127.0.0.1:2575: must be as in a.toml"] == problems(
        write(tmp_path, peers__a=a, peers__b=b)
    )


def test_no_half_of_tls(tmp_path: Path) -> None:
    """A feed that asks for TLS and lacks a part of it is not served in the clear."""
    papers(tmp_path, "a")
    half = write(tmp_path, peers__a=PEER + 'certificate = "a.pem"\n')
    assert ["peers/a.toml:2: feed: certificate and private-key go together"] == problems(half)

    alone = write(tmp_path, peers__a=PEER + 'client-ca = "a.pem"\n')
    assert [
        "peers/a.toml:4: feed.client-ca: without certificate and private-key there is no TLS to ask in"
    ] == problems(alone)


def test_any_free_port_is_not_shared(tmp_path: Path) -> None:
    """Port 0 is another port for each feed."""
    free = PEER.replace("2575", "0")

    assert 2 == len(load(write(tmp_path, peers__a=free, peers__b=free)).feeds)


def test_codes_of_one_peer(tmp_path: Path) -> None:
    """A code file holds for all peers, one in a peer's folder for that peer, in the place of the shared one."""
    site = load(
        write(
            tmp_path,
            peers__east=PEER,
            peers__west=PEER.replace("2575", "2576"),
            codes__HL70278=f"{HEADER}CONF,Booked,,\n",
            codes__west__HL70278=f"{HEADER}CONF,Pending,urn:x,Waits\n",
        )
    )

    east, west = (feed.profile.codes["HL70278"]["CONF"] for feed in site.feeds)
    assert Coding(code="Booked") == east
    assert Coding(code="Pending", system="urn:x", display="Waits") == west


def test_digest_is_of_the_files(tmp_path: Path) -> None:
    """The same files give the same digest wherever and whenever they are; another mapping gives another."""
    one = load(write(tmp_path / "one", peers__east=PEER))
    two = load(write(tmp_path / "two", peers__east=PEER))
    os.utime(tmp_path / "two" / "peers" / "east.toml", (0, 0))
    again = load(tmp_path / "two")
    other = load(write(tmp_path / "other", peers__east=PEER.replace("New_York", "Chicago")))

    assert one.digest == two.digest == again.digest
    assert one.digest != other.digest


def test_secrets_are_not_packed(tmp_path: Path) -> None:
    """What is kept for replays holds mappings; no client, no key and no certificate."""
    write(tmp_path, isthmus='[store]\nkey-file = "site.key"\n', peers__east=PEER, clients__desk=CLIENT)
    (tmp_path / "site.key").write_bytes(b"k" * 32)
    (tmp_path / "peers" / "east.pem").write_text("a private key")

    assert {"peers/east.toml": PEER.encode()} == packed(load(tmp_path))


# -- each setting


NUMBERS: dict[str, dict[str, tuple[float, ...]]] = {
    "server": {
        "drain-seconds": (-1, 3601),
        "max-body-bytes": (0, 2**40),
        "requests-per-second": (0, -1),
        "burst": (0, -5),
        "token-seconds": (0, 10**9),
    },
    "store": {"dedup-days": (0, -1, 10**30)},
    "intake": {"queue": (0, -1), "group": (0, -3)},
    "tracing": {"ratio": (-0.1, 1.1)},
    "webhooks": {"timeout-seconds": (0, -1), "concurrency": (0, -1), "per-subscription": (0, -1)},
    "retention": {"messages": (0, -1, 36_501), "events": (0, -1), "audit": (0, -1)},
    "feed": {
        "max-bytes": (0, -1),
        "max-connections": (0, -1),
        "max-in-flight": (0, -1),
        "frame-seconds": (0, -1),
        "idle-seconds": (0, -1),
        "silent-after-seconds": (0, -1),
    },
    "destination": {"timeout-seconds": (0, 3601), "max-bytes": (0, -1)},
}
NEVER = ("true", '"3"', "nan", "inf", "-inf", "[1]", "1979-05-27")


def test_numbers_keep_to_their_limits(tmp_path: Path) -> None:
    """Every setting that is a number refuses what cannot work: too little, too much, no number at all."""
    numeric = {
        (title.strip("[]"), field.encode_name)
        for _, tables in PAGES
        for title, table in tables
        for field in fields(table)
        if title
        and not title.startswith("[[")  # of which there are several
        and "number" in worded(field.type)
        and "list" not in worded(field.type)
        and "table" not in worded(field.type)
        and "text" not in worded(field.type)
    }
    assert numeric == {(table, name) for table, names in NUMBERS.items() for name in names}
    for table, names in NUMBERS.items():
        file = "peers__a" if table in ("feed", "destination") else "isthmus"
        more = 'mllp = "lab:2575"\n' if table == "destination" else ""
        for name, wrong in names.items():
            for value in (*wrong, *NEVER):
                text = f"[{table}]\n{name} = {value}\n{more}"
                found = problems(write(tmp_path, **{file: text}))
                assert len(found) == 1, (text, found)
                assert f":2: {table}.{name}: must be a" in found[0], (text, found)
            write(tmp_path, isthmus="", peers__a="")


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (
            "server.http",
            ["8080", "127.0.0.1", "127.0.0.1:", "h:99999", "h:-1", "300.1.1.1:80", "a b:80", "h:٣", "::1:80"],
        ),
        ("server.public-url", ["isthmus.example.org", "ftp://x", "https://", "https://u:p@x", "https://x:y"]),
        ("tracing.otlp", ["localhost:4318", "grpc://x:4317", "http://x/ y"]),
        ("webhooks.allow", [["10.0.0.0/33"], ["10.0.0.1/8"], ["300.1.1.1"], [""], ["a b"], ["http://x"], "10.0.0.0/8"]),
        ("webhooks.retry-seconds", [[], [-1], ["5"], 5]),
        ("feed.mllp", ["2575", "x", "127.0.0.1:port"]),
        ("feed.senders", [["EPIC"], ["A|B|C"], "A|B"]),
        ("feed.certificates", [["AB" * 32], ["ab:" * 31 + "ab"], ["his.example.org"]]),
        ("feed.charset", ["latin1", "UTF-9", ""]),
        ("feed.offset-policy", ["zones", 1]),
        ("feed.ranks.adt", [1]),
        ("feed.ranks.ADT", [-1, "high"]),
        ("authorities.A.system", ["", "EASTMRN", 5]),
        ("zone", ["", "Mars/Olympus", "america/new york", "/etc/localtime", "../UTC"]),
        ("location-zones.NORTH", ["EST5EDT6"]),
        ("tenant", ["", "a b"]),
    ],
)
def test_texts_have_their_form(tmp_path: Path, place: str, wrong: list[object]) -> None:
    """What is no address, zone, network, character set and so on is said where it stands."""
    table, _, name = place.rpartition(".")
    file = "isthmus" if place.split(".")[0] in NUMBERS and table != "feed" and "feed." not in place else "peers__a"
    for value in wrong:
        header = f"[{table}]\n" if table else ""
        rest = 'system = "urn:x"\n' if table.startswith("authorities") and name != "system" else ""
        found = problems(write(tmp_path, **{file: f"{header}{name} = {json.dumps(value)}\n{rest}"}))
        assert any(place in problem for problem in found), (value, found)


def test_a_type_error_hides_nothing(tmp_path: Path) -> None:
    """All that is wrong in one file is said at once, and what is wrong in the others beside it."""
    write(
        tmp_path,
        isthmus="[server]\nhttp = 8080\nburst = -1\n[intake]\ngroup = 0\n[traces]\n",
        peers__east='zone = 5\ntenant = "other"\n[feed]\nmllp = "x"\nmax-bytes = "big"\ncertificate = "no.pem"\n',
        clients__desk='client-id = 5\nscopes = ["appointment.read", "nothing"]\n',
    )

    places = [problem.split(": ")[:2] for problem in problems(tmp_path)]

    assert [
        ["clients/desk.toml", "secret-hash"],
        ["clients/desk.toml:1", "client-id"],
        ["clients/desk.toml:2", "scopes[1]"],
        ["clients/desk.toml:2", "scopes[2]"],
        ["isthmus.toml:2", "server.http"],
        ["isthmus.toml:3", "server.burst"],
        ["isthmus.toml:5", "intake.group"],
        ["isthmus.toml:6", "traces"],
        ["peers/east.toml:1", "zone"],
        ["peers/east.toml:2", "tenant"],
        ["peers/east.toml:3", "feed"],
        ["peers/east.toml:4", "feed.mllp"],
        ["peers/east.toml:5", "feed.max-bytes"],
        ["peers/east.toml:6", "feed.certificate"],
    ] == places


def papers(folder: Path, name: str, password: bytes | None = None) -> None:
    """A certificate NAME.pem that signed itself, and its key NAME.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(who, who, key.public_key(), 1, now, now + timedelta(days=1)).sign(
        key, hashes.SHA256()
    )
    sealed = BestAvailableEncryption(password) if password else NoEncryption()
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))


@pytest.mark.parametrize("table", ["server", "feed"])
@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [
        ("a.pem", "b.key", "private-key: is not the key of the certificate"),
        ("a.pem", "sealed.key", "private-key: is encrypted; nobody is there to give its passphrase"),
        ("a.pem", "a.pem", "private-key: holds no private key that can be read (PEM)"),
        ("a.key", "a.key", "certificate: holds no certificate that can be read (PEM)"),
        ("empty", "a.key", "certificate: holds no certificate that can be read (PEM)"),
        ("folder", "a.key", "certificate: cannot be read (Is a directory)"),
        ("none", "a.key", "certificate: there is no such file"),
    ],
)
def test_papers_are_read(tmp_path: Path, table: str, certificate: str, key: str, expected: str) -> None:
    """A certificate or key that TLS could not use is found before anything is served."""
    for name in ("a", "b"):
        papers(tmp_path, name)
    papers(tmp_path, "sealed", b"secret")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    text = f'[{table}]\ncertificate = "../{certificate}"\nprivate-key = "../{key}"\n'
    file, line = ("peers__a", "peers/a.toml") if table == "feed" else ("isthmus", "isthmus.toml")

    found = problems(write(tmp_path / "site", **{file: text}))

    assert [f"{line}:{2 if expected.startswith('cert') else 3}: {table}.{expected}"] == found


def test_a_client_ca_is_read(tmp_path: Path) -> None:
    """A CA file without a certificate would let nobody in."""
    papers(tmp_path, "a")
    text = PEER + 'certificate = "a.pem"\nprivate-key = "a.key"\nclient-ca = "a.key"\n'

    found = problems(write(tmp_path, peers__a=text))
    good = write(tmp_path, peers__a=text.replace('client-ca = "a.key"', 'client-ca = "a.pem"'))

    assert ["peers/a.toml:6: feed.client-ca: holds no certificate that can be read (PEM)"] == found
    assert 1 == len(load(good).feeds)


@pytest.mark.parametrize("name", ["isthmus.toml", "peers/a.toml", "codes/HL70278.csv"])
@pytest.mark.parametrize(
    ("content", "expected"), [(b"\xff\xfe\x00", "is not UTF-8 text"), (None, "cannot be read (Is a directory)")]
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: bytes | None, expected: str) -> None:
    """A file of bytes, and a folder where a file should be, are said and no traceback."""
    path = write(tmp_path) / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    assert [f"{name}: {expected}"] == problems(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the superuser")
@pytest.mark.parametrize(
    "name", ["isthmus.toml", "peers", "peers/east.toml", "codes", "codes/east", "clients/desk.toml"]
)
def test_what_is_closed_to_us(tmp_path: Path, name: str) -> None:
    """What may not be read is no site without it."""
    path = write(tmp_path, peers__east=PEER, clients__desk=CLIENT, codes__east__HL70001=HEADER) / name
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        assert f"{name}: cannot be read (Permission denied)" in problems(tmp_path)
    finally:
        path.chmod(mode)


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    """Settings under the name of their folder are not passed over."""
    (write(tmp_path) / "peers").write_text(PEER)

    assert ["peers: cannot be read (Not a directory)"] == problems(tmp_path)


def test_what_is_kept_is_read_by_later_rules(tmp_path: Path) -> None:
    """A kept message is read again by its files, also where a setting of them would be refused today."""
    site = load(write(tmp_path, peers__east=PEER))
    packed = pack(write(tmp_path, peers__east=PEER + "max-bytes = 5\n"))

    feed = unpacked(packed, "east")

    assert feed
    assert site.feeds[0].profile == feed.profile
    assert unpacked(packed, "west") is None


def test_what_is_kept_has_the_codes_of_its_peer(tmp_path: Path) -> None:
    """The peer's own codes come before those of all; of other peers nothing is read."""
    folder = write(tmp_path, peers__east=PEER, peers__west="not TOML")
    for path, code in (("HL70278", "all"), ("east/HL70278", "east"), ("west/HL70278", "west"), ("HL70276", "all")):
        (folder / "codes" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "codes" / f"{path}.csv").write_bytes(f"local,code,system,display\r\nX,{code},,\r\n".encode())

    feed = unpacked(pack(folder), "east")

    assert feed
    assert {"HL70278": "east", "HL70276": "all"} == {
        table: codes["X"].code for table, codes in feed.profile.codes.items()
    }


def test_client_is_silent_in_repr(tmp_path: Path) -> None:
    """A hash is no secret, and still it does not belong into a log."""
    site = load(write(tmp_path, clients__desk=CLIENT))

    assert SECRET not in repr(site.clients["desk"])


def test_changes_of_the_mapping(tmp_path: Path) -> None:
    """A peer's file changes the mapping of its feed, by the names of the API."""
    changes = '[mapping."patient.religion"]\nfrom = "ZPI-3"\n[mapping."appointment.appointmentType"]\nvalue = "MRI"\n'
    site = load(write(tmp_path, peers__east=PEER + changes))

    made = site.feeds[0].profile.changes
    assert ["religion"] == [one.field for one in made["patient"]]
    assert ["appointment_type"] == [one.field for one in made["appointment"]]
    again = unpacked(site.files, "east")
    assert again is not None
    assert made == again.profile.changes


def test_changes_that_cannot_be_made(tmp_path: Path) -> None:
    """Each with its line, and what may be meant."""
    changes = """
[mapping."patient.relgion"]
from = "ZPI-3"
[mapping."patint.religion"]
drop = true
[mapping."patient.status"]
drop = true
[mapping."patient.birthDate"]
from = "PID-7"
as = "text"
[mapping."patient.birthPlace"]
from = "zpi.3"
value = "York"
[mapping."patient.protection"]
value = "yes"
"""
    found = problems(write(tmp_path, peers__east=PEER + changes))

    assert [
        "peers/east.toml:5: mapping.patient.relgion: no field of patient that can be changed has this name; "
        "is religion meant?",
        "peers/east.toml:7: mapping.patint.religion: must begin with patient, appointment, encounter and a point; "
        "is patient meant?",
        "peers/east.toml:9: mapping.patient.status: no field of patient that can be changed has this name; "
        "is maritalStatus meant?",
        "peers/east.toml:11: mapping.patient.birthDate: this field is read as date-time or date or instant",
        "peers/east.toml:15: mapping.patient.birthPlace.from: must be a field such as ZPI-3 or a component such as "
        "ZPI-3.2",
        "peers/east.toml:17: mapping.patient.protection: must be true or false",
    ] == found


CLASS = "[[retention.class]]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[retention]\nmessages = 90\naudit = 89",
            "isthmus.toml:3: retention.audit: shorter than messages are kept (90 days)",
        ),
        (
            "[retention]\naudit = 2192",
            "isthmus.toml:2: retention.audit: messages are kept for ever, so the audit of them has to be",
        ),
        (
            f'[retention]\nmessages = 9\naudit = 60\n{CLASS}type = "ADT"\ndays = 61',
            "isthmus.toml:3: retention.audit: shorter than messages are kept (61 days)",
        ),
        (
            "[retention]\nevents = 3",
            "isthmus.toml:2: retention.events: shorter than a webhook is tried (4 days); see webhooks.retry-seconds",
        ),
        ("[retention]\nmessages = 6", "isthmus.toml:2: retention.messages: shorter than store.dedup-days (7)"),
        (
            f'{CLASS}type = "ORU"\ndays = 30\n{CLASS}type = "ADT"\ndays = 6',
            "isthmus.toml:6: retention.class[2].days: shorter than store.dedup-days (7)",
        ),
        (
            f"{CLASS}days = 30",
            "isthmus.toml:1: retention.class[1]: names no tenant, feed, type or event: that is retention.messages",
        ),
        (
            f'{CLASS}type = "ORU"\ndays = 30\n{CLASS}feed = "east"\ntype = "ORU"\ndays = 40',
            "isthmus.toml:4: retention.class[2]: class 1 comes before it and speaks of all of it",
        ),
        (
            f'{CLASS}feed = "eats"\ndays = 30',
            "isthmus.toml:2: retention.class[1].feed: there is no such feed; is east meant?",
        ),
        (
            f'{CLASS}tenant = "mine"\ndays = 30',
            "isthmus.toml:2: retention.class[1].tenant: is not one of the tenants; is main meant?",
        ),
        (f'{CLASS}type = "ORU"', "isthmus.toml:1: retention.class[1].days: is missing"),
        (
            f'{CLASS}type = "ORU"\ndays = 0',
            "isthmus.toml:3: retention.class[1].days: must be a whole number from 1 to 36500",
        ),
    ],
)
def test_what_is_kept_has_to_outlive_what_needs_it(tmp_path: Path, text: str, expected: str) -> None:
    """The audit its messages, an event its tries, a message its repeats; and every class speaks of something."""
    assert [expected] == problems(write(tmp_path, isthmus=text, peers__east=PEER))


def test_nothing_is_purged_unless_a_site_says_so(tmp_path: Path) -> None:
    """Its classes in their order, its days; an audit of fewer than six years is remarked on."""
    kept = load(write(tmp_path)).main.retention
    assert (None, None, None, ()) == (kept.messages, kept.events, kept.audit, kept.classes)
    text = f'[retention]\nmessages = 90\nevents = 30\naudit = 365\n{CLASS}type = "ORU"\nevent = "R01"\ndays = 30\n'
    site = load(write(tmp_path, isthmus=text))
    kept = site.main.retention

    assert (90, 30, 365) == (kept.messages, kept.events, kept.audit)
    assert [("ORU", "R01", None, 30)] == [(one.type, one.event, one.feed, one.days) for one in kept.classes]
    assert ["retention.audit"] == [remark.partition(":")[0] for remark in remarks(tmp_path, site)]
