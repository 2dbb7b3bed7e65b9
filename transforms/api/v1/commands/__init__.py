"""The commands of API v1, by the kind of record that they are about."""

from transforms.api.v1.commands import appointments, base, payers, referrals, requisitions
from transforms.api.v1.commands.base import Command, Moment, Sent

__all__ = ["COMMANDS", "Command", "Moment", "Sent", "appointments", "base", "payers", "referrals", "requisitions"]

COMMANDS: tuple[Command, ...] = (
    *appointments.COMMANDS,
    *referrals.COMMANDS,
    *payers.COMMANDS,
    *requisitions.COMMANDS,
)
