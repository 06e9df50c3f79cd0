"""Checks everything that the relay needs to work."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import TypeVar

from smartlink.domain.message import State
from smartlink.domain.noted import NOTED_EVERY
from smartlink.i18n import Text, _, data, joined, plural
from smartlink.operations.activation import set_up
from smartlink.operations.beside import beside
from smartlink.operations.credentials import tenant_id
from smartlink.operations.errors import OperationError
from smartlink.operations.job import Job, JobState
from smartlink.operations.names import all_tenants
from smartlink.operations.ports import (
    DeclaredIndex,
    Deployment,
    NotSignedInError,
    PlatformError,
)
from smartlink.operations.retries import InvalidConfigError, check, in_words
from smartlink.operations.tenants import UnusableSecretError, last_tick, stored_tenant
from smartlink.ports import PortError
from smartlink.services.polling.buckets import LOOK_EVERY

_APIS = ("cloudfunctions", "cloudscheduler", "firestore", "pubsub", "run", "secretmanager")
_SKEW = timedelta(seconds=60)
_NO_TICK = NOTED_EVERY + timedelta(minutes=2)
_OVERDUE = timedelta(minutes=15)
_STANDS = timedelta(minutes=5)  # a job whose step is overdue for longer: each tick asks for one
_JOBS = 50  # the newest ones, that are looked at
_NAMED = 10  # tenants, or indexes, that a check names
_READY = "READY"  # of an index, as Google writes it
_Answer = TypeVar("_Answer")


class Fix(StrEnum):
    """How to fix the problem that a check found, if the text does not say it already."""

    SIGN_IN = "sign-in"
    DEPLOY = "deploy"
    DEPLOY_OR_ENABLE = "deploy-or-enable"  # the APIs
    DEPLOY_AND_WAIT = "deploy-and-wait"  # the indexes become ready
    SEE_APIS = "roles/serviceusage.serviceUsageViewer"  # to be granted
    SEE_INDEXES = "roles/datastore.viewer"
    SEE_FUNCTIONS = "roles/cloudfunctions.viewer"
    SEE_ALERTS = "roles/monitoring.viewer"
    RESTART = "restart"  # the local stack
    PUSH_CONFIG = "push-config"
    SET_CLOCK = "set-clock"
    BROKER = "broker"  # it is down or out of reach
    ENABLE = "enable"  # the tenant
    ROTATE = "rotate"  # the tenant's credentials
    ADOPT = "adopt"  # the tenant, or give it its own credentials back
    END_PAUSE = "end-pause"
    REDRIVE = "redrive"  # the dead, or discard them
    LOOK_AT_QUEUE = "look-at-queue"
    RUN_JOB = "run-job"
    RESUME_TICKS = "resume-ticks"  # Cloud Scheduler
    READ_ALERTS = "read-alerts"  # each has its runbook


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a check: its name, whether it holds, and what it saw."""

    name: Text
    holds: bool
    text: Text
    fix: Fix | None = None
    error: PortError | None = None  # the error of a failed call, which the screen explains
    tenant: str | None = None


_FIX_OF: Mapping[type[Exception], Fix] = {UnusableSecretError: Fix.ROTATE}


class _FailedError(Exception):
    """A check does not hold."""

    def __init__(self, text: Text, fix: Fix | None = None) -> None:
        super().__init__(text)
        self.fix = fix


Part = tuple[Text, Callable[[Deployment], Text]]


def checks(deployment: Deployment) -> Iterator[Check]:
    """Runs every check of the deployment, the cheapest first, and then those of each tenant."""
    yield from ground_checks(deployment)
    parts: tuple[Part, ...] = (
        (_("dead messages"), _dead),
        (_("queues"), _queues),
        (_("buckets"), _buckets),
    )
    yield from _each(deployment, parts)
    try:
        names = [entry.name for entry in deployment.secrets.entries()]
    except PortError:
        names = []  # the check of the secrets has reported it
    for name in names:
        yield from tenant_checks(deployment, name)


