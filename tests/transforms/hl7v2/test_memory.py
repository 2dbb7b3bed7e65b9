"""What is remembered of messages stays within bounds, whatever a sender sends."""

from transforms.hl7v2.er7 import parse
from transforms.hl7v2.memory import LONGEST, ROOM, Memory
from transforms.hl7v2.profile import Profile
from transforms.hl7v2.rows import Reading

MESSAGE = parse(b"MSH|^~\\&|A|B|C|D|20261121||ADT^A08|1|T|2.5.1\r")


def reading() -> Reading:
    return Reading(MESSAGE, Profile(), 0)


def test_an_unusually_long_text_is_not_remembered() -> None:
    """It is converted each time and takes no room."""
    memory: Memory[int] = Memory()

    assert memory.recall(("x" * (LONGEST + 1), None), reading(), lambda: 1) == 1
    assert not memory.known


def test_a_full_memory_begins_again() -> None:
    """The characters of all its texts never exceed its room."""
    memory: Memory[int] = Memory(most=10**9)
    for number in range(2 * ROOM // LONGEST):
        memory.recall((f"{number:0{LONGEST}}", None), reading(), lambda: 1)

        assert sum(len(key[0]) for key in memory.known) <= ROOM


def test_what_fits_is_made_once() -> None:
    """A second recall does not make it again."""
    memory: Memory[object] = Memory()
    first = memory.recall(("text", None), reading(), object)

    assert memory.recall(("text", None), reading(), object) is first
