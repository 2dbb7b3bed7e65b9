"""Where a database or a Redis is, by reference: its address may hold a password, so settings name what holds it."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from gateway.store.unusable import Unusable

POSTGRES = ("postgresql", "postgres")
REDIS = ("redis", "rediss", "unix")


def wrong_with(reference: str, schemes: tuple[str, ...]) -> str | None:
    """What is wrong with a reference, as far as the settings alone can tell."""
    kind, _, name = reference.partition(":")
    if kind in ("env", "file"):
        return None if name else f"name what comes after {kind}:"
    if not _is_address(reference, schemes):
        return f"write env:NAME or file:PATH, which hold a {schemes[0]}:// address"
    if urlsplit(reference).password or "password" in parse_qs(urlsplit(reference).query):
        return "a password does not stand in a settings file: write env:NAME or file:PATH"
    return None


def resolved(reference: str, environment: Mapping[str, str], schemes: tuple[str, ...]) -> str:
    """The address that a reference stands for; Unusable where there is none."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in environment:
            raise Unusable(f"the environment has no {name}")
        return _checked(environment[name], name, schemes)
    if kind == "file":
        try:
            return _checked(Path(name).read_text(encoding="utf-8"), name, schemes)
        except (OSError, UnicodeDecodeError):
            raise Unusable(f"{name} cannot be read") from None
    return reference


def beside(folder: Path, reference: str | None) -> str | None:
    """A reference to a file, from this folder."""
    kind, _, name = (reference or "").partition(":")
    return f"file:{folder / Path(name).expanduser()}" if kind == "file" else reference


def _checked(text: str, place: str, schemes: tuple[str, ...]) -> str:
    if not _is_address(text.strip(), schemes):
        raise Unusable(f"{place} holds no {schemes[0]}:// address")
    return text.strip()


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        return urlsplit(text).scheme in schemes and "//" in text
    except ValueError:
        return False
