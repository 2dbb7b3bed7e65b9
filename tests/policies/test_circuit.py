"""A circuit opens on failures, lets exactly its probes through, and ignores what belongs to an older state."""

import asyncio
import contextlib

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from canonical.outcome import Outcome, of_status
from policies.circuit import Circuit, CircuitConfig, Permit, circuit_policy

DONE = of_status(200)
FAILED = of_status(503)


def opened(config: CircuitConfig | None = None) -> Circuit:
    """A circuit that opened at 0 and may be probed from 5 on."""
    circuit = Circuit(config)
    for _ in range(circuit.config.minimum_calls):
        permit = circuit.admit(0)
        assert permit
        circuit.settle(permit, True, 0, dice=0)
    return circuit


def call(circuit: Circuit, now: float, failed: bool = False, took: float = 0.0, dice: float = 0.0) -> None:
    permit = circuit.admit(now)
    assert permit
    circuit.settle(permit, failed, now + took, dice)


def test_stays_closed_below_the_minimum() -> None:
    """Nineteen failures of nineteen calls say too little."""
    circuit = Circuit()
    for _ in range(19):
        call(circuit, 0, failed=True)

    assert circuit.state == "closed"


@pytest.mark.parametrize(("state", "failures"), [("open", 10), ("closed", 9)])
def test_opens_at_half(state: str, failures: int) -> None:
    """It opens at half of twenty calls failed, not before."""
    circuit = Circuit()
    for index in range(20):
        call(circuit, 0, failed=index < failures)

    assert state == circuit.state


def test_others_may_open_it() -> None:
    """For as long as they say and not beyond its own longest time; it is then due for a probe."""
    circuit = Circuit()
    circuit.open_for(7, 0, times=3)

    assert circuit.admit(6.9) is None
    assert [False, True] == [circuit.is_due(6.9), circuit.is_due(7)]
    assert circuit.admit(7)
    assert "half_open" == circuit.state
    circuit.open_for(10**6, 7, times=0)
    assert circuit.is_due(7 + 72)


def test_the_next_try_may_be_put_off() -> None:
    """While others are asked who tries it, and until whoever does is done."""
    circuit = opened()
    circuit.wait(3, 5)

    assert [False, True] == [circuit.is_due(7.9), circuit.is_due(8)]


def test_what_others_saw_counts_as_ours() -> None:
    """A circuit that others opened three times in a row stays open for the fourth as long as theirs would."""
    circuit = Circuit(CircuitConfig(jitter=0.0))
    circuit.open_for(1, 0, times=3)
    call(circuit, 1, failed=True)

    assert 5 * 2**3 == circuit.retry_after(1)


def test_others_may_close_it() -> None:
    """What began before says nothing any more, and its next opening is a first one."""
    circuit = opened()
    probe = circuit.admit(5)
    assert probe
    circuit.close()
    circuit.settle(probe, True, 6, dice=0)

    assert ("closed", 0) == (circuit.state, circuit.opened_times)


@pytest.mark.parametrize(("state", "slow"), [("open", 16), ("closed", 15)])
def test_opens_when_slow(state: str, slow: int) -> None:
    """Slow answers open it at four in five."""
    circuit = Circuit(CircuitConfig(slow_after=0.5))
    for index in range(20):
        call(circuit, 0, took=0.5 if index < slow else 0.1)

    assert state == circuit.state


def test_window_forgets() -> None:
    """What lies more than ten seconds back is not counted."""
    circuit = Circuit()
    for _ in range(19):
        call(circuit, 0, failed=True)
    call(circuit, 11, failed=True)

    assert circuit.state == "closed"


def test_window_slides() -> None:
    """Failures spread over less than the window are counted together."""
    circuit = Circuit()
    for index in range(20):
        call(circuit, index * 0.45, failed=True)

    assert circuit.state == "open"


def test_open_lasts_longer_each_time() -> None:
    """From five seconds it doubles up to sixty, and a close forgets that."""
    circuit, now, lengths = opened(), 0.0, []
    for _ in range(6):
        lengths.append(circuit.retry_after(now))
        now += lengths[-1]
        call(circuit, now, failed=True)
    now += circuit.retry_after(now)
    for _ in range(3):
        call(circuit, now)

    assert lengths == [5, 10, 20, 40, 60, 60]
    assert (circuit.state, circuit.opened_times) == ("closed", 0)


def test_dice_spread_the_reopening() -> None:
    """Dice lengthen an opening by up to its jitter."""
    circuit = Circuit()
    for _ in range(20):
        call(circuit, 0, failed=True, dice=0.5)

    assert circuit.retry_after(0) == pytest.approx(5.5)


def test_late_completion_of_an_older_state_is_ignored() -> None:
    """A call from before the opening neither closes nor reopens the circuit."""
    circuit = Circuit()
    early = circuit.admit(0)
    assert early
    for _ in range(20):
        call(circuit, 0, failed=True)
    probe = circuit.admit(5)
    assert probe
    circuit.settle(early, True, 5, dice=0)
    circuit.release(early)

    assert circuit.state == "half_open"
    assert [circuit.admit(5) is not None for _ in range(3)] == [True, True, False]


