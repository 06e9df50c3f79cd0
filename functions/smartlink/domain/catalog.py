"""The catalogue lists the commands and says how each is run. `infra/catalog.json` holds it."""

import json
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from smartlink.domain.identity import digest
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.order import WHOLE, check_order
from smartlink.domain.pointer import check_pointer
from smartlink.domain.retry import RetryPolicy

MAX_FUNCTION_SECONDS = 600  # the longest ack deadline of a Pub/Sub push
SECONDS_AROUND_MESSAGES = 15  # of a call, to claim the first message and to settle the last


class CatalogError(ValueError):
    """The catalogue cannot be used. The text names the entry and the fix."""


def _ordered(value: object) -> object:
    return {True: WHOLE, False: None}[value] if isinstance(value, bool) else value


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    memory: Annotated[int, Field(alias="memoryMiB", ge=128, le=32_768)] = 512
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 1


class Function(_Entry):
    """One of the relay's own functions. `timeout` is the seconds that one request may take."""

    timeout: Annotated[int, Field(alias="timeoutSeconds", ge=1, le=MAX_FUNCTION_SECONDS)]
    topic: str | None = None
    schedule: str | None = None


RELAY_SECRETS = frozenset({"tenant", "erp", "titular"})
"""The names of the relay's own secrets: no command may declare one as its own."""


def _unlike_the_relays(names: tuple[str, ...]) -> tuple[str, ...]:
    if taken := RELAY_SECRETS & {*names}:
        message = f"{min(taken)} is the name of a secret of the relay: take another"
        raise ValueError(message)
    if len({*names}) < len(names):
        message = "a secret stands twice"
        raise ValueError(message)
    return names


# Without a hyphen: `smartlink-<name>-<tenant>` has one meaning, and a grant for all tenants'
# secrets of that name is a grant for no other. Ten are what a condition of IAM has room for.
SecretName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,30}$")]


class Command(_Entry):
    """One command. `timeout` is the seconds that one message may take."""

    module: Annotated[str, Field(pattern=r"^consumers(\.[a-z_][a-z0-9_]*)+$")]
    topic: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{2,80}$")]
    timeout: Annotated[int, Field(alias="timeoutSeconds", ge=1, le=MAX_FUNCTION_SECONDS)]
    personal: bool = False  # the history keeps a content's hash and size, not the content
    erp: bool = False  # the consumer may read the secret smartlink-erp-<tenant>
    secrets: Annotated[
        tuple[SecretName, ...], Field(max_length=10), AfterValidator(_unlike_the_relays)
    ] = ()
    """The consumer may read the secrets smartlink-<name>-<tenant>."""
    attempts: Annotated[int, Field(ge=1, le=1_000)] | None = None
    """The command's limit of attempts. If the configuration's QtdeTentativasExec is lower, it
    holds."""
    max_steps: Annotated[Annotated[int, Field(ge=1, le=10_000)], Field(alias="maxSteps")] = 100
    """How many steps a work may have whose consumer returns `Continue`."""
    unknown_outcome: Annotated[
        Literal["retry", "hold"], Field(alias="unknownOutcome", validate_default=True)
    ] = "retry"
    """What follows if nobody knows whether the consumer did its work, because of a crash, a
    time-out or an unexpected exception. With `retry` another attempt follows. With `hold` the
    message is dead until a person has looked."""
    max_instances: Annotated[
        Annotated[int, Field(ge=1, le=1_000)] | None, Field(alias="maxInstances")
    ] = None
    """The limit of the function's instances (None: the deployment's limit). Multiplied by
    `concurrency` it is how many of the command's messages run at once."""

    ordered: Annotated[
        Annotated[str, AfterValidator(check_order)] | None, BeforeValidator(_ordered)
    ] = None
    """By what the command's messages run one after the other, in the order of their receipt:
    `tenant` (or true) for all of a tenant, or a JSON pointer into the payload's body."""
    when_dead: Annotated[
        Literal["hold", "pass"], Field(alias="whenDead", validate_default=True)
    ] = "hold"
    """What a dead message of an ordered command does to those after it. With `hold` they wait until
    an operator redrives or discards it. With `pass` they go on."""

    request_id: Annotated[
        Annotated[str, AfterValidator(check_pointer)] | None, Field(alias="requestId")
    ] = None
    """Where in the payload's body the id stands by which the sender knows the request: a JSON
    pointer. The relay stores what stands there, and operators find the message by it."""

    def limited(self, policy: RetryPolicy) -> RetryPolicy:
        """Returns the policy with this command's own limits in it."""
        hold = self.unknown_outcome == "hold"
        return replace(policy, at_most=self.attempts, hold_unknown=hold)


