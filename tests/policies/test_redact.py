"""No way of logging lets through what a message said."""

import asyncio
import io
import json
import logging
import logging.config
import sys
import threading
import warnings
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from policies import redact
from policies.public import SHAPES, places, public
from policies.redact import log, setup, token

CANARIES = [
    "CANARYDOE^JOHN",
    "Canary Doe",
    "19850612",
    "MRN-4711-CANARY",
    "canary@example.org",
    "+1 555 0100",
    "PID|1||",
]
MESSAGE = "msg_01JABCDEFGHJKMNPQRSTVWXYZ0"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A stream that all logging goes to; what setup changes in the process is put back."""
    root, ours = logging.getLogger(), logging.getLogger(redact.OURS)
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    handlers, levels, complains = list(root.handlers), (root.level, ours.level), logging.raiseExceptions
    out = io.StringIO()
    setup(out, "debug")
    yield out
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.raiseExceptions = complains
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def has_canary(stream: io.StringIO) -> bool:
    return any(canary in stream.getvalue() for canary in CANARIES)


def test_a_line(stream: io.StringIO) -> None:
    """An event and its public fields are one JSON object on one line, with an instant in UTC."""
    log("message_applied", message=MESSAGE, feed="ehr", type="SIU^S12^SIU_S12", ack="AA", seconds=0.002, count=3)
    line = lines(stream)[0]

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "message_applied",
        "message": MESSAGE,
        "feed": "ehr",
        "type": "SIU^S12^SIU_S12",
        "ack": "AA",
        "seconds": 0.002,
        "count": 3,
    }


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("key", [*sorted(SHAPES), "name", "detail", "payload", "exception", "time", "level", "event_"])
def test_no_key_lets_text_through(stream: io.StringIO, key: str, canary: str) -> None:
    """Under no key, listed or not, is a name, a date of birth, a number of a patient or a segment written."""
    log("something", **{key: canary})  # type: ignore[arg-type]  # any key, also level

    assert not has_canary(stream)


@pytest.mark.parametrize(
    "value", [["CANARYDOE^JOHN"], {"CANARYDOE^JOHN": 1}, b"CANARYDOE^JOHN", object(), float("nan")]
)
def test_no_type_lets_text_through(stream: io.StringIO, value: Any) -> None:
    """Containers, bytes and objects are not looked into: they do not fit, and nothing breaks."""
    for key in SHAPES:
        log("something", **{key: value})

    assert len(lines(stream)) == len(SHAPES)
    assert not has_canary(stream)


@pytest.mark.parametrize("canary", CANARIES)
def test_event_is_a_code(stream: io.StringIO, canary: str) -> None:
    """A sentence in place of an event is hidden."""
    log(canary)
    log(f"refused {canary}")

    assert [line["event"] for line in lines(stream)] == ["?", "?"]


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("name", ["granian", "httpx", "asyncio", "litestar", "isthmus", "isthmus.store", "root"])
def test_text_and_arguments_of_any_logger_are_dropped(stream: io.StringIO, name: str, canary: str) -> None:
    """Message text, %-arguments, extras and stack of every logger stay unsaid; its name and level are written."""
    logger = logging.getLogger(name)
    logger.error("refused %s", canary)
    logger.error(canary, extra={"patient": canary, "fields": canary}, stack_info=True)
    logger.error("%d", canary)

    assert {(line["event"], line["logger"], line["level"]) for line in lines(stream)} == {(name, name, "error")}
    assert len(lines(stream)) == 3
    assert not has_canary(stream)


def test_exceptions_say_type_and_place(stream: io.StringIO) -> None:
    """Of an exception its type, its causes' types and our own frames are written, not a word of it."""
    from policies.signing import sign

    surname = "CANARYDOE^JOHN"
    try:
        try:
            sign([], f"a.{surname}", 0, b"")
        except ValueError as cause:
            raise KeyError(surname) from cause
    except KeyError as error:
        log("failed", level="error", error=error)
        logging.getLogger("third").exception("with %s", surname)
    first, second = lines(stream)

    assert (first["error"], first["causes"]) == (second["error"], second["causes"]) == ("KeyError", ["ValueError"])
    assert [place.partition(":")[0] for place in first["at"]] == ["policies/signing.py"]
    assert not has_canary(stream)


def test_exception_groups_say_their_first(stream: io.StringIO) -> None:
    """A group of exceptions is shown as its own type and that of its first member."""
    log("failed", level="error", error=ExceptionGroup("CANARYDOE^JOHN", [ValueError("Canary Doe")]))

    assert lines(stream)[0]["causes"] == ["ValueError"]
    assert not has_canary(stream)


