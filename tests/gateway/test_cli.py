"""The command line: what each command prints, what it returns, and that nothing of it ends in a traceback."""

import asyncio
import fcntl
import io
import json
import os
import socket
import subprocess
import sys
import urllib.request
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

import pytest
from granian.server.embed import Server

from connectors.mllp.listener import Listener
from connectors.mllp.seam import Answer, Peer
from gateway.addresses import numeric
from gateway.cli import main
from gateway.frames import messages
from gateway.site.folder import load
from policies.auth import matches
from tests.isthmus import free_port, wait

HEAD = "MSH|^~\\&|EHR|EAST|HUB|HUB|20261114060749-0500||{kind}|C{number}|T|2.5.1||||||UNICODE UTF-8\r"
PID = "PID|1||0001^^^EASTMRN^MR||Eastwick^Ada^^^^^L||{born}|F\r"
BOOKING = (
    HEAD.format(kind="SIU^S12^SIU_S12", number=1)
    + "SCH|P1^EASTSCH|F1^EASTSCH||||||MRI^MRI scan^L|45|min|||||||||||||||Booked^^HL70278\r"
    + "TQ1|1|||||45^min|20261202093000|20261202101500\r"
    + PID.format(born="19850612")
    + "RGS|1\rAIS|1||MRI^MRI scan^L|20261202093000|||45|min\rZPI|x|kept\r"
)
WRONG = BOOKING.replace("19850612", "19851302")
SITE = '[feed]\nmllp = "127.0.0.1:0"\n'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with one feed in New York."""
    folder = tmp_path / "site"
    (folder / "peers").mkdir(parents=True)
    (folder / "isthmus.toml").write_text("")
    (folder / "peers" / "east.toml").write_text(f'zone = "America/New_York"\n{SITE}')
    return folder


@pytest.fixture
def booking(tmp_path: Path) -> Path:
    """A file with one message."""
    return written(tmp_path, BOOKING)


def written(folder: Path, text: str, name: str = "message.hl7") -> Path:
    """A file with this text."""
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (BOOKING, 1),
        (BOOKING + WRONG, 2),
        (BOOKING.replace("\r", "\n") + "\n\n" + WRONG.replace("\r", "\r\n"), 2),
        (f"\x0b{BOOKING}\x1c\r\x0b{WRONG}\x1c\r", 2),
        (f"FHS|^~\\&\rBHS|^~\\&\r{BOOKING}{WRONG}BTS|2\rFTS|1\r", 2),
        ("\ufeff" + BOOKING, 1),
        ("what is this", 0),
        ("\n \n", 0),
    ],
)
def test_messages_of_a_file(content: str, count: int) -> None:
    """Messages are found one after another, framed, in batches and under any line end; none where there is none."""
    assert count == len(messages(content.encode()))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_an_editor(end: str) -> None:
    """The line ends of a text file stand for carriage returns; a line feed inside a field stays one."""
    assert [BOOKING.encode()] == messages(BOOKING.replace("\r", end).encode())
    inside = BOOKING.replace("MRI scan", "MRI\nscan").encode()
    assert [inside] == messages(inside)


def test_check_prints_a_summary(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good site is described, feed by feed."""
    assert 0 == main(["check", str(site)])
    assert "feed east: 127.0.0.1:0, no TLS, America/New_York" in capsys.readouterr().out


