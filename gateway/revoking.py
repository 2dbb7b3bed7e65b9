"""Tokens that were taken back: kept as switches until they would have expired anyway, then forgotten."""

from gateway.store.protocol import Store
from policies.tokens import Revocations

TOKEN = "token:"  # noqa: S105 - how their switches are named


async def recall(store: Store, now: float) -> Revocations:
    """Those that still matter."""
    revocations = Revocations()
    await forget_expired(store, revocations, now)
    for name, until in (await _kept(store)).items():
        revocations.revoke_token(name.removeprefix(TOKEN), until)
    return revocations


async def revoke(store: Store, revocations: Revocations, token: str, until: float) -> None:
    """Take one back: here at once, in other processes and after a restart by what is kept."""
    await store.set_switch(f"{TOKEN}{token}", str(int(until)))
    revocations.revoke_token(token, until)


async def forget_expired(store: Store, revocations: Revocations, now: float) -> None:
    """Forget those that nobody could use any more, kept and in memory."""
    for name, until in (await _kept(store)).items():
        if until <= now:
            await store.set_switch(name, None)
    revocations.forget_expired(now)


async def _kept(store: Store) -> dict[str, float]:
    return {name: float(until) for name, until in (await store.switches()).items() if name.startswith(TOKEN)}
