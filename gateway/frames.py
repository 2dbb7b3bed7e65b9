"""Message files: one HL7v2 message, several after each other, framed as on the wire, or in a batch.

In a file of lines, as an editor writes it, the line ends stand for the carriage returns of HL7.
"""

import re

START = re.compile(rb"(?:^|(?<=[\r\n]))(?=MSH[^A-Za-z0-9\s])")
ENVELOPE = re.compile(rb"[\r\n]+(?:BHS|BTS|FHS|FTS)[^A-Za-z0-9\s][^\r\n]*")
_BOM = b"\xef\xbb\xbf"


def messages(content: bytes) -> list[bytes]:
    """The messages of a file, without frames, batch envelopes and blank lines; none where no line begins with MSH."""
    text = content.replace(b"\r\n", b"\n")
    content = content if b"\r" in text else text.replace(b"\n", b"\r")
    bare = content.removeprefix(_BOM).replace(b"\x0b", b"\r").replace(b"\x1c\r", b"\r").replace(b"\x1c", b"\r")
    bare = ENVELOPE.sub(b"", b"\r" + bare)
    found = [part.strip(b"\r\n ") for part in START.split(bare)]
    return [part + b"\r" for part in found if part.startswith(b"MSH")]
