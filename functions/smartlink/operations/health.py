"""Checks everything that the relay needs to work."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import TypeVar

from smartlink.domain.message import State
from smartlink.domain.noted import NOTED_EVERY
from smartlink.operations.activation import set_up
from smartlink.operations.credentials import tenant_id
from smartlink.operations.errors import OperationError
from smartlink.operations.names import all_tenants
from smartlink.operations.ports import Deployment, NotSignedInError, PlatformError
from smartlink.operations.retries import InvalidConfigError, check, in_words
from smartlink.operations.tenants import UnusableSecretError, last_tick, stored_tenant
from smartlink.ports import PortError

_APIS = ("cloudfunctions", "cloudscheduler", "firestore", "pubsub", "run", "secretmanager")
_SKEW = timedelta(seconds=60)
_NO_TICK = NOTED_EVERY + timedelta(minutes=2)
_OVERDUE = timedelta(minutes=15)
_AT_ONCE = 8  # tenants that are counted at the same time
_NAMED = 10  # tenants that a check names
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
    RESUME_TICKS = "resume-ticks"  # Cloud Scheduler


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a check: its name, whether it holds, and what it saw."""

    name: str
    holds: bool
    text: str
    fix: Fix | None = None
    error: PortError | None = None  # the error of a failed call, which the screen explains
    tenant: str | None = None


_FIX_OF: Mapping[type[Exception], Fix] = {UnusableSecretError: Fix.ROTATE}


class _FailedError(Exception):
    """A check does not hold."""

    def __init__(self, text: str, fix: Fix | None = None) -> None:
        super().__init__(text)
        self.fix = fix


Part = tuple[str, Callable[[Deployment], str]]


def checks(deployment: Deployment) -> Iterator[Check]:
    """Runs every check of the deployment, the cheapest first, and then those of each tenant."""
    yield from ground_checks(deployment)
    yield from _each(deployment, (("dead messages", _dead), ("queues", _queues)))
    try:
        names = [entry.name for entry in deployment.secrets.entries()]
    except PortError:
        names = []  # the check of the secrets has reported it
    for name in names:
        yield from tenant_checks(deployment, name)


def ground_checks(deployment: Deployment) -> Iterator[Check]:
    """Runs the checks that look at no tenant: their number does not grow."""
    parts: tuple[Part, ...] = (
        ("credentials", _credentials),
        ("APIs", _apis),
        ("Firestore", _firestore),
        ("indexes", _indexes),
        ("topics", _topics),
        ("subscriptions", _subscriptions),
        ("functions", _functions),
        ("publish", _publish),
        ("configuration", _config),
        ("clock", _clock),
        ("secrets", _secrets),
        ("audit", _audit),
        ("ticks", _ticks),
    )
    yield from _each(deployment, parts)


def _each(deployment: Deployment, parts: Iterable[Part]) -> Iterator[Check]:
    for name, part in parts:
        try:
            yield Check(name, holds=True, text=part(deployment))
        except _FailedError as error:
            yield Check(name, holds=False, text=str(error), fix=error.fix)
        except InvalidConfigError as error:
            yield Check(name, holds=False, text=str(error), fix=Fix.PUSH_CONFIG)
        except OperationError as error:
            yield Check(name, holds=False, text=str(error))
        except PortError as error:
            yield Check(name, holds=False, text=str(error), error=error)


def tenant_checks(deployment: Deployment, name: str) -> list[Check]:
    """Checks a tenant's secret, RAC's token and the broker, and whether it is halted or paused.

    The check of the broker sets the tenant's queue up.
    """
    done: list[Check] = []

    def note(what: str, text: str, fix: Fix | None = None, *, holds: bool = True) -> None:
        done.append(Check(f"{name}: {what}", holds, text, fix, tenant=name))

    try:
        tenant = stored_tenant(deployment, name)
        if not tenant.enabled:
            note("secret", "disabled; what waits for it stays", Fix.ENABLE)
            return done
        note("secret", "enabled")
        note("RAC", f"gives a token for tenant id {tenant_id(deployment, tenant) or '(opaque)'}")
        set_up(deployment, tenant)
        note("broker", "the queue is set up")
    except (OperationError, PortError) as error:
        what = ("secret", "RAC", "broker")[len(done)]
        cause = error if isinstance(error, PortError) else None
        fix = _FIX_OF.get(type(error))
        done.append(
            Check(
                f"{name}: {what}", holds=False, text=str(error), fix=fix, error=cause, tenant=name
            )
        )
        return done
    state = deployment.store.states([name])[name]
    if state.halted is not None:
        text = f"halted since {state.halted}: {state.last_error}"
        note("identity", text, Fix.ADOPT, holds=False)
    if state.paused(deployment.now()):
        text = f"paused until {state.paused_until}: {state.last_error}"
        note("pause", text, Fix.END_PAUSE, holds=False)
    return done


def _credentials(deployment: Deployment) -> str:
    deployment.platform.sign_in()
    return "the emulators need none" if deployment.local else "found"


def _apis(deployment: Deployment) -> str:
    off = _asked(lambda: deployment.platform.disabled_apis(_APIS), Fix.SEE_APIS)
    if off is None:
        return "the emulators stand for them"
    if off:
        message = f"not enabled: {', '.join(off)}"
        raise _FailedError(message, Fix.DEPLOY_OR_ENABLE)
    return "enabled"


def _firestore(deployment: Deployment) -> str:
    return f"answers; {len(deployment.store.known_tenants())} tenants have documents"


