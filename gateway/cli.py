"""The command `isthmus`: serve, check, test, migrate, hold, secret, demo, send, translate, explain.

Commands say what they did on standard output and what went wrong on standard error; 0 is success, 1 a finding, 2 a
command line that cannot be read.
"""

import argparse
import asyncio
import io
import os
import socket
import sys
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from gateway.addresses import overlap, split
from gateway.cli_data import copy_of, move_in, move_out, verify_audit
from gateway.cli_messages import explain, seconds, send, translate
from gateway.site.folder import BadSite, load, remarks
from gateway.site.forms import is_address
from gateway.site.settings import ROLES, Feed, Site
from gateway.stop import Stop

Command = Callable[[argparse.Namespace], int]
INTERRUPTED = 130  # as a shell says it of a process that Ctrl-C ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the number is the process's exit status."""
    arguments = parser().parse_args(argv)
    run: Command = arguments.run
    if sys.stdout is None:  # started with a closed output
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - it stays open as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have every character
    try:
        status = run(arguments)
        sys.stdout.flush()
        return status
    except Stop as stop:
        print(f"isthmus: {stop}", file=sys.stderr)
    except BadSite as bad:
        print(bad, file=sys.stderr)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
    except OSError as error:
        _give_up_output()
        at = f"{error.filename}: " if isinstance(error.filename, str) else ""
        print(f"isthmus: {at}{error.strerror or type(error).__name__}", file=sys.stderr)
    return 1


