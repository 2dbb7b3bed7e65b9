"""Where a database is, by reference: its address may hold a password, so settings name a variable or file with it."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from gateway.store.unusable import Unusable

SCHEMES = ("postgresql", "postgres")


def wrong_with(reference: str) -> str | None:
    """What is wrong with how a database is referred to, as far as the settings alone can tell."""
    kind, _, name = reference.partition(":")
    if kind in ("env", "file"):
        return None if name else f"name what comes after {kind}:"
    if not _is_address(reference):
        return "write env:NAME or file:PATH, which hold a postgresql:// address"
    if urlsplit(reference).password or "password" in parse_qs(urlsplit(reference).query):
        return "a password does not stand in a settings file: write env:NAME or file:PATH"
    return None


def resolved(reference: str, environment: Mapping[str, str]) -> str:
    """The address that a reference stands for; Unusable where there is none."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in environment:
            raise Unusable(f"the environment has no {name}")
        return _checked(environment[name], name)
    if kind == "file":
        try:
            return _checked(Path(name).read_text(encoding="utf-8"), name)
        except (OSError, UnicodeDecodeError):
            raise Unusable(f"{name} cannot be read") from None
    return reference


def _checked(text: str, place: str) -> str:
    if not _is_address(text.strip()):
        raise Unusable(f"{place} holds no postgresql:// address")
    return text.strip()


def _is_address(text: str) -> bool:
    try:
        return urlsplit(text).scheme in SCHEMES and "//" in text
    except ValueError:
        return False
