"""What a user has to know of a store that cannot be used as it is."""


class Unusable(Exception):
    """The store cannot be used; the text says why, in a sentence without a secret."""
