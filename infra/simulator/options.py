"""How the simulated servers behave; every option may change while they run."""

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
    """`none`: it answers 200 and takes nothing."""
    tags: Literal["number", "text"] = "number"
    """How a tag is written by `get`, and wanted in a body."""
    wrapping: Literal["", "messages", "items", "data", "message"] = ""
    """The field of an object in which `get` answers what it has, an empty list included."""
    loopback: Literal["", "type", "tenant"] = ""
    """Whom a message of a subscribed type reaches: nobody, the sender if it has no audience, or
    the sender if its audience is the tenant's name."""
    poll_seconds: Seconds = 0
    """How long `get` waits for a message before it answers that there is none."""


class SimulatorOptions(BaseModel):
    """Options in force; camelCase in JSON, snake_case in Python.

    Shares are drawn for each call, from `seed`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    latency_seconds: Seconds = 0
    """Added to each call to Smart Link, before it takes effect."""
    rac_latency_seconds: Seconds = 0
    down: bool = False
    """Every call to Smart Link is answered 503."""
    rac_down: bool = False
    error_rate: Share = 0
    """Calls answered 503 that took no effect."""
    lost_answer_rate: Share = 0
    """Calls answered 503 that did take effect: what a caller cannot tell from `error_rate`."""
    throttle_rate: Share = 0
    """Calls answered 429."""
    retry_after_seconds: Annotated[int, Field(ge=0)] = 5
    """Carried by each 429."""
    duplicate_rate: Share = 0
    """Acked messages that are offered once more, with the same id, at the queue's end."""
    refuse_types: tuple[str, ...] = ()
    """Types whose send is refused for good (400)."""
    get_batch: Annotated[int, Field(ge=1)] = 1
    """1: `get` answers one object; n: a list of up to n."""
    empty_form: EmptyForm = "204"
    """What `get` answers when there is nothing; all but "204" come with status 200."""
    names: Names = "camel"
    lease_seconds: Annotated[float, Field(gt=0)] = 60
    token_seconds: Annotated[int, Field(ge=1)] = 3600
    dialect: Dialect = Dialect()
    keep_sent: Annotated[int, Field(ge=0)] = 200_000
    """How many sent messages are remembered for each tenant, the newest ones."""
    seed: int = 0

    def updated(self, changes: Mapping[str, object]) -> Self:
        """Validate the changes together with what stays.

        Raises pydantic's ValidationError on an unknown name.
        """
        renamed = {to_camel(name): value for name, value in changes.items()}
        return self.model_validate(self.model_dump(by_alias=True) | renamed)
