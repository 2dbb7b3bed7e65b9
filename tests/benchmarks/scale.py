"""What a store is like when much is kept: `python -m tests.benchmarks.scale [MESSAGES] [--store NAME] [--keep FOLDER]`.

Fills a store with a year's bookings, some of them cancelled or missed, and prints the rate on the way; then searches it
by all that the API searches by, and prints how long each kind of search took. What was filled before is only searched.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from gateway.app import settle_memory
from gateway.intake import read
from gateway.site.settings import Feed, FeedSettings, Peer, feed_of
from gateway.store.protocol import Key, MessageQuery, RecordQuery, Store
from tests.benchmarks import deliveries
from tests.benchmarks.backends import NAMES, Backend, Cost, backend, less, more
from tests.benchmarks.pages import pipeline
from tests.benchmarks.sample import BOOKING

GROUP = 64
STEP = 800 * GROUP  # messages between two lines
PATIENTS, DOCTORS, ROOMS = 50_000, 500, 100
DAYS = 365
DAY = 86_400_000_000
TRIES = 200  # of each kind of search
LATE = TRIES * 95 // 100
BEGIN = datetime(2027, 1, 4, 8)
KEY = b"a key that is good for measuring"
FEEDS = {
    name: feed_of(name, Peer(zone="America/New_York", feed=FeedSettings()), {}) for name in ("bench", "lab", "rare")
}
TENANT = FEEDS["bench"].tenant
CHANGES = {3: ("S15", "Cancelled"), 5: ("S26", "Noshow")}  # by the last digit of a message's number


def message(number: int) -> tuple[Feed, bytes]:
    """Message `number`: a booking of anybody with anybody anywhere, or the end of an earlier one."""
    event, status = CHANGES.get(number % 10, ("S12", "Booked"))
    event = "S17" if number % 20_000 == 7 else event
    about = number if status == "Booked" and event == "S12" else max(0, number - 7 * (number % 1000))
    text = BOOKING.format(control=f"B{number}", number=about, patient=1_000_000 + _draw(about, PATIENTS))
    start = BEGIN + timedelta(days=_draw(about + 1, DAYS), minutes=15 * _draw(about + 2, 40))
    text = text.replace("SIU^S12", f"SIU^{event}").replace("Booked", status)
    text = text.replace("20270601090000", f"{start:%Y%m%d%H%M%S}").replace(
        "4411223", f"{4_000_000 + _draw(about, DOCTORS)}"
    )
    text = text.replace("IMG^MR2", f"IMG^MR{_draw(about + 3, ROOMS)}")
    if number % 5000 == 11:  # nobody knows which appointment
        text = text.replace(f"P{about}^RADSCHED|F{about}^RADSCHED", "|")
    feed = "rare" if number % 20_000 == 13 else "lab" if number % 50 == 17 else "bench"
    return FEEDS[feed], text.encode()


def _draw(number: int, among: int) -> int:
    """Something that looks like chance and is the same each time (SplitMix64's finalizer)."""
    number = ((number + 1) * 0x9E3779B97F4A7C15) & (2**64 - 1)
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    return (number >> 33) % among


class Course:
    """Messages kept one group after the other, and what they cost since the last look."""

    def __init__(self, behind: Backend, store: Store, first: int) -> None:
        self._behind = behind
        self._pipe = pipeline(store)
        self.number = first
        self._begin()

    def _begin(self) -> None:
        self._from, self._disk, self._cost = self.number, 0, Cost()

    async def keep(self, count: int) -> None:
        """So many more."""
        disk, before = _written(), await self._behind.now()
        making = 0.0
        for first in range(self.number, self.number + count, GROUP):
            began = time.process_time()
            raws = [message(number) for number in range(first, first + GROUP)]
            making += time.process_time() - began
            now = self._pipe.now()
            await self._pipe._together([read(feed, raw, now + n) for n, (feed, raw) in enumerate(raws)])
        spent = less(await self._behind.now(), before)
        self._cost = more(self._cost, less(spent, Cost(making, making)))
        self._disk += _written() - disk
        self.number += count

    def cost(self) -> str:
        """What they cost."""
        count = self.number - self._from
        disk = f", {self._disk / count / 1000:.0f} kB written" if self._disk else ""
        line = self._cost.line(count) + disk
        self._begin()
        return line


async def fill(behind: Backend, store: Store, messages: int, directory: Path) -> None:
    """Keep so many messages; each line is of those since the last."""
    course = Course(behind, store, 0)
    while course.number < messages:
        await course.keep(min(STEP, messages - course.number))
        size = sum(size for _, size in await behind.sizes(directory)) / 2**30
        print(
            f"{course.number:>9,} kept: {course.cost()}, {_anonymous():.0f} MiB anonymous, {size:.2f} GiB", flush=True
        )


async def compare(behind: Backend, store: Store, kept: int) -> None:
    """Keep more in turn with a store that has next to nothing: what else the machine does weighs on both."""
    with tempfile.TemporaryDirectory() as folder:
        other = behind.store(Path(folder), KEY)
        await other.open()
        small, large = Course(behind, other, 0), Course(behind, store, kept)
        await small.keep(STEP)
        await large.keep(GROUP)
        for course in (small, large):
            course.cost()
        for _ in range(8):
            for course in (small, large):
                await course.keep(STEP // 8)
        await other.close()
    print(f"in turn, after {STEP:,}: {small.cost()}")
    print(f"         after {kept:,}: {large.cost()}", flush=True)


def _written() -> int:
    """Bytes that this process has given to the disk (Linux)."""
    return int(Path("/proc/self/io").read_text().split("write_bytes: ")[1].split()[0])


def _anonymous() -> float:
    """Megabytes of memory that are this process's own (Linux)."""
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) / 1024


def draws(kept: int, chance: random.Random) -> dict[str, Callable[[], str]]:
    """Values to search for, as they stand in the messages kept."""

    def number() -> int:
        return chance.randrange(kept) // 10 * 10  # one that booked

    return {
        "booking": lambda: f"P{number()}",
        "control": lambda: f"B{chance.randrange(kept)}",
        "mrn": lambda: f"N000{1_000_000 + chance.randrange(PATIENTS)}",
        "doctor": lambda: f"{4_000_000 + chance.randrange(DOCTORS)}",
        "room": lambda: f"NORTH///IMG/MR{chance.randrange(ROOMS)}/",
        "visit": lambda: f"V{number()}",
        "account": lambda: "900112233",
        "nothing": lambda: f"X{chance.random()}",
    }


async def ids(store: Store, kind: str, values: Iterable[str]) -> list[str]:
    """The records with these identifiers."""
    return [one for value in values for one in await store.find(TENANT, kind, ("identifier", value))]


async def searches(store: Store, kept: int) -> dict[str, Callable[[], Awaitable[object]]]:
    """What the API searches by, each time for something else."""
    chance = random.Random(7)
    draw = draws(kept, chance)
    known = {
        kind: await ids(store, kind, {draw[value]() for _ in range(TRIES)})
        for kind, value in (
            ("patient", "mrn"),
            ("provider", "doctor"),
            ("location", "room"),
            ("appointment", "booking"),
        )
    }

    def one(kind: str) -> Key:
        return kind, chance.choice(known[kind])

    def changed() -> int:
        return newest.items[chance.randrange(len(newest.items))].received_at

    def day() -> int:
        return int((BEGIN + timedelta(days=chance.randrange(DAYS))).timestamp() * 1e6)

    def records(kind: str, *keys: Key, **rest: Any) -> Awaitable[object]:
        return store.records(RecordQuery(tenant=TENANT, kind=kind, keys=tuple((key,) for key in keys), **rest))

    def booked(*keys: Key, **rest: Any) -> Awaitable[object]:
        return records("appointment", *keys, **rest)

    def messages(*keys: Key, **rest: Any) -> Awaitable[object]:
        return store.messages(MessageQuery(tenant=TENANT, keys=keys, **rest))

    def tasks(status: str | None, queue: str | None) -> Awaitable[object]:
        return store.tasks(TENANT, status, queue, None, 50)

    head = await store.head()
    newest = await store.messages(MessageQuery(tenant=TENANT, limit=1000))
    received = [one.id for one in newest.items]
    return {
        "a record": lambda: store.record(*(TENANT, one("appointment")[1])),
        "its history": lambda: store.history(TENANT, one("appointment")[1]),
        "appointments": lambda: booked(),
        "appointments, newest first": lambda: booked(descending=True),
        "appointments by start": lambda: booked(order="start", start_from=day()),
        "appointments of a day": lambda: booked(start_from=(at := day()), start_before=at + DAY),
        "appointments of a day by start": lambda: booked(
            order="start", start_from=(at := day()), start_before=at + DAY
        ),
        "appointments changed last": lambda: booked(order="updated", descending=True),
        "appointments of a status": lambda: booked(statuses=("noshow",)),
        "appointments of a rare status": lambda: booked(statuses=("entered-in-error",), limit=1000),
        "appointments of no such status": lambda: booked(statuses=("waitlist",)),
        "appointments of no such status by start": lambda: booked(statuses=("waitlist",), order="start"),
        "appointments of no such status, changed": lambda: booked(statuses=("waitlist",), order="updated"),
        "appointments by identifier": lambda: booked(("identifier", draw["booking"]())),
        "appointments by no such identifier": lambda: booked(("identifier", draw["nothing"]())),
        "appointments of a patient": lambda: booked(one("patient")),
        "appointments of a provider": lambda: booked(one("provider")),
        "appointments of a provider by start": lambda: booked(one("provider"), order="start", start_from=day()),
        "appointments of a provider and status": lambda: booked(one("provider"), statuses=("noshow",)),
        "appointments of a provider, no such status": lambda: booked(one("provider"), statuses=("waitlist",)),
        "appointments of a place": lambda: booked(one("location")),
        "appointments of a place on a day": lambda: booked(
            one("location"), order="start", start_from=(at := day()), start_before=at + DAY
        ),
        "appointments of a provider at a place": lambda: booked(one("provider"), one("location")),
        "appointments of a place, changed last": lambda: booked(one("location"), order="updated", descending=True),
        "appointments of a patient since a change": lambda: booked(one("patient"), updated_since=changed()),
        "appointments of a patient, two statuses": lambda: booked(one("patient"), statuses=("booked", "noshow")),
        "appointments changed since": lambda: booked(order="updated", updated_since=changed()),
        "appointments of two statuses": lambda: booked(statuses=("cancelled", "noshow"), order="start"),
        "appointments of a visit": lambda: booked(("visit", draw["visit"]())),
        "appointments of two patients": lambda: store.records(
            RecordQuery(tenant=TENANT, kind="appointment", keys=((one("patient"), one("patient")),))
        ),
        "encounters": lambda: records("encounter"),
        "encounters of an account": lambda: records("encounter", ("account", draw["nothing"]())),
        "patients of an account": lambda: records("patient", ("account", draw["account"]())),
        "patients by a birth date that all have": lambda: records("patient", ("birthdate", "1971-03-05")),
        "patients by system and identifier": lambda: records("patient", ("identifier", f"x|{draw['mrn']()}")),
        "providers by name": lambda: records("provider", ("name", "baker iris")),
        "providers by identifier": lambda: records("provider", ("identifier", draw["doctor"]())),
        "locations by name": lambda: records("location", ("name", "north")),
        "a patient by all that it was merged from": lambda: store.aliases(TENANT, one("patient")[1]),
        "patients": lambda: records("patient"),
        "patients by identifier": lambda: records("patient", ("identifier", draw["mrn"]())),
        "patients by a name that all have": lambda: records("patient", ("name", "archer")),
        "patients by name and birth date": lambda: records("patient", ("name", "archer"), ("birthdate", "1971-03-05")),
        "patients by name, none such born": lambda: records("patient", ("name", "archer"), ("birthdate", "1971-03-06")),
        "providers": lambda: records("provider"),
        "locations": lambda: records("location"),
        "a message": lambda: store.message(TENANT, chance.choice(received)),
        "messages": lambda: messages(),
        "messages of a type": lambda: messages(type="SIU"),
        "messages of a rare event": lambda: messages(event="S17", limit=1000),
        "messages of no such event": lambda: messages(event="S14"),
        "messages of a rare feed": lambda: messages(feed="rare", limit=1000),
        "messages of no such feed": lambda: messages(feed="none"),
        "messages that are parked": lambda: messages(state="parked"),
        "messages of an hour": lambda: messages(received_from=1, received_before=2),
        "messages by control id": lambda: messages(("control_id", draw["control"]())),
        "messages by no such control id": lambda: messages(("control_id", draw["nothing"]())),
        "messages by identifier": lambda: messages(("identifier", draw["booking"]())),
        "messages by a patient's identifier": lambda: messages(("identifier", draw["mrn"]())),
        "messages by a name that all have": lambda: messages(("name", "archer")),
        "messages by no such name": lambda: messages(("name", draw["nothing"]())),
        "messages about an appointment": lambda: messages(record=one("appointment")[1]),
        "messages about a patient": lambda: messages(record=one("patient")[1]),
        "messages about a provider": lambda: messages(record=one("provider")[1]),
        "messages about a patient of a rare feed": lambda: messages(record=one("patient")[1], feed="rare"),
        "messages about a place of a rare feed": lambda: messages(record=one("location")[1], feed="rare"),
        "messages of a feed and an event": lambda: messages(feed="lab", event="S15"),
        "messages of a rare feed, no such event": lambda: messages(feed="rare", event="S14"),
        "messages by order": lambda: messages(("order", draw["booking"]())),
        "messages by account": lambda: messages(("account", draw["account"]())),
        "messages by a birth date that all have": lambda: messages(("birthdate", "1971-03-05")),
        "messages by name and birth date": lambda: messages(("name", "archer lena"), ("birthdate", "1971-03-06")),
        "messages by a record's key": lambda: messages(("record", one("appointment")[1])),
        "messages of an hour by identifier": lambda: messages(
            ("identifier", draw["booking"]()), received_from=newest.items[-1].received_at
        ),
        "events": lambda: store.events(TENANT, chance.randrange(head), 100),
        "events of a type": lambda: store.events(TENANT, chance.randrange(head), 100, ("appointment.cancelled",)),
        "events of a rare type": lambda: store.events(TENANT, chance.randrange(head), 100, ("task.*",)),
        "events of no such type": lambda: store.events(TENANT, 0, 100, ("encounter.*",)),
        "tasks": lambda: tasks(None, None),
        "tasks that are ready": lambda: tasks("ready", None),
        "tasks of a queue": lambda: tasks("ready", "integration-errors"),
        "tasks of an empty queue": lambda: tasks(None, "patient-identity"),
        "tasks that are done": lambda: tasks("completed", None),
        "audit": lambda: store.audit_rows(TENANT, chance.randrange(kept // GROUP), 100),
        "feeds heard of": lambda: store.heard(TENANT, newest.items[0].received_at - 10_000_000),
        "backlog": lambda: store.backlog(),
        **{f"deliveries{of}": partial(store.deliveries, query) for of, query in deliveries.queries(TENANT).items()},
    }


async def measure(behind: Backend, store: Store, kept: int) -> None:
    """Search, and print the times of each kind; of CPU too, for a machine that does other things beside it."""
    for name, search in (await searches(store, kept)).items():
        tries = [await timed(search) for _ in range(TRIES)]
        theirs = behind.busy()
        for _ in range(TRIES // 4):
            await search()
        theirs = (behind.busy() - theirs) / (TRIES // 4) * 1e3
        wall, cpu = (sorted(one) for one in zip(*tries, strict=True))
        middle, late, busy = (one * 1e3 for one in (wall[TRIES // 2], wall[LATE], cpu[LATE]))
        server = f"   server's CPU {theirs:7.2f} ms" if theirs else ""
        print(f"{name:48} p50 {middle:7.2f} ms   p95 {late:7.2f} ms   p95 of CPU {busy:7.2f} ms{server}", flush=True)


async def timed(search: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Seconds that one search takes, and those of CPU of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    await search()
    return time.perf_counter() - wall, time.process_time() - cpu


async def main(behind: Backend, messages: int, directory: Path) -> None:
    """Fill what is not filled, then search."""
    store = behind.store(directory, KEY)
    await store.open()
    settle_memory()
    await behind.now()
    if not await store.head():
        await fill(behind, store, messages, directory)
        await deliveries.fill(store, TENANT, messages // 10)
        await compare(behind, store, messages)
    for part, size in await behind.sizes(directory):
        if size > 2**20:
            print(f"{size / 2**20:>9,.0f} MiB {part}")
    await measure(behind, store, messages)
    await store.close()


def asked() -> argparse.Namespace:
    """What to measure, and where: a directory that is kept is only searched the next time."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale")
    parser.add_argument("messages", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--store", choices=NAMES, default="sqlite")
    parser.add_argument("--keep", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    given = asked()
    with backend(given.store) as behind, tempfile.TemporaryDirectory() as folder:
        uvloop.run(main(behind, given.messages, given.keep or Path(folder)))
