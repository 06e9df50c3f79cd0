"""One run of the hundred messages: put up, activate, send, wait, and look."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.acceptance.errors import DiffersError, UnansweredError
from infra.acceptance.flow.cleanup import (
    CLIENT,
    by_hand,
    check_name,
    clean_later,
    remove_documents,
    remove_secrets,
)
from infra.acceptance.flow.kinds import DATA, LOGS, PUBLISHED, Offered, of_wave, once_more, totvs
from infra.acceptance.flow.observed import Observed
from infra.acceptance.flow.simulated import Simulated
from infra.acceptance.flow.stage import Stage
from infra.acceptance.place import Place
from infra.deploy.errors import DeployError
from smartlink.domain.message import EndedSummary, Listed, State, Unreadable
from smartlink.domain.tenant import ACCEPTANCE_TENANT, Credentials
from smartlink.operations import activation
from smartlink.operations.errors import OperationError
from smartlink.operations.ports import Deployment, EndedQuery
from smartlink.ports import PortError

_WAVE_SECONDS = 300  # in which a wave must come to rest: five ticks
_LOOK_SECONDS = 10
_MAP = {
    "purposes": {"none": {"classification": "LEGAL_OBLIGATION", "justification": "Acceptance"}},
    "tables": {},  # SGDPLogsCommand needs none
}
_OTHER = {"getBatch": 10, "names": "pascal", "dialect": {"tags": "written"}}


class _StoppedError(Exception):
    """The operator ended the run."""


def send_hundred(
    place: Place,
    stage: Stage,
    say: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Run, and leave what was seen in `place.flow`; whatever is made is removed by the place.

    A run that breaks off is no error here: the probes tell of it.
    """
    place.flow = observed = Observed(began=datetime.now(UTC))
    began = place.clock()
    try:
        with _told(place):
            _Run(place, stage, observed, say, stopped).all()
        observed.done = True
    except (DiffersError, UnansweredError) as error:
        observed.trouble = str(error)
    except (_StoppedError, KeyboardInterrupt):
        observed.trouble = "it was interrupted"
    observed.minutes = (place.clock() - began) / 60


@contextmanager
def _told(place: Place) -> Iterator[None]:
    """Turn what deployments and operations raise into what probes know."""
    try:
        yield
    except (DeployError, OperationError, PortError) as error:
        # A failed activation says more in its cause; neither holds a secret.
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        message = f"{place.settings.project}: {error}{cause}"
        raise DiffersError(message) from None


