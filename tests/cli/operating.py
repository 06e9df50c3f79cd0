"""The function `operate` beside a place: its own process, to which Pub/Sub's emulator pushes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from infra.local.addresses import Addresses
from infra.local.functions import (
    function_environment,
    function_names,
    function_programs,
    function_urls,
    load_catalog,
)
from infra.local.ports import free_ports
from infra.local.provision import create_topics
from infra.local.rest import Rest
from infra.local.supervisor import supervised
from tests.cli.place import Place


@contextmanager
def operating(place: Place, pubsub: str, **variables: str) -> Iterator[None]:
    """Let `operate` run for this place and this emulator of Pub/Sub, with these variables besides
    its own."""
    catalog = load_catalog()
    names = function_names(catalog)
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    with ExitStack() as stack:
        place.write_stack(PUBSUB_EMULATOR_HOST=pubsub)
        addresses = Addresses(
            project=place.project,
            firestore=place.hosts.firestore,
            pubsub=pubsub,
            storage=place.hosts.storage.removeprefix("http://"),
            secret_manager=place.hosts.secrets,
            base_url=place.hosts.simulator.url,
            rac_token_url=place.hosts.simulator.rac_token_url,
            simulator=place.hosts.simulator.url,
            functions=function_urls(catalog, ports),
            config_bucket=f"{place.project}-config",
            contents_bucket=f"{place.project}-contents",
        )
        environment = {**function_environment(addresses, catalog), **variables}
        create_topics(Rest(), addresses, catalog)
        programs = function_programs(catalog, ports, environment)
        supervisor = stack.enter_context(supervised(place.folder / "logs"))
        children = supervisor.start(*(it for it in programs if it.name == "operate"))
        supervisor.wait_ready(children)
        yield
