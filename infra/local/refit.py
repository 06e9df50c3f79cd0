"""Brings a running stack to a new catalogue and new code."""

from contextlib import ExitStack
from dataclasses import replace

from infra.local.changes import Change
from infra.local.errors import NotReadyError
from infra.local.functions import function_environment, function_programs, function_urls
from infra.local.ports import free_ports
from infra.local.provision import create_topics
from infra.local.rest import Rest
from infra.local.stack import RunningStack
from smartlink.domain.catalog import Catalog


def refit(stack: RunningStack, change: Change, catalog: Catalog) -> None:
    """Stop what is removed or restarted, start what is added or restarted, on the same ports.

    Raises NotReadyError for functions that did not start: they are down, the others work on. Call
    it on the main thread (see `child`).
    """
    starting = [*change.started, *change.restarted]
    with ExitStack() as held:
        if "poll" in starting:
            held.enter_context(stack.between_ticks)
        _provision(stack, change, catalog)
        stack.supervisor.end([*change.removed, *change.restarted])
        environment = function_environment(stack.addresses, catalog) | dict(stack.plan.environment)
        source = stack.plan.source
        programs = function_programs(catalog, stack.ports, environment, source)
        children = stack.supervisor.start(*(it for it in programs if it.name in starting))
        try:
            stack.supervisor.wait_ready(children)
        except NotReadyError:
            stack.supervisor.end(
                [it.program.name for it in children if not (it.running and it.ready())]
            )
            raise
        finally:
            stack.show()


def _provision(stack: RunningStack, change: Change, catalog: Catalog) -> None:
    """Give new functions a port and a topic, and take the topics of the removed ones."""
    taken = stack.ports.values()
    ports = free_ports(len(change.started), avoid=taken)
    stack.ports |= dict(zip(change.started, ports, strict=True))
    before = stack.catalog
    stack.catalog = catalog
    stack.addresses = replace(stack.addresses, functions=function_urls(catalog, stack.ports))
    rest = Rest()
    parent = f"http://{stack.addresses.pubsub}/v1/projects/{stack.addresses.project}"
    gone = set(change.topics_removed)
    # An ack deadline is a function's time-out: a subscription is made anew when those change.
    stale = set(_topics(before)) if before.functions != catalog.functions else gone
    for topic in sorted(stale):
        rest.call("DELETE", f"{parent}/subscriptions/{topic}")
    for topic in sorted(gone):
        rest.call("DELETE", f"{parent}/topics/{topic}")
    create_topics(rest, stack.addresses, catalog)


def _topics(catalog: Catalog) -> list[str]:
    topics = [command.topic for command in catalog.commands.values()]
    return [*topics, str(catalog.functions.poll_shard.topic)]