def _indexes(deployment: Deployment) -> str:
    found = _asked(deployment.platform.missing_indexes, Fix.SEE_INDEXES)
    if found is None:
        return "the emulator needs none"
    missing, declared = found
    if missing:
        message = f"{missing} of {declared} are not ready"
        raise _FailedError(message, Fix.DEPLOY_AND_WAIT)
    return f"{declared} ready"


def _topics(deployment: Deployment) -> str:
    return _each_topic(deployment, deployment.platform.need_topic)


def _subscriptions(deployment: Deployment) -> str:
    """Checks the subscriptions: Terraform and the local stack name each as its topic."""
    return _each_topic(deployment, deployment.platform.need_subscription)


def _each_topic(deployment: Deployment, need: Callable[[str], None]) -> str:
    catalog = deployment.settings.catalog
    topics = [command.topic for command in catalog.commands.values()]
    topics += [str(function.topic) for function in catalog.pushed.values()]
    for topic in topics:
        _asked(partial(need, topic), Fix.RESTART if deployment.local else Fix.DEPLOY)
    return f"{len(topics)} there"


def _functions(deployment: Deployment) -> str:
    fix = Fix.RESTART if deployment.local else Fix.SEE_FUNCTIONS
    own = _asked(deployment.platform.functions, fix)
    if deployment.local:
        return f"{len(own)} listen"
    catalog = deployment.settings.catalog
    wanted = 2 + len(catalog.pushed) + len(catalog.commands)  # poll, publish
    broken = [name for name, active in own.items() if not active]
    if broken or len(own) < wanted:
        message = f"{len(own)} of {wanted} deployed, not active: {broken or 'none'}"
        raise _FailedError(message, Fix.DEPLOY)
    return f"{len(own)} active"


def _publish(deployment: Deployment) -> str:
    """Tells from where `publish` can be called: IAM guards it, its ingress keeps calls out."""
    status = _asked(deployment.platform.publish_status, Fix.SEE_FUNCTIONS)
    match status:
        case None:
            return "not looked at: no ingress guards it here"
        case 401 | 403:
            return "answers this machine, and wants an identity token of an invoker"
        case 404:
            return (
                "does not answer this machine: its ingress is internal, so callers outside the "
                "project's VPC networks get 404 (terraform/README.md)"
            )
        case _:
            message = f"it answered {status} to a call without an identity: see who may invoke it"
            raise _FailedError(message, Fix.DEPLOY)


def _audit(deployment: Deployment) -> str:
    """Reads the newest record, and who would be in the next one."""
    next(deployment.audit.records(None), None)
    who = deployment.operator
    return f"answers; you are {who.name}" + ("" if who.verified else ", as this machine claims")


def _ticks(deployment: Deployment) -> str:
    last = last_tick(deployment)
    if last is None:
        return "none is noted yet"
    ago = deployment.now() - last
    if ago > _NO_TICK:
        message = f"none for {in_words(ago)}: nothing is polled"
        raise _FailedError(message, Fix.RESTART if deployment.local else Fix.RESUME_TICKS)
    return f"the last one that was noted was {in_words(ago)} ago"


def _dead(deployment: Deployment) -> str:
    dead = {"Situacao": State.DEAD}
    found = _counted(deployment, lambda name: deployment.store.count_live(name, dead))
    if found:
        message = f"{_told(found)} are dead (Morta)"
        raise _FailedError(message, Fix.REDRIVE)
    return "none"


def _queues(deployment: Deployment) -> str:
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
        message = f"{_told(late)} are due for more than {in_words(_OVERDUE)}: the queue grows"
        raise _FailedError(message, Fix.LOOK_AT_QUEUE)
    return "nothing is overdue"


def _counted(deployment: Deployment, count: Callable[[str], int]) -> dict[str, int]:
    names = all_tenants(deployment)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = zip(names, pool.map(count, names), strict=True)
        return {name: number for name, number in found if number}


def _told(numbers: Mapping[str, int]) -> str:
    most = sorted(numbers.items(), key=lambda it: -it[1])
    named = ", ".join(f"{number} of {name}" for name, number in most[:_NAMED])
    others = len(most) - _NAMED
    more = f", and of {others} other tenants" if others > 0 else ""
    return f"{sum(numbers.values())} messages ({named}{more})"


def _asked(ask: Callable[[], _Answer], fix: Fix) -> _Answer:
    try:
        return ask()
    except NotSignedInError:
        message = "not looked at without credentials"
        raise _FailedError(message, Fix.SIGN_IN) from None
    except PlatformError as error:
        raise _FailedError(str(error), fix) from None


def _config(deployment: Deployment) -> str:
    settings = deployment.settings
    current = deployment.config.current()
    if current is None:
        message = f"{settings.config_uri} is missing"
        raise _FailedError(message, Fix.PUSH_CONFIG)
    policy = check(current.data, current.generation, settings)
    return f"{policy.attempts} attempts over {in_words(policy.horizon)}"


def _clock(deployment: Deployment) -> str:
    """Compares this machine's clock with the broker's, because tokens and leases depend on
    clocks."""
    theirs = _asked(deployment.platform.broker_time, Fix.BROKER)
    if theirs is None:
        return "the broker does not tell its time"
    skew = abs(deployment.now() - theirs)
    if skew > _SKEW:
        message = f"{in_words(skew)} off the broker's"
        raise _FailedError(message, Fix.SET_CLOCK)
    return "right to the minute"


def _secrets(deployment: Deployment) -> str:
    return f"{len(deployment.secrets.entries())} tenants"
