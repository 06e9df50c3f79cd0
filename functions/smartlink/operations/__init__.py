"""What operators do with the relay. The command line and the console call these operations.

Each operation is one function. It takes a `ports.Deployment` and typed values, and returns typed
values. It prints nothing and reaches the outside only through the ports. It raises
`errors.OperationError`, or the `PortError` of the call that failed.

    names          tenants_of, existing_tenant, existing_command: a name that does not exist is an
                   error; did_you_mean: the names that are like it
    rights         parse_roles: who may do what, for which tenants; by default nobody
    causes         fingerprint: the cause of an error; failures_of: messages grouped by it
    select         Filters.scan, .look, .ended: messages that fit, and how far the look went;
                   locate: one by its id; counted: by tenant, command and cause
    trace          trace: one message with its log lines and replies; its `events` in order of time
    log_lines      LogFilter.lines: the newest log lines that fit; Follower: the new ones, look
                   after look
    actions        REDRIVE, DISCARD, HOLD: what each makes of a message
    plan           plan, plan_one: what an action would do, and what it leaves out and why
    act            perform: act on a few messages; give_up: discard what nobody can read
    job            Job: an act on many messages, and how far it has come
    jobs           start: make one of what was planned; look, newest; stop, resume
    watch          Watch: a job as it comes forward; where no step comes, it works itself
    operate        step: work at a job; publish: ask the function `operate` for a step
    acts           Act: what can go on record; words_of: what a stored act is called
    audit          recorded: an act's intent before it, its result after it; look: what was done;
                   Note: who acts, why and when, for the log line of each message; note: make one
    purge          older: count the history and logs before a date; remove: delete the oldest
    figures        gather: what was done, failed and waits, by the hour
    retries        check: whether a configuration can work; schedule: each attempt's delay
    configuration  look: the file, its problem, what is in force; propose, write: a new generation;
                   earlier: the generation to go back to; SAMPLE: a file to start from
    tenants        overview, show: the tenants' status and queues; stored_tenant: from its secret
    credentials    parse: credentials from a document; verify, check_pin: whose they are
    activation     activate, rotate, adopt, switch: change a tenant, step by step;
                   check_new, check_active: whether that may begin, before credentials are asked for
    steps          words: what each of those steps says; went_well: whether nothing is left to do
    health         checks, tenant_checks: everything that must hold for the relay to work
    board          what a screen shows of many tenants, within a bound of reads: pages of messages,
                   the causes, whether it works
    hours          the figures of the last hours: those that the polls keep, and counts of the rest
    preview        what an act on all that match would do, look after look
    fixes          ADVICE: how to fix what does not hold, by commands and on a page
    export         document, content_of: a message as a file; parse: what a replay needs of it
    views          the JSON form of messages, attempts, log lines, states and schedules
"""
