"""A message decoded for people: every field that was sent, cut down to its leaves, unescaped and named."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from canonical.meaning import means

from . import names
from .delimiters import components, repetitions, subcomponents
from .er7 import HEADERS, Message, Segment
from .escapes import unescape


class Part(Struct, frozen=True, omit_defaults=True):
    """A repetition, a component or a subcomponent: a value, or the parts it has."""

    path: Annotated[str, means("Where it stands, as `PID-3[2].1`.")]
    name: Annotated[str, means("What the standard calls it.")] = ""
    value: Annotated[str | None, means("What was sent, unescaped; a part that has parts has none.")] = None
    parts: Annotated[list["Part"], means("What it consists of.")] = []


class FieldNode(Struct, frozen=True, omit_defaults=True):
    """A field of a segment."""

    path: Annotated[str, means("Where it stands, as `PID-3`.")]
    name: Annotated[str, means("What the standard calls it.")]
    datatype: Annotated[str, means("Its data type, as `CX`; empty where none is known.")]
    repetitions: Annotated[list[Part], means("Each of its values.")]


class SegmentNode(Struct, frozen=True, omit_defaults=True):
    """A segment of a message."""

    path: Annotated[str, means("Its name, with its number where there are several: `AIP[2]`.")]
    name: Annotated[str, means("What the standard calls it.")]
    number: Annotated[int, means("Which of its name it is, from 1.")]
    fields: Annotated[list[FieldNode], means("Its fields that are not empty.")]


def tree(message: Message) -> list[SegmentNode]:
    """The segments in their order, each with the fields that are not empty."""
    return list(nodes(message))


def nodes(message: Message, skipped: int = 0) -> Iterator[SegmentNode]:
    """The segments after so many, each when it is asked for: cutting one costs far more than parsing it."""
    msh = message.first("MSH")
    version = components(msh.get(12), message.delimiters)[0] if msh else ""
    for at in range(skipped, len(message.segments)):
        yield _Branch(message, version, message.segments[at]).node()


class _Branch(Struct):
    """One segment on its way into the tree."""

    message: Message
    version: str
    segment: Segment

    def node(self) -> SegmentNode:
        segment = self.segment
        fields = [self.field(n, text) for n, text in enumerate(segment.fields) if n and text]
        return SegmentNode(segment.path, names.segment_name(segment.name), segment.number, fields)

    def field(self, n: int, text: str) -> FieldNode:
        name, path = self.segment.name, f"{self.segment.path}-{n}"
        datatype = names.field_type(name, n, self.version)
        if name == "OBX" and n == 5:
            datatype = self.segment.get(2)  # the type of OBX-5 travels with it
        if name in HEADERS and n <= 2:
            found = [Part(path, value=text)]
        else:
            texts = repetitions(text, self.message.delimiters)
            paths = [path] if len(texts) == 1 else [f"{path}[{at}]" for at in range(1, len(texts) + 1)]
            found = [self.repetition(each, part, datatype) for each, part in zip(paths, texts, strict=True)]
        return FieldNode(path, names.field_name(name, n, self.version), datatype, found)

    def repetition(self, path: str, text: str, datatype: str) -> Part:
        d = self.message.delimiters
        texts = components(text, d)
        if len(texts) == 1 and len(subcomponents(text, d)) == 1:
            return self.leaf(path, "", text)
        return Part(path, parts=[self.component(path, n, part, datatype) for n, part in enumerate(texts, 1) if part])

    def component(self, path: str, n: int, text: str, datatype: str) -> Part:
        path, name = f"{path}.{n}", names.component_name(datatype, n, self.version)
        texts = subcomponents(text, self.message.delimiters)
        if len(texts) == 1:
            return self.leaf(path, name, text)
        inner = names.component_type(datatype, n, self.version)
        called = [names.component_name(inner, at, self.version) for at in range(1, len(texts) + 1)]
        parts = [self.leaf(f"{path}.{at}", called[at - 1], part) for at, part in enumerate(texts, 1) if part]
        return Part(path, name, parts=parts)

    def leaf(self, path: str, name: str, text: str) -> Part:
        return Part(path, name, unescape(text, self.message.delimiters, self.message.charset)[0])
