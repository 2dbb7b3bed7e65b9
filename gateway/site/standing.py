"""The site as it stands while it is served: its files may be read again, and whoever goes by them is told."""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from gateway.site.settings import Site

AT_START_ALONE: Final = ("server", "store", "intake", "redis", "tracing", "webhooks", "retention", "tenants")


class Standing:
    """One site, and who wants to hear that it has changed."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._told: list[Callable[[Site], object]] = []

    def hear(self, told: Callable[[Site], object]) -> None:
        """Tell this of every change from now on."""
        self._told.append(told)

    def becomes(self, site: Site) -> None:
        """Go by another state of the files; isthmus.toml counts as it was at the start."""
        self.site = replace(site, main=self.site.main)
        for tell in self._told:
            tell(self.site)

    def ignored(self, site: Site) -> list[str]:
        """The tables of isthmus.toml that are others than at the start, and count after the next one."""
        return [name for name in AT_START_ALONE if getattr(site.main, name) != getattr(self.site.main, name)]
