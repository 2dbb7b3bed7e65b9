"""Lists: a page, the cursor to the next, and a Link header that never repeats what was searched for."""

import re
from typing import Annotated, Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from canonical.meaning import means
from gateway.clock import MICROS
from gateway.cursors import Position
from gateway.routes.reading import pairs
from gateway.routes.serving import Answer, Call, answer

Item = TypeVar("Item")
PLAIN = re.compile(rb"[\w.~:,=&-]*", re.ASCII)  # nothing that a URL or a header would have encoded
_bind = msgspec.msgpack.Encoder().encode


class Page(Struct, Generic[Item], frozen=True, kw_only=True):
    """A page of a list; `next` is the cursor of the page after it, null at the end."""

    items: Annotated[list[Item], means("What was found, in the order that was asked for.")]
    next: Annotated[
        str | None, means("Send it as `cursor` with the same search for the page after this one; null at the end.")
    ] = None


class Turned(Protocol):
    """A search that may go on from a page."""

    @property
    def cursor(self) -> str | None: ...


def after(call: Call, query: Turned, search: object) -> Position | None:
    """Where the page asked for begins; `search` is what the cursor is bound to: the same without its page."""
    if query.cursor is None:
        return None
    return call.api.cursors.open(query.cursor, _bound(call, search), call.now / MICROS)


def page(call: Call, items: list[Any], end: Position | None, search: object, query: Turned | None = None) -> Answer:
    """A page as the answer to a search. A `query` that is fit for a URL is repeated in the Link header (RFC 8288)."""
    cursor = call.api.cursors.seal(end, _bound(call, search), call.now / MICROS) if end else None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if cursor and query is not None:
        target = f"{call.scope['path']}?{_again(call.scope['query_string'])}cursor={cursor}"
        headers = ((b"link", f'<{target}>; rel="next"'.encode()),)
    return answer({"items": items, "next": cursor}, headers=headers)


def _again(query: bytes) -> str:
    """What was asked for without its cursor: as it came where it is plain, else encoded anew."""
    if PLAIN.fullmatch(query):
        parts = [part for part in query.decode().split("&") if part and not part.startswith("cursor=")]
    else:
        parts = [urlencode([one]) for one in pairs(query) if one[0] != "cursor"]
    return "".join([f"{part}&" for part in parts])


def _bound(call: Call, search: object) -> bytes:
    return _bind((call.tenant, call.scope["path_template"].removesuffix("/_search"), search))