def ground_checks(deployment: Deployment) -> Iterator[Check]:
    """Runs the checks that look at no tenant: their number does not grow."""
    parts: tuple[Part, ...] = (
        (_("credentials"), _credentials),
        (_("APIs"), _apis),
        (data("Firestore"), _firestore),
        (_("indexes"), _indexes),
        (_("topics"), _topics),
        (_("subscriptions"), _subscriptions),
        (_("functions"), _functions),
        (_("publish"), _publish),
        (_("jobs"), _jobs),
        (_("alerts"), _alerts),
        (_("configuration"), _config),
        (_("clock"), _clock),
        (_("secrets"), _secrets),
        (_("audit"), _audit),
        (_("ticks"), _ticks),
    )
    yield from _each(deployment, parts)


def _each(deployment: Deployment, parts: Iterable[Part]) -> Iterator[Check]:
    for name, part in parts:
        try:
            yield Check(name, holds=True, text=part(deployment))
        except _FailedError as error:
            yield Check(name, holds=False, text=data(error), fix=error.fix)
        except InvalidConfigError as error:
            yield Check(name, holds=False, text=data(error), fix=Fix.PUSH_CONFIG)
        except OperationError as error:
            yield Check(name, holds=False, text=data(error))
        except PortError as error:
            yield Check(name, holds=False, text=data(error), error=error)


def tenant_checks(deployment: Deployment, name: str) -> list[Check]:
    """Checks a tenant's secret, RAC's token and the broker, and whether it is halted or paused.

    The check of the broker sets the tenant's queue up.
    """
    done: list[Check] = []

    def note(what: Text, text: Text, fix: Fix | None = None, *, holds: bool = True) -> None:
        done.append(Check(joined(": ", (name, what)), holds, text, fix, tenant=name))

    try:
        tenant = stored_tenant(deployment, name)
        if not tenant.enabled:
            note(_("secret"), _("disabled; what waits for it stays"), Fix.ENABLE)
            return done
        note(_("secret"), _("enabled"))
        note(
            data("RAC"),
            _(
                "gives a token for tenant id {tenant_id}",
                tenant_id=tenant_id(deployment, tenant) or _("(opaque)"),
            ),
        )
        set_up(deployment, tenant)
        note(_("broker"), _("the queue is set up"))
    except (OperationError, PortError) as error:
        what = (_("secret"), data("RAC"), _("broker"))[len(done)]
        cause = error if isinstance(error, PortError) else None
        fix = _FIX_OF.get(type(error))
        done.append(
            Check(
                joined(": ", (name, what)),
                holds=False,
                text=data(error),
                fix=fix,
                error=cause,
                tenant=name,
            )
        )
        return done
    state, now = deployment.store.states([name])[name], deployment.now()
    if state.halted is not None:
        ago = now - state.halted
        text = _("halted for {ago}: {last_error}", ago=ago, last_error=state.last_error)
        note(_("identity"), text, Fix.ADOPT, holds=False)
    if state.paused_until is not None and state.paused(now):
        left = state.paused_until - now
        text = _("paused for {left} more: {last_error}", left=left, last_error=state.last_error)
        note(_("pause"), text, Fix.END_PAUSE, holds=False)
    return done


def _credentials(deployment: Deployment) -> Text:
    deployment.platform.sign_in()
    return _("the emulators need none") if deployment.local else _("found")


def _apis(deployment: Deployment) -> Text:
    off = _asked(lambda: deployment.platform.disabled_apis(_APIS), Fix.SEE_APIS)
    if off is None:
        return _("the emulators stand for them")
    if off:
        message = _("not enabled: {off}", off=", ".join(off))
        raise _FailedError(message, Fix.DEPLOY_OR_ENABLE)
    return _("enabled")


def _firestore(deployment: Deployment) -> Text:
    return _("answers; {count} tenants have documents", count=len(deployment.store.known_tenants()))


def _indexes(deployment: Deployment) -> Text:
    """Finds the queries that Firestore would refuse: in the messages' database and the audit's."""
    declared = _asked(deployment.platform.indexes, Fix.SEE_INDEXES)
    if declared is None:
        return _("the emulator needs none")
    if not declared:
        message = _("which are needed is not known here: SMARTLINK_INDEXES is not set")
        raise _FailedError(message, Fix.DEPLOY)
    wanting = [it for it in declared if it.state != _READY]
    if wanting:
        named = joined("; ", map(_state_of, wanting[:_NAMED]))
        others = len(wanting) - _NAMED
        message = _(
            "{missing} of {declared} are not ready: {named}{more}",
            missing=len(wanting),
            declared=len(declared),
            named=named,
            more=_("; and {others} more", others=others) if others > 0 else "",
        )
        raise _FailedError(message, Fix.DEPLOY_AND_WAIT)
    return _("{declared} ready", declared=len(declared))


