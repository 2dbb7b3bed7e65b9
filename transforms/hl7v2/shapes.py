"""What a converter that was made is made of, so that what reads a field can also be turned round to write it."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct


class Repeated(Struct, frozen=True):
    """Every repetition by this converter."""

    of: Callable[..., Any]


class Coded(Struct, frozen=True):
    """A concept of this table where no system is named."""

    table: str


class Entity(Struct, frozen=True):
    """An EI in a role."""

    role: str


SHAPES: Final[dict[object, Repeated | Coded | Entity]] = {}