def test_uncaught_exceptions_and_warnings(stream: io.StringIO, capfd: pytest.CaptureFixture[str]) -> None:
    """What nobody caught, in a thread or in the loop, is one line without its text."""
    surname = "CANARYDOE^JOHN"

    def fail() -> None:
        raise ValueError(surname)

    async def forget() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": surname, "exception": ValueError(surname)})

    thread = threading.Thread(target=fail, name=surname)
    thread.start()
    thread.join()
    asyncio.run(forget())
    sys.excepthook(ValueError, ValueError(surname), None)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn(surname, stacklevel=1)

    assert [line["event"] for line in lines(stream)] == ["crashed", "asyncio", "crashed", "py.warnings"]
    assert not has_canary(stream)
    assert surname not in "".join(capfd.readouterr())


def test_logging_does_not_complain_aloud(stream: io.StringIO, capfd: pytest.CaptureFixture[str]) -> None:
    """A record that cannot be written is counted; logging's own report, which quotes it, is off."""
    handler = setup(stream)
    stream.close()
    log("something", message=MESSAGE)

    assert handler.lost == 1
    assert "".join(capfd.readouterr()) == ""


def test_a_server_that_configures_logging_is_tamed_again() -> None:
    """Handlers that a library attached to its own loggers are taken off by another setup."""
    theirs, out = io.StringIO(), io.StringIO()
    logger = logging.getLogger("server.of.this.test")
    logger.addHandler(logging.StreamHandler(theirs))
    logger.propagate = False
    root = logging.getLogger()
    handlers, complains = list(root.handlers), logging.raiseExceptions
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    try:
        setup(out)
        logger.error("CANARYDOE^JOHN")
    finally:
        root.handlers[:] = handlers
        logging.raiseExceptions = complains
        logging.captureWarnings(False)
        sys.excepthook, sys.unraisablehook, threading.excepthook = hooks

    assert theirs.getvalue() == ""
    assert lines(out)[0]["event"] == "server.of.this.test"


def test_levels(stream: io.StringIO) -> None:
    """Below the level nothing is written, and foreign loggers are heard from warnings on."""
    setup(stream, "info")
    log("quiet", level="debug")
    logging.getLogger("httpx").info("GET /patients/4711")

    assert lines(stream) == []


def test_token_is_keyed() -> None:
    """An identifier's stand-in is the same under one key, another under another, and may be logged."""
    one, again, other = token("4711", b"k"), token("4711", b"k"), token("4711", b"q")

    assert one == again != other
    assert public({"patient": one}) == {"patient": one}


def test_enumerations_are_written_plainly() -> None:
    """A member of an enumeration is the value it stands for."""
    assert public({"status": HTTPStatus.NOT_FOUND}) == {"status": 404}


def test_absent_values_are_left_out() -> None:
    """None under a public key is not written."""
    assert public({"feed": None, "count": 0}) == {"count": 0}


@pytest.mark.parametrize(
    ("fits", "key", "value"),
    [
        (True, "route", "/v1/appointments/{id}"),
        (True, "route", "/v1/appointments/{appointment_id:str}/lineage"),
        (True, "route", "/v1/patients/_search"),
        (True, "route", "/.well-known/oauth-protected-resource"),
        (True, "route", "/"),
        (False, "route", "/v1/patients/4711"),
        (False, "route", "/v1/patients?name=doe"),
        (True, "place", "PID-7"),
        (True, "place", "AIP[2]-3[1].1"),
        (False, "place", "DOE"),
        (True, "type", "appointment.resource_added"),
        (False, "type", "john.doe"),
        (True, "type", "ADT"),
        (False, "type", "DOE"),
        (False, "type", "DOE^A01"),
        (True, "trace", "4bf92f3577b34da6a3ce929d0e0e4736"),
        (False, "trace", "4111111111111111"),
        (True, "message", MESSAGE),
        (False, "message", "msg_4711"),
        (True, "version", "0.1.0rc1"),
        (False, "version", "19850612"),
    ],
)
def test_shapes(fits: bool, key: str, value: str) -> None:
    """A shape takes our own words and identifiers, and not what resembles a patient's."""
    assert (public({key: value})[key] == value) is fits


def test_frames_of_others_are_left_out() -> None:
    """Only files of our own rooms are named, without what stands above them."""
    root = Path(redact.__file__).parents[1]
    frames = [
        (f"{root}/gateway/store/sqlite.py", 7),
        (f"{root}/tests/policies/test_redact.py", 8),
        ("/home/canary/gateway/store/sqlite.py", 9),
        ("/usr/lib/python3.11/json/decoder.py", 10),
        (f"{root}/transforms/hl7v2/er7.py", 11),
        ("<string>", 1),
    ]

    assert places(frames) == ["gateway/store/sqlite.py:7", "transforms/hl7v2/er7.py:11"]
