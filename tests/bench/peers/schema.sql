-- What both peers keep. Times are the database's, read when a row is written.

CREATE TABLE inbox (
    tenant text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    content text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'waiting', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz,  -- from when the sweep may take it; none of a dead one
    last_error text,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, id)
);
CREATE INDEX inbox_due ON inbox (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE history (
    tenant text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    content text NOT NULL,
    attempts integer NOT NULL,
    received_at timestamptz NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, id)
);

CREATE TABLE logs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    message_id text NOT NULL,
    type smallint NOT NULL,
    text text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX logs_of_message ON logs (tenant, message_id);

CREATE TABLE outbox (
    tenant text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    content text NOT NULL,
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, id)
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE sent_at IS NULL;

-- What the bench's ledger looks at.
CREATE VIEW waiting AS SELECT id, received_at AS at FROM inbox;
CREATE VIEW replies AS SELECT id, at FROM outbox WHERE sent_at IS NULL;
