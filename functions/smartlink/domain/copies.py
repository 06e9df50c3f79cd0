"""Until when copies of a message live on where nobody can take them back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class Copy(StrEnum):
    """Where a copy is, in the words that TPD's people read."""

    BACKUPS = "Backups diários do Firestore"
    RECOVERY = "Recuperação pontual do Firestore (PITR)"
    SOFT_DELETED = "Objetos excluídos do bucket (soft delete)"
    TOPICS = "Tópicos do Pub/Sub"
    DEAD_LETTERS = "Tópicos de mensagens mortas do Pub/Sub"


_MARGIN = timedelta(days=1)  # an answer is sent, and Google deletes, up to a day later


@dataclass(frozen=True, slots=True)
class Copies:
    """How many days each copy is kept after the message has ended; 0: there is none."""

    days: Mapping[Copy, int]

    def until(self, ended: datetime) -> dict[Copy, date]:
        """Returns the last day of each copy of a message that ended then."""
        return {
            copy: (ended + _MARGIN + timedelta(days=days)).date()
            for copy, days in self.days.items()
            if days
        }
