"""The reference page of settings: every table of every settings file, made from the structs and their sentences."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

import msgspec
from msgspec.structs import FieldInfo, fields

from gateway.site.forms import worded
from gateway.site.outward import DestinationSettings, EditSettings, RouteSettings
from gateway.site.setting import Setting
from gateway.site.settings import (
    SENTENCES,
    AuthoritySettings,
    ClientSettings,
    FeedSettings,
    Intake,
    Main,
    MappingSettings,
    MessageClass,
    Peer,
    RedisSettings,
    RetentionSettings,
    Server,
    StoreSettings,
    Tracing,
    Webhooks,
)

PATH = "docs/reference/settings.md"
PAGES: tuple[tuple[str, tuple[tuple[str, type[Setting]], ...]], ...] = (
    (
        "isthmus.toml",
        (
            ("", Main),
            ("[server]", Server),
            ("[store]", StoreSettings),
            ("[intake]", Intake),
            ("[redis]", RedisSettings),
            ("[tracing]", Tracing),
            ("[webhooks]", Webhooks),
            ("[retention]", RetentionSettings),
            ("[[retention.class]]", MessageClass),
        ),
    ),
    (
        "peers/NAME.toml",
        (
            ("", Peer),
            ("[feed]", FeedSettings),
            ("[destination]", DestinationSettings),
            ("[authorities.NAME]", AuthoritySettings),
            ('[mapping."RECORD.FIELD"]', MappingSettings),
        ),
    ),
    ("routes/NAME.toml", (("", RouteSettings), ("[[edits]]", EditSettings))),
    ("clients/NAME.toml", (("", ClientSettings),)),
)
HEAD = """\
# Settings

A site is a folder of files; `isthmus check` reads all of them and says everything that is wrong at once.
A key that is not listed here is refused. Paths are taken from the site folder.
This page is written by `make docs` from the code.
"""


def render() -> str:
    """The page."""
    return "\n".join([HEAD, *(line for page in PAGES for line in _file(*page))])


def _file(name: str, tables: tuple[tuple[str, type[Setting]], ...]) -> Iterator[str]:
    yield f"## {name}\n"
    for title, table in tables:
        if title:
            yield f"### {title}\n"
        yield from _table(table)


def _table(table: type[Setting]) -> Iterator[str]:
    hints = get_type_hints(table, include_extras=True)
    yield "| setting | type | default | |"
    yield "|---|---|---|---|"
    for field in fields(table):
        if field.name in SENTENCES[table]:
            yield (
                f"| `{field.encode_name}` | {_cell(worded(hints[field.name]))} | {_default(field)} "
                f"| {_cell(SENTENCES[table][field.name])} |"
            )
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None:
        return "none"
    shown = str(value) if isinstance(value, Path) else msgspec.json.decode(msgspec.json.encode(value))
    return f"`{msgspec.json.encode(shown).decode()}`".replace('""', "empty")
