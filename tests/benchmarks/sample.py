"""The message that the benchmarks send: one ordinary booking of about 1 kB, written for this project."""

BOOKING = "\r".join(
    (
        "MSH|^~\\&|RADSCHED|NORTH|ISTHMUS|HUB|20261121093000-0500||SIU^S12^SIU_S12|{control}|T|2.5.1|||AL|NE|USA|"
        "UNICODE UTF-8",
        "SCH|P{number}^RADSCHED|F{number}^RADSCHED||||ROUTINE^Routine visit^HL70276|KNEE^Knee pain^L|MRI^MRI visit^L|"
        "45|min^minute^ISO+|^^45^20270601090000-0500^20270601094500-0500|||||4411223^Baker^Iris^L^^^MD|"
        "^WPN^PH^^1^555^5550111|||"
        "4411223^Baker^Iris|||||Booked^Booked^HL70278",
        "TQ1|1||||||20270601090000-0500|20270601094500-0500",
        "NTE|1||Bring earlier films \\T\\ reports",
        "PID|1||N000{patient}^^^NORTH^MR~900-11-{patient}^^^SSA^SS||Archer^Lena^M^^Mrs||19710305|F|||"
        "77 Canal Street^Floor 2^Albany^NY^12207^USA||(518)555-0142^PRN^PH|||M|||900112233",
        "PV1|1|O|IMG^MR2^^NORTH||||4411223^Baker^Iris^L^^^MD|||RAD||||||||V{number}",
        "RGS|1|A",
        "AIS|1|A|MRI^MRI of the knee^L|20270601090000-0500|0|min|45|min|||Booked",
        "AIG|1|A|SCN2^Scanner 2|E^Equipment",
        "AIL|1|A|IMG^MR2^^NORTH|C^Clinic",
        "AIP|1|A|4411223^Baker^Iris^L^^^MD|ATT^Attending||20270601090000-0500|0|min|45|min",
        "",
    )
)


def booking(number: int, patients: int = 1) -> bytes:
    """Booking number n, of one of so many patients."""
    return BOOKING.format(control=f"B{number}", number=number, patient=1000 + number % patients).encode()
