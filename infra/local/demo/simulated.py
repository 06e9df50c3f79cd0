"""The simulator's TPD, as the demo asks it."""

from collections.abc import Sequence

from infra.local.demo.asks import Ask
from infra.local.rest import Json, Rest

PROCESSED = "Processada"


class Tpd:
    """TPD's side: it asks, and watches the status of what it asked."""

    def __init__(self, simulator: str) -> None:
        """Speak to the simulator's own API."""
        self._url = f"{simulator}/simulator"
        self._rest = Rest()

    def ready(self, tenants: Sequence[str]) -> bool:
        """Tell whether every tenant's queue is there: before that its messages are lost."""
        queues = self._rest.call("GET", f"{self._url}/queues")
        return all(queues.get(tenant, {}).get("setup") for tenant in tenants)

    def ask(self, asks: Sequence[Ask]) -> list[str]:
        """Make the requests; return their ids."""
        body = [ask.json() for ask in asks]
        ids: list[str] = self._rest.call("POST", f"{self._url}/requests", body)["requestIds"]
        return ids

    def requests(self) -> dict[str, Json]:
        """Read every request by its id."""
        listed = self._rest.call("GET", f"{self._url}/requests")
        return {str(request["requestId"]): request for request in listed}
