"""multipart/form-data as CORE's HTTP MIME envelope uses it (RFC 7578): named fields with bytes in them."""

import re
from collections.abc import Mapping

_BOUNDARY = re.compile(r'boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="([^"\r\n]*)"', re.IGNORECASE)
MOST_FIELDS = 100


def boundary(seed: str, fields: Mapping[str, bytes]) -> str:
    """A boundary that stands in no field; the same for the same fields."""
    found = f"isthmus-{seed}"
    while any(found.encode() in value for value in fields.values()):
        found += "x"
    return found


def build(fields: Mapping[str, bytes], edge: str, types: Mapping[str, str]) -> bytes:
    """The body, field by field in their order; `types` are the content types of those that are no plain text."""
    parts = []
    for name, value in fields.items():
        kind = types.get(name, "text/plain; charset=UTF-8")
        head = f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n\r\n'
        parts += [head.encode(), value, b"\r\n"]
    return b"".join([*parts, f"--{edge}--\r\n".encode()])


def parse(body: bytes, content_type: str) -> dict[str, bytes] | None:
    """The fields of an answer, the first of each name; None where it is no such body."""
    match = _BOUNDARY.search(content_type)
    if not match or not content_type.lstrip().lower().startswith("multipart/"):
        return None
    edge = b"\r\n--" + (match[1] or match[2]).encode("latin-1", "replace")
    _, *parts = (b"\r\n" + body).split(edge, MOST_FIELDS)
    fields: dict[str, bytes] = {}
    for part in parts:
        if part.startswith(b"--"):
            return fields
        head, blank, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if blank and name:
            fields.setdefault(name[1].decode("latin-1"), value)
    return None  # the last boundary is missing, so something else may be too
