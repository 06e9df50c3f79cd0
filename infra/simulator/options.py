"""The options of the simulated servers. Each may change while they run."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Verb = Literal["GET", "POST", "PUT", "DELETE"]
EmptyForm = Literal["204", "empty", "null", "[]"]
Names = Literal["camel", "pascal", "lower", "msgCamel"]


class Dialect(BaseModel):
    """What the server wants of each call, and how it writes its own answers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    setup_verb: Verb = "POST"
    get_verb: Verb = "GET"
    send_verb: Verb = "POST"
    ack_verb: Verb = "POST"
    setup_form: Literal["subscriptions", "list", "types", "commands", "messageTypes"] = (
        "subscriptions"
    )
    send_form: Literal["raw", "content", "MsgContent", "msgContent", "data", "message"] = "raw"
    """`raw`: the body is the content; else the name of the field that holds it as a text."""
    ack_form: Literal["body", "MsgDeliveryTag", "bare", "path", "query", "none"] = "body"
    """`none`: it answers 204 and takes nothing."""
    tags: Literal["number", "text", "written"] = "number"
    """How a tag is written by `get`, and wanted in a body. `written`: as a text by `get`, and
    wanted as a number."""
    nacked: Literal["requeued", "dead", "refused"] = "requeued"
    """What becomes of a message that is nacked."""
    wrapping: Literal["", "messages", "items", "data", "message"] = ""
    """The field of an object in which `get` answers what it has, an empty list included."""
    loopback: Literal["", "type", "tenant"] = ""
    """Whom a message of a subscribed type reaches: nobody, the sender if it has no audience, or
    the sender if its audience is the tenant's name."""
    poll_seconds: Seconds = 0
    """How long `get` waits for a message before it answers that there is none."""


class SimulatorOptions(BaseModel):
    """The options in force. Their names are camelCase in JSON and snake_case in Python.

    For a share, a random choice is made at each call; `seed` makes the choices repeatable.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    latency_seconds: Seconds = 0
    """Each call to Smart Link waits for so long before it takes effect."""
    rac_latency_seconds: Seconds = 0
    latency_sigma: Seconds = 0
    """Each wait is drawn: the latency is then the median of a lognormal distribution with this
    sigma. The n-th call of a kind for a tenant waits equally long after each change of `seed`."""
    down: bool = False
    """Every call to Smart Link is answered 503."""
    rac_down: bool = False
    error_rate: Share = 0
    """The share of calls that take no effect and are answered 503."""
    lost_answer_rate: Share = 0
    """The share of calls that take effect, but are answered 503."""
    throttle_rate: Share = 0
    """The share of calls that are answered 429."""
    retry_after_seconds: Annotated[int, Field(ge=0)] = 5
    """The Retry-After of each 429."""
    duplicate_rate: Share = 0
    """The share of acked messages that are queued again, with the same id, at the queue's end."""
    refuse_types: tuple[str, ...] = ()
    """The types whose `send` is always refused with 400."""
    get_batch: Annotated[int, Field(ge=1)] = 1
    """With 1, `get` answers one object; with n, a list of up to n messages."""
    empty_form: EmptyForm = "204"
    """What `get` answers if there is no message; all but "204" have the status 200."""
    names: Names = "camel"
    lease_seconds: Annotated[float, Field(gt=0)] = 60
    token_seconds: Annotated[int, Field(ge=1)] = 3600
    issuer: Annotated[str, Field(min_length=1)] = "https://admin.rac.dev.totvs.app/totvs.rac"
    """Who RAC's tokens say has issued them."""
    dialect: Dialect = Dialect()
    keep_sent: Annotated[int, Field(ge=0)] = 200_000
    """How many sent messages are kept for each tenant, the newest ones."""
    seed: int = 0

    def updated(self, changes: Mapping[str, object]) -> Self:
        """Return the options with these changes. Raises ValidationError, also for an unknown
        name."""
        renamed = {to_camel(name): value for name, value in changes.items()}
        return self.model_validate(self.model_dump(by_alias=True) | renamed)
