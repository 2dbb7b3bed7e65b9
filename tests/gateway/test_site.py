"""A site folder is read whole, with every problem at once, and kept under a name that changes with the files alone."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from canonical.datatypes import Coding
from gateway.settings import Site
from gateway.site import BadSite, load
from policies.auth import hash_secret

SECRET = hash_secret("a secret of the tests", b"0123456789abcdef")
PEER = 'zone = "America/New_York"\n[feed]\nmllp = "127.0.0.1:2575"\n'
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
        "isthmus.toml: server.http",
        "isthmus.toml: store.key-file",
        "peers/east.toml: zone",
        "peers/east.toml: tenant",
        "peers/east.toml: feed.mllp",
        "clients/desk.toml: tenant",
    } <= places
    assert any(problem.startswith("peers/west.toml: not TOML") for problem in found)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"isthmus": "[server]\nhtttp = 1\n"}, "isthmus.toml: server: Object contains unknown field `htttp`"),
        ({"peers__east": 'colour = "red"\n'}, "peers/east.toml: Object contains unknown field `colour`"),
        ({"isthmus": '[server]\nburst = "many"\n'}, "isthmus.toml: server.burst: "),
        ({"clients__desk": 'client-id = "desk"\n'}, "clients/desk.toml: Object missing required field `secret-hash`"),
        ({"peers__east": PEER + 'certificates = ["x"]\n'}, "peers/east.toml: feed.certificates: "),
        ({"peers__east": PEER + 'client-ca = "no.pem"\n'}, "peers/east.toml: feed.client-ca: there is no such file"),
        ({"peers__east": 'location-zones = {NORTH = "Nowhere"}\n'}, "peers/east.toml: location-zones.NORTH: "),
        ({"isthmus": '[server]\ncertificate = "isthmus.toml"\n'}, "isthmus.toml: server: certificate and private-key"),
        ({"codes__HL70278": "local,code\nA,B\n"}, "codes/HL70278.csv: line 1: the header must be "),
        ({"codes__HL70278": "local,code,system,display\nA\n"}, "codes/HL70278.csv: line 2: local and code"),
        ({"clients__desk": CLIENT.replace("scrypt", "plain")}, "clients/desk.toml: secret-hash: is not a hash"),
        ({"clients__desk": CLIENT.replace("s.read", ".read")}, "clients/desk.toml: scopes: there is no scope appoint"),
        ({"clients__a": CLIENT, "clients__b": CLIENT}, "clients/b.toml: client-id: is used by another client"),
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

    assert ["isthmus.toml: store.key-file: a site key is 32 random bytes"] == problems(tmp_path)


def test_shared_address(tmp_path: Path) -> None:
    """On a shared address one feed may be open to all; a second such could not be told apart."""
    named = PEER + 'senders = ["EPIC|EAST"]\n'
    good = write(tmp_path / "good", peers__a=PEER, peers__b=named)
    bad = write(tmp_path / "bad", peers__a=PEER, peers__b=named, peers__c=PEER)

    assert 2 == len(load(good).feeds)
    assert ["peers/c.toml: feed: shares 127.0.0.1:2575: name its senders or certificates"] == problems(bad)


def test_a_shared_address_is_one_listener(tmp_path: Path) -> None:
    """What belongs to the listener must be the same in every feed on it: no feed is let out of another's TLS."""
    a, b = PEER + 'senders = ["A|A"]\n', PEER + 'senders = ["B|B"]\nidle-seconds = 5\n'

    assert ["peers/b.toml: feed.idle-seconds: shares 127.0.0.1:2575: must be as in a.toml"] == problems(
        write(tmp_path, peers__a=a, peers__b=b)
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('certificate = "isthmus.toml"\n', "feed: certificate and private-key go together"),
        (
            'client-ca = "isthmus.toml"\n',
            "feed.client-ca: without certificate and private-key there is no TLS to ask in",
        ),
    ],
)
def test_no_half_of_tls(tmp_path: Path, said: str, expected: str) -> None:
    """A feed that asks for TLS and lacks a part of it is not served in the clear."""
    assert [f"peers/a.toml: {expected}"] == problems(write(tmp_path, peers__a=PEER + said))


def test_any_free_port_is_not_shared(tmp_path: Path) -> None:
    """Port 0 is another port for each feed."""
    free = PEER.replace("2575", "0")

    assert 2 == len(load(write(tmp_path, peers__a=free, peers__b=free)).feeds)


def test_codes_of_one_peer(tmp_path: Path) -> None:
    """A code file holds for all peers, one in a peer's folder for that peer, in the place of the shared one."""
    header = "local,code,system,display\n"
    site = load(
        write(
            tmp_path,
            peers__east=PEER,
            peers__west=PEER.replace("2575", "2576"),
            codes__HL70278=f"{header}CONF,Booked,,\n",
            codes__west__HL70278=f"{header}CONF,Pending,urn:x,Waits\n",
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


def test_client_is_silent_in_repr(tmp_path: Path) -> None:
    """A hash is no secret, and still it does not belong into a log."""
    site = load(write(tmp_path, clients__desk=CLIENT))

    assert SECRET not in repr(site.clients["desk"])