class Functions(BaseModel):
    """The relay's functions. `consume` is deployed once for each command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll: Function
    poll_shard: Function
    consume: Function
    publish: Function
    operate: Function | None = None
    """It works off what operators do to many messages. Without it their command line does."""
    console: Function | None = None
    """The operators' web pages, where they are deployed."""


class Catalog(BaseModel):
    """The whole catalogue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    functions: Functions
    commands: Annotated[dict[str, Command], Field(min_length=1)]

    @cached_property
    def ordered(self) -> dict[str, str]:
        """The commands whose messages run in order, and by what."""
        return {name: it.ordered for name, it in self.commands.items() if it.ordered is not None}

    @property
    def pushed(self) -> dict[str, Function]:
        """The relay's functions that Pub/Sub calls, besides the consumers."""
        functions = self.functions
        every = {"poll_shard": functions.poll_shard, "operate": functions.operate}
        return {name: it for name, it in every.items() if it is not None and it.topic is not None}

    @property
    def longest(self) -> int:
        """The longest time-out of a message: one with a longer one would never start."""
        return self.functions.consume.timeout - SECONDS_AROUND_MESSAGES

    @property
    def digest(self) -> str:
        """A fingerprint of the catalogue's text that does not depend on its order and layout.

        Fields that the text leaves out do not count. So code that knows a further field makes the
        same digest of the same text.
        """
        written = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return digest(json.dumps(written, sort_keys=True))


def parse_catalog(text: str | bytes) -> Catalog:
    """Parses the JSON text of a catalogue. Raises CatalogError, which names each wrong entry."""
    try:
        catalog = Catalog.model_validate_json(unmarked(text))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'the file'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        )
        message = f"the catalogue is not valid: {problems}"
        raise CatalogError(message) from None
    if catalog.functions.poll_shard.topic is None:
        message = "the catalogue's functions.poll_shard has no topic: add one"
        raise CatalogError(message)
    operate = catalog.functions.operate
    if operate is not None and operate.topic is None:
        message = "the catalogue's functions.operate has no topic: add one"
        raise CatalogError(message)
    call, limit = catalog.functions.consume.timeout, catalog.longest
    for name, command in catalog.commands.items():
        if command.timeout > limit:
            message = (
                f"the catalogue's command {name} may run {command.timeout} s, but a call of "
                f"functions.consume ends after {call} s and leaves a message {limit} s: "
                f"lower the one or raise the other"
            )
            raise CatalogError(message)
    for name, command in catalog.commands.items():
        if command.when_dead == "pass" and command.ordered is None:
            message = (
                f"the catalogue's command {name} has whenDead, which is about the order of "
                f"messages: give it ordered too, or leave whenDead out"
            )
            raise CatalogError(message)
    topics = [command.topic for command in catalog.commands.values()]
    topics += [str(function.topic) for function in catalog.pushed.values()]
    twice = sorted({topic for topic in topics if topics.count(topic) > 1})
    if twice:
        message = f"the catalogue gives the topic {twice[0]} to two of its entries: one each"
        raise CatalogError(message)
    return catalog
