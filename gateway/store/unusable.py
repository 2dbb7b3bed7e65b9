"""Why a store or a Redis cannot be used at all, in a sentence for whoever starts it."""


class Unusable(Exception):
    """No database where the settings say there is one, or nothing to reach it with. Never holds the address."""

    def __init__(self, why: str, setting: str = "store.database") -> None:
        super().__init__(why)
        self.setting = setting
