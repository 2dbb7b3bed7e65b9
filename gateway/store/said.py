"""What people write about a task: they may name anybody, so it is sealed, each text for its own row."""

from collections.abc import Mapping

from canonical.tasks import Task
from gateway.store.vault import Vault

WRITTEN = ("resolution", "note")


def sealed(vault: Vault, task: Task) -> list[bytes | None]:
    """What was written about a task, as it is kept, in the order of WRITTEN."""
    texts = [(name, getattr(task, name)) for name in WRITTEN]
    return [vault.seal(text.encode(), f"{task.id}/{name}") if text else None for name, text in texts]


def opened(vault: Vault, identity: str, kept: Mapping[str, bytes | None]) -> dict[str, str]:
    """What was written, of what is kept; what is empty is left out."""
    return {name: vault.unseal(body, f"{identity}/{name}").decode() for name, body in kept.items() if body}