def _state_of(index: DeclaredIndex) -> Text:
    match index.state:
        case "":
            return _("{index} is missing", index=index.name)
        case "CREATING":
            return _("{index} is being made", index=index.name)
        case _:
            return _("{index} is in the state {state}", index=index.name, state=index.state)


def _topics(deployment: Deployment) -> Text:
    return _each_topic(deployment, deployment.platform.need_topic)


def _subscriptions(deployment: Deployment) -> Text:
    """Checks the subscriptions: Terraform and the local stack name each as its topic."""
    return _each_topic(deployment, deployment.platform.need_subscription)


def _each_topic(deployment: Deployment, need: Callable[[str], None]) -> Text:
    catalog = deployment.settings.catalog
    topics = [command.topic for command in catalog.commands.values()]
    topics += [str(function.topic) for function in catalog.pushed.values()]
    for topic in topics:
        _asked(partial(need, topic), Fix.RESTART if deployment.local else Fix.DEPLOY)
    return _("{count} there", count=len(topics))


def _functions(deployment: Deployment) -> Text:
    fix = Fix.RESTART if deployment.local else Fix.SEE_FUNCTIONS
    own = _asked(deployment.platform.functions, fix)
    if deployment.local:
        return _("{count} listen", count=len(own))
    catalog = deployment.settings.catalog
    wanted = 2 + len(catalog.pushed) + len(catalog.commands)  # poll, publish
    broken = [name for name, active in own.items() if not active]
    if broken or len(own) < wanted:
        message = _(
            "{count} of {wanted} deployed, not active: {broken}",
            count=len(own),
            wanted=wanted,
            broken=", ".join(broken) or _("none"),
        )
        raise _FailedError(message, Fix.DEPLOY)
    return _("{count} active", count=len(own))


def _publish(deployment: Deployment) -> Text:
    """Tells from where `publish` can be called: IAM guards it, its ingress keeps calls out."""
    status = _asked(deployment.platform.publish_status, Fix.SEE_FUNCTIONS)
    match status:
        case None:
            return _("not looked at: no ingress guards it here")
        case 401 | 403:
            return _("answers this machine, and wants an identity token of an invoker")
        case 404:
            return _(
                "does not answer this machine: its ingress is internal, so callers outside the "
                "project's VPC networks get 404 (terraform/README.md)"
            )
        case _:
            message = _(
                "it answered {status} to a call without an identity: see who may invoke it",
                status=status,
            )
            raise _FailedError(message, Fix.DEPLOY)


def _audit(deployment: Deployment) -> Text:
    """Reads the newest record, and who would be in the next one."""
    next(deployment.audit.records(None), None)
    who = deployment.operator
    if who.verified:
        return _("answers; you are {name}", name=who.name)
    return _("answers; you are {name}, as this machine claims", name=who.name)


def _ticks(deployment: Deployment) -> Text:
    last = last_tick(deployment)
    if last is None:
        return _("none is noted yet")
    ago = deployment.now() - last
    if ago > _NO_TICK:
        message = _("none for {ago}: nothing is polled", ago=in_words(ago))
        raise _FailedError(message, Fix.RESTART if deployment.local else Fix.RESUME_TICKS)
    return _("the last one that was noted was {ago} ago", ago=in_words(ago))


def _dead(deployment: Deployment) -> Text:
    dead = {"Situacao": State.DEAD}
    found = _counted(deployment, lambda name: deployment.store.count_live(name, dead))
    if found:
        message = _("{told} are dead (Morta)", told=_told(found))
        raise _FailedError(message, Fix.REDRIVE)
    return _("none")


def _buckets(deployment: Deployment) -> Text:
    """Finds what the due query for a bucket of tenants does not find."""
    astray = deployment.store.total_astray()
    if astray:
        message = plural(
            "{number} live message lacks its bucket (Balde), so it may be done up to "
            "{minutes} minutes late: an older release or a person wrote it; keep due_by_bucket "
            "false until there is none",
            "{number} live messages lack their bucket (Balde), so they may be done up to "
            "{minutes} minutes late: an older release or a person wrote them; keep due_by_bucket "
            "false until there is none",
            astray,
            minutes=LOOK_EVERY,
        )
        raise _FailedError(message)
    return _("every live message carries its own")