def _give_up_output() -> None:
    """Else the interpreter would try again at its end to write what is left, and complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> argparse.ArgumentParser:
    """The command line, from which the reference page is made too."""
    whole = argparse.ArgumentParser(prog="isthmus", description="Healthcare integration engine and API gateway.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    one = _command(commands, "serve", serve, "serve a site until told to stop")
    one.add_argument("site", type=Path, help="folder with isthmus.toml")
    one.add_argument("--role", action="append", choices=ROLES, help="do only this (may be repeated)")
    one.add_argument("--http", metavar="HOST:PORT", help="listen here, where the site says otherwise")

    one = _command(commands, "check", check, "say everything that is wrong with a site, or what it serves")
    one.add_argument("site", type=Path, help="folder with isthmus.toml")

    one = _command(commands, "test", test, "try a site's own cases: its messages, and what they must come to")
    one.add_argument("site", type=Path, help="folder with isthmus.toml and cases/<peer>/")
    one.add_argument("cases", nargs="*", metavar="CASE", help="only these, as <peer>/<name>")
    one.add_argument("--accept", action="store_true", help="write what they come to now as what is expected")

    one = _command(commands, "migrate", migrate, "bring a site's data to this release, and do nothing else")
    one.add_argument("site", type=Path, help="folder with isthmus.toml")

    one = _command(commands, "export", export_site, "write all that a site keeps to one file, for another store")
    one.add_argument("site", type=Path, help="folder with isthmus.toml")
    one.add_argument("file", metavar="FILE", help="a new file; - is standard output")
    one.add_argument(
        "--live", action="store_true", help="also while a gateway takes messages, which may then be missing"
    )

    one = _command(
        commands, "import", import_site, "fill the empty store of a site with an export, wholly or not at all"
    )
    one.add_argument("site", type=Path, help="folder with isthmus.toml")
    one.add_argument("file", metavar="FILE", help="what was exported; - is standard input")

    one = _command(commands, "backup", backup, "copy the embedded store to one file, also while it is served")
    one.add_argument("site", type=Path, help="folder with isthmus.toml")
    one.add_argument("file", metavar="FILE", type=Path, help="a new file")

    one = _command(commands, "audit", audit, "verify the chain of a site's audit")
    one.add_argument("what", choices=("verify",), help="verify: was a link changed, dropped or put in?")
    one.add_argument("site", type=Path, help="folder with isthmus.toml")

    one = _command(
        commands, "hold", hold, "keep what is under legal hold whatever its days; without options, list holds"
    )
    one.add_argument("site", type=Path, help="folder with isthmus.toml; no gateway may run on its embedded store")
    one.add_argument("--record", metavar="ID", help="keep all messages about this patient or other record")
    one.add_argument("--message", metavar="ID", help="keep this message")
    one.add_argument("--feed", metavar="NAME", help="keep the messages of this feed")
    one.add_argument("--from", dest="since", metavar="WHEN", help="of a feed: received at or after this instant or day")
    one.add_argument("--to", dest="until", metavar="WHEN", help="of a feed: received until this instant or day")
    one.add_argument("--name", metavar="TEXT", help="what the hold is called, as a matter or a letter")
    one.add_argument("--reason", metavar="TEXT", help="why it is made")
    one.add_argument("--release", metavar="ID", help="let go what this hold has kept")
    one.add_argument("--tenant", metavar="NAME", help="whose data it is about; else the site's first tenant's")

    one = _command(commands, "secret", secret, "make a client's secret, and the hash that goes into its file")

    one = _command(commands, "demo", demo, "run Isthmus with a simulated EHR and partner around it")
    one.add_argument("--http", default="127.0.0.1:8080", metavar="HOST:PORT", help="where the API listens")
    one.add_argument("--mllp", default="127.0.0.1:2575", metavar="HOST:PORT", help="where the feed listens")
    one.add_argument("--data", type=Path, default=Path("demo-data"), metavar="DIR", help="site, data and demo.json")
    one.add_argument("--headless", action="store_true", help="no live view; for scripts, with DIR/demo.json")
    one.add_argument("--quiet-peers", action="store_true", help="without the simulated traffic")

    one = _command(commands, "send", send, "send messages over MLLP and print their acknowledgements")
    one.add_argument(
        "files", nargs="+", metavar="FILE", help="one or more messages each, also in a batch; - is standard input"
    )
    one.add_argument("--to", required=True, metavar="HOST:PORT", help="where the receiver listens")
    one.add_argument("--tls", metavar="CA", type=Path, help="use TLS and trust this CA file")
    one.add_argument("--certificate", metavar="FILE", type=Path, help="the certificate to show (PEM)")
    one.add_argument("--private-key", metavar="FILE", type=Path, help="its key")
    one.add_argument("--timeout", type=seconds, default=30.0, metavar="SECONDS", help="wait for each acknowledgement")

    for name, run, text in (
        ("translate", translate, "print messages as canonical JSON: an object, or a list where there are several"),
        ("explain", explain, "print messages annotated: each field, its name, what it became or why it did not"),
    ):
        one = _command(commands, name, run, text)
        one.add_argument("file", metavar="FILE", help="one or more messages, also in a batch; - is standard input")
        one.add_argument("--site", type=Path, metavar="DIR", help="read them as a feed of this site does")
        one.add_argument("--feed", metavar="NAME", help="which feed, where the site has several")
    return whole


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: Command, text: str
) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    one.set_defaults(run=run)
    return one


# -- a site


def serve(arguments: argparse.Namespace) -> int:
    """Serve a site."""
    site, roles = load(arguments.site), arguments.role or ROLES
    if set(roles) < set(ROLES) and not site.main.store.is_shared:
        raise Stop("--role: the data in store.path is one process's, which does all; store.database may be shared")
    if arguments.http and not is_address(arguments.http):
        raise Stop("--http is written host:port, as in 127.0.0.1:0 for any free port")
    http = {arguments.http or site.main.server.http: "--http" if arguments.http else "server.http"}
    mllp = _mllp(site) if "feeds" in roles else {}
    _must_be_free(http | mllp, mllp if site.main.store.is_shared else ())
    from gateway.app import run

    with _said_of(site):
        return run(site, roles, arguments.http, partial(load, arguments.site))


def check(arguments: argparse.Namespace) -> int:
    """Every problem of a site, or what it would do."""
    site = load(arguments.site)
    print(f"{arguments.site}: good. The API listens on {site.main.server.http}.")
    for feed in site.feeds:
        zone = feed.profile.zone or "no time zone"
        print(f"  feed {feed.name}: {feed.settings.mllp}, {_tls(feed)}, {zone}, tenant {feed.tenant}")
    for one in site.destinations:
        sends = ", ".join(one.settings.events) or "what routes bring"
        print(f"  destination {one.name}: {one.settings.url}, {sends}, tenant {one.tenant}")
    for route in site.routes:
        edits = f", {len(route.edits)} edits" if route.edits else ""
        print(f"  route {route.name}: to {', '.join(route.settings.to)}{edits}, tenant {route.tenant}")
    for name, client in sorted(site.clients.items()):
        print(f"  client {name}: {', '.join(client.scopes)}, tenant {client.tenant}")
    for remark in remarks(arguments.site, site):
        print(f"warning: {remark}", file=sys.stderr)
    return 0


def test(arguments: argparse.Namespace) -> int:
    """Try the cases of a site; 1 where one comes to something else than it should."""
    from gateway.cases import accept, cases, tried

    found = cases(arguments.site, load(arguments.site))
    if unknown := sorted(set(arguments.cases) - {case.name for case in found}):
        raise Stop(f"there is no case {', '.join(unknown)} in {arguments.site / 'cases'}")
    found = [case for case in found if not arguments.cases or case.name in arguments.cases]
    failed = 0
    for case in found:
        if arguments.accept and accept(case):
            print(f"written {case.expected}")
        wrong = tried(case)
        failed += bool(wrong)
        for one in wrong:
            print(f"{case.name}: {one}")
    print(f"{len(found)} cases: {len(found) - failed} good, {failed} not")
    return 1 if failed else 0


def hold(arguments: argparse.Namespace) -> int:
    """Make, list and release legal holds."""
    from gateway.cli_holds import hold as held

    with _said_of(load(arguments.site)):
        return held(arguments)


def migrate(arguments: argparse.Namespace) -> int:
    """Bring the data up to date."""
    site = load(arguments.site)

    async def opened() -> None:
        from gateway.store.choice import store_of

        store = store_of(site.main.store, os.environ)
        await store.open()
        await store.close()

    with _said_of(site):
        asyncio.run(opened())
    print(f"{arguments.site}: the data is as this release needs it.")
    return 0


def export_site(arguments: argparse.Namespace) -> int:
    """Carry out."""
    site = load(arguments.site)
    with _said_of(site):
        return move_out(site.main.store, arguments.file, arguments.live)


def import_site(arguments: argparse.Namespace) -> int:
    """Carry in."""
    site = load(arguments.site)
    with _said_of(site):
        return move_in(site.main.store, arguments.file)


def backup(arguments: argparse.Namespace) -> int:
    """Copy the embedded store."""
    site = load(arguments.site)
    with _said_of(site):
        return copy_of(site.main.store, arguments.file)


def audit(arguments: argparse.Namespace) -> int:
    """Verify the audit."""
    site = load(arguments.site)
    with _said_of(site):
        return verify_audit(site.main.store)


def _tls(feed: Feed) -> str:
    settings = feed.settings
    if not settings.certificate:
        return "no TLS"
    return "mTLS" if settings.client_ca else "TLS"


@contextmanager
def _said_of(site: Site) -> Iterator[None]:
    """What is wrong with the data is said in a sentence."""
    from gateway.store.moving.shape import Damaged, InUse, NotEmpty, Nothing, Unfinished
    from gateway.store.sqlite.database import DirectoryInUse, NewerSchema, Unwritable
    from gateway.store.unusable import Unusable
    from gateway.store.vault import WrongKey

    path = "store.database" if site.main.store.database else site.main.store.path
    try:
        yield
    except Unusable as unusable:
        raise Stop(f"{unusable.setting}: {unusable}") from None
    except Unfinished:
        raise Stop(f"{path}: an import into this data did not end; repeat it") from None
    except InUse as used:
        raise Stop(f"{path}: {used}; stop it, or hold intake (an export may also be taken with --live)") from None
    except (NotEmpty, Nothing) as wrong:
        raise Stop(f"{path}: {wrong}") from None
    except Damaged as damaged:
        raise Stop(f"{damaged}; nothing was kept") from None
    except DirectoryInUse:
        raise Stop(f"{path}: another Isthmus is running on this data") from None
    except Unwritable as barred:
        raise Stop(f"{path}: this folder cannot be written ({barred}); store.path names another") from None
    except NewerSchema:
        raise Stop(f"{path}: this data was written by a newer release") from None
    except WrongKey:
        raise Stop(f"{path}: this data was sealed with another site key (store.key-file)") from None


def _must_be_free(wanted: Mapping[str, str], shared: Container[str] = ()) -> None:
    """A port that is taken, also by one address for another of ours, is said before anything is opened.

    `wanted` are addresses and the settings that they are from; `shared` those that other processes may listen on too.
    """
    with ExitStack() as held:
        for address, setting in wanted.items():
            host, port = split(address)
            try:
                family, kind, _, _, at = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
                probe = held.enter_context(socket.socket(family, kind))
                probe.setsockopt(
                    socket.SOL_SOCKET, socket.SO_REUSEPORT if address in shared else socket.SO_REUSEADDR, 1
                )
                probe.bind(at)
                if address not in shared:  # or it would take connections that are another process's
                    probe.listen()
            except OSError as error:
                raise Stop(
                    f"cannot listen on {address} ({error.strerror}); choose another address with {setting}"
                ) from None


def _mllp(site: Site, setting: str = "feed.mllp") -> dict[str, str]:
    return {feed.settings.mllp: setting for feed in site.feeds}


def secret(arguments: argparse.Namespace) -> int:
    """A fresh secret and its hash; neither is kept."""
    import secrets

    from policies.auth import hash_secret

    fresh = secrets.token_urlsafe(32)
    print(f"secret       {fresh}")
    print(f'secret-hash = "{hash_secret(fresh, secrets.token_bytes(16))}"')
    return 0


# -- the demo


def demo(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    from gateway.demo.house import prepare
    from gateway.demo.run import Options, run, site_of

    for name in ("http", "mllp"):
        if not is_address(getattr(arguments, name)):
            raise Stop(f"--{name} is written host:port, as in 127.0.0.1:0 for any free port")
    if overlap(arguments.http, arguments.mllp):
        raise Stop(f"--mllp is the address of --http ({arguments.http}); choose another")
    options = Options(
        http=arguments.http,
        mllp=arguments.mllp,
        data=arguments.data,
        headless=arguments.headless,
        quiet_peers=arguments.quiet_peers,
    )
    try:
        prepare(options.data)
    except OSError as error:
        raise Stop(f"{options.data}: the demo's folder cannot be written ({error.strerror})") from None
    site = site_of(options)
    if not site.feeds:
        raise Stop(f"{options.data / 'site'}: no peer has a feed, so there is nowhere to send to")
    _must_be_free({site.main.server.http: "--http"} | _mllp(site, "--mllp"))
    with _said_of(site):
        return run(options)


if __name__ == "__main__":
    sys.exit(main())
