"""How a command of `isthmus` ends that cannot do its work."""


class Stop(Exception):
    """What the user has to know, in one sentence; the command ends with 1."""
