"""Logs that cannot carry what a message said: one JSON line a record, with the keys and shapes of public.py only.

The text of a log call is never written, nor its arguments, nor what an exception says: other people's libraries put
anything there. Of an exception there remain its type and our own frames; of a foreign logger its name and level.
"""

import hashlib
import hmac
import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Final, Literal, TextIO

import msgspec

from policies.public import CLASS, CODE, HIDDEN, Value, places, public

OURS: Final = "isthmus"
Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[dict[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
CAUSES_SHOWN: Final = 4

_logger = logging.getLogger(OURS)
_encode = msgspec.json.Encoder().encode


def log(event: str, *, level: Level = "info", error: BaseException | None = None, **fields: Value | None) -> None:
    """Say what happened: a code, and fields of which only the allow-listed keys are written."""
    number = LEVELS.get(level, logging.INFO)
    if not _logger.isEnabledFor(number):
        return
    thrown = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(OURS, number, "", 0, event, None, thrown)
    record.fields = fields
    _logger.handle(record)


def token(value: str, key: bytes) -> str:
    """A stand-in for an identifier: the same for the same value and key, and useless without the key."""
    return "pid_" + hmac.digest(key, value.encode(), hashlib.sha256).hex()[:8]


class Lines(logging.Formatter):
    """A record as one JSON line; what it does not know to be public is not in it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {"time": moment(record.created), "level": record.levelname.lower()}
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            line["event"] = record.msg if CODE(record.msg) else HIDDEN
            line |= public(fields)
        else:
            line["event"] = line["logger"] = _name(record.name)
        if record.exc_info and record.exc_info[1] is not None:
            line |= reduced(record.exc_info[1])
        return _encode(line).decode()


def moment(seconds: float) -> str:
    """An instant as RFC 3339 in UTC, to the millisecond."""
    whole, thousandths = divmod(int(seconds * 1000), 1000)
    return f"{_second(whole)}.{thousandths:03}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _name(text: str) -> str:
    """The name of a class or a logger, if it can be one."""
    return text if CLASS(text) else HIDDEN


def reduced(error: BaseException) -> dict[str, object]:
    """What may be said of an exception: its type, its causes' types, and where in our own files it passed."""
    chain = list(_causes(error))
    where = places(frame for one in reversed(chain) for frame in _frames(one.__traceback__))
    kinds = [_name(type(one).__name__) for one in chain]
    return {"error": kinds[0], "at": where[-8:], **({"causes": kinds[1:]} if kinds[1:] else {})}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(CAUSES_SHOWN):
        if error is None:
            return
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


class Lined(logging.StreamHandler[TextIO]):
    """Writes lines; when that fails it counts, since logging's own complaint would print the record."""

    lost = 0

    def handleError(self, record: logging.LogRecord) -> None:  # logging spells it so
        self.lost += 1


def setup(stream: TextIO, level: Level = "info") -> Lined:
    """Make these lines the only output of the process's loggers, warnings and uncaught exceptions.

    Call it again after a server has configured logging its own way: what that attached is taken off.
    """
    handler = Lined(stream)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    _logger.setLevel(LEVELS[level])
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    logging.captureWarnings(True)
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda args: _crash(args.exc_value)
    threading.excepthook = lambda args: _crash(args.exc_value)
    return handler


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _crash(error)


def _crash(error: BaseException | None) -> None:
    log("crashed", level="error", error=error)
