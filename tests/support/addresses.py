"""Where everything is, of a stack that a test starts on ports of this machine."""

from collections.abc import Iterable, Mapping

from infra.local.addresses import Addresses
from infra.local.ports import HOST


def addresses(project: str, ports: Mapping[str, int], functions: Iterable[str]) -> Addresses:
    """By the names of the local stack's programs; the broker is the simulator."""
    simulator = f"http://{HOST}:{ports['simulator']}"
    return Addresses(
        project=project,
        firestore=f"{HOST}:{ports['firestore']}",
        pubsub=f"{HOST}:{ports['pubsub']}",
        storage=f"{HOST}:{ports['storage']}",
        secret_manager=f"{HOST}:{ports['secret-manager']}",
        base_url=simulator,
        rac_token_url=f"{simulator}/totvs.rac/connect/token",
        simulator=simulator,
        functions={name: f"http://{HOST}:{ports[name]}/" for name in functions},
        config_bucket=f"{project}-config",
        contents_bucket=f"{project}-contents",
    )
