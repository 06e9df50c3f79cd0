"""Buckets of tenants: one due query asks for all tenants of a bucket.

A live document carries its tenant's bucket. So neither the number of buckets nor the hash can be
changed: documents of both would lie beside each other.
"""

from functools import lru_cache
from hashlib import sha256

BUCKETS = 16

EVERY_BUCKET = tuple(f"{number:02d}" for number in range(BUCKETS))


@lru_cache(maxsize=65_536)  # each write of each message asks
def bucket_of(tenant: str) -> str:
    """Returns the bucket of a tenant: the same in each process and release."""
    return EVERY_BUCKET[sha256(tenant.encode()).digest()[0] % BUCKETS]
