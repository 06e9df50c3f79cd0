"""Standing jobs: an operators' job whose next step was lost is published again.

Each tick asks once, for the whole project, which job's step is overdue for longest. A job that is
published twice does no harm, because a step claims it.
"""

import json

from smartlink.observability import WARNING, event, surprise
from smartlink.ports import Clock, Envelope, PortError, Publisher, RelayState


class StandingJobs:
    """Looks for one job that stands still, and asks `operate` for a step of it."""

    def __init__(
        self, relay_state: RelayState, publisher: Publisher, topic: str | None, clock: Clock
    ) -> None:
        """Without a topic there is no function `operate`, and nothing is looked for."""
        self._relay_state = relay_state
        self._publisher = publisher
        self._topic = topic
        self._clock = clock

    def __call__(self) -> None:
        """It raises nothing, because nobody waits for it."""
        if self._topic is None:
            return
        try:
            job = self._relay_state.standing_job(self._clock())
            if job is not None:
                self._publisher.publish(self._topic, [step_of(job)])
                text = "A job stood still: its next step is asked for again"
                event("job_republished", text, WARNING, job=job)
        except PortError as error:
            event("jobs_not_looked_at", f"The next tick looks again: {error}", WARNING)
        except Exception as error:  # noqa: BLE001  (a poll goes on, whatever becomes of jobs)
            surprise("jobs_not_looked_at", "Unexpected", error)


def step_of(job: str) -> Envelope:
    """Writes the Pub/Sub message that asks for a step of a job."""
    return Envelope(json.dumps({"job": job}).encode(), {"job": job})
