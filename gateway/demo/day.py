"""A hospital's day as HL7v2 traffic: pure and seeded, so that the demo, the soak and the benchmarks send the same.

People are admitted, moved and sent home; visits are booked, moved, called off, kept and missed. And as everywhere a
field is wrong here and there, a message is sent twice, and one is late.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from gateway.demo import wire
from gateway.demo.people import CLINICS, DIAGNOSES, REASONS, STAFF, WARDS, Person, person
from gateway.demo.wire import Booking, Stay

NEW_YORK = "America/New_York"
LATE, AGAIN, BAD = "late", "again", "bad field"
MEANWHILE = timedelta(seconds=2)  # from what happened to its message


class Sent(Struct, frozen=True):
    """One message and when it goes out; `note` says what is odd about it: late, again, bad field."""

    at: datetime
    kind: str
    raw: bytes
    note: str = ""


def day(seed: int, patients: int, on: date, zone: str = NEW_YORK) -> Iterator[Sent]:
    """What the hospital of this seed sends on a day with so many patients, in the order in which it is sent."""
    first = on.toordinal() * max(1, patients // 2)  # half of today's patients are known from yesterday
    stories = (_Story(seed, person(seed, (first + place) % 1_000_000), on, zone) for place in range(patients))
    sent = [one for story in stories for one in story.tell()]
    return iter(sorted(sent, key=lambda one: one.at))


class _Story:
    """One patient's day: what happens, when, and the messages that say so."""

    def __init__(self, seed: int, who: Person, on: date, zone: str) -> None:
        self.dice = Random(f"{seed}:{on}:{who.number}")  # noqa: S311 - a made-up day needs no cryptography
        self.who = who
        self.name = f"{seed % 10_000:04d}{on:%y%m%d}{who.number}"
        opening = datetime.combine(on, time(6), ZoneInfo(zone))
        self.now = opening + timedelta(minutes=self.dice.randrange(0, 8 * 60), seconds=self.dice.randrange(60))
        self.count = 0
        self.odd = ""
        self.sent: list[Sent] = []

    def tell(self) -> list[Sent]:
        """The day, as one of the usual stories."""
        stories: tuple[Callable[[], None], ...] = (self.inpatient, self.emergency, self.clinic, self.double)
        self.dice.choices(stories, (25, 20, 50, 5))[0]()
        return self.sent

    # -- stories

    def inpatient(self) -> None:
        """Admitted, perhaps planned before; moved; discharged the same day."""
        stay = self.stay("I", self.bed())
        if self.chance(0.3):
            self.adt("A05", replace(stay, kind="P"))
            self.wait(30, 90)
        stay.admitted = self.now
        self.adt("A01", stay)
        if self.chance(0.05):
            self.wait(5, 20)
            self.adt("A11", stay)
            return
        self.wait(10, 60)
        self.adt("A08", replace(stay, diagnosis=self.dice.choice(DIAGNOSES)))
        for _ in range(self.dice.choice((0, 1, 1, 2))):
            self.wait(20, 120)
            self.move(stay)
        self.discharge(stay)

    def emergency(self) -> None:
        """Comes unannounced; goes home or becomes an inpatient."""
        stay = self.stay("E", "ED^T1^^EAST")
        self.adt("A04", stay)
        self.wait(10, 40)
        self.adt("A08", replace(stay, diagnosis=self.dice.choice(DIAGNOSES)))
        self.wait(30, 90)
        if self.chance(0.4):
            stay.kind, stay.prior, stay.place = "I", stay.place, self.bed()
            self.adt("A06", stay)
        self.discharge(stay)

    def clinic(self) -> None:
        """A visit is booked, and then what happens to visits."""
        clinic = self.dice.choice(CLINICS)
        ahead = self.dice.choice((0, 0, 0, 1, 3, 7, 14, 28))
        hours = timedelta(days=ahead, hours=self.dice.randrange(2, 6))
        start = (self.now + hours).replace(minute=self.dice.choice((0, 15, 30, 45)), second=0)
        note = self.dice.choice(("", "", "Arrive 15 min early & bring films", "Needs an interpreter | Portuguese"))
        booking = Booking(self.name, clinic, self.dice.choice(STAFF), start, note)
        self.siu("S12", booking)
        if self.chance(0.25):
            self.wait(10, 60)
            booking.start += timedelta(minutes=self.dice.choice((30, 60, 90)))
            self.siu("S13", booking)
        self.wait(5, 30)
        if self.chance(0.2):
            self.siu("S15", booking)
        elif ahead == 0:
            self.keep(booking)

    def keep(self, booking: Booking) -> None:
        """The hour of the visit has come."""
        self.now = max(self.now, booking.start - timedelta(minutes=self.dice.randrange(1, 12)))
        if self.chance(0.12):
            self.wait(30, 40)
            self.siu("S26", booking)
            return
        stay = self.stay("O", f"{booking.clinic.unit}^{booking.clinic.room}^^EAST")
        stay.staff = booking.staff
        self.adt("A04", stay)
        self.siu("S14", booking, "Started")
        self.wait(booking.clinic.minutes, booking.clinic.minutes + 15)
        self.siu("S14", booking, "Complete")
        stay.discharged = self.now
        self.adt("A03", stay)

    def double(self) -> None:
        """Registered twice by mistake, and put right: the second record is merged into the first."""
        self.adt("A28", None)
        twin = f"T{self.name}"
        self.wait(20, 60)
        self.say("ADT^A28", [wire.evn(self.now, "A28"), wire.pid(self.who, mrn=twin)])
        self.wait(30, 90)
        self.say("ADT^A40", [wire.evn(self.now, "A40"), wire.pid(self.who), wire.mrg(twin)])

    # -- what the stories are made of

    def stay(self, kind: str, place: str) -> Stay:
        number = f"V{self.name}"
        return Stay(number, kind, place, self.dice.choice(STAFF), self.now, reason=self.dice.choice(REASONS))

    def bed(self) -> str:
        return f"{self.dice.choice(WARDS)}^{self.dice.randint(1, 24):02d}^{self.dice.choice('AB')}^EAST"

    def move(self, stay: Stay) -> None:
        """To another bed; sometimes the move is called off."""
        before = stay.place
        stay.prior, stay.place = before, self.bed()
        self.adt("A02", stay)
        if self.chance(0.1):
            self.wait(3, 10)
            stay.prior, stay.place = stay.place, before
            self.adt("A12", stay)

    def discharge(self, stay: Stay) -> None:
        """Home; sometimes too early, and back again for a while."""
        self.wait(60, 240)
        self.adt("A03", replace(stay, discharged=self.now))
        if self.chance(0.08):
            self.wait(5, 15)
            self.adt("A13", stay)
            self.wait(60, 120)
            self.adt("A03", replace(stay, discharged=self.now))

    def adt(self, event: str, stay: Stay | None) -> None:
        visit = [wire.pv1(stay), wire.pv2(stay), wire.dg1(stay)] if stay else ["PV1|1|N"]
        self.say(f"ADT^{event}", [wire.evn(self.now, event), self.pid(), *visit])

    def siu(self, event: str, booking: Booking, status: str = "") -> None:
        if event == "S12" and self.chance(0.03):
            status = "Tentativo"  # no word of table 0278
            self.odd = BAD
        body = [*wire.schedule(event, booking, status), self.pid(), *wire.resources(booking)]
        self.say(f"SIU^{event}", body)

    def pid(self) -> str:
        """PID, in which now and then one field is wrong."""
        if not self.chance(0.03):
            return wire.pid(self.who)
        self.odd = BAD
        if self.chance(0.5):
            return wire.pid(self.who, born=self.who.born[:4] + "1307")
        return wire.pid(self.who, given=f"{wire.text(self.who.given)}\\XZ1\\")

    def say(self, kind: str, segments: list[str]) -> None:
        """Send a message about now: soon as a rule, sometimes late, sometimes twice."""
        self.count += 1
        raw = wire.message(kind, f"E{self.name}{self.count:02d}", self.now, *segments)
        late = timedelta(minutes=self.dice.randrange(20, 60)) if self.chance(0.02) else timedelta()
        at = self.now + MEANWHILE + late
        self.sent.append(Sent(at, kind, raw, self.odd or (LATE if late else "")))
        if self.chance(0.02):
            self.sent.append(Sent(at + timedelta(minutes=self.dice.randrange(1, 5)), kind, raw, AGAIN))
        self.now += MEANWHILE
        self.odd = ""

    def wait(self, least: int, most: int) -> None:
        self.now += timedelta(minutes=self.dice.randint(least, most), seconds=self.dice.randrange(60))

    def chance(self, share: float) -> bool:
        return self.dice.random() < share
