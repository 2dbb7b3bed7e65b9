"""What stands before a receiver: a circuit for each destination, and the question whether it may be one at all."""

import pytest

from canonical.outcome import Outcome
from connectors.webhook.client import Post
from gateway.deliveries.circuits import CIRCUITS, Circuits
from gateway.deliveries.outbound import allow_list, outbound, receiver_refusal
from policies.addresses import AllowList
from policies.circuit import CircuitConfig


def circuits(minimum: int) -> Circuits:
    """Circuits that open after so many calls, at a time that stands still."""
    return Circuits(CircuitConfig(minimum_calls=minimum), lambda: 0.0, lambda: 0.0)


async def test_a_circuit_for_each_destination() -> None:
    """A destination that keeps failing is left alone, and no other with it."""
    reached: list[str] = []

    async def send(post: Post) -> Outcome:
        reached.append(post.url)
        return Outcome(kind="transient" if "bad" in post.url else "delivered", code="told")

    call = outbound(send, circuits(4))
    for _ in range(6):
        last = await call(Post("https://bad.example/a", {}, b""))
        await call(Post("https://good.example/a", {}, b""))

    assert ("circuit_open", False) == (last.code, last.attempted)
    assert (4, 6) == tuple(sum(name in url for url in reached) for name in ("bad", "good"))


class Failing:
    """A receiver that answers nobody well, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, post: Post) -> Outcome:
        self.calls += 1
        return Outcome(kind="transient", code="told")


async def test_no_tenant_closes_a_destination_to_another() -> None:
    """What one tenant's subscriptions made of a host is not held against the other's."""
    call = outbound(Failing(), circuits(2))
    for _ in range(3):
        mine = await call(Post("https://shared.example/a", {}, b"", "main"))
    other = await call(Post("https://shared.example/b", {}, b"", "other"))

    assert ["circuit_open", "told"] == [mine.code, other.code]


async def test_circuits_are_forgotten_in_the_order_of_their_use() -> None:
    """However many destinations there were, so many are remembered and no more."""
    receiver = Failing()
    call = outbound(receiver, circuits(1))
    kept, lost = Post("https://kept.example/", {}, b""), Post("https://lost.example/", {}, b"")
    await call(kept)
    await call(lost)
    for number in range(CIRCUITS - 1):
        await call(Post(f"https://host{number}.example/", {}, b""))
        await call(kept)

    assert ["circuit_open", "told"] == [(await call(kept)).code, (await call(lost)).code]
    assert CIRCUITS + 2 == receiver.calls


async def test_no_circuit() -> None:
    """Without a configuration the call is the very call."""

    async def send(post: Post) -> Outcome:
        return Outcome(kind="delivered", code="told")

    assert send is outbound(send, None)


def test_allow_list() -> None:
    """Entries are networks where they can be, else names."""
    expected = AllowList(hosts=frozenset({"partner.local"}), networks=("127.0.0.1/32", "10.0.0.0/8", "::1/128"))

    assert expected == allow_list(["127.0.0.1", "Partner.Local.", "10.0.0.0/8", "::1"])


@pytest.mark.parametrize(
    ("url", "allow", "code"),
    [
        ("https://localhost/hook", [], "host_internal"),
        ("http://203.0.113.9/hook", [], "url_scheme"),
        ("https://10.1.2.3/hook", [], "address_internal"),
        ("https://nothing.invalid/hook", [], "address_none"),
        ("http://localhost:9/hook", ["localhost"], None),
        ("http://127.0.0.1:9/hook", ["127.0.0.0/8"], None),
    ],
)
async def test_new_receivers(url: str, allow: list[str], code: str | None) -> None:
    """A new subscription's URL is refused with a code, unless it leads outside or is allowed."""
    assert code == await receiver_refusal(url, allow_list(allow))
