"""The acts that go on record, and what each is called in the reader's language."""

from collections.abc import Mapping
from enum import StrEnum

from smartlink.i18n import Text, _, data


class Act(StrEnum):
    """An act, as `Auditoria` stores it. Records keep these words: none of them may change."""

    ACTIVATE = "tenants activate"
    ROTATE = "tenants rotate"
    ADOPT = "tenants adopt"
    ENABLE = "tenants enable"
    DISABLE = "tenants disable"
    PAUSE = "tenants pause"
    CHECK = "tenants check"
    REDRIVE = "messages redrive"
    DISCARD = "messages discard"
    HOLD = "messages hold"
    SHOW_CONTENT = "messages show --content"
    EXPORT = "messages export"
    FIND_PERSON = "messages list --titular"
    PUBLISH = "publish"
    STOP_JOB = "job stop"
    RESUME_JOB = "job resume"
    PUSH_CONFIG = "config push"
    ROLL_CONFIG_BACK = "config rollback"
    PURGE = "purge"


WORDS: Mapping[Act, Text] = {
    Act.ACTIVATE: _("Activate a tenant"),
    Act.ROTATE: _("Give a tenant new credentials"),
    Act.ADOPT: _("Adopt a tenant's other credentials"),
    Act.ENABLE: _("Enable a tenant"),
    Act.DISABLE: _("Disable a tenant"),
    Act.PAUSE: _("Pause a tenant"),
    Act.CHECK: _("Check a tenant"),
    Act.REDRIVE: _("Redrive messages"),
    Act.DISCARD: _("Discard messages"),
    Act.HOLD: _("Hold messages"),
    Act.SHOW_CONTENT: _("Look at a message's content"),
    Act.EXPORT: _("Export a message"),
    Act.FIND_PERSON: _("Look for a person's requests"),
    Act.PUBLISH: _("Publish a message"),
    Act.STOP_JOB: _("Stop a job"),
    Act.RESUME_JOB: _("Resume a job"),
    Act.PUSH_CONFIG: _("Write the configuration"),
    Act.ROLL_CONFIG_BACK: _("Go back to an earlier configuration"),
    Act.PURGE: _("Purge old history and logs"),
}


def words_of(stored: str) -> Text:
    """Returns what a stored act is called. One that this version does not know stays as it is."""
    known = {act.value: words for act, words in WORDS.items()}
    return known.get(stored) or data(stored)
