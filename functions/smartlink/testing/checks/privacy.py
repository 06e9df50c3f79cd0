"""Checks that Cloud Logging gets no values, and that no run uses another tenant's secret."""

import io
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace

from smartlink.domain.outcome import Done
from smartlink.testing.examination import Examination, FailedError, NotRunError
from smartlink.testing.payloads import body_of
from smartlink.testing.scenario import Seen

_SHORTEST = 3  # characters: shorter values are found in any text
_STRANGER = "another-tenant"


def log_templates(exam: Examination) -> str:
    """Checks that templates, and what is printed or logged past the context, hold no payload
    value."""
    with _overheard() as heard:
        seen = exam.scenario().deliver(exam.text)
    values = set(_values(body_of(exam.text)))
    for template in seen.watch.templates:
        if found := _found(values, template):
            detail = f"the template {template!r} holds {found} of the payload"
            advice = 'log.info("Found %s", value), never an f-string: values stay in GTotvsLinkLog.'
            raise FailedError(detail, advice)
    if found := _found(values, heard.getvalue()):
        detail = f"what is printed, or logged by `logging`, holds {found} of the payload"
        raise FailedError(detail, "log by context.log alone; print nothing.")
    return f"no value of the payload in {len(seen.watch.templates)} templates"


def tenants(exam: Examination) -> str:
    """Checks that a tenant without a secret is not served with what another tenant's run kept."""
    if not _asked(exam.first):
        reason = "it asks for no secret (or had it already: examine it in a fresh process)"
        raise NotRunError(reason)
    scenario = exam.scenario()
    scenario.deliver(exam.text)
    scenario.place = replace(scenario.place, tenant=_STRANGER)
    stranger = scenario.deliver(exam.text, message_id="strangers-message")
    if isinstance(stranger.delivered.verdict, Done) and not _asked(stranger):
        detail = "another tenant, which has no secret, was served without asking for its own"
        advice = "key what a process keeps (connections, caches) by context.tenant."
        raise FailedError(detail, advice)
    return "each run asks for its own tenant's secret"


def _asked(seen: Seen) -> bool:
    return seen.watch.asked_for("erp_secret") or seen.watch.asked_for("secret")


def _values(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _values(item)
    elif isinstance(value, list):
        for item in value:
            yield from _values(item)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        text = str(value).strip()
        if len(text) >= _SHORTEST:
            yield text


def _found(values: set[str], text: str) -> str | None:
    for value in sorted(values):
        if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE):
            return repr(value[:40])
    return None


@contextmanager
def _overheard() -> Iterator[io.StringIO]:
    """Records what the block writes to stdout, stderr and the root logger."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    logging.getLogger().addHandler(handler)
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            yield heard
    finally:
        logging.getLogger().removeHandler(handler)
