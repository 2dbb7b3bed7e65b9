"""What an acknowledgement means for the message that it is about (DOMAIN 2.8)."""

import pytest

from transforms.hl7v2.verdict import Ack, control_id_of, verdict

MSH = "MSH|^~\\&|LAB|EAST|HUB|HUB|20261121090000||ACK|A1|P|2.5.1\r"


def read(*lines: str) -> Ack:
    found = verdict((MSH + "".join(f"{line}\r" for line in lines)).encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["MSA|AA|1"], "delivered"),
        (["MSA|ca|1"], "delivered"),
        (["MSA|AE|1"], "permanent"),
        (["MSA|CE|1", "ERR||PID^1^7|102^Data type error^HL70357|E"], "permanent"),
        (["MSA|AE|1", "ERR|||206^Locked^HL70357|E"], "transient"),
        (["MSA|AR|1"], "transient"),
        (["MSA|CR|1", "ERR|||207^Internal^HL70357|E"], "transient"),
        (["MSA|AR|1", "ERR|||200^Type^HL70357|E"], "permanent"),
        (["MSA|AR|1|||no such version|203^Version^HL70357"], "permanent"),
        (["MSA|AR|1", "ERR|PID^1^5^101&Required&HL70357~PID^1^3^103"], "permanent"),
        (["MSA|AR|1", "ERR|||LOCAL9^Something^L|E"], "transient"),
    ],
)
def test_kinds(lines: list[str], kind: str) -> None:
    """By its code, and where that leaves it open by the errors of table 0357."""
    assert kind == read(*lines).kind


def test_whose_it_is() -> None:
    """MSA-2 is what MSH-10 was, escapes and delimiters of either side aside."""
    ours = b"MSH$%?#@$A$B$C$D$20261121$$ORU%R01$X#F#1 $P$2.3\r"

    assert "X$1" == control_id_of(ours)
    assert "X$1" == read("MSA|AA|X$1").control_id


@pytest.mark.parametrize("payload", [b"", b"\x06", b"MSA|AA|1\r", MSH.encode(), f"{MSH}MSA|OK|1\r".encode()])
def test_what_is_none(payload: bytes) -> None:
    """What has no MSA with a code of table 0008 is no acknowledgement."""
    assert verdict(payload) is None
