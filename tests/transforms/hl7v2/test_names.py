"""Names for people, from the version the sender speaks or the nearest that knows the field."""

import subprocess
import sys

import pytest

from transforms.hl7v2.names import component_name, component_type, field_name, field_type, segment_name


@pytest.mark.parametrize(
    ("segment", "n", "name", "datatype"),
    [
        ("PID", 1, "Set ID - PID", "SI"),
        ("PID", 3, "Patient Identifier List", "CX"),
        ("PID", 6, "Mother's Maiden Name", "XPN"),
        ("PID", 7, "Date/Time of Birth", "TS"),
        ("PID", 13, "Phone Number - Home", "XTN"),
        ("PID", 19, "SSN Number - Patient", "ST"),
        ("SCH", 11, "Appointment Timing Quantity", "TQ"),
        ("PV1", 16, "VIP Indicator", "IS"),
        ("DG1", 3, "Diagnosis Code - DG1", "CE"),
        ("ZPI", 1, "", ""),
        ("PID", 99, "", ""),
        ("OBX", 20, "Performing Organization Name", ""),
    ],
)
def test_fields(segment: str, n: int, name: str, datatype: str) -> None:
    """A field is called what the standard calls it."""
    assert (name, datatype) == (field_name(segment, n), field_type(segment, n))


def test_components() -> None:
    """Components are named through their data type."""
    assert ("Assigning Authority", "HD") == (component_name("CX", 4), component_type("CX", 4))
    assert ("Family Name", "FN") == (component_name("XPN", 1), component_type("XPN", 1))
    assert "" == component_name("ST", 1)


def test_versions() -> None:
    """The sender's version is asked first; an unknown one, or a field before its time, falls back."""
    assert "Patient ID (Internal ID)" == field_name("PID", 3, "2.3")
    assert "Patient Telecommunication Information" == field_name("PID", 40, "2.3")
    assert "Date/Time of Birth" == field_name("PID", 7, "9.9")
    assert "DTM" == field_type("PID", 7, "2.8.2")


def test_segments() -> None:
    """Segments have names too; a Z segment has none."""
    assert ("Patient Identification", "") == (segment_name("PID"), segment_name("ZPI"))


def test_the_library_is_not_loaded_before_it_is_asked() -> None:
    """Parsing a message never pays for hl7apy."""
    program = "import sys, transforms.hl7v2.tree, transforms.hl7v2.ack; sys.exit('hl7apy' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode
