"""Makes the accounts of Google's own services, the service agents, which a new project lacks.

Google refuses a grant to a service agent that does not exist (400). It makes an agent at the first
use of the agent's service, which may be minutes after Terraform's grant. An agent that
`generateServiceIdentity` makes does not get the roles that Google gives to its own ("Create and
grant roles to service agents" in IAM's documentation). So this module makes the agents and grants
the roles before Terraform applies. They are not Terraform's resources, because the rest of the
project needs them even after a `destroy`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.deploy.cloud import Answer, Cloud
from infra.deploy.errors import DeployError

_OK, _BAD_REQUEST, _CONFLICT = 200, 400, 409
_TRIES = 6
_SECONDS = 10  # between two tries: a new agent is known everywhere within a minute


@dataclass(frozen=True, slots=True)
class Agent:
    """A service's account in the project, and the role that Google gives it there."""

    service: str
    domain: str
    role: str

    def member(self, number: str) -> str:
        """Return the agent as a member of policies, for the project's number."""
        return f"serviceAccount:service-{number}@{self.domain}.iam.gserviceaccount.com"


# The domain and the role of each are from IAM's documentation, "Service agents".
AGENTS = tuple(
    Agent(f"{service}.googleapis.com", domain, f"roles/{service}.serviceAgent")
    for service, domain in (
        ("artifactregistry", "gcp-sa-artifactregistry"),
        ("cloudbuild", "gcp-sa-cloudbuild"),
        ("cloudfunctions", "gcf-admin-robot"),
        ("cloudscheduler", "gcp-sa-cloudscheduler"),
        ("firestore", "gcp-sa-firestore"),
        ("pubsub", "gcp-sa-pubsub"),
        ("run", "serverless-robot-prod"),
    )
)


def make_agents(
    cloud: Cloud, project: str, wait: Callable[[float], None], say: Callable[[str], None]
) -> None:
    """Enable the agents' services, make the agents, and give each the role that it lacks.

    If nothing is missing, it makes two calls and no change. `wait` takes seconds. `say` tells the
    operator what is changed. Raises DeployError.
    """
    url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}"
    number = str(_right(cloud.get(url), f"read the project {project}").get("name", ""))
    number = number.removeprefix("projects/")
    lacking = _lacking(_policy(cloud, project), number)
    if not lacking:
        return
    services = f"https://serviceusage.googleapis.com/v1/projects/{number}/services"
    names = [agent.service for agent in AGENTS]
    say(f"Enabling {', '.join(names)}")
    _finish(cloud, cloud.post(f"{services}:batchEnable", {"serviceIds": names}), "enable", wait)
    for agent in lacking:
        say(f"Making the service agent of {agent.service}")
        made = cloud.post(
            f"https://serviceusage.googleapis.com/v1beta1/projects/{number}/services/"
            f"{agent.service}:generateServiceIdentity",
            {},
        )
        _finish(cloud, made, f"make the service agent of {agent.service}", wait)
    _grant(cloud, project, number, wait, say)


def _policy(cloud: Cloud, project: str) -> dict[str, Any]:
    url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}:getIamPolicy"
    answer = cloud.post(url, {"options": {"requestedPolicyVersion": 3}})
    return dict(_right(answer, f"read the policy of {project}"))


def _lacking(policy: Mapping[str, Any], number: str) -> Sequence[Agent]:
    held = {
        (binding.get("role"), member)
        for binding in policy.get("bindings", ())
        if "condition" not in binding
        for member in binding.get("members", ())
    }
    return [agent for agent in AGENTS if (agent.role, agent.member(number)) not in held]


def _grant(
    cloud: Cloud,
    project: str,
    number: str,
    wait: Callable[[float], None],
    say: Callable[[str], None],
) -> None:
    """Add the missing roles to the policy. The policy's etag protects changes of others."""
    url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{project}:setIamPolicy"
    for left in reversed(range(_TRIES)):
        policy = _policy(cloud, project)
        lacking = _lacking(policy, number)
        if not lacking:
            return
        added = [{"role": it.role, "members": [it.member(number)]} for it in lacking]
        bindings = [*policy.get("bindings", ()), *added]
        answer = cloud.post(url, {"policy": {**policy, "version": 3, "bindings": bindings}})
        if answer.status == _OK:
            for agent in lacking:
                say(f"Granted {agent.role} to {agent.member(number)}")
            return
        # 409: somebody else changed the policy. 400: the new agent is not known everywhere yet.
        if answer.status not in (_CONFLICT, _BAD_REQUEST) or not left:
            _right(answer, f"grant {', '.join(it.role for it in lacking)} on {project}")
        wait(_SECONDS)


def _finish(cloud: Cloud, answer: Answer, what: str, wait: Callable[[float], None]) -> None:
    """Wait until a long-running operation has ended. Raises DeployError."""
    operation = _right(answer, what)
    for _ in range(_TRIES):
        if operation.get("error"):
            _right(Answer(_BAD_REQUEST, operation), what)
        if operation.get("done") or not operation.get("name"):
            return
        wait(_SECONDS)
        url = f"https://serviceusage.googleapis.com/v1/{operation['name']}"
        operation = _right(cloud.get(url), what)
    message = f"Google has not ended within {_TRIES * _SECONDS} s to {what}: try again."
    raise DeployError(message)


def _right(answer: Answer, what: str) -> Mapping[str, Any]:
    if answer.status == _OK:
        return answer.body
    message = f"It was not possible to {what}: {answer.said}. Nothing was deployed."
    raise DeployError(message)