def test_check_prints_all_problems(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad site ends with 1 and every problem on a line of its own."""
    (site / "peers" / "east.toml").write_text('zone = "Nowhere"\n[feed]\nmllp = "x"\n')

    assert 1 == main(["check", str(site)])

    lines = capsys.readouterr().err.splitlines()
    assert 2 == len(lines)
    assert "peers/east.toml:1: zone: must be an IANA time zone" in lines


def test_check_warns_of_what_can_be_served(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that everyone can read and peers in a folder below are told, and are no reason to refuse the site."""
    key = site / "site.key"
    key.write_bytes(bytes(32))
    main_file = site / "isthmus.toml"
    main_file.write_text(main_file.read_text() + f'\n[store]\nkey-file = "{key}"\n')
    (site / "peers" / "sub").mkdir()
    (site / "peers" / "sub" / "lost.toml").write_text('zone = "America/New_York"\n')
    for mode, warned in ((0o644, True), (0o600, False)):
        key.chmod(mode)
        assert 0 == main(["check", str(site)])
        said = capsys.readouterr()
        assert warned == ("site.key: everyone on this machine can read this key" in said.err)
        assert "peers/sub: this folder is not read" in said.err


def test_example_site_is_good() -> None:
    """The site that docs point to can be served as it is."""
    assert 0 == main(["check", str(Path(__file__).parents[2] / "deploy" / "site")])


def test_serve_says_that_a_port_is_taken(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port in use is one sentence, before anything is opened."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (site / "isthmus.toml").write_text(f'[server]\nhttp = "{address}"\n')

        assert 1 == main(["serve", str(site)])

    lines = capsys.readouterr().err.splitlines()
    assert 1 == len(lines)
    assert address in lines[0]
    assert "server.http" in lines[0]
    assert not (site / "data").exists()


def test_serve_ends_where_its_port_is_taken_meanwhile(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process without its API must not look alive: a line in the log, a sentence, a status that is not 0."""
    monkeypatch.setattr("gateway.cli._must_be_free", lambda *addresses: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (site / "isthmus.toml").write_text(f'[server]\nhttp = "{address}"\n')

        assert 1 == main(["serve", str(site)])

    *_, failed, stopped, sentence = capsys.readouterr().err.splitlines()
    assert "gateway.failed" in failed
    assert "gateway.stopped" in stopped
    assert f"isthmus: {address}: Address already in use" == sentence


def test_serve_ends_with_its_http_server(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the server ends though nobody told it to, so does the process."""
    (site / "isthmus.toml").write_text('[server]\nhttp = "127.0.0.1:0"\n')
    (site / "peers" / "east.toml").write_text(f'[feed]\nmllp = "127.0.0.1:{free_port()}"\n')
    serving = Server.serve

    async def for_a_while(server: Server) -> None:
        asyncio.get_running_loop().call_later(0.2, server.stop)
        await serving(server)

    monkeypatch.setattr(Server, "serve", for_a_while)

    assert 1 == main(["serve", str(site)])
    logged = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert ["gateway.started", "gateway.failed", "gateway.stopped"] == logged


@pytest.mark.parametrize("role", ["api", "feeds", "worker"])
def test_serve_by_role_wants_a_store_that_is_shared(role: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The embedded store is one process's, which does all of it; the sentence says what to choose instead."""
    assert 1 == main(["serve", str(site), "--role", role])

    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("isthmus: --role: ")
    assert "store.database" in sentence
    assert not (site / "data").exists()


def test_serve_with_all_roles_is_serve(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who names every role names none: what is said is about something else."""
    (site / "data" / "lock").mkdir(parents=True)
    (site / "isthmus.toml").write_text('[server]\nhttp = "127.0.0.1:0"\n')

    assert 1 == main(["serve", str(site), "--role", "api", "--role", "feeds", "--role", "worker"])
    assert "--role" not in capsys.readouterr().err


def test_serve_says_that_two_of_its_addresses_are_one(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name and a number may be one address: neither door is left without a word."""
    port, host = free_port(), numeric("localhost")
    number = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    (site / "isthmus.toml").write_text(f'[server]\nhttp = "localhost:{port}"\n')
    (site / "peers" / "east.toml").write_text(f'[feed]\nmllp = "{number}"\n')

    assert 1 == main(["serve", str(site)])
    assert f"cannot listen on {number} (" in capsys.readouterr().err


def test_demo_says_that_a_port_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo names the option with which another port is chosen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        assert 1 == main(["demo", "--http", "127.0.0.1:0", "--mllp", address, "--data", str(tmp_path / "demo")])

    assert "--mllp" in capsys.readouterr().err
    assert not (tmp_path / "demo" / "demo.json").exists()


@pytest.mark.parametrize("mllp", ["127.0.0.1:{port}", "0.0.0.0:{port}"])
def test_demo_at_one_address_twice(mllp: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The API and the feed cannot share an address; the demo says so at once."""
    port = free_port()
    options = ["--http", f"127.0.0.1:{port}", "--mllp", mllp.format(port=port), "--data", str(tmp_path / "demo")]

    assert 1 == main(["demo", "--headless", "--quiet-peers", *options])
    assert f"--mllp is the address of --http (127.0.0.1:{port})" in capsys.readouterr().err


def test_serve_says_that_the_data_is_taken(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two gateways on one folder of data the second is turned away, in one sentence."""
    free = '[server]\nhttp = "127.0.0.1:0"\n'
    (site / "isthmus.toml").write_text(free)
    (site / "data").mkdir()
    with (site / "data" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert 1 == main(["serve", str(site)])

    assert capsys.readouterr().err.endswith("another Isthmus is running on this data\n")


@pytest.mark.parametrize("obstacle", ["data/lock", "data/isthmus.db"])
def test_serve_says_that_the_data_cannot_be_written(
    site: Path, capsys: pytest.CaptureFixture[str], obstacle: str
) -> None:
    """Where the folder, its lock or its database cannot be made or opened, one sentence says so and why."""
    (site / "isthmus.toml").write_text('[server]\nhttp = "127.0.0.1:0"\n')
    (site / obstacle).mkdir(parents=True)

    assert 1 == main(["serve", str(site)])

    said = capsys.readouterr().err
    assert f"isthmus: {site / 'data'}: this folder cannot be written (" in said
    assert "store.path" in said
    assert 1 == len(said.splitlines())


@pytest.mark.parametrize("command", ["check", "serve"])
def test_check_and_serve_say_the_same(site: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """What check finds is what serve refuses, in the same words."""
    (site / "isthmus.toml").write_text("[intake]\ngroup = 0\n[server]\nburst = -1\n")
    (site / "data").write_text("a file where the folder should be")

    assert 1 == main([command, str(site)])

    said = capsys.readouterr().err.splitlines()
    assert [
        "isthmus.toml: store.path: is a file, not a folder",
        "isthmus.toml:2: intake.group: must be a whole number from 1 to 10000",
        "isthmus.toml:4: server.burst: must be a whole number from 1 to 1000000",
    ] == said


def test_secret_fits_its_hash(capsys: pytest.CaptureFixture[str]) -> None:
    """The printed hash is the printed secret's, and stands there as a client's file wants it."""
    assert 0 == main(["secret"])

    first, second = capsys.readouterr().out.splitlines()
    assert matches(first.split()[1], second.partition(" = ")[2].strip('"'))


def test_translate(booking: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A message becomes canonical JSON in the API's form, read with the feed's zone."""
    assert 0 == main(["translate", str(booking), "--site", str(site)])

    found = json.loads(capsys.readouterr().out)
    booked = next(one for one in found["records"] if one["resourceType"] == "appointment")
    assert ("applied", "AA") == (found["state"], found["ack"])
    assert ("booked", "2026-12-02T14:30:00Z") == (booked["status"], booked["start"])


@pytest.mark.parametrize(
    ("text", "state", "ack"),
    [
        (WRONG, "applied", "AA"),
        (BOOKING.replace("SCH|P1^EASTSCH|F1^EASTSCH", "SCH||"), "parked", "AE"),
        (HEAD.format(kind="ZZZ^Z99", number=2), "unmapped", "AA"),
    ],
)
def test_translate_says_what_would_be_answered(
    text: str, state: str, ack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands in the file, the outcome is told and not thrown."""
    assert 0 == main(["translate", str(written(tmp_path, text))])

    found = json.loads(capsys.readouterr().out)
    assert (state, ack) == (found["state"], found["ack"])


def test_translate_speaks_as_the_api_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The problems of the message call a field what those of its record call it."""
    raw = HEAD.format(kind="ADT^A31", number=1) + "EVN||20261101\rPID|1||1^^^A^MR||Doe^Jo||19851399\r"
    assert 0 == main(["translate", str(written(tmp_path, raw))])

    found = json.loads(capsys.readouterr().out)
    fields = [
        [one["field"] for one in said if "field" in one]
        for said in (found["problems"], found["records"][0]["problems"])
    ]
    assert "birthDate" in fields[0]
    assert "birthDate" in fields[1]


BATCH = f"FHS|^~\\&\rBHS|^~\\&\r{BOOKING}{WRONG}BTS|2\rFTS|1\r"


@pytest.mark.parametrize("text", [BATCH, BOOKING + WRONG, BATCH.replace("\r", "\n")])
def test_translate_of_several(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several messages are one JSON document, a list; the segments of a batch are no messages."""
    assert 0 == main(["translate", str(written(tmp_path, text))])

    found = json.loads(capsys.readouterr().out)
    assert ["applied", "applied"] == [one["state"] for one in found]


NO_HL7 = {
    "empty": (b"", "is empty"),
    "blank": (b" \r\n", "is empty"),
    "web": (b"GET / HTTP/1.1\r\n", "is not HL7 v2: nowhere in it a line begins with MSH and a delimiter"),
    "binary": (bytes(range(256)) * 40, "is not HL7 v2: nowhere in it a line begins with MSH and a delimiter"),
    "envelope": (b"FHS|^~\\&\rFTS|0\r", "is not HL7 v2: nowhere in it a line begins with MSH and a delimiter"),
    "wide": (BOOKING.encode("utf-16"), "is UTF-16; HL7 v2 is sent in UTF-8 or a character set of table 0211"),
}


@pytest.mark.parametrize("command", ["translate", "explain", "send"])
@pytest.mark.parametrize("kind", [*NO_HL7, "folder", "none"])
def test_a_file_without_a_message(command: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no file of messages is one sentence, nothing on standard output, and 1."""
    path = tmp_path / kind
    said = {"folder": "cannot be read (Is a directory)", "none": "cannot be read (No such file or directory)"}
    if kind == "folder":
        path.mkdir()
    elif kind != "none":
        path.write_bytes(NO_HL7[kind][0])
        said[kind] = NO_HL7[kind][1]

    assert 1 == main([command, str(path), *(["--to", "127.0.0.1:9"] if command == "send" else [])])

    heard = capsys.readouterr()
    assert (f"isthmus: {path} {said[kind]}\n", "") == (heard.err, heard.out)


@pytest.mark.parametrize("command", ["translate", "explain"])
def test_a_message_that_cannot_be_read(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What begins as a message and is none is shown as refused, named, and ends with 1."""
    path = written(tmp_path, BOOKING + "MSH|^~\\&|EHR\rnonsense\r")

    assert 1 == main([command, str(path)])

    heard = capsys.readouterr()
    assert f"isthmus: message 2 of {path}: it cannot be read as HL7 v2\n" == heard.err
    assert "refused" in heard.out


def test_explain_moves_no_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What would command a terminal is written out."""
    assert 0 == main(["explain", str(written(tmp_path, BOOKING.replace("kept", "\x1b[2J")))])

    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\\x1b[2J" in said


@pytest.mark.parametrize("command", ["translate", "explain"])
def test_whoever_reads_may_leave(command: str, tmp_path: Path) -> None:
    """A closed pipe ends the command without a word."""
    path = written(tmp_path, BOOKING * 200)
    line = [sys.executable, "-m", "gateway.cli", command, str(path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert b"" == process.stderr.read()
    assert 1 == process.returncode


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("command", ["translate", "explain", "check"])
def test_a_full_disk(command: str, buffered: bool, site: Path, booking: Path) -> None:
    """Where the output cannot be written one sentence says so."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    given = [sys.executable, *([] if buffered else ["-u"]), "-m", "gateway.cli", command]
    with Path("/dev/full").open("wb") as full:
        line = [*given, str(site if command == "check" else booking)]
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, env=env, check=False)

    assert (1, b"isthmus: No space left on device\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize("command", ["translate", "explain"])
def test_a_closed_output(command: str, booking: Path) -> None:
    """A command whose output nobody wants does its work all the same."""
    line = f"'{sys.executable}' -m gateway.cli {command} '{booking}' >&-"
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, check=False)

    assert (0, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize("command", ["translate", "explain"])
def test_a_terminal_of_another_charset(command: str, tmp_path: Path) -> None:
    """Where the terminal does not have a character nothing breaks, and JSON stays JSON."""
    path = written(tmp_path, BOOKING.replace("Ada", "Zoë"))
    line = [sys.executable, "-m", "gateway.cli", command, str(path)]
    done = subprocess.run(line, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, check=True)

    assert ("Zoë" if command == "translate" else "Zo\\xeb").encode() in done.stdout


def test_explain(tmp_path: Path, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every populated field is named; each says what it became or why it did not."""
    assert 0 == main(["explain", str(written(tmp_path, WRONG)), "--site", str(site)])

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    after = {line.split()[0]: lines[place + 1] for place, line in enumerate(lines[:-1]) if "-" in line.split("  ")[0]}
    assert "SCH-2       Filler Appointment ID                  F1^EASTSCH" in lines
    assert after["PID-3"].startswith("-> patient.identifiers")
    assert after["PID-7"].startswith("!! ")
    assert after["ZPI-2"] == "not mapped; kept in the message"


@pytest.mark.parametrize(
    ("asks", "says"),
    [
        ("", "would be applied, answered AA"),
        ("|||AL|NE", "would be applied, answered CA"),
        ("|||ER|NE", "would be applied, not answered\n"),
        ("|||NE|NE", "would be applied, not answered: MSH-15 and MSH-16 ask for no answer"),
    ],
)
def test_explain_says_what_is_heard(asks: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The code that goes over the wire, in the mode that the sender asks for."""
    raw = BOOKING.replace(
        "|2.5.1||||||UNICODE", f"|2.5.1{asks or '|||'}|||UNICODE" if not asks else f"|2.5.1{asks}||UNICODE"
    )
    assert 0 == main(["explain", str(written(tmp_path, raw))])

    assert says in capsys.readouterr().out


def test_explain_without_a_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says that there is none."""
    main(["explain", str(written(tmp_path, HEAD.format(kind="", number=7)))])

    assert capsys.readouterr().out.startswith("no type  control id C7")


def test_explain_of_a_duration_that_gave_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """TQ1-6 says the length only where SCH-9 does not; beside it, it is told why it became nothing."""
    raw = HEAD.format(kind="SIU^S12", number=1) + "SCH||F1^EASTSCH|||||||30|min\rTQ1|1|||||40^min|20261202093000\r"
    main(["explain", str(written(tmp_path, raw))])

    assert "gave way to SCH-9" in capsys.readouterr().out


def test_explain_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`-` is standard input, and several messages are explained one after another."""
    content = (BOOKING + WRONG).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    assert 0 == main(["explain", "-"])
    assert 2 == capsys.readouterr().out.count("MSH-9 ")


def test_feed_must_be_named(site: Path, booking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With several feeds the one to read as must be said."""
    (site / "peers" / "west.toml").write_text(SITE)

    assert 1 == main(["translate", str(booking), "--site", str(site)])
    assert "east, west" in capsys.readouterr().err
    assert 0 == main(["translate", str(booking), "--site", str(site), "--feed", "west"])


def test_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is no traceback."""
    assert 1 == main(["explain", str(tmp_path / "none.hl7")])
    assert 1 == len(capsys.readouterr().err.splitlines())


class Receiver(Thread):
    """An MLLP listener in a thread of its own that gives every message the same answer; none to the first, if asked."""

    def __init__(self, code: str, silent: int = 0) -> None:
        super().__init__(daemon=True)
        self.code = code
        self.silent = silent
        self.address: Future[str] = Future()
        self.told: asyncio.Event
        self.loop: asyncio.AbstractEventLoop

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop, self.told = asyncio.get_running_loop(), asyncio.Event()
        listener = Listener(self._accept)
        await listener.start("127.0.0.1", 0)
        self.address.set_result(f"127.0.0.1:{listener.port}")
        await self.told.wait()
        await listener.drain(1)

    def _accept(self, frame: bytes, peer: Peer) -> "asyncio.Future[Answer]":
        control = frame.split(b"|")[9].decode()
        answer: asyncio.Future[Answer] = self.loop.create_future()
        if self.silent:
            self.silent -= 1
            answer.set_result(Answer(None, close=True))
        else:
            answer.set_result(Answer(f"MSH|^~\\&|||||||ACK|1|T|2.5.1\rMSA|{self.code}|{control}\r".encode()))
        return answer

    def __enter__(self) -> str:
        self.start()
        return self.address.result(10)

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.told.set)
        self.join(10)


@pytest.mark.parametrize(("code", "status"), [("AA", 0), ("CA", 0), ("AE", 1), ("AR", 1), ("CR", 1)])
def test_send(code: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All messages of all files are sent and each acknowledgement printed; anything but AA and CA ends with 1."""
    files = [str(written(tmp_path, BOOKING + WRONG, "two.hl7")), str(written(tmp_path, BOOKING, "one.hl7"))]
    with Receiver(code) as address:
        assert status == main(["send", *files, "--to", address])

    assert 3 == capsys.readouterr().out.count(f"MSA|{code}|C1")


def test_send_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A message without an answer is reported, and the next ones are sent over a new connection."""
    path = written(tmp_path, BATCH + BOOKING)
    with Receiver("AA", silent=1) as address:
        assert 1 == main(["send", str(path), "--to", address, "--timeout", "5"])

    heard = capsys.readouterr()
    assert 2 == heard.out.count("MSA|AA|C1")
    assert [
        f"isthmus: message 1 of {path}: {address}: closed before the acknowledgement"
        " (ambiguous: it may have been kept)",
        "isthmus: 3 sent: 2 accepted, 0 refused, 1 without an answer",
    ] == heard.err.splitlines()


def test_send_does_not_wait_for_an_answer_that_nobody_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """NE in MSH-15 and MSH-16: the message is sent, and the next one after it; no answer is a success."""
    unasked = BOOKING.replace("|2.5.1||||||UNICODE", "|2.5.1|||NE|NE||UNICODE")
    with Receiver("AA") as address:
        assert 0 == main(["send", str(written(tmp_path, unasked + BOOKING)), "--to", address, "--timeout", "5"])

    said = capsys.readouterr().out
    assert 1 == said.count("it asks for no answer")
    assert 1 == said.count("MSA|AA|C1")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--to", "2575"], "--to is written host:port"),
        (["--to", "a..b:2575"], "--to is written host:port"),
        (["--to", "127.0.0.1:99999"], "--to is written host:port"),
        (
            ["--to", "127.0.0.1:9", "--certificate", "{file}"],
            "--certificate and --private-key are shown over TLS alone",
        ),
        (["--to", "127.0.0.1:9", "--tls", "{file}", "--private-key", "{file}"], "--private-key is the key of"),
        (["--to", "127.0.0.1:9", "--tls", "none.pem"], "--tls: there is no file none.pem"),
        (["--to", "127.0.0.1:9", "--tls", "{file}"], "--tls, --certificate or --private-key cannot be used ("),
    ],
)
def test_send_with_bad_options(
    options: list[str], expected: str, booking: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be meant is one sentence before anything is sent."""
    assert 1 == main(["send", str(booking), *(one.format(file=booking) for one in options)])

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"isthmus: {expected}")


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "soon"])
def test_send_with_a_bad_timeout(timeout: str, booking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wait that is none is an error of the command line."""
    with pytest.raises(SystemExit) as ended:
        main(["send", str(booking), "--to", "127.0.0.1:9", f"--timeout={timeout}"])

    assert 2 == ended.value.code


def test_demo_that_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that cannot be made is one sentence."""
    (tmp_path / "demo").write_text("a file where the folder should be")

    assert 1 == main(["demo", "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0", "--data", str(tmp_path / "demo")])
    assert "the demo's folder cannot be written (" in capsys.readouterr().err


def test_demo_without_a_feed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A demo whose site was left without a feed is one sentence."""
    (tmp_path / "site" / "peers").mkdir(parents=True)
    (tmp_path / "site" / "peers" / "east.toml").write_text('zone = "America/New_York"\n')

    assert 1 == main(["demo", "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0", "--data", str(tmp_path)])
    assert capsys.readouterr().err.endswith("no peer has a feed, so there is nowhere to send to\n")


def test_send_to_nobody(booking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody listens, it says that nothing was kept."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"

        assert 1 == main(["send", str(booking), "--to", address, "--timeout", "2"])

    heard = capsys.readouterr().err
    assert f"{address}: Connection refused (transient: nothing was kept)" in heard
    assert "1 sent: 0 accepted, 0 refused, 1 without an answer" in heard


def test_demo_site_is_made_once(tmp_path: Path) -> None:
    """A second start keeps the key, the clients and what the user changed."""
    from gateway.demo.house import prepare

    first = prepare(tmp_path)
    key = (tmp_path / "site" / "site.key").read_bytes()
    east = tmp_path / "site" / "peers" / "east.toml"
    east.write_text(east.read_text() + "\n# mine\n")

    assert first == prepare(tmp_path)
    assert key == (tmp_path / "site" / "site.key").read_bytes()
    assert east.read_text().endswith("# mine\n")
    assert 0o600 == (tmp_path / ".clients.json").stat().st_mode & 0o777
    assert 0o600 == (tmp_path / "site" / "site.key").stat().st_mode & 0o777
    site = load(tmp_path / "site")
    for name, who in first.items():
        assert matches(who.client_secret, site.clients[name].secret_hash)
        assert who.client_secret not in (tmp_path / "site" / "clients" / f"{name}.toml").read_text()


def test_serve_listens_on_a_name(site: Path) -> None:
    """The API can be reached where its address is a name and not a number."""
    port = free_port()
    (site / "isthmus.toml").write_text(f'[server]\nhttp = "localhost:{port}"\n')
    command = [sys.executable, "-m", "gateway.cli", "serve", str(site)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait(lambda: is_alive(f"http://localhost:{port}/health/live"))
        finally:
            process.terminate()
    assert 0 == process.returncode


def is_alive(url: str) -> bool:
    """Whether somebody answers there."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
