"""The job itself: the consumer's work, RM's retry formula, and the SQL around them.

A claim is the row's lock, held for the time of one short transaction, so a process that dies
gives the message back at once (and, unlike ours, its attempt too).
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

ATTEMPTS = 5  # RM's QtdeTentativasExec
REPLY_TYPE = "BenchReply"
LEASE = timedelta(minutes=5)  # until then what was enqueued is not enqueued once more
NO_LEASE = timedelta()
SEND_BATCH = 50  # replies in one task


def run(content: str) -> str:
    """Do what the bench's consumer does."""
    request = json.loads(content)["content"]
    return json.dumps({"requestID": request["requestID"], "status": "done"})


def delay(attempt: int, minutes: float) -> timedelta | None:
    """How long to wait after this attempt failed (RM, factor 1); None: it was the last one."""
    return None if attempt >= ATTEMPTS else timedelta(minutes=minutes * ATTEMPTS * attempt)


# A repeated id, live or ended, is no row; the ids that are new come back.
STORE = """
    INSERT INTO inbox (tenant, id, type, content, due_at)
    SELECT %(tenant)s, got.*, clock_timestamp() + %(lease)s
    FROM unnest(%(ids)s::text[], %(types)s::text[], %(contents)s::text[]) AS got (id, type, content)
    WHERE NOT EXISTS (
        SELECT FROM history WHERE history.tenant = %(tenant)s AND history.id = got.id
    )
    ON CONFLICT (tenant, id) DO NOTHING
    RETURNING id
"""

# Nothing comes back if it has ended, waits, is dead, or another worker has it.
CLAIM = """
    SELECT content, attempts FROM inbox
    WHERE tenant = %(tenant)s AND id = %(id)s AND status = 'pending'
    FOR UPDATE SKIP LOCKED
"""

# The reply is due when its lease ends: at once, or if its own task is lost.
SETTLE = """
    WITH live AS (DELETE FROM inbox WHERE tenant = %(tenant)s AND id = %(id)s RETURNING *),
    ended AS (
        INSERT INTO history (tenant, id, type, content, attempts, received_at)
        SELECT tenant, id, type, content, attempts + 1, received_at FROM live
    ),
    lines AS (
        INSERT INTO logs (tenant, message_id, type, text)
        VALUES (%(tenant)s, %(id)s, 0, 'Answered'), (%(tenant)s, %(id)s, 0, 'Executed')
    )
    INSERT INTO outbox (tenant, id, type, content, due_at)
    VALUES (%(tenant)s, %(id)s, %(reply_type)s, %(reply)s, clock_timestamp() + %(lease)s)
"""

# The attempt counts, its line is written, and it waits or is dead.
FAIL = """
    WITH line AS (
        INSERT INTO logs (tenant, message_id, type, text)
        VALUES (%(tenant)s, %(id)s, 1, %(error)s)
    )
    UPDATE inbox
    SET attempts = attempts + 1, status = %(status)s, last_error = %(error)s,
        due_at = clock_timestamp() + %(delay)s
    WHERE tenant = %(tenant)s AND id = %(id)s
"""

# Retries that are due, and what was stored but, by a crash, never enqueued.
SWEEP = """
    UPDATE inbox SET status = 'pending', due_at = clock_timestamp() + %(lease)s
    WHERE (tenant, id) IN (
        SELECT tenant, id FROM inbox WHERE due_at <= clock_timestamp()
        ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED
    )
    RETURNING tenant, id
"""

# The replies that nobody is sending.
LEASE_REPLIES = """
    UPDATE outbox SET due_at = clock_timestamp() + %(lease)s
    WHERE (tenant, id) IN (
        SELECT tenant, id FROM outbox WHERE sent_at IS NULL AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT 5000 FOR UPDATE SKIP LOCKED
    )
    RETURNING tenant, id
"""

REPLIES = """
    SELECT id, type, content FROM outbox
    WHERE tenant = %(tenant)s AND id = ANY(%(ids)s) AND sent_at IS NULL
"""
# The row stays: it is the reply's history.
SENT = """
    UPDATE outbox SET sent_at = clock_timestamp()
    WHERE tenant = %(tenant)s AND id = ANY(%(ids)s)
"""
UNSENT = "SELECT count(*) FROM outbox WHERE sent_at IS NULL"


def batches(leased: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Make each tenant's leased replies into tasks of at most SEND_BATCH."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for tenant, identity in leased:
        ids[tenant].append(identity)
    return [
        (tenant, its[start : start + SEND_BATCH])
        for tenant, its in ids.items()
        for start in range(0, len(its), SEND_BATCH)
    ]
