"""The demo's sixty requests, each about another person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.people import SamplePerson

COMMANDS = ("SGDPDataCommand", "SGDPMaskCommand", "SGDPLogsCommand")
MASK = "SGDPMaskCommand"
REQUESTS_OF_A_COMMAND = 20
DRY_RUNS_OF_A_TENANT = 2
STYLES = ("totvs", "cloudevents")


@dataclass(frozen=True)
class Ask:
    """A request that TPD makes."""

    tenant: str
    command: str
    person: SamplePerson
    style: str
    to_verify: bool = False

    def json(self) -> dict[str, Any]:
        """Write the request for TPD."""
        identifiers = (
            {"CPF": self.person.cpf} if self.person.id % 2 else {"EMAIL": self.person.email}
        )
        common = {"tenant": self.tenant, "command": self.command, "style": self.style}
        verify = {"toVerify": self.to_verify} if self.command == MASK else {}
        return common | {"identifiers": identifiers} | verify


def make_asks(people: Mapping[str, Sequence[SamplePerson]]) -> list[Ask]:
    """Make 20 requests with each command, in turns of tenants and of payload styles.

    Each request is about another person, because no later request would find an anonymised person.
    The last mask requests of each tenant are dry runs.
    """
    tenants = list(people)
    each = REQUESTS_OF_A_COMMAND // len(tenants)
    return [
        Ask(
            tenant,
            command,
            people[tenant][block * each + turn],
            STYLES[turn % len(STYLES)],
            to_verify=command == MASK and turn >= each - DRY_RUNS_OF_A_TENANT,
        )
        for turn in range(each)
        for block, command in enumerate(COMMANDS)
        for tenant in tenants
    ]


def to_be_anonymised(asks: Sequence[Ask], tenant: str) -> int:
    """Count the people who must be anonymous at the end."""
    masks = [ask for ask in asks if ask.tenant == tenant and ask.command == MASK]
    return sum(not ask.to_verify for ask in masks)