def _queues(deployment: Deployment) -> Text:
    """Finds what nobody works off: due for longer than any wait of the relay's own.

    A disabled tenant's documents wait as they should.
    """
    before = deployment.now() - _OVERDUE
    late = _counted(deployment, lambda name: deployment.store.count_due(name, before))
    for name in list(late):
        with suppress(OperationError, PortError):
            if not stored_tenant(deployment, name).enabled:
                del late[name]
    if late:
        message = _(
            "{told} are due for more than {longest}: the queue grows",
            told=_told(late),
            longest=in_words(_OVERDUE),
        )
        raise _FailedError(message, Fix.LOOK_AT_QUEUE)
    return _("nothing is overdue")


def _jobs(deployment: Deployment) -> Text:
    """Finds an operators' job at which nobody works, and one that failed and nobody resumed."""
    before = deployment.now() - _STANDS
    found = [it for it in deployment.jobs.newest(_JOBS) if isinstance(it, Job)]
    standing = [it.id for it in found if it.due is not None and it.due < before]
    failed = [it.id for it in found if it.state is JobState.FAILED]
    if standing or failed:
        message = _(
            "{standing} stand still, {failed} failed: {names}",
            standing=len(standing),
            failed=len(failed),
            names=", ".join([*standing, *failed][:_NAMED]),
        )
        raise _FailedError(message, Fix.RUN_JOB)
    return _("{count} are under way", count=sum(not it.over for it in found))


def _alerts(deployment: Deployment) -> Text:
    """Asks which alerts fire: they know what no look at the store shows, such as errors by now
    and then."""
    firing = _asked(deployment.platform.alerts, Fix.SEE_ALERTS)
    if firing is None:
        return _("not known here: the emulators have no alerts")
    if firing:
        named = (_("{policy} (since {since})", policy=it.policy, since=it.since) for it in firing)
        message = _("{number} fire: {named}", number=len(firing), named=joined(", ", named))
        raise _FailedError(message, Fix.READ_ALERTS)
    return _("none fires")


def _counted(deployment: Deployment, count: Callable[[str], int]) -> dict[str, int]:
    names = all_tenants(deployment)
    found = zip(names, beside(names, count), strict=True)
    return {name: number for name, number in found if number}


def _told(numbers: Mapping[str, int]) -> Text:
    most = sorted(numbers.items(), key=lambda it: -it[1])
    named = joined(
        ", ",
        (_("{number} of {name}", number=number, name=name) for name, number in most[:_NAMED]),
    )
    others = len(most) - _NAMED
    more = _(", and of {others} other tenants", others=others) if others > 0 else ""
    return _(
        "{total} messages ({named}{more})", total=sum(numbers.values()), named=named, more=more
    )


def _asked(ask: Callable[[], _Answer], fix: Fix) -> _Answer:
    try:
        return ask()
    except NotSignedInError:
        message = _("not looked at without credentials")
        raise _FailedError(message, Fix.SIGN_IN) from None
    except PlatformError as error:
        raise _FailedError(data(error), fix) from None


def _config(deployment: Deployment) -> Text:
    settings = deployment.settings
    current = deployment.config.current()
    if current is None:
        message = _("{config_uri} is missing", config_uri=settings.config_uri)
        raise _FailedError(message, Fix.PUSH_CONFIG)
    policy = check(current.data, current.generation, settings)
    return _(
        "{attempts} attempts over {horizon}",
        attempts=policy.attempts,
        horizon=in_words(policy.horizon),
    )


def _clock(deployment: Deployment) -> Text:
    """Compares this machine's clock with the broker's, because tokens and leases depend on
    clocks."""
    theirs = _asked(deployment.platform.broker_time, Fix.BROKER)
    if theirs is None:
        return _("the broker does not tell its time")
    skew = abs(deployment.now() - theirs)
    if skew > _SKEW:
        message = _("{skew} off the broker's", skew=in_words(skew))
        raise _FailedError(message, Fix.SET_CLOCK)
    return _("right to the minute")


def _secrets(deployment: Deployment) -> Text:
    return _("{count} tenants", count=len(deployment.secrets.entries()))
