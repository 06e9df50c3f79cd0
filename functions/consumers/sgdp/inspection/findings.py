"""What an inspection tells: the place, what is wrong there, how bad it is, and the fix."""

from dataclasses import dataclass
from enum import StrEnum

from smartlink.domain.said import Said


class Level(StrEnum):
    """How bad a finding is."""

    FAULT = "fault"  # TPD refuses the map, or would miss somebody: the check fails
    WARNING = "warning"  # somebody has to look at it
    NOTE = "note"  # what was found to be so


class Topic(StrEnum):
    """What a finding is about."""

    MAP = "map"
    STORED_FORMS = "storedForms"
    UNMAPPED = "unmapped"
    COPIES = "copies"
    INDEXES = "indexes"
    RIGHTS = "rights"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. No text of it holds a value of the database."""

    topic: Topic
    level: Level
    place: str  # in the map, or in the database
    text: Said
    fix: str = ""  # what to do, or the SQL to run

    def as_json(self) -> dict[str, str]:
        """Returns the finding for programs."""
        told = {
            "topic": str(self.topic),
            "level": str(self.level),
            "place": self.place,
            "text": self.text,
        }
        return told | ({"fix": self.fix} if self.fix else {})
