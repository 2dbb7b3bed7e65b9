"""A circuit breaker: a destination that keeps failing is left alone, then tried by a few probes.

The machine is pure (clock and dice are arguments) and counts admissions, not only results: in half-open exactly
`probes` calls are inside, however many wait. A permit carries the generation it was given in; what ends
after the state has changed is ignored, and a cancelled call gives its permit back.
"""

from collections.abc import Callable
from typing import Literal, TypeVar

from msgspec import Struct

from canonical.outcome import Outcome
from policies.call import Call

State = Literal["closed", "open", "half_open"]
Request = TypeVar("Request")


class CircuitConfig(Struct, frozen=True, kw_only=True):
    """When a circuit opens, for how long, and how it is tried again; times in seconds, shares of one."""

    window: float = 10.0
    buckets: int = 10
    minimum_calls: int = 20
    failure_share: float = 0.5
    slow_share: float = 0.8
    slow_after: float = 10.0
    open_first: float = 5.0
    open_longest: float = 60.0
    jitter: float = 0.2
    probes: int = 3


class Permit(Struct, frozen=True):
    """Leave to make one call; settle or release it once."""

    generation: int
    since: float


class Window:
    """Calls, failures and slow calls of the last `span` seconds, in a ring of buckets."""

    def __init__(self, span: float, buckets: int) -> None:
        self._width = span / buckets
        self._ring = [[0, 0, 0] for _ in range(buckets)]
        self._tick = 0
        self.calls = self.failures = self.slow = 0

    def add(self, now: float, failed: bool, slow: bool) -> None:
        self._turn(now)
        bucket = self._ring[self._tick % len(self._ring)]
        bucket[0] += 1
        bucket[1] += failed
        bucket[2] += slow
        self.calls += 1
        self.failures += failed
        self.slow += slow

    def _turn(self, now: float) -> None:
        """Empty the buckets that time has passed over; a clock that steps back stays in the newest one."""
        tick = int(now / self._width)
        stale = min(tick - self._tick, len(self._ring))
        for offset in range(1, stale + 1):
            bucket = self._ring[(tick - stale + offset) % len(self._ring)]
            self.calls -= bucket[0]
            self.failures -= bucket[1]
            self.slow -= bucket[2]
            bucket[:] = 0, 0, 0
        self._tick = max(tick, self._tick)


class Circuit:
    """One destination's circuit. `state` and `opened_times` are for pages and metrics."""

    def __init__(self, config: CircuitConfig | None = None) -> None:
        self.config = config or CircuitConfig()
        self.state: State = "closed"
        self.opened_times = 0
        self._generation = 0
        self._window = Window(self.config.window, self.config.buckets)
        self._reopen_at = 0.0
        self._probes_left = 0
        self._probes_passed = 0

    def admit(self, now: float) -> Permit | None:
        """A permit for one call, or None where the call must not be made."""
        if self.state == "open" and now >= self._reopen_at:
            self._enter("half_open")
            self._probes_left, self._probes_passed = self.config.probes, 0
        if self.state == "closed":
            return Permit(self._generation, now)
        if self.state == "half_open" and self._probes_left:
            self._probes_left -= 1
            return Permit(self._generation, now)
        return None

    def retry_after(self, now: float) -> float:
        """Seconds after which a refused call may try again: at the latest when the probes have had their time."""
        return max(self._reopen_at - now, 1.0) if self.state == "open" else self.config.open_first

    def settle(self, permit: Permit, failed: bool, now: float, dice: float) -> None:
        """Count the end of a call; `dice` in [0, 1) spread the moments at which a fleet tries again."""
        if permit.generation != self._generation:
            return
        slow = now - permit.since >= self.config.slow_after
        if self.state == "half_open":
            self._settle_probe(failed or slow, now, dice)
            return
        self._window.add(now, failed, slow)
        if self._is_failing():
            self._open(now, dice)

    def is_due(self, now: float) -> bool:
        """Whether the time of an open circuit is over, so that the next call is a probe."""
        return self.state == "open" and now >= self._reopen_at

    def open_for(self, seconds: float, now: float, times: int) -> None:
        """Make no call for so long: others found that the destination fails, so many times in a row."""
        self.opened_times = max(self.opened_times, times)
        if self.state != "open" or self._reopen_at < now + seconds:
            self._enter("open")
            self._reopen_at = now + min(seconds, self.config.open_longest * (1 + self.config.jitter))

    def wait(self, seconds: float, now: float) -> None:
        """Try again in so long, while it is open."""
        self._reopen_at = now + seconds

    def close(self) -> None:
        """Make calls again: another process found that the destination is well."""
        if self.state != "closed":
            self._enter("closed")
        self.opened_times = 0

    def release(self, permit: Permit) -> None:
        """Give back a permit whose call was cancelled: it says nothing about the destination."""
        if permit.generation == self._generation and self.state == "half_open":
            self._probes_left += 1

    def _settle_probe(self, failed: bool, now: float, dice: float) -> None:
        if failed:
            self._open(now, dice)
            return
        self._probes_passed += 1
        if self._probes_passed == self.config.probes:
            self.close()

    def _is_failing(self) -> bool:
        window, config = self._window, self.config
        return window.calls >= config.minimum_calls and (
            window.failures >= config.failure_share * window.calls or window.slow >= config.slow_share * window.calls
        )

    def _open(self, now: float, dice: float) -> None:
        self._enter("open")
        length = min(self.config.open_first * 2 ** min(self.opened_times, 30), self.config.open_longest)
        self._reopen_at = now + length * (1 + self.config.jitter * dice)
        self.opened_times += 1

    def _enter(self, state: State) -> None:
        self.state = state
        self._generation += 1
        self._window = Window(self.config.window, self.config.buckets)


def is_failure(outcome: Outcome) -> bool:
    """Whether an outcome speaks against the destination: a refusal or a 429 comes from one that is well."""
    return outcome.kind in ("transient", "ambiguous") and outcome.status != 429 and outcome.attempted


def circuit_policy(
    circuit: Circuit, clock: Callable[[], float], dice: Callable[[], float]
) -> Callable[[Call[Request, Outcome]], Call[Request, Outcome]]:
    """The policy that keeps a call inside its circuit; an open circuit answers with an outcome not attempted."""

    def policy(call: Call[Request, Outcome]) -> Call[Request, Outcome]:
        async def guarded(request: Request) -> Outcome:
            permit = circuit.admit(now := clock())
            if permit is None:
                wait = circuit.retry_after(now)
                return Outcome(kind="transient", code="circuit_open", retry_after=wait, attempted=False)
            try:
                outcome = await call(request)
            except Exception:
                circuit.settle(permit, True, clock(), dice())
                raise
            except BaseException:
                circuit.release(permit)
                raise
            circuit.settle(permit, is_failure(outcome), clock(), dice())
            return outcome

        return guarded

    return policy
