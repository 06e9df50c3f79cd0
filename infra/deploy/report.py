"""Writes the texts that the operator reads before and after Terraform runs."""

from collections.abc import Mapping
from typing import Any

from infra.deploy.target import Target


def deployed(target: Target, outputs: Mapping[str, Any]) -> str:
    """Say what was made, where to look, and what is next."""
    functions, commands = outputs["functions"], outputs["commands"]
    buckets, links = outputs["buckets"], outputs["links"]
    return "\n".join(
        [
            "",
            f"Smart Link is deployed to {target.project} ({target.environment}, {target.region}).",
            "",
            "Functions",
            *(f"  {name}  {url}" for name, url in functions.items()),
            "Commands, and their topics",
            *(f"  {command}  {topic}" for command, topic in commands.items()),
            "Buckets",
            *(f"  {use}  gs://{bucket}" for use, bucket in buckets.items()),
            "In the console",
            *(f"  {name}  {url}" for name, url in links.items()),
            "",
            *_next(target),
        ]
    )


def _next(target: Target) -> list[str]:
    example = f'{{"clientId": "…", "clientSecret": "…", "environment": "{target.environment}"}}'
    create = (
        f"gcloud secrets create smartlink-tenant-acme --project={target.project} "
        f"--labels=smartlink=tenant --replication-policy=user-managed "
        f"--locations={target.region} --data-file=- < acme.json"
    )
    return [
        "Next: activate a tenant (its name here is acme; lower-case letters, digits, hyphens).",
        "Put its credentials in a file that nobody else reads, then delete the file:",
        f"  {example}",
        f"  {create}",
        "Within five minutes the next poll sets up its queue and receives its messages.",
    ]


def to_be_removed(target: Target) -> str:
    """Say what will be lost."""
    return "\n".join(
        [
            "",
            f"This deletes Smart Link from {target.project} ({target.environment}) for good:",
            "every message that has not been executed, the history and the logs in Firestore,",
            "large contents, totvsAppConfig_v2.json with its versions, functions, topics, alerts.",
            "Pause the scheduler and let live messages end first: see terraform/README.md.",
            "",
        ]
    )


def removed(target: Target) -> str:
    """Say what still exists because Terraform did not make it."""
    project = target.project
    return "\n".join(
        [
            "",
            "Removed. Still there, as Terraform did not make it:",
            f"  secrets   gcloud secrets list --project={project} --filter=labels.smartlink:*",
            f"  backups   gcloud firestore backups list --project={project}",
            f"  state     gs://{target.state_bucket}",
            "  APIs stay enabled; the log bucket can be restored for 7 days.",
        ]
    )
