"""Notes who acts, why and when."""

from dataclasses import dataclass
from datetime import datetime

from smartlink.domain.message import LogLine, LogType, Message
from smartlink.domain.settlement import annotate
from smartlink.operations.ports import Deployment

REASON = 500  # characters that are stored


@dataclass(frozen=True, slots=True)
class Note:
    """Who acts, why and when; and when the note expires."""

    who: str
    reason: str
    at: datetime
    expires: datetime
    undone: bool = False  # the operator knows that the message's work was not done

    def line(self, message: Message, what: str) -> LogLine:
        """Makes the line for `GTotvsLinkLog`."""
        text = f"{what} by {self.who}: {self.reason}"
        return annotate(message, LogType.INFORMATION, text, self.at, self.expires)


def note(deployment: Deployment, who: str, reason: str, *, undone: bool = False) -> Note:
    """Makes a note with the present time. It is kept as long as a message that ends now."""
    now = deployment.now()
    expires = deployment.settings.retention.expires(now, deployment.policy)
    return Note(who, reason[:REASON], now, expires, undone)
