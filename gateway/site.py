"""Reads a site folder into one frozen object, or says everything that is wrong with it at once (DESIGN 4).

    isthmus.toml  peers/<name>.toml  clients/<name>.toml  codes/<table>.csv

A code file holds rows of `local,code,system,display` under that header; its name is the table or the field it is for
(`HL70278.csv`, `AIP-4.csv`), and `codes/<peer>/` holds those of one peer.
"""

import csv
import io
import re
import tarfile
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec.structs import replace

from canonical.datatypes import Coding
from gateway.scopes import SCOPES
from gateway.settings import ClientSettings, Codes, Feed, FeedSettings, Main, Peer, Setting, Site, feed_of
from gateway.store.reference import wrong_with

Table = TypeVar("Table", bound=Setting)
COLUMNS = ["local", "code", "system", "display"]
SECRET_HASH = re.compile(r"scrypt(\$\d{1,2}){3}(\$[A-Za-z0-9+/]+=*){2}", re.ASCII)
SHARED = (
    *("certificate", "private_key", "client_ca", "strict_framing", "commit_blocks"),
    *("max_connections", "max_in_flight", "frame_seconds", "idle_seconds"),
)
FIRST_TIME = 315_532_800  # 1980: archives hold no earlier time, and ours must not depend on the clock


class SiteProblem(msgspec.Struct, frozen=True):
    """One thing to mend: the file, the place in it, what to do."""

    file: str
    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.detail}" if self.place else f"{self.file}: {self.detail}"


