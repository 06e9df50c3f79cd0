"""Who acts, why and when: what is kept of an operator's act."""

from dataclasses import dataclass
from datetime import datetime

from smartlink.domain.message import LogLine, LogType, Message
from smartlink.domain.settlement import annotate
from smartlink.operations.ports import Deployment

REASON = 500  # characters that are kept


@dataclass(frozen=True, slots=True)
class Note:
    """Who acts, why, when, and how long that is kept."""

    who: str
    reason: str
    at: datetime
    expires: datetime
    undone: bool = False  # who acts knows that nothing of it was done

    def line(self, message: Message, what: str) -> LogLine:
        """The line for `GTotvsLinkLog`."""
        text = f"{what} by {self.who}: {self.reason}"
        return annotate(message, LogType.INFORMATION, text, self.at, self.expires)


def note(deployment: Deployment, who: str, reason: str, *, undone: bool = False) -> Note:
    """A note of now, kept as long as what ends now."""
    now = deployment.now()
    expires = deployment.settings.retention.expires(now, deployment.policy)
    return Note(who, reason[:REASON], now, expires, undone)
