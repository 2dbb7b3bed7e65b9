"""What a PromQL expression speaks of: metrics, the matchers of each, and the labels that it groups by.

Enough of the language for our own rules and panels; promtool judges the rest where it is installed.
"""

import re
from typing import NamedTuple

GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
RANGE = re.compile(r"\[[^\]]*\]")
SELECTOR = re.compile(r"(?<![\w.:])([a-zA-Z_:][\w:]*+)\s*(?:\{([^}]*)\})?(?!\s*\()")
MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")
WORDS = {"and", "or", "unless", "offset", "bool", "on", "by", "without", "ignoring", "group_left", "group_right"}


class Matcher(NamedTuple):
    """One condition on a label."""

    label: str
    operator: str
    value: str


class Spoken(NamedTuple):
    """What an expression speaks of."""

    metrics: dict[str, list[Matcher]]
    groups: set[str]


def spoken(expression: str) -> Spoken:
    """Take an expression apart."""
    groups = {label.strip() for found in GROUPING.findall(expression) for label in found.split(",") if label.strip()}
    plain = RANGE.sub("", GROUPING.sub(" ", expression))
    metrics: dict[str, list[Matcher]] = {}
    for name, inside in SELECTOR.findall(plain):
        if name not in WORDS:
            metrics.setdefault(name, []).extend(Matcher(*parts) for parts in MATCHER.findall(inside))
    return Spoken(metrics, groups)
