"""Canaries: texts that stand for secrets and personal data, and every place they could fly to."""

import base64
import json
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.support.world import World

CLIENT_SECRET = "kanarie-klant/geheim+1"
TOKEN = "kanarie.token.geheim2"
PASSWORD = "kanarie-wachtwoord3"
CPF = "529.982.247-25"
NAME = "Joana Canária da Silva"
SECRETS = (CLIENT_SECRET, TOKEN, PASSWORD)
PERSONAL = (CPF, NAME)


def spellings(canary: str) -> set[str]:
    """As it is, and as it would look after the escapes that lie on the way."""
    return {
        canary,
        quote(canary, safe=""),
        json.dumps(canary)[1:-1],
        json.dumps(json.dumps(canary)[1:-1])[1:-1],
        repr(canary)[1:-1],
        ascii(canary)[1:-1],
        base64.b64encode(canary.encode()).decode().rstrip("="),
    }


@dataclass(slots=True)
class Places:
    """Where canaries are looked for, by name."""

    found: dict[str, str] = field(default_factory=dict)

    def look(self, place: str, *things: object) -> None:
        text = "\n".join(thing if isinstance(thing, str) else repr(thing) for thing in things)
        self.found[place] = self.found.get(place, "") + text

    def sightings(self, *canaries: str) -> list[tuple[str, str]]:
        """(place, canary) wherever one is."""
        return [
            (place, canary)
            for place, text in self.found.items()
            for canary in canaries
            if any(spelling in text for spelling in spellings(canary))
        ]


def documents(world: World, tenant: str = "acme") -> dict[str, str]:
    """Every stored text but the payloads, by kind of document."""
    live = world.store.live(tenant).values()
    ended = world.store.ended(tenant).values()
    return {
        "live": repr([(it.message, it.message.attempts, it.message.error) for it in live]),
        "history": repr([(it, it.message.attempts, it.message.error) for it in ended]),
        "logs": repr([(line.text, line.debug, line.message_id) for line in world.logs(tenant)]),
        "state": repr(world.store.states([tenant])),
        "bucket's names": repr(sorted(world.contents.objects)),
        "topics' attributes": repr([dict(it.attributes) for _, it in world.publisher.published]),
    }
