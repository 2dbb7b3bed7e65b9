"""What the tables of settings files have in common."""

from typing import Annotated

from msgspec import Meta, Struct

from policies.retry import DEFAULT

Wait = Annotated[float, Meta(ge=0, le=DEFAULT.horizon)]


class Setting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Base of every table of a settings file: kebab-case keys, unknown ones refused."""
