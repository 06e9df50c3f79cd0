"""Makes requests to the simulator's TPD, and reads them, for the demo."""

from collections.abc import Sequence

from infra.local.demo.asks import Ask
from infra.local.rest import Json, Rest

PROCESSED = "Processada"


class Tpd:
    """TPD's side: it makes requests and watches their status."""

    def __init__(self, simulator: str) -> None:
        """`simulator` is the simulator's URL."""
        self._url = f"{simulator}/simulator"
        self._rest = Rest()

    def ready(self, tenants: Sequence[str]) -> bool:
        """Tell whether every tenant's queue is set up; until then its messages are lost."""
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
