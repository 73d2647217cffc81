"""Records of HTTP responses, and reasons of failures."""

from __future__ import annotations

from datetime import datetime, timezone

from scrapy.http import Response

from latent_atlas.shop.crawl.ledger import ResponseRecord
from latent_atlas.shop.crawl.policy import http_date

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses of failures that may pass."""

TOO_LARGE = "larger than the limit"


def response_record(response: Response) -> ResponseRecord:
    """The part of `response` that the ledger keeps."""

    def header(name: str) -> str:
        return (response.headers.get(name) or b"").decode("latin1")

    # The server's clock (RFC 9110 section 6.6.1) makes the record independent of the local clock.
    fetched = http_date(header("Date")) or datetime.now(timezone.utc)
    return ResponseRecord(
        header("ETag"),
        header("Last-Modified"),
        fetched.strftime("%Y-%m-%dT%H:%M:%SZ"),
        len(response.body),
    )


def network_reason(error: BaseException) -> str:
    """Reason why a request got no response."""
    name = type(_cause(error)).__name__
    return {
        "TimeoutError": "timeout",
        "DownloadTimeoutError": "timeout",
        "DownloadCancelledError": TOO_LARGE,
    }.get(name, f"no answer ({name})")


def _cause(error: BaseException) -> BaseException:
    """The original error inside a failed name lookup or connection."""
    for reason in getattr(error, "reasons", ()):
        return _cause(reason.value)
    return error.__cause__ or getattr(error, "osError", None) or error
