"""How often a client may call: GCRA, one number of state per key, and the headers that tell the client.

A refused call changes nothing, so a client that keeps knocking is let in exactly when it was told. Keys carry the
limit's name, so two limits never share a count. Memory is bounded: keys that have recovered are
dropped first, and dropping one of those changes no answer.
"""

import sys
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from msgspec import Struct

from policies.call import Refusal

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
CLOCK_GRAIN = 1e-6  # what adding and subtracting two epoch times may lose
Key = tuple[str, str, str]


class Limit(Struct, frozen=True, kw_only=True):
    """`quota` calls per `window` seconds, evenly; up to `burst` (else the whole quota) may come at once."""

    name: str
    quota: int
    window: float
    burst: int | None = None

    def __post_init__(self) -> None:
        if self.quota < 1 or self.window <= 0 or (self.burst is not None and self.burst < 1):
            raise ValueError("a limit needs a quota, a window and a burst above zero")
        if not self.name.isascii() or not self.name.isprintable() or set('"\\') & set(self.name):
            raise ValueError("a limit's name is printable ASCII without quotes")

    @property
    def spacing(self) -> float:
        """Seconds that one call costs (GCRA's T)."""
        return self.window / self.quota

    @property
    def tolerance(self) -> float:
        """Seconds of calls that may come at once (GCRA's tau)."""
        return self.spacing * (self.burst or self.quota)


class Verdict(NamedTuple):
    """Whether a call may pass, and what the tightest limit has left; `violated` names the limits that refused."""

    allowed: bool
    limit: str
    remaining: int
    more_in: float
    violated: tuple[str, ...] = ()


NO_LIMIT = Verdict(True, "", sys.maxsize, 0.0)


def arrival(tat: float, now: float, spacing: float) -> float:
    """The theoretical arrival time after one more call."""
    return (tat if tat > now else now) + spacing


def room(tat: float, now: float, spacing: float, tolerance: float) -> tuple[int, float]:
    """Calls that may come at once now, and seconds until there is room for one more."""
    left = tolerance - tat + now if tat > now else tolerance
    remaining = int((left + CLOCK_GRAIN) / spacing)
    return remaining, (remaining + 1) * spacing - left


class Throttle:
    """The limits of one policy, for every client; `admit` is one dictionary look-up a limit."""

    def __init__(self, limits: Sequence[Limit], capacity: int = 100_000) -> None:
        self.limits = tuple(limits)
        self._rates = [(limit.name, limit.spacing, limit.tolerance) for limit in self.limits]
        self._capacity = capacity
        self._tats: dict[Key, float] = {}
        self._policy_header = (b"ratelimit-policy", b",".join(map(policy_item, self.limits)))

    def __len__(self) -> int:
        return len(self._tats)

    def admit(self, client: str, scope: str, now: float) -> Verdict:
        """Take one call from every limit, or, where any of them is used up, from none."""
        tats, tightest = self._tats, NO_LIMIT
        taken = []
        for name, spacing, tolerance in self._rates:
            key = (name, client, scope)
            tat = arrival(tats.get(key, 0.0), now, spacing)
            if tat - now > tolerance + CLOCK_GRAIN:
                return self._refuse(client, scope, now)
            remaining, more_in = room(tat, now, spacing, tolerance)
            if remaining < tightest.remaining or (remaining == tightest.remaining and more_in > tightest.more_in):
                tightest = Verdict(True, name, remaining, more_in)
            taken.append((key, tat))
        tats.update(taken)
        if len(tats) > self._capacity:
            self._shrink(now)
        return tightest

    async def decide(self, client: str, scope: str, now: float) -> Verdict:
        """As `admit`; a limit that processes share may have to ask the others."""
        return self.admit(client, scope, now)

    def headers(self, verdict: Verdict) -> list[tuple[bytes, bytes]]:
        """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10), Retry-After where refused."""
        wait = ceil(verdict.more_in)
        fields = [
            self._policy_header,
            (b"ratelimit", b'"%b";r=%d;t=%d' % (verdict.limit.encode(), max(verdict.remaining, 0), wait)),
        ]
        if not verdict.allowed:
            fields.append((b"retry-after", b"%d" % max(wait, 1)))
        return fields

    def refusal(self, verdict: Verdict) -> Refusal:
        """The 429 of the draft's problem type, naming the limits that were used up."""
        return Refusal(
            status=429,
            code="quota_exceeded",
            detail="Wait for the seconds of Retry-After, then call again.",
            headers=tuple(self.headers(verdict)),
            type=QUOTA_EXCEEDED,
            members={"violated-policies": list(verdict.violated)},
        )

    def _refuse(self, client: str, scope: str, now: float) -> Verdict:
        rooms = (
            (*room(self._tats.get((name, client, scope), 0.0), now, spacing, tolerance), name)
            for name, spacing, tolerance in self._rates
        )
        used_up = [(more_in, name) for remaining, more_in, name in rooms if not remaining]
        more_in, name = max(used_up)
        return Verdict(False, name, 0, more_in, tuple(name for _, name in used_up))

    def _shrink(self, now: float) -> None:
        """Forget what has recovered; if that is too little, the tenth that is nearest to it."""
        kept = {key: tat for key, tat in self._tats.items() if tat > now}
        if len(kept) > self._capacity * 0.9:
            latest = sorted(kept.items(), key=lambda item: item[1])[len(kept) - int(self._capacity * 0.9) :]
            kept = dict(latest)
        self._tats = kept


def policy_item(limit: Limit) -> bytes:
    """One item of RateLimit-Policy."""
    return b'"%b";q=%d;w=%d' % (limit.name.encode(), limit.quota, max(ceil(limit.window), 1))
