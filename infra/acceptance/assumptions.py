"""All probes, by service, and the list of what they assume."""

from collections.abc import Iterator, Mapping

from infra.acceptance import (
    firestore,
    firestore_admin,
    observability,
    pubsub,
    run,
    scheduler,
    secrets,
    storage,
    whole_way,
)
from infra.acceptance.probe import Probe

SERVICES: Mapping[str, tuple[Probe, ...]] = {
    "Firestore": (*firestore.PROBES, *firestore_admin.PROBES),
    "Pub/Sub": pubsub.PROBES,
    "Cloud Scheduler": scheduler.PROBES,
    "Secret Manager": secrets.PROBES,
    "Cloud Storage": storage.PROBES,
    "Cloud Run functions": run.PROBES,
    "Cloud Logging and Cloud Monitoring": observability.PROBES,
    "The whole way": whole_way.PROBES,
}


def every_probe() -> Iterator[Probe]:
    """Yield the probes of all services."""
    for probes in SERVICES.values():
        yield from probes


def page() -> str:
    """Write what is assumed about Google as Markdown."""
    lines: list[str] = []
    for service, probes in SERVICES.items():
        lines += [
            f"| {service} | what is assumed | what depends on it | emulator |",
            "|---|---|---|---|",
            *(
                f"| `{it.name}` | {it.assumes} | {it.relied} | "
                f"{'no: ' + it.cloud_only if it.cloud_only else 'asked'} |"
                for it in probes
            ),
            "",
        ]
    return "\n".join(lines).rstrip()
