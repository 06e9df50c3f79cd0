"""The texts of a new command's files. Each passes the project's checks without a change."""

from string import Template

CONSUMER = Template('''\
"""$command: say here what it does for the ERP."""

from typing import Annotated

from pydantic import Field

from smartlink.consumer import Context, Payload, Reply, consumer


class $request(Payload):
    """The content of a message. After each change here run: make schemas."""

    reference: Annotated[str, Field(min_length=1, max_length=200)]


@consumer("$command")
def answer(request: $request, context: Context) -> Reply:
    """Do the work and answer it with $response.

    A message may be executed twice. Put what must not be done twice into `context.once`.$erp

    Raises:
        RetryableError: The work may succeed later, as when the ERP is busy. The message is executed
            again, by RM's formula, until its attempts are used up. Any other exception counts as
            this one.
        FatalError: The work can never succeed, as when the reference does not exist. The message is
            dead until an operator acts, who reads the reason.
    """
    # Values go beside the template, not into it: Cloud Logging gets the bare template.
    context.log.info("Answering a reference of %d characters", len(request.reference))
    return Reply("$response", {"reference": request.reference})
''')

ERP = """
    `context.erp_secret()` gives the secret of the tenant's ERP."""

TEST = Template('''\
"""Tests what $command answers, refuses and survives."""

from consumers.$snake import answer
from smartlink.testing import conforms, deliver

PAYLOAD = {"reference": "4711"}


def test_it_answers() -> None:
    """The reply carries the reference of the request."""
    outcome = deliver(answer, PAYLOAD)
    assert outcome.replied("$response") == PAYLOAD


def test_a_payload_without_a_reference_is_refused() -> None:
    """The message can never succeed, so it gets no second attempt."""
    deliver(answer, {}).is_fatal("reference")


def test_it_keeps_the_rules() -> None:
    """It survives repeats, crashes and odd payloads; a failure comes with advice."""
    conforms(answer, PAYLOAD)
''')
