"""The demo's live view: what the EHR, the gateway and the partner count, drawn in place, or as lines elsewhere.

Plain ANSI: it moves up over what it drew and draws it again. It shows counts and times, and nothing of any message.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TextIO

from canonical.events import Event
from gateway.demo.day import AGAIN, BAD, LATE
from gateway.demo.ehr import Counters as Ehr
from gateway.demo.partner import Counters as Partner

UP, CLEAR, BOLD, DIM, GREEN, YELLOW, PLAIN = (
    "\x1b[{}A",
    "\x1b[K",
    "\x1b[1m",
    "\x1b[2m",
    "\x1b[32m",
    "\x1b[33m",
    "\x1b[0m",
)
ODDITIES = {AGAIN: "sent twice", BAD: "with a bad field", LATE: "late"}


class Tally:
    """What the demo has seen go by."""

    def __init__(self) -> None:
        self.ehr = Ehr()
        self.partner = Partner()
        self.records: Counter[str] = Counter()
        self.events = 0
        self.waiting: Callable[[], int] = lambda: 0

    def hear(self, events: Sequence[Event]) -> None:
        """Count committed events, and the records that are new."""
        self.events += len(events)
        self.records.update(event.type.partition(".")[0] for event in events if event.version == 1)

    def rows(self) -> list[tuple[str, str, str]]:
        """What is shown: whose, what, and a remark."""
        ehr, partner, records = self.ehr, self.partner, self.records
        acks = "  ".join(f"{code} {count}" for code, count in sorted(ehr.acks.items())) or "none yet"
        odd = "  ".join(f"{count} {ODDITIES[what]}" for what, count in sorted(ehr.odd.items())) or "all in order"
        heard = (
            f"{records['patient']} patients  {records['appointment']} appointments  {records['encounter']} encounters  "
            "new in this run"
        )
        hooks = f"{partner.verified} verified  {partner.refused} refused  {partner.duplicates} repeated"
        read = f"{partner.polls} polls  {partner.events} events  {partner.reads} appointments read"
        return [
            ("EHR", f"{ehr.sent} messages  {acks}", f"{ehr.clock}  ack {ehr.milliseconds:.1f} ms"),
            ("", odd, f"{ehr.again} without an answer, sent again" if ehr.again else ""),
            ("Isthmus", heard, f"{self.events} events"),
            ("Partner", f"webhooks {hooks}", f"{partner.milliseconds:.0f} ms after the event"),
            ("", read, f"last: {partner.last}" if partner.last else ""),
        ]


class View:
    """Draws a tally on a terminal, or now and then a line of it elsewhere."""

    def __init__(self, out: TextIO, tally: Tally) -> None:
        self.out = out
        self.tally = tally
        self.live = out.isatty()
        self.every = 0.5 if self.live else 5.0
        self._drawn = 0

    def draw(self) -> None:
        """The state of now."""
        if not self.live:
            rows = self.tally.rows()
            self.out.write(" | ".join(f"{who} {what}".strip() for who, what, _ in rows) + "\n")
        else:
            width = shutil.get_terminal_size((100, 24)).columns
            lines = [self._line(row, width) for row in self.tally.rows()]
            self.out.write(
                (UP.format(self._drawn) if self._drawn else "") + "".join(f"{one}{CLEAR}\n" for one in lines)
            )
            self._drawn = len(lines)
        self.out.flush()

    def _line(self, row: tuple[str, str, str], width: int) -> str:
        """One row, never wider than the terminal: a wrapped line could not be drawn over."""
        who, what, remark = row
        room = max(20, width - 1)
        what = what[: room - 10]
        remark = remark[: max(0, room - 13 - len(what))]
        colour = YELLOW if not who else GREEN
        return f"{BOLD}{who:<9}{PLAIN} {colour}{what}{PLAIN}   {DIM}{remark}{PLAIN}"
