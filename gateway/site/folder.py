"""Reads a site folder into one frozen object, or says everything that is wrong with it at once (DESIGN 4).

    isthmus.toml  peers/<name>.toml  routes/<name>.toml  clients/<name>.toml  codes/<table>.csv

A code file holds rows of `local,code,system,display` under that header; its name is the table or the field it is for
(`HL70278.csv`, `AIP-4.csv`), and `codes/<peer>/` holds those of one peer.
"""

import csv
import io
import re
import stat
import tarfile
import tomllib
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from canonical.datatypes import Coding
from gateway.site import checks
from gateway.site.changes import changes_of
from gateway.site.outward import Destination, RouteSettings, route_of
from gateway.site.references import beside
from gateway.site.setting import Setting
from gateway.site.settings import (
    ClientSettings,
    Codes,
    Feed,
    Main,
    Peer,
    Site,
    destination_of,
    feed_of,
)
from gateway.site.tables import TableReader, line_of, lines, meant

Table = TypeVar("Table", bound=Setting)
SIX_YEARS = 2192  # days
COLUMNS = ["local", "code", "system", "display"]
PARTS = ("peers", "routes", "clients", "codes")
CODE_FILE = re.compile(r"HL7\d{4}|[A-Z][A-Z0-9]{2}-\d{1,3}", re.ASCII)
FIRST_TIME = 315_532_800  # 1980: archives hold no earlier time, and ours must not depend on the clock


class SiteProblem(msgspec.Struct, frozen=True):
    """One thing to mend: the file, the line where it is known, the place in it, what to do."""

    file: str
    place: str
    detail: str
    line: int | None = None

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}" if self.line else self.file
        return f"{at}: {self.place}: {self.detail}" if self.place else f"{at}: {self.detail}"


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
        self._lines: dict[Path, dict[str, int]] = {}

    def complain(self, path: Path, place: str, detail: str, line: int | None = None) -> None:
        line = line or line_of(place, self._lines.get(path, {}))
        self.problems.append(SiteProblem(str(path.relative_to(self.folder)), place, detail, line))

    def text(self, path: Path) -> str:
        return path.read_text(encoding="utf-8-sig")

    def table(self, path: Path, kind: type[Table]) -> Table | None:
        """A settings file as its struct; of what is wrong in it the defaults take the place."""
        try:
            text = self.text(path)
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.complain(path, "", f"not TOML: {error}")
        except (OSError, ValueError) as error:
            self.complain(path, "", _unreadable(error))
        else:
            self._lines[path] = lines(text)
            return TableReader(self.folder, partial(self.complain, path)).table(found, kind)
        return None

    def each(self, part: str, kind: type[Table]) -> Iterator[tuple[str, Path, Table]]:
        for path in self.within(self.folder / part, ".toml"):
            if table := self.table(path, kind):
                yield path.stem, path, table

    def codes(self, folder: Path) -> Codes:
        return {path.stem: self._code_file(path) for path in self.within(folder, ".csv")}

    def within(self, folder: Path, suffix: str) -> list[Path]:
        """The files of a folder that are read; none where there is no such folder."""
        try:
            return sorted(path for path in folder.iterdir() if path.suffix == suffix)
        except FileNotFoundError:
            return []
        except OSError as error:
            self.complain(folder, "", _unreadable(error))
            return []

    def _code_file(self, path: Path) -> dict[str, Coding]:
        if not CODE_FILE.fullmatch(path.stem):
            self.complain(path, "", "is named neither for a table (HL70278.csv) nor for a field (AIP-4.csv)")
        try:
            rows = csv.DictReader(io.StringIO(self.text(path), newline=""), restval="", strict=True)
            return self._codings(path, rows)
        except (OSError, ValueError, csv.Error) as error:
            self.complain(path, "", _unreadable(error))
        return {}

    def _codings(self, path: Path, rows: "csv.DictReader[str]") -> dict[str, Coding]:
        if rows.fieldnames != COLUMNS:
            self.complain(path, "", f"the header must be {','.join(COLUMNS)}", 1)
            return {}
        found: dict[str, Coding] = {}
        for row in rows:
            local, code = row["local"].strip(), row["code"].strip()
            if not local or not code:
                self.complain(path, "", "local and code must both be there", rows.line_num)
            elif local in found:
                self.complain(path, "", "this local code stands here twice", rows.line_num)
            if None in row:
                self.complain(path, "", "has more than four columns; text with a comma stands in quotes", rows.line_num)
            found[local] = Coding(code=code, system=row["system"] or None, display=row["display"] or None)
        return found

    def strays(self, peers: list[str]) -> None:
        """Folders that look like settings and are not read."""
        for path in sorted(self.folder.glob("*/")):
            hint = "" if path.name in PARTS else meant(path.name, PARTS)
            if hint and any([*path.glob("*.toml"), *path.glob("*.csv")]):
                self.complain(path, "", f"this folder is not read{hint}")
        for path in sorted((self.folder / "codes").glob("*/")):
            if path.suffix != ".csv" and path.name not in peers:
                self.complain(path, "", f"there is no peer of this name{meant(path.name, peers)}")


