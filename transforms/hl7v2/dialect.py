"""How one sender writes: a feed's profile together with the delimiters, charset and sending facility of its messages.

Two messages of one dialect read the same text alike, so what is pure and repeats (codes, places, staff, times) is
converted once and remembered under the dialect. A dialect is equal to itself only, which keeps such look-ups cheap.
"""

from zoneinfo import ZoneInfo

from .delimiters import Delimiters
from .escapes import audible, unescape
from .profile import Profile

NULL = '""'
_MOST = 1024  # dialects remembered at once: feeds times the facilities that send through them
_NEVER = "\x00"  # stands for a delimiter that MSH-2 does not define

_known: dict[tuple[int, Delimiters, str, tuple[str, str]], "Dialect"] = {}


class Dialect:
    """A profile met with delimiters, charset and house (MSH-4, MSH-3 as sent); `urn` begins the feed's own names."""

    __slots__ = (
        *(
            "charset",
            "component",
            "delimiters",
            "escape",
            "house",
            "profile",
            "repetition",
            "subcomponent",
            "urn",
            "zone",
        ),
    )

    def __init__(self, profile: Profile, delimiters: Delimiters, charset: str, house: tuple[str, str]) -> None:
        self.profile = profile
        self.house = house
        self.delimiters = delimiters
        self.charset = charset
        self.component = delimiters.component
        self.repetition = delimiters.repetition or _NEVER
        self.escape = delimiters.escape or _NEVER
        self.subcomponent = delimiters.subcomponent or _NEVER
        self.urn = f"urn:x-{profile.tenant}:{profile.feed}:"
        self.zone = ZoneInfo(profile.zone) if profile.zone else None

    def leaf(self, text: str) -> str | None:
        """The text of a leaf without the blanks around it; None where nothing or `""` stands."""
        if self.escape in text:
            text = audible(unescape(text, self.delimiters, self.charset)[0])
        text = text.strip()
        return text if text and text != NULL else None

    def leaves(self, text: str, size: int) -> list[str | None]:
        """The components of a field as leaves, at least `size` of them."""
        if self.escape in text or NULL in text:
            parts = [self.leaf(part) for part in text.split(self.component)]
        else:
            parts = [part.strip() or None for part in text.split(self.component)]
        return parts if len(parts) >= size else parts + [None] * (size - len(parts))

    def first(self, text: str) -> str | None:
        """The first subcomponent of a component."""
        return self.leaf(text.partition(self.subcomponent)[0])


def dialect(profile: Profile, delimiters: Delimiters, charset: str, house: tuple[str, str] = ("", "")) -> Dialect:
    """The dialect of these, the same object each time; it keeps its profile, so that no other takes its place."""
    key = (id(profile), delimiters, charset, house)
    found = _known.get(key)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        found = _known[key] = Dialect(profile, delimiters, charset, house)
    return found
