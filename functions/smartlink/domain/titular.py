"""Keyed hashes of what names a person (`Titular`): found again exactly, by whoever has the key.

The payload of the secret `smartlink-titular-<tenant>` is `{"keys": ["…"]}`. The first key is
written with, all of them are looked for: a new key goes in front, and the old ones stay for as
long as anything that was written with them.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field

from smartlink.domain.identity import encode

LEAST_KEY = 32  # characters
_MOST_KEYS = 8


class TitularKeyError(ValueError):
    """The payload holds no keys. The text says what is wrong with it, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class TitularKeys:
    """A tenant's keys, the newest first; none where the tenant has no such secret."""

    keys: tuple[bytes, ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def written(self, kind: str, value: str) -> str | None:
        """Hashes an identifier in its canonical form with the newest key; None without a key."""
        return next(iter(self.sought(kind, value)), None)

    def sought(self, kind: str, value: str) -> list[str]:
        """Hashes it with each key: one of these was written, whenever that was."""
        data = encode(f"{kind}\0{value}")
        return [hmac.digest(key, data, hashlib.sha256).hex() for key in self.keys]


def parse_titular_keys(payload: bytes) -> TitularKeys:
    """Raises TitularKeyError."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        document = None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= _MOST_KEYS:
        message = f'it must be {{"keys": ["…"]}} with 1 to {_MOST_KEYS} keys'
        raise TitularKeyError(message)
    if not all(isinstance(key, str) and len(key) >= LEAST_KEY for key in keys):
        message = f"each key must be a text of at least {LEAST_KEY} characters, drawn at random"
        raise TitularKeyError(message)
    return TitularKeys(tuple(encode(key) for key in keys))
