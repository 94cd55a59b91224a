"""Whether a webhook body is Zalo's: a plain SHA-256 over the raw bytes, in every form that some source describes.

The header is `X-ZEvent-Signature: mac=<hex>`, the digest sha256(first + raw body + timestamp + key). The sources contradict one
another about `mac=`, about where the timestamp stands, about which key it is and whether the first term is the app or the OA
(docs/adr/0010). Each form needs a secret that only Zalo and the account's owner have, so to accept all of them weakens none.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SIGNATURE: Final = "X-ZEvent-Signature"
TIMESTAMP: Final = "X-ZEvent-Timestamp"
_PREFIX: Final = "mac="


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs an account's events. `oa_secret` is the key shown beside the webhook's address, not the app's secret."""

    app_id: str
    oa_secret: str = field(repr=False)
    app_secret: str = field(default="", repr=False)


def verify(
    body: bytes, event: Mapping[str, Any], headers: Mapping[str, str], keys: Keys, oa_id: str = ""
) -> str | None:
    """Return the form in which the signature matches, e.g. "mac= body-timestamp oa-secret app-id"; None if none does.

    Args:
        body: the bytes as they came; JSON read and written again has other bytes.
        event: the same, read.
        headers: with case-insensitive names, as the web framework gives them.
    """
    given = headers.get(SIGNATURE, "").strip()
    prefixed = given.lower().startswith(_PREFIX)
    digest = given[len(_PREFIX) :].strip() if prefixed else given
    # Compared as bytes: a digest with foreign letters is no error, but no match.
    claimed = digest.lower().encode("utf-8", "replace")
    matched: str | None = None
    for form, made in _digests(body, event, headers, keys, oa_id):
        # All are compared, so that the time taken does not tell which one came close.
        if hmac.compare_digest(made.encode(), claimed) and matched is None:
            matched = f"{_PREFIX if prefixed else 'bare'} {form}"
    return matched


def _digests(
    body: bytes, event: Mapping[str, Any], headers: Mapping[str, str], keys: Keys, oa_id: str
) -> Iterator[tuple[str, str]]:
    """The digests that would be right, the likeliest first; none without a key or a first term."""
    times = [("body-timestamp", _text(event.get("timestamp"))), ("header-timestamp", headers.get(TIMESTAMP, ""))]
    secrets = [("oa-secret", keys.oa_secret), ("app-secret", keys.app_secret)]
    firsts = [("app-id", keys.app_id), ("oa-id", oa_id)]
    for when, moment in times:
        for whose, secret in secrets:
            for which, first in firsts:
                if secret and first and moment:
                    digest = hashlib.sha256(first.encode() + body + moment.encode("utf-8", "replace") + secret.encode())
                    yield f"{when} {whose} {which}", digest.hexdigest()


def _text(value: object) -> str:
    """A timestamp is a text; some senders write a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
