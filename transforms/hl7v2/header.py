"""MSH read from bytes alone: enough to choose a feed and to answer a message that cannot be read any further.

Values are the sender's bytes, one character each (latin-1), so that an acknowledgement gives back exactly those.
"""

from string import ascii_lowercase, ascii_uppercase, punctuation

from msgspec import Struct

from .delimiters import STANDARD, Delimiters, component, read

_LONGEST = 65_536  # an MSH is a few hundred bytes; a frame without a line end must not be decoded for it
_SEPARATORS = frozenset(punctuation) - {'"'}
_BOM = b"\xef\xbb\xbf"
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


class Header(Struct, frozen=True, gc=False):
    """The fields of MSH as sent, with MSH-9, -11 and -12 also taken apart; the codes of MSH-9 in upper case."""

    delimiters: Delimiters
    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    timestamp: str
    message_type: str
    event: str
    structure: str
    control_id: str
    processing: str
    version_id: str
    sequence: str
    accept_ack: str
    application_ack: str
    charset: str

    @property
    def processing_id(self) -> str:
        """MSH-11.1: P, T or D."""
        return component(self.processing, 1, self.delimiters)

    @property
    def version(self) -> str:
        """MSH-12.1: 2.5.1."""
        return component(self.version_id, 1, self.delimiters)


def header(raw: bytes) -> Header | None:
    """What MSH says; None when there is none. Bad encoding characters are read as the usual ones. Never raises."""
    head = unwrapped(raw)[:_LONGEST].partition(b"\r")[0].partition(b"\n")[0].decode("latin-1")
    separator = head[3:4]
    if not head.startswith("MSH") or separator not in _SEPARATORS:
        return None
    fields = head.split(separator, 19)
    fields += [""] * (20 - len(fields))
    d = _delimiters(separator, fields[1])
    kind = (fields[8] if fields[8].isupper() else fields[8].translate(_UPPER)).split(d.component)
    return Header(
        delimiters=d,
        sending_application=fields[2],
        sending_facility=fields[3],
        receiving_application=fields[4],
        receiving_facility=fields[5],
        timestamp=fields[6],
        message_type=kind[0],
        event=kind[1] if len(kind) > 1 else "",
        structure=kind[2] if len(kind) > 2 else "",
        control_id=fields[9],
        processing=fields[10],
        version_id=fields[11],
        sequence=fields[12],
        accept_ack=fields[14].strip(),
        application_ack=fields[15].strip(),
        charset=fields[17],
    )


def unwrapped(raw: bytes) -> bytes:
    """Without the byte order mark, the MLLP block characters and the blank lines some senders put around it."""
    if raw.startswith(b"MSH") and b"\x1c" not in raw[-2:]:
        return raw
    return raw.lstrip(b"\x0b\r\n ").removeprefix(_BOM).lstrip(b"\x0b\r\n ").rstrip(b"\x1c\r\n")


def _delimiters(separator: str, encoding: str) -> Delimiters:
    """As MSH has them, or else the usual ones that are still free."""
    try:
        return read(separator, encoding)
    except ValueError:
        return read(separator, "".join(char for char in STANDARD.encoding if char != separator))
