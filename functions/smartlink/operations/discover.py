"""Finds out what Smart Link Server wants: verbs, paths and forms that no public source tells.

*Works* means that a message of our own, which holds a number that nobody could know, was sent, came
back by `get`, and once acked did not come again. A status of 200 proves nothing.

What is plausible is tried in the order that risks least: `setup`, for all commands that are
known and one more of its own; `get`, of a queue that is empty; `send`, of that own type; `ack`,
last, each form on a message of its own. At the first message that is not its own it stops, and
leaves that one where it is: unacked, in a session that ends.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

from smartlink.domain.noted import kept
from smartlink.domain.tenant import Tenant
from smartlink.i18n import Text, _, data
from smartlink.operations.errors import ForbiddenError
from smartlink.operations.ports import Deployment, RawSession
from smartlink.operations.tenants import Status, overview, stored_tenant
from smartlink.ports import Delivery, PortError

PROBE = "SmartLinkProbe"
"""The type of the messages that it sends to itself; a letter follows."""

_DONE = range(200, 300)
_MOST_GETS = 40
_SETTLES = 3  # times that the queue is looked into for what an ack should have taken
_SPARE = 12  # further messages of its own, for forms of ack that are accepted and do nothing

_SETUP_FORMS = (
    '{"subscriptions": {commands}}',
    "{commands}",
    '{"types": {commands}}',
    '{"commands": {commands}}',
    '{"messageTypes": {commands}}',
)
_SEND_FORMS = (
    "{content}",
    '{"content": {text}}',
    '{"MsgContent": {text}}',
    '{"msgContent": {text}}',
    '{"data": {text}}',
    '{"message": {text}}',
)
_ACK_BODIES = (
    '{"deliveryTag": {tag}, "ack": true}',
    '{"deliveryTag": "{tag}", "ack": true}',
    '{"MsgDeliveryTag": {tag}, "Ack": true}',
    '{"msgDeliveryTag": {tag}, "ack": true}',
    '{"tag": {tag}, "ack": true}',
    "{tag}",
)
_ACK_PATHS = ("/{tag}", "?deliveryTag={tag}&ack=true", "?tag={tag}&ack=true")


class Verdict(StrEnum):
    """What is known of a call now."""

    WORKS = "works"  # a message of its own proved it
    ACCEPTED = "accepted, not proven"  # a 2xx, and nothing that shows what it did
    REFUSED = "refused"  # nothing that was tried got a 2xx
    UNTRIED = "not tried"


class Nack(StrEnum):
    """What became of a message of its own that was nacked (`ack: false`)."""

    GONE = "does not come again"  # the broker's dead-letter queue has it, or nobody
    AGAIN = "comes again"  # the broker queues it again, so nobody can be rid of it so
    REFUSED = "refused"
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Tried:
    """A call that was made, and its answer. Values are replaced by their shape."""

    call: str
    request: Text
    answer: str
    means: Text


@dataclass(slots=True)
class Discovery:
    """What was found out."""

    settings: dict[str, str] = field(default_factory=dict)
    """What SMARTLINK_PATHS has to hold: only what differs from the defaults."""
    verdicts: dict[str, Verdict] = field(
        default_factory=lambda: dict.fromkeys(("setup", "get", "send", "ack"), Verdict.UNTRIED)
    )
    nack: Nack = Nack.UNTRIED
    tried: list[Tried] = field(default_factory=list)
    questions: list[Text] = field(default_factory=list)
    """What could not be decided, to be asked of TOTVS."""

    @property
    def complete(self) -> bool:
        """Whether each call is proven."""
        return set(self.verdicts.values()) == {Verdict.WORKS}


class NotOurOwnError(ForbiddenError):
    """The queue holds a message of somebody else: nothing further is tried."""


def check(deployment: Deployment, tenant: str, *, force: bool) -> Tenant:
    """Return the tenant if its queue may be tried. Raises ForbiddenError and what a secret may."""
    found = stored_tenant(deployment, tenant)
    environment = deployment.settings.environment
    if environment == "production" and not force:
        message = _(
            "This is production: discovery sends and acks messages of its own. Use a "
            "tenant of development or staging, or say --force"
        )
        raise ForbiddenError(message)
    (seen,) = overview(deployment, [tenant])
    if seen.status is not Status.DISABLED and not force:
        message = _(
            "{tenant} is {status}: its polls would take the messages that discovery sends. "
            "Disable it first (smartlink tenants disable {tenant}), or say --force",
            tenant=tenant,
            status=seen.status,
        )
        raise ForbiddenError(message)
    return found


def discover(
    deployment: Deployment,
    tenant: Tenant,
    wait: Callable[[], None],
    tell: Callable[[Tried], None] = lambda _: None,
) -> Discovery:
    """Try what is plausible. `wait` returns once a lease of the server's has surely ended.

    Raises NotOurOwnError, and PortError when RAC or the network fails.
    """
    return _Attempt(deployment, tenant, wait, tell).run()


@dataclass(frozen=True, slots=True)
class _Send:
    """A form of `send`, and the setting that it would become."""

    setting: str
    call: str
    form: str
    audience: str


class _Attempt:
    def __init__(
        self,
        deployment: Deployment,
        tenant: Tenant,
        wait: Callable[[], None],
        tell: Callable[[Tried], None],
    ) -> None:
        self._link = deployment.link
        self._tenant = tenant
        self._wait = wait
        self._tell = tell
        self._found = Discovery()
        self._defaults = deployment.settings.paths
        state = deployment.store.states([tenant.name])[tenant.name]
        # Never fewer than are known: what is not subscribed any more is lost on its way.
        self._commands = sorted(
            {
                *deployment.settings.catalog.commands,
                *kept(deployment.store.commands(), deployment.now()),
                *state.commands,
            }
        )
        self._nonces: set[str] = set()
        self._gets: list[str] = []
        self._sends = list(self._plausible_sends())

    def run(self) -> Discovery:
        """Setup, get, send, ack: each further setup only if the one before proved nothing."""
        verdicts, probe = self._found.verdicts, 0
        verdicts["setup"] = Verdict.REFUSED
        for call, form in self._plausible_setups():
            kind = f"{PROBE}{chr(ord('A') + probe)}"
            if not self._setup(call, form, [*self._commands, kind]):
                continue
            verdicts["setup"], probe = Verdict.ACCEPTED, probe + 1
            if not self._gets and not self._find_get():
                break  # without a get nothing can be proven
            if self._prove(kind):
                self._works("setup", call, form)
                break
        self._leave_as_it_was()
        self._ask()
        return self._found

    # The calls, in order.

    def _setup(self, call: str, form: str, commands: Sequence[str]) -> bool:
        body = form.replace("{commands}", json.dumps(commands))
        with self._link.session(self._tenant) as session:
            return self._call(session, "setup", call, body, form)[0]

    def _find_get(self) -> bool:
        """Which verbs are answered with nothing, as an empty queue is."""
        path = self._defaults.get.partition(" ")[2]
        for verb in ("GET", "POST", "PUT"):
            with self._link.session(self._tenant) as session:
                accepted, answer = self._call(session, "get", f"{verb} {path}", None, "")
                if accepted:
                    self._only_ours(self._read(answer))
                    self._gets.append(f"{verb} {path}")
        self._found.verdicts["get"] = Verdict.ACCEPTED if self._gets else Verdict.REFUSED
        return bool(self._gets)

    def _prove(self, kind: str) -> bool:
        """Send to itself in each form, and look which comes back."""
        sent: dict[str, _Send] = {}
        with self._link.session(self._tenant) as session:
            for send in list(self._sends):
                content = self._post(session, send, kind)
                if content is None:
                    self._sends.remove(send)  # it is refused whatever the setup was
                else:
                    sent[content] = send
        self._found.verdicts["send"] = Verdict.ACCEPTED if self._sends else Verdict.REFUSED
        for get in self._gets if sent else ():
            with self._link.session(self._tenant) as session:
                came = {it.content for it in self._drain(session, get)}
            proven = next((send for content, send in sent.items() if content in came), None)
            if proven is not None:
                self._works("get", get)
                self._works("send", proven.call, proven.form, name=proven.setting)
                self._prove_ack(get, proven, kind)
                return True
        return False

    def _post(self, session: RawSession, send: "_Send", kind: str) -> str | None:
        content = self._nonce()
        path = send.call.replace("{type}", kind).replace("{audience}", send.audience)
        body = send.form.replace("{content}", content).replace("{text}", json.dumps(content))
        accepted, _answer = self._call(session, "send", path, body, send.form)
        return content if accepted else None

    def _prove_ack(self, get: str, send: "_Send", kind: str) -> None:
        """Each form on a message of its own, in the session that received it."""
        self._wait()  # what was received to prove the send comes again
        with self._link.session(self._tenant) as session:
            for _number in range(_SPARE):
                self._post(session, send, kind)
        acked: dict[str, tuple[str, str]] = {}
        with self._link.session(self._tenant) as session:
            unused = [it for it in self._drain(session, get) if it.tag is not None]
            for call, form in self._plausible_acks():
                if not unused:
                    break
                delivery = unused[-1]
                if self._acked(session, call, form, delivery):
                    acked[delivery.content] = (call, form)
                    unused.pop()
        self._found.verdicts["ack"] = Verdict.ACCEPTED if acked else Verdict.REFUSED
        again = self._again(get, set(acked))
        for content, (call, form) in acked.items():
            if content not in again:
                self._works("ack", call, form)
                self._try_nack(get, send, kind, (call, form))
                self._clear(get, call, form)
                return

    def _try_nack(self, get: str, send: "_Send", kind: str, ack: tuple[str, str]) -> None:
        """The form that is the proven ack's with `false` in it, on one more message of its own."""
        call, form = (_false(it) for it in ack)
        if (call, form) == ack:
            return  # a bare tag, say: there is no place for it
        with self._link.session(self._tenant) as session:
            content = self._post(session, send, kind)
        with self._link.session(self._tenant) as session:
            mine = [it for it in self._drain(session, get) if it.content == content]
            if content is None or not mine or mine[0].tag is None:
                return
            if not self._acked(session, call, form, mine[0], name="nack"):
                self._found.nack = Nack.REFUSED
                return
        self._found.nack = Nack.AGAIN if self._again(get, {content}) else Nack.GONE
        if self._found.nack is Nack.GONE:
            self._set_if_other("nack", call)
            if form:
                self._set_if_other("nack_body", form)

    def _acked(
        self, session: RawSession, call: str, form: str, delivery: Delivery, name: str = "ack"
    ) -> bool:
        tag = str(delivery.tag)
        body = form.replace("{tag}", tag) if form else None
        return self._call(session, name, call.replace("{tag}", tag), body, form)[0]

    def _again(self, get: str, contents: set[str]) -> set[str]:
        """Which of the contents come once more after their lease has ended."""
        came: set[str] = set()
        for _number in range(_SETTLES):
            self._wait()
            with self._link.session(self._tenant) as session:
                came |= {it.content for it in self._drain(session, get)}
            if contents <= came:
                break
        return came & contents

    def _clear(self, get: str, call: str, form: str) -> None:
        """Ack what is left of its own by the form that works."""
        self._wait()
        with self._link.session(self._tenant) as session:
            for delivery in self._drain(session, get):
                if delivery.tag is not None:
                    self._acked(session, call, form, delivery)

    def _leave_as_it_was(self) -> None:
        """Set up for what is known, without a type of its own, by the best form that is known."""
        call = self._found.settings.get("setup", self._defaults.setup)
        form = self._found.settings.get("setup_body", self._defaults.setup_body)
        self._setup(call, form, self._commands)

    # What is plausible, the likeliest first.

    def _plausible_setups(self) -> Iterator[tuple[str, str]]:
        path = self._defaults.setup.partition(" ")[2]
        return ((f"{verb} {path}", form) for form in _SETUP_FORMS for verb in ("POST", "PUT"))

    def _plausible_sends(self) -> Iterator["_Send"]:
        for form, verb, audience in product(
            _SEND_FORMS, ("POST", "PUT"), (None, self._tenant.name)
        ):
            name = "send" if audience is None else "send_audience"
            path = getattr(self._defaults, name).partition(" ")[2]
            yield _Send(name, f"{verb} {path}", form, audience or "")

    def _plausible_acks(self) -> Iterator[tuple[str, str]]:
        path = self._defaults.ack.partition(" ")[2]
        for form, verb in product(_ACK_BODIES, ("POST", "PUT", "DELETE")):
            yield f"{verb} {path}", form
        for more, verb in product(_ACK_PATHS, ("POST", "PUT", "DELETE")):
            yield f"{verb} {path}{more}", ""

    # How.

    def _call(
        self, session: RawSession, name: str, call: str, body: str | None, form: str
    ) -> tuple[bool, bytes]:
        """Whether the relay would take the answer for a success, and the answer."""
        verb, _space, path = call.partition(" ")
        status, answer = session.call(name, verb, path, None if body is None else body.encode())
        page = answer.lstrip()[:1] == b"<" if name == "get" else not self._link.confirms(answer)
        accepted = status in _DONE and not page
        shown = f"{status} {_shape(answer)}".strip()
        means = _("accepted") if accepted else _("refused")
        tried = Tried(
            f"{name}: {verb} {path[:200]}", data(form) if form else _("no body"), shown, means
        )
        self._found.tried.append(tried)
        self._tell(tried)
        return accepted, answer

    def _drain(self, session: RawSession, get: str) -> list[Delivery]:
        """All that the queue holds, which must be its own."""
        came: list[Delivery] = []
        for _number in range(_MOST_GETS):
            accepted, answer = self._call(session, "get", get, None, "")
            got = self._read(answer) if accepted else []
            self._only_ours(got)
            if not got:
                break
            came += got
        return came

    def _read(self, answer: bytes) -> list[Delivery]:
        try:
            return self._link.read(answer)
        except PortError:
            return []

    def _only_ours(self, came: Sequence[Delivery]) -> None:
        for delivery in came:
            if delivery.content not in self._nonces and not delivery.type.startswith(PROBE):
                message = _(
                    "The queue of {name} holds a message of type {type!r} that is not ours. It was "
                    "not acked, and comes again when its lease ends. Discover on a tenant whose "
                    "queue is empty",
                    name=self._tenant.name,
                    type=delivery.type[:80],
                )
                raise NotOurOwnError(message)

    def _nonce(self) -> str:
        content = json.dumps({"smartLinkDiscovery": secrets.token_hex(16)}, separators=(",", ":"))
        self._nonces.add(content)
        return content

    def _works(self, verdict: str, call: str, form: str | None = None, name: str = "") -> None:
        self._found.verdicts[verdict] = Verdict.WORKS
        key = name or verdict
        self._set_if_other(key, call)
        if form is not None:
            self._set_if_other(f"{verdict}_body", form)

    def _set_if_other(self, name: str, value: str) -> None:
        if getattr(self._defaults, name) != value:
            self._found.settings[name] = value
        # One verb for both: whoever takes POST for one takes it for the other.
        verb = value.partition(" ")[0]
        for other in {"send": ["send_audience"], "send_audience": ["send"]}.get(name, ()):
            path = getattr(self._defaults, other).partition(" ")[2]
            if getattr(self._defaults, other) != f"{verb} {path}":
                self._found.settings[other] = f"{verb} {path}"

    def _ask(self) -> None:
        questions = {
            "setup": _("With which verb and which body is setup called?"),
            "get": _(
                "With which verb is get called, and what does it answer when there is nothing?"
            ),
            "send": (
                _(
                    "With which verb and body is send called, and by which type and audience does "
                    "a tenant send a message to itself? What was accepted did not come back."
                )
            ),
            "ack": _("With which verb, path and body is a delivery acked?"),
        }
        found = self._found.verdicts
        self._found.questions = [
            text for name, text in questions.items() if found[name] is not Verdict.WORKS
        ]
        if self._found.nack is Nack.GONE:
            self._found.questions += [
                _(
                    "Where does a nacked message go (ack: false)? It did not come again: which "
                    "dead-letter queue has it, for how long, and who reads it?"
                )
            ]


def _false(text: str) -> str:
    """The ack's call or body, saying that it is none."""
    for yes, no in (('ck": true', 'ck": false'), ("ack=true", "ack=false")):
        text = text.replace(yes, no)
    return text


def as_setting(settings: dict[str, str]) -> str:
    """The value of SMARTLINK_PATHS."""
    return json.dumps(settings, ensure_ascii=False)


def _shape(answer: bytes) -> str:
    """What an answer looks like, without a value of it."""
    if not answer.strip():
        return "nothing"
    if answer.lstrip()[:1] == b"<":
        return "<page>"
    try:
        return json.dumps(_shaped(json.loads(answer)))
    except (ValueError, RecursionError):
        return f"<text of {len(answer)} bytes>"


def _shaped(value: object) -> object:
    match value:
        case dict():
            return {str(name)[:40]: _shaped(item) for name, item in list(value.items())[:20]}
        case list():
            return [_shaped(item) for item in value[:2]]
        case str():
            return f"<text of {len(value)}>"
        case bool() | None:
            return value
        case _:
            return "<number>"
