"""Checks, before anything is changed, that the project is the right one and ready for Terraform."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

from infra.deploy.cloud import LOG_IN, Cloud
from infra.deploy.errors import NotReadyError
from infra.deploy.target import Target

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404

# Terraform itself needs these two; it enables the others.
_APIS = ("cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com")

PERMISSIONS = (
    "artifactregistry.repositories.create",
    "artifactregistry.repositories.setIamPolicy",
    "cloudfunctions.functions.create",
    "cloudfunctions.functions.update",
    "cloudscheduler.jobs.create",
    "datastore.backupSchedules.create",
    "datastore.databases.create",
    "datastore.indexes.create",
    "datastore.indexes.update",
    "iam.roles.create",
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.setIamPolicy",
    "logging.buckets.create",
    "logging.exclusions.create",
    "logging.logMetrics.create",
    "logging.sinks.create",
    "monitoring.alertPolicies.create",
    "monitoring.dashboards.create",
    "monitoring.notificationChannels.create",
    "pubsub.subscriptions.create",
    "pubsub.subscriptions.setIamPolicy",
    "pubsub.topics.create",
    "pubsub.topics.setIamPolicy",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "resourcemanager.projects.setIamPolicy",
    "run.services.setIamPolicy",
    "serviceusage.services.enable",
    "serviceusage.services.list",
    "storage.buckets.create",
    "storage.buckets.setIamPolicy",
    "storage.objects.create",
)


def check_cloud(target: Target, cloud: Cloud, environ: Mapping[str, str] | None = None) -> None:
    """Raise NotReadyError with all problems."""
    environ = os.environ if environ is None else environ
    problems = list(_wrong_project(target, environ))
    if not problems:
        problems = list(_project(target, cloud))
    if not problems:
        problems = [*_permissions(target, cloud), *_state(target, cloud)]
    if problems:
        raise NotReadyError(problems)


def _wrong_project(target: Target, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a problem if the shell is set to another project than the target's."""
    if target.project_given:
        return
    configured = (
        environ.get("GOOGLE_CLOUD_PROJECT") or environ.get("CLOUDSDK_CORE_PROJECT") or _gcloud()
    )
    if configured and configured != target.project:
        yield (
            f"Wrong project? This shell is set to {configured}, but "
            f"environments/{target.environment}.tfvars says {target.project}. Change one of the "
            f"two, or say which with PROJECT={target.project}"
        )


def _gcloud() -> str | None:
    if not (program := shutil.which("gcloud")):
        return None
    command = (program, "config", "get-value", "project", "--quiet")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    project = done.stdout.strip()
    return project if done.returncode == 0 and project != "(unset)" else None


def _project(target: Target, cloud: Cloud) -> Iterator[str]:
    project = target.project
    enable = f"run `gcloud services enable {' '.join(_APIS)} --project={project}`"
    answer = cloud.get(f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}")
    if answer.status == _UNAUTHORIZED:
        yield f"The Google Cloud credentials are refused: {LOG_IN}."
    elif answer.disabled_api:
        yield f"{_APIS[0]} is not enabled: {enable}."
    elif answer.status in (_FORBIDDEN, _NOT_FOUND):
        yield (
            f"There is no project {project}, or these credentials may not see it: correct "
            f"project_id in environments/{target.environment}.tfvars, or use another account."
        )
    elif answer.status != _OK:
        yield f"The project {project} cannot be read: {answer.said}."
    elif answer.body.get("state", "ACTIVE") != "ACTIVE":
        yield f"The project {project} is {answer.body['state']}: it is to be deleted."
    else:
        name = f"projects/{project}/services/{_APIS[1]}"
        service = cloud.get(f"https://serviceusage.googleapis.com/v1/{name}")
        if service.disabled_api or service.body.get("state") == "DISABLED":
            yield f"{_APIS[1]} is not enabled: {enable}."


def _permissions(target: Target, cloud: Cloud) -> Iterator[str]:
    url = (
        f"https://cloudresourcemanager.googleapis.com/v3/projects/{target.project}"
        ":testIamPermissions"
    )
    answer = cloud.post(url, {"permissions": list(PERMISSIONS)})
    if answer.status != _OK:
        yield f"The rights on {target.project} cannot be read: {answer.said}."
        return
    missing = sorted(set(PERMISSIONS) - set(answer.body.get("permissions", [])))
    if missing:
        yield (
            f"These credentials lack, on {target.project}: {', '.join(missing)}. The roles that "
            "a deployer needs stand in terraform/README.md."
        )


def _state(target: Target, cloud: Cloud) -> Iterator[str]:
    bucket = target.state_bucket
    answer = cloud.get(f"https://storage.googleapis.com/storage/v1/b/{bucket}")
    if answer.status == _NOT_FOUND:
        yield (
            f"The bucket of Terraform's state does not exist yet: run `gcloud storage buckets "
            f"create gs://{bucket} --project={target.project} --location={target.region} "
            f"--uniform-bucket-level-access --public-access-prevention && gcloud storage buckets "
            f"update gs://{bucket} --versioning`."
        )
    elif answer.status != _OK:
        yield f"The bucket of Terraform's state, gs://{bucket}, cannot be read: {answer.said}."