class _Unpacking(_Reader):
    """The same over an archive of `pack`, in memory: of the peers and their codes one alone."""

    def __init__(self, files: bytes, name: str) -> None:
        super().__init__(Path())
        wanted = {Path("peers"): f"{name}.toml", Path("codes"): None, Path("codes", name): None}
        self._files: dict[Path, bytes] = {}
        with tarfile.open(fileobj=io.BytesIO(files)) as archive:
            for entry in archive:
                path = Path(entry.name)
                if path.parent in wanted and wanted[path.parent] in (None, path.name):
                    body = archive.extractfile(entry)
                    self._files[path] = body.read() if body else b""

    def text(self, path: Path) -> str:
        return io.TextIOWrapper(io.BytesIO(self._files[path]), encoding="utf-8-sig").read()

    def within(self, folder: Path, suffix: str) -> list[Path]:
        return sorted(path for path in self._files if path.parent == folder and path.suffix == suffix)


def _unreadable(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})"
    return "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"cannot be read ({error})"


def load(folder: Path) -> Site:
    """The site in a folder; BadSite with every problem when it cannot be served."""
    if not folder.is_dir():
        raise BadSite([SiteProblem(str(folder), "", "is not a folder")])
    reader = _Reader(folder.resolve())
    try:
        site = _read(reader)
    except OSError as error:  # of the folders; what can be said of a file was said
        raise BadSite([*reader.problems, SiteProblem(str(folder), "", _unreadable(error))]) from None
    if reader.problems:
        raise BadSite(sorted(reader.problems, key=lambda one: (one.file, one.line or 0)))
    files = pack(reader.folder)
    digest = sha256(files).hexdigest()
    feeds = tuple(replace(feed, site=digest) for feed in site.feeds)
    return replace(site, feeds=feeds, digest=digest, files=files)


def remarks(folder: Path, site: Site) -> Iterator[str]:
    """What is worth a look in a site that can be served: keys that everyone can read, folders that nobody does."""
    main = site.main
    keys = [main.store.key_file, main.server.private_key, *(feed.settings.private_key for feed in site.feeds)]
    keys += [one.settings.private_key for one in site.destinations]
    for key in dict.fromkeys(keys):
        if key and key.stat().st_mode & stat.S_IROTH:
            yield f"{key}: everyone on this machine can read this key; chmod o-r takes that away"
    if main.retention.audit is not None and main.retention.audit < SIX_YEARS:
        yield "retention.audit: HIPAA has such records kept for six years (45 CFR 164.316(b)(2)(i)): 2192 days"
    for part, suffix in (("peers", ".toml"), ("routes", ".toml"), ("clients", ".toml")):
        for path in sorted((folder / part).glob("*/")):
            if any(path.rglob(f"*{suffix}")):
                yield f"{path}: this folder is not read; the files of {part} stand in {part}/ itself"


def _read(reader: _Reader) -> Site:
    """What the files say, with the complaints at the reader."""
    path = reader.folder / "isthmus.toml"
    said = reader.table(path, Main) if path.exists() else None
    if not path.exists():
        reader.complain(path, "", "is missing")
    tenants = said.tenants if said else None
    peers = list(reader.each("peers", Peer))
    clients = list(reader.each("clients", ClientSettings))
    routes = list(reader.each("routes", RouteSettings))
    feeds, destinations = _feeds(reader, peers), _destinations(reader, peers)
    reader.strays([one.stem for one in (reader.folder / "peers").glob("*.toml")])
    main = said or Main()
    database = beside(reader.folder, main.store.database)
    store = replace(main.store, path=reader.folder / main.store.path, database=database)
    redis = replace(main.redis, url=beside(reader.folder, main.redis.url))
    main = replace(main, store=store, redis=redis)
    checks.main_alone(main, path, reader.complain)
    checks.classes_of(main, feeds, path, reader.complain)
    for _, at, peer in peers:
        checks.peer_alone(peer, at, tenants, reader.complain)
    checks.clients(clients, tenants, reader.complain)
    checks.doors(main, feeds, reader.folder, reader.complain)
    known = checks.Known(
        tenants, [(one.name, one.tenant) for one in feeds], [(one.name, one.tenant) for one in destinations]
    )
    for _, at, peer in peers:
        checks.destination(peer, at, known, reader.complain)
    for _, at, route in routes:
        checks.route(route, at, known, reader.complain)
    return Site(
        main=main,
        feeds=tuple(feeds),
        destinations=tuple(destinations),
        routes=tuple(route_of(name, one) for name, _, one in routes),
        clients={one.client_id: one for _, _, one in clients},
    )


def _destinations(reader: _Reader, peers: list[tuple[str, Path, Peer]]) -> list[Destination]:
    return [destination_of(name, peer, peer.destination, {}) for name, _, peer in peers if peer.destination]


def _feeds(reader: _Reader, peers: list[tuple[str, Path, Peer]]) -> list[Feed]:
    shared = reader.codes(reader.folder / "codes")
    return [
        feed_of(
            name,
            peer,
            shared | reader.codes(reader.folder / "codes" / name),
            changes_of(peer.mapping, partial(reader.complain, path)),
        )
        for name, path, peer in peers
        if peer.feed
    ]


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


def unpacked(files: bytes, name: str) -> Feed | None:
    """A feed of a packed site as it was then: a kept message is read again by the files it was mapped with."""
    reader = _Unpacking(files, name)
    return next(iter(_feeds(reader, list(reader.each("peers", Peer)))), None)