def test_released_probe_can_be_used_again() -> None:
    """A cancelled probe gives its place back."""
    circuit = opened(CircuitConfig(probes=1))
    probe = circuit.admit(5)
    assert probe
    assert circuit.admit(5) is None
    circuit.release(probe)

    assert circuit.admit(5) is not None


def test_slow_probe_reopens() -> None:
    """A destination that answers its probe too slowly is not well."""
    circuit = opened(CircuitConfig(slow_after=1))
    call(circuit, 5, took=1)

    assert circuit.state == "open"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_half_open_lets_only_its_probes_through() -> None:
    """Of 200 concurrent calls on a circuit that may be probed, three get in and 197 hear when to come back."""
    clock, circuit, inside = Clock(), opened(), 0
    clock.now = 5.0
    gate = asyncio.Event()

    async def post(_: int) -> Outcome:
        nonlocal inside
        inside += 1
        await gate.wait()
        return DONE

    guarded = circuit_policy(circuit, clock, lambda: 0.0)(post)
    calls = [asyncio.create_task(guarded(index)) for index in range(200)]
    await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*calls)

    assert inside == 3
    assert [outcome.code for outcome in outcomes].count("circuit_open") == 197
    assert all(o.retry_after and not o.attempted for o in outcomes if o.code == "circuit_open")
    assert circuit.state == "closed"


async def test_cancelled_probe_is_released() -> None:
    """Cancelling the call in the only probe leaves the circuit ready for another."""
    clock, circuit = Clock(), opened(CircuitConfig(probes=1))
    clock.now = 5.0
    never = asyncio.Event()

    async def post(wait: bool) -> Outcome:
        if wait:
            await never.wait()
        return DONE

    guarded = circuit_policy(circuit, clock, lambda: 0.0)(post)
    task = asyncio.create_task(guarded(True))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert await guarded(False) is DONE
    assert circuit.state == "closed"


async def test_exception_counts_as_failure_and_passes() -> None:
    """An error that nobody translated speaks against the destination, and is still raised."""
    circuit = Circuit(CircuitConfig(minimum_calls=1))

    async def post(_: int) -> Outcome:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await circuit_policy(circuit, Clock(), lambda: 0.0)(post)(1)

    assert circuit.state == "open"


@pytest.mark.parametrize(
    ("state", "status"), [("open", 500), ("open", 504), ("closed", 429), ("closed", 404), ("closed", 410)]
)
async def test_which_statuses_are_failures(state: str, status: int) -> None:
    """Server errors open it; a refusal or a 429 comes from a destination that is well."""
    circuit = Circuit(CircuitConfig(minimum_calls=1))

    async def post(_: int) -> Outcome:
        return of_status(status)

    await circuit_policy(circuit, Clock(), lambda: 0.0)(post)(1)

    assert state == circuit.state


class CircuitMachine(RuleBasedStateMachine):
    """Any order of calls, ends, cancellations and time."""

    @initialize(probes=st.integers(1, 4))
    def begin(self, probes: int) -> None:
        self.now = 0.0
        self.circuit = Circuit(CircuitConfig(probes=probes, minimum_calls=4))
        self.held: list[Permit] = []

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def admit(self) -> None:
        waits = self.circuit.state == "open" and self.circuit.retry_after(self.now) > 1
        permit = self.circuit.admit(self.now)
        assert not (waits and permit)
        if permit:
            self.held.append(permit)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), failed=st.booleans(), dice=st.floats(0, 1, exclude_max=True))
    def settle(self, data: st.DataObject, failed: bool, dice: float) -> None:
        permit = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        before, is_old = self.circuit.state, permit.generation != self.circuit._generation
        self.circuit.settle(permit, failed, self.now, dice)
        assert not is_old or self.circuit.state == before

    @precondition(lambda self: self.held)
    @rule()
    def cancel(self) -> None:
        self.circuit.release(self.held.pop())

    @invariant()
    def no_more_probes_than_allowed(self) -> None:
        if hasattr(self, "circuit") and self.circuit.state == "half_open":
            inside = sum(permit.generation == self.circuit._generation for permit in self.held)
            assert inside + self.circuit._probes_left + self.circuit._probes_passed == self.circuit.config.probes

    @invariant()
    def window_adds_up(self) -> None:
        if hasattr(self, "circuit"):
            window = self.circuit._window
            assert [window.calls, window.failures, window.slow] == [
                sum(column) for column in zip(*window._ring, strict=True)
            ]

    @invariant()
    def always_recovers(self) -> None:
        """However it stands, waiting and succeeding closes it."""
        if hasattr(self, "circuit") and self.circuit.state == "open":
            assert self.circuit.retry_after(self.now) <= 60 * 1.2


CircuitMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCircuitMachine = CircuitMachine.TestCase
