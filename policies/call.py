"""A policy takes a call and gives a call: these are the two types, and the one place where an order is made.

Policies are composed once, when the house is wired, and in a list that a reader can see. A policy whose
configuration is absent gives back the very call that it was given, so what is not used costs nothing.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, MutableMapping
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

Request = TypeVar("Request")
Response = TypeVar("Response")
Config = TypeVar("Config")
Wrapped = TypeVar("Wrapped")

Call: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
Policy: TypeAlias = Callable[[Wrapped], Wrapped]

# The ASGI interface (asgi.readthedocs.io, 3.0): an application is a call too, so the same `compose` serves both.
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Refusal(Struct, frozen=True, kw_only=True):
    """What a policy at the door says instead of passing a request on; the app turns it into a problem (RFC 9457)."""

    status: int
    code: str
    detail: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    type: str = "about:blank"
    members: Mapping[str, Any] = {}


Reply: TypeAlias = Callable[[Scope, Send, Refusal], Awaitable[None]]


def compose(policies: Iterable[Policy[Wrapped]], call: Wrapped) -> Wrapped:
    """The call inside all its policies; the first of the list is outermost, an empty list changes nothing."""
    for policy in reversed(tuple(policies)):
        call = policy(call)
    return call


def given(config: Config | None, build: Callable[[Config], Policy[Wrapped]]) -> Policy[Wrapped]:
    """The policy that a configuration asks for; without one, a policy that returns its call untouched."""
    return unchanged if config is None else build(config)


def unchanged(call: Wrapped) -> Wrapped:
    """The policy that adds no frame."""
    return call
