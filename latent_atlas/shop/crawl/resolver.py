"""Name lookup of the crawler: a Scrapy resolver that refuses addresses of other networks."""

from __future__ import annotations

from typing import Any, ClassVar

from scrapy.crawler import Crawler
from scrapy.resolver import CachingThreadedResolver
from twisted.internet.defer import Deferred

from latent_atlas.shop.crawl.policy import (
    Network,
    RefusedError,
    check_network,
    network_of_address,
)


class CheckingResolver(CachingThreadedResolver):
    """Scrapy's resolver with `check_network` applied to each address that it finds.

    Twisted reports a refusal as an unknown name. The reason is therefore kept in `refused`.

    Attributes:
        network: the shop's network. Scrapy makes the resolver itself, so the spider sets it here.
        trusted: names that are not checked: the proxy's.
        refused: name → reason.
    """

    network: Network = "public"
    trusted: frozenset[str] = frozenset()
    refused: ClassVar[dict[str, str]] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> CheckingResolver:
        """Create the resolver; Scrapy calls this before it makes the spider."""
        resolver: CheckingResolver = super().from_crawler(crawler, reactor)
        return resolver

    def getHostByName(self, name: str, timeout: Any = ()) -> Deferred[str]:  # noqa: N802
        """The IPv4 address of `name`."""
        address: Deferred[str] = super().getHostByName(name, timeout)
        if name in self.trusted:
            return address
        return address.addCallback(self._checked, name)

    def _checked(self, address: str, name: str) -> str:
        try:
            check_network(network_of_address(address), type(self).network)
        except RefusedError as error:
            self.refused[name.lower()] = str(error)
            raise
        return address