@dataclass
class _Run:
    place: Place
    stage: Stage
    observed: Observed
    say: Callable[[str], None]
    stopped: Callable[[], bool]

    def all(self) -> None:
        place, stage, observed = self.place, self.stage, self.observed
        stage.check()
        missing = {LOGS, DATA} - set(place.settings.catalog.commands)
        if missing:
            message = (
                f"the catalogue lacks {', '.join(sorted(missing))}, which the messages ask for"
            )
            raise UnansweredError(message)
        check_name(place)
        remove_secrets(place)  # of a run that was killed
        remove_documents(place)
        clean_later(place)
        self._check()
        key = secrets.token_urlsafe(32)
        place.later(f"the simulator: {stage.how_to_strike}", self._strike)
        self.say("Putting the simulator up.")
        url = stage.put_up(hashlib.sha256(key.encode()).hexdigest())
        simulated = Simulated(url, key)
        simulated.opened(place.wait, place.clock)
        observed.strangers = simulated.strangers()
        place.later(f"the secrets: {by_hand(place)['secrets']}", lambda: remove_secrets(place))
        deployment = stage.operated(url)
        self._activate(deployment, simulated, key)
        self._waves(deployment, simulated)

    def _strike(self) -> None:
        with _told(self.place):
            self.stage.strike()

    def _activate(self, deployment: Deployment, simulated: Simulated, key: str) -> None:
        """Activate the tenant as operators do, its RAC being the simulator."""
        self._check()
        client = f"{CLIENT}{self.place.run}"
        # Issued by the RAC of no environment: a token of another one's is refused.
        simulated.configure(issuer="https://simulator.invalid/totvs.rac")
        simulated.register(ACCEPTANCE_TENANT, client, key, f"{client}-tenant")
        credentials = Credentials.model_validate(
            {
                "clientId": client,
                "clientSecret": key,
                "environment": self.place.settings.environment,
            }
        )
        region = None if self.place.local else self.place.region
        activation.activate(
            deployment, ACCEPTANCE_TENANT, credentials, region, lambda _step: self._check()
        )
        self.say(f"Activated {ACCEPTANCE_TENANT}.")

    def _waves(self, deployment: Deployment, simulated: Simulated) -> None:
        place, observed, run = self.place, self.observed, self.place.run
        self._offer(simulated, of_wave(run, 0))
        self._until(deployment, simulated, _WAVE_SECONDS, self._wait_for_their_retry)
        self._make_erp()
        plain = of_wave(run, 1)
        self._offer(simulated, plain)
        self._until(deployment, simulated, _WAVE_SECONDS, self._rest_but_retries)
        simulated.configure(**_OTHER)
        self._offer(simulated, of_wave(run, 2))
        self._offer(simulated, once_more([it for it in plain if it.kind == "plain"]))
        self._publish()
        self._until(deployment, simulated, _WAVE_SECONDS, self._rest_but_retries)
        quiet = place.clock()
        delay = deployment.policy.delay(1).total_seconds()
        self.say(f"Waiting for the retries, {delay / 60:.0f} minutes after the first attempt.")
        self._until(deployment, simulated, delay + _WAVE_SECONDS, self._rest)
        observed.gap = place.clock() - quiet
        self._offer(simulated, of_wave(run, 3))
        self._until(deployment, simulated, _WAVE_SECONDS, self._rest)
        observed.stats = simulated.stats()
        observed.kept = _kept_of_personal(deployment, observed)

    def _offer(self, simulated: Simulated, messages: list[Offered]) -> None:
        self._check()
        simulated.offer(ACCEPTANCE_TENANT, [it.entry for it in messages])
        self.observed.offered += messages
        self.say(f"Offered {len(self.observed.offered)} messages.")

    def _publish(self) -> None:
        for number in range(PUBLISHED):
            request = f"{self.place.run}-published-{number}"
            document = {
                "tenant": ACCEPTANCE_TENANT,
                "type": "SmartlinkAcceptanceEvent",
                "audience": "ACCEPTANCE",
                "content": json.loads(totvs(request)),
                "id": request,
            }
            try:
                self.observed.published[self.stage.publish(document)] += 1
            except UnansweredError as error:
                self.observed.unpublished = str(error)
                return

    def _make_erp(self) -> None:
        """Make the secret whose lack let the first messages fail."""
        place = self.place
        parent = f"/v1/projects/{place.settings.project}/secrets"
        name = f"smartlink-erp-{ACCEPTANCE_TENANT}"
        replication: dict[str, object] = {"automatic": {}}
        if not place.local:  # an organisation may forbid automatic replication
            replication = {"userManaged": {"replicas": [{"location": place.region}]}}
        secret = {"replication": replication, "labels": {"smartlink": "erp"}}
        made = place.call("secretmanager", "POST", parent, secret, secretId=name)
        made.needed("make the ERP's secret")
        payload = json.dumps({"databaseUrl": self.stage.database, "map": _MAP}).encode()
        body = {"payload": {"data": base64.b64encode(payload).decode()}}
        added = place.call("secretmanager", "POST", f"{parent}/{name}:addVersion", body)
        added.needed("add a version to the ERP's secret")

    def _until(
        self,
        deployment: Deployment,
        simulated: Simulated,
        seconds: float,
        rests: Callable[[], bool],
    ) -> None:
        """Look until it is so, or the time is up: the probes say what is missing then."""
        end = self.place.clock() + seconds
        while True:
            self._look(deployment, simulated)
            if rests() or self.place.clock() > end:
                return
            self._check()
            self.place.wait(_LOOK_SECONDS)

    def _look(self, deployment: Deployment, simulated: Simulated) -> None:
        observed, store = self.observed, deployment.store
        observed.queue = simulated.queue(ACCEPTANCE_TENANT)
        live = list(store.scan(ACCEPTANCE_TENANT, {}))
        ended = list(store.scan_ended(ACCEPTANCE_TENANT, EndedQuery()))
        observed.live = [it.message for it in live if isinstance(it, Listed)]
        observed.ended = [it for it in ended if isinstance(it, EndedSummary)]
        observed.unreadable = sum(isinstance(it, Unreadable) for it in live)
        observed.unreadable += len(ended) - len(observed.ended)
        observed.sent = simulated.sent(ACCEPTANCE_TENANT)

    def _empty(self) -> bool:
        return not (self.observed.queue["waiting"] or self.observed.queue["leased"])

    def _wait_for_their_retry(self) -> bool:
        live = self.observed.live
        waiting = all(it.state is State.WAITING for it in live)
        return self._empty() and waiting and len(live) == len(self.observed.of("retry"))

    def _rest_but_retries(self) -> bool:
        retried = {it.id for it in self.observed.of("retry")}
        return self._empty() and all(
            it.state is State.DEAD or it.id in retried for it in self.observed.live
        )

    def _rest(self) -> bool:
        return self._empty() and all(it.state is State.DEAD for it in self.observed.live)

    def _check(self) -> None:
        if self.stopped():
            raise _StoppedError


def _kept_of_personal(deployment: Deployment, observed: Observed) -> str:
    """Say what the history keeps of the content of a message that was done."""
    ids = {it.id for it in observed.of("plain")}
    for it in observed.downstream:
        if it.message.id in ids:
            document = it.message.document
            found = deployment.store.find(ACCEPTANCE_TENANT, [document], it.message.id)
            content = found.ended[document].message.content
            text = content.text is not None or content.object is not None
            return f"{'its text' if text else 'hash and size'}, {content.size} bytes"
    return ""
