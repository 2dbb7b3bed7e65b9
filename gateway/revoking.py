"""Tokens that were taken back: kept as switches until they would have expired anyway, then forgotten."""

from collections.abc import Mapping

from gateway.store.protocol import Store
from policies.tokens import Revocations

TOKEN = "token:"  # noqa: S105 - how their switches are named


async def recall(store: Store, revocations: Revocations, now: float) -> None:
    """Learn of those that still matter, whichever process took them back."""
    await forget_expired(store, revocations, now)
    learn(revocations, await store.switches(), now)


def learn(revocations: Revocations, switches: Mapping[str, str], now: float) -> None:
    """Learn of those among the switches."""
    for name, until in _among(switches).items():
        if until > now:
            revocations.hear_of(name.removeprefix(TOKEN), until)


async def revoke(store: Store, revocations: Revocations, token: str, until: float) -> None:
    """Take one back: here at once, in other processes and after a restart by what is kept."""
    await store.set_switch(f"{TOKEN}{token}", str(int(until)))
    revocations.revoke_token(token, until)


async def forget_expired(store: Store, revocations: Revocations, now: float) -> None:
    """Forget those that nobody could use any more, kept and in memory."""
    for name, until in _among(await store.switches()).items():
        if until <= now:
            await store.set_switch(name, None)
    revocations.forget_expired(now)


def _among(switches: Mapping[str, str]) -> dict[str, float]:
    return {name: float(until) for name, until in switches.items() if name.startswith(TOKEN)}
