"""The job itself: the consumer's work, RM's retry formula, and the SQL around them.

A claim is the row's lock, held for the time of one short transaction, so a process that dies
gives the message back at once (and, unlike ours, its attempt too).
"""

import json
from datetime import timedelta

ATTEMPTS = 5  # RM's QtdeTentativasExec
REPLY_TYPE = "BenchReply"
LEASE = timedelta(minutes=5)  # until then what was enqueued is not enqueued once more
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
    INSERT INTO inbox (id, type, content, due_at)
    SELECT got.*, clock_timestamp() + %(lease)s
    FROM unnest(%(ids)s::text[], %(types)s::text[], %(contents)s::text[]) AS got (id, type, content)
    WHERE NOT EXISTS (SELECT FROM history WHERE history.id = got.id)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
"""

# Nothing comes back if it has ended, waits, is dead, or another worker has it.
CLAIM = """
    SELECT content, attempts FROM inbox
    WHERE id = %(id)s AND status = 'pending'
    FOR UPDATE SKIP LOCKED
"""

SETTLE = """
    WITH live AS (DELETE FROM inbox WHERE id = %(id)s RETURNING *),
    ended AS (
        INSERT INTO history (id, type, content, attempts, received_at)
        SELECT id, type, content, attempts + 1, received_at FROM live
    ),
    lines AS (
        INSERT INTO logs (message_id, type, text)
        VALUES (%(id)s, 0, 'Answered'), (%(id)s, 0, 'Executed')
    )
    INSERT INTO outbox (id, type, content) VALUES (%(id)s, %(reply_type)s, %(reply)s)
"""

# The attempt counts, its line is written, and it waits or is dead.
FAIL = """
    WITH line AS (INSERT INTO logs (message_id, type, text) VALUES (%(id)s, 1, %(error)s))
    UPDATE inbox
    SET attempts = attempts + 1, status = %(status)s, last_error = %(error)s,
        due_at = clock_timestamp() + %(delay)s
    WHERE id = %(id)s
"""

# Retries that are due, and what was stored but, by a crash, never enqueued.
SWEEP = """
    UPDATE inbox SET status = 'pending', due_at = clock_timestamp() + %(lease)s
    WHERE id IN (
        SELECT id FROM inbox WHERE due_at <= clock_timestamp()
        ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""

# The replies that nobody is sending.
LEASE_REPLIES = """
    UPDATE outbox SET due_at = clock_timestamp() + %(lease)s
    WHERE id IN (
        SELECT id FROM outbox WHERE sent_at IS NULL AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT 5000 FOR UPDATE SKIP LOCKED
    )
    RETURNING id
"""

REPLIES = "SELECT id, type, content FROM outbox WHERE id = ANY(%(ids)s) AND sent_at IS NULL"
SENT = """
    WITH sent AS (
        UPDATE outbox SET sent_at = clock_timestamp() WHERE id = ANY(%(ids)s) RETURNING id
    )
    INSERT INTO logs (message_id, type, text) SELECT id, 0, 'Sent' FROM sent
"""
UNSENT = "SELECT count(*) FROM outbox WHERE sent_at IS NULL"
