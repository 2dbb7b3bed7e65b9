"""The reference page of commands, made from the command line's own declaration."""

import argparse
from collections.abc import Iterator

from gateway.cli import parser

PATH = "docs/reference/commands.md"
HEAD = """\
# Commands

The exit status is 0 for success, 1 where something was found or could not be done, 2 for a command line that cannot be
read.
This page is written by `make docs` from the code.
"""


def render() -> str:
    """The page."""
    return "\n".join([HEAD, *(line for name, one in commands().items() for line in _command(name, one))])


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command with its parser."""
    (choices,) = (one.choices for one in parser()._actions if isinstance(one, argparse._SubParsersAction))
    return dict(choices)


def _command(name: str, one: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## isthmus {name}\n"
    yield f"{one.description}\n"
    arguments = [action for action in one._actions if action.dest != "help"]
    if arguments:
        yield "| argument | default | what it is |"
        yield "|---|---|---|"
        for action in arguments:
            yield f"| `{_called(action)}` | {_default(action)} | {action.help} |"
        yield ""


def _called(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not action.option_strings:
        return f"{value} ..." if action.nargs == "+" else value
    name = action.option_strings[0]
    return name if action.nargs == 0 else f"{name} {value}"


def _default(action: argparse.Action) -> str:
    if action.required:
        return "required"
    return "" if action.default in (None, False) else f"`{action.default}`"