class BadSite(Exception):
    """The site cannot be served; `problems` are all of them."""

    def __init__(self, problems: list[SiteProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class _Reader:
    """One pass over a folder, collecting problems instead of stopping at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[SiteProblem] = []

    def complain(self, path: Path, place: str, detail: str) -> None:
        self.problems.append(SiteProblem(str(path.relative_to(self.folder)), place, detail))

    def table(self, path: Path, kind: type[Table]) -> Table | None:
        """A settings file as its struct, paths taken from the site folder."""
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
            return msgspec.convert(found, kind, dec_hook=self._decode, strict=False)
        except tomllib.TOMLDecodeError as error:
            self.complain(path, "", f"not TOML: {error}")
        except msgspec.ValidationError as error:
            text, _, place = str(error).partition(" - at ")
            self.complain(path, place.strip("`").removeprefix("$."), text)
        except (OSError, UnicodeDecodeError) as error:
            self.complain(path, "", f"cannot be read: {type(error).__name__}")
        return None

    def _decode(self, kind: type, value: object) -> object:
        """Paths are the only type of ours that TOML does not know."""
        if not isinstance(value, str):
            raise msgspec.ValidationError("Expected a path")
        return self.folder / Path(value).expanduser()

    def each(self, part: str, kind: type[Table]) -> Iterator[tuple[str, Path, Table]]:
        for path in sorted((self.folder / part).glob("*.toml")):
            if table := self.table(path, kind):
                yield path.stem, path, table

    def codes(self, folder: Path) -> Codes:
        return {path.stem: self._code_file(path) for path in sorted(folder.glob("*.csv"))}

    def _code_file(self, path: Path) -> dict[str, Coding]:
        try:
            rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), restval="")
        except (OSError, UnicodeDecodeError) as error:
            self.complain(path, "", f"cannot be read: {type(error).__name__}")
            return {}
        if rows.fieldnames != COLUMNS:
            self.complain(path, "line 1", f"the header must be {','.join(COLUMNS)}")
            return {}
        found = {}
        for row in rows:
            local, code = row["local"].strip(), row["code"].strip()
            if not local or not code:
                self.complain(path, f"line {rows.line_num}", "local and code must both be there")
            found[local] = Coding(code=code, system=row["system"] or None, display=row["display"] or None)
        return found


def load(folder: Path) -> Site:
    """The site in a folder; BadSite with every problem when it cannot be served."""
    reader = _Reader(folder.resolve())
    if not reader.folder.is_dir():
        raise BadSite([SiteProblem(str(folder), "", "is not a folder")])
    path = reader.folder / "isthmus.toml"
    main = reader.table(path, Main) if path.exists() else None
    if not path.exists():
        reader.complain(path, "", "is missing")
    peers = list(reader.each("peers", Peer))
    clients = list(reader.each("clients", ClientSettings))
    feeds = _feeds(reader, peers)
    if main:
        _check_main(reader, path, main)
        for name, at, peer in peers:
            _check_peer(reader, at, name, peer, main)
        _check_clients(reader, clients, main)
    _check_doors(reader, feeds)
    if reader.problems or main is None:
        raise BadSite(reader.problems)
    files = pack(reader.folder)
    store = replace(main.store, path=reader.folder / main.store.path, database=_beside(reader, main.store.database))
    return Site(
        main=replace(main, store=store),
        feeds=tuple(feeds),
        clients={client.client_id: client for _, _, client in clients},
        digest=sha256(files).hexdigest(),
        files=files,
    )


def _feeds(reader: _Reader, peers: list[tuple[str, Path, Peer]]) -> list[Feed]:
    shared = reader.codes(reader.folder / "codes")
    return [
        feed_of(name, peer, shared | reader.codes(reader.folder / "codes" / name))
        for name, _, peer in peers
        if peer.feed
    ]


def _check_main(reader: _Reader, path: Path, main: Main) -> None:
    key = main.store.key_file
    if key and not key.is_file():
        reader.complain(path, "store.key-file", "there is no such file")
    elif key and key.stat().st_size != 32:
        reader.complain(path, "store.key-file", "a site key is 32 random bytes")
    if main.store.database is not None and (wrong := wrong_with(main.store.database)):
        reader.complain(path, "store.database", wrong)
    server = main.server
    for name, file in (("certificate", server.certificate), ("private-key", server.private_key)):
        if file and not file.is_file():
            reader.complain(path, f"server.{name}", "there is no such file")
    if bool(server.certificate) != bool(server.private_key):
        reader.complain(path, "server", "certificate and private-key go together")
    if not _is_address(server.http):
        reader.complain(path, "server.http", "write it as host:port")


def _beside(reader: _Reader, reference: str | None) -> str | None:
    """A reference to a file, from the site folder."""
    kind, _, name = (reference or "").partition(":")
    return f"file:{reader.folder / Path(name).expanduser()}" if kind == "file" else reference


def _check_peer(reader: _Reader, path: Path, name: str, peer: Peer, main: Main) -> None:
    if peer.tenant not in main.tenants:
        reader.complain(path, "tenant", "is not one of isthmus.toml's tenants")
    for place, zone in (("zone", peer.zone), *((f"location-zones.{k}", z) for k, z in peer.location_zones.items())):
        if zone and not _is_zone(zone):
            reader.complain(path, place, "is not an IANA time zone")
    if peer.feed:
        _check_feed(reader, path, peer.feed)


def _check_feed(reader: _Reader, path: Path, feed: FeedSettings) -> None:
    if not _is_address(feed.mllp):
        reader.complain(path, "feed.mllp", "write it as host:port")
    for place in ("certificate", "private_key", "client_ca"):
        file: Path | None = getattr(feed, place)
        if file and not file.is_file():
            reader.complain(path, f"feed.{place.replace('_', '-')}", "there is no such file")
    if bool(feed.certificate) != bool(feed.private_key):
        reader.complain(path, "feed", "certificate and private-key go together")
    if feed.client_ca and not feed.certificate:
        reader.complain(path, "feed.client-ca", "without certificate and private-key there is no TLS to ask in")
    if feed.certificates and not feed.client_ca:
        reader.complain(path, "feed.certificates", "certificates are only asked for where client-ca is set")


def _check_clients(reader: _Reader, clients: list[tuple[str, Path, ClientSettings]], main: Main) -> None:
    seen: set[str] = set()
    for _, path, client in clients:
        if client.client_id in seen:
            reader.complain(path, "client-id", "is used by another client")
        if client.tenant not in main.tenants:
            reader.complain(path, "tenant", "is not one of isthmus.toml's tenants")
        for scope in sorted(set(client.scopes) - set(SCOPES)):
            reader.complain(path, "scopes", f"there is no scope {scope}")
        if not SECRET_HASH.fullmatch(client.secret_hash):
            reader.complain(path, "secret-hash", "is not a hash that `isthmus secret` prints")
        seen.add(client.client_id)


def _check_doors(reader: _Reader, feeds: list[Feed]) -> None:
    """On a shared address each feed must be told apart, and transport settings must agree."""
    shared: dict[str, list[Feed]] = {}
    for feed in feeds:
        if not feed.settings.mllp.endswith(":0"):
            shared.setdefault(feed.settings.mllp, []).append(feed)
    for address, group in shared.items():
        vague = [feed for feed in group if not feed.settings.senders and not feed.settings.certificates]
        if len(group) > 1 and len(vague) > 1:
            path = reader.folder / "peers" / f"{vague[1].name}.toml"
            reader.complain(path, "feed", f"shares {address}: name its senders or certificates")
        for feed in group[1:]:
            path = reader.folder / "peers" / f"{feed.name}.toml"
            for place in SHARED:
                if getattr(feed.settings, place) != getattr(group[0].settings, place):
                    place = place.replace("_", "-")
                    reader.complain(path, f"feed.{place}", f"shares {address}: must be as in {group[0].name}.toml")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_address(text: str) -> bool:
    _, colon, port = text.rpartition(":")
    return bool(colon) and port.isdecimal() and int(port) < 65536


def pack(folder: Path) -> bytes:
    """The mapping files of a site as one archive, the same bytes for the same files; clients stay outside."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted([*(folder / "peers").rglob("*.toml"), *(folder / "codes").rglob("*.csv")]):
            body = path.read_bytes()
            entry = tarfile.TarInfo(str(path.relative_to(folder)))
            entry.size, entry.mtime = len(body), FIRST_TIME
            archive.addfile(entry, io.BytesIO(body))
    return packed.getvalue()


def unpacked(files: bytes) -> tuple[Feed, ...]:
    """The feeds of a packed site as they were then: a kept message is read again by the files it was mapped with."""
    with TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(files)) as archive:
        archive.extractall(folder, filter="data")
        reader = _Reader(Path(folder))
        return tuple(_feeds(reader, list(reader.each("peers", Peer))))
