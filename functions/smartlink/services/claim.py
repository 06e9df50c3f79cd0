"""Claims: a message is run, or sent, by whoever wins the compare-and-swap on its version.

Nothing is read before. Only a message that was not won is read, once:

    own claim id                        our first try took effect, its answer got lost: claimed
    Pendente, at the attempt we know    it was dispatched again meanwhile: claim it again
    anything else                       another has it, or it has ended: not ours
"""

from collections.abc import Callable, Sequence

from smartlink.domain.message import Claim, Message, State, Stored
from smartlink.ports import Messages

Claiming = Callable[[Message], Message]


def claim_all(
    messages: Messages, tenant: str, wanted: Sequence[Stored], claim: Claim, claiming: Claiming
) -> list[Stored]:
    """The messages that are claimed now, at the versions that fence their settlement."""
    won, missed = _swap(messages, tenant, wanted, claiming)
    if not missed:
        return won
    current = messages.read(tenant, [stored.message.document for stored in missed])
    again: list[Stored] = []
    for stored in missed:
        now = current.get(stored.message.document)
        if now is None:
            continue
        if now.message.claim and now.message.claim.id == claim.id:
            if now.message.state is State.RUNNING:
                won.append(now)
        elif now.message.state is State.PENDING and now.message.attempt == stored.message.attempt:
            again.append(now)
    late = _unended(messages, tenant, again, claiming)
    known = {stored.message.document for stored in late}
    unsure = [it.message.document for it in again if it.message.document not in known]
    return won + late + _own(messages, tenant, unsure, claim)


def _own(messages: Messages, tenant: str, documents: Sequence[str], claim: Claim) -> list[Stored]:
    """Of what was claimed again and not won: what is ours, its first answer lost as well."""
    found = messages.read(tenant, documents) if documents else {}
    return [
        it
        for it in found.values()
        if it.message.state is State.RUNNING
        and it.message.claim is not None
        and it.message.claim.id == claim.id
    ]


def _unended(
    messages: Messages, tenant: str, again: Sequence[Stored], claiming: Claiming
) -> list[Stored]:
    """Claims again, but nothing that has ended before.

    A delivery may come so late that its message has ended, and a repeat of the message was
    stored under the same id and not yet found out.
    """
    if not again:
        return []
    ended = messages.past(tenant, [stored.message.document for stored in again])
    fresh = [stored for stored in again if stored.message.document not in ended]
    return _swap(messages, tenant, fresh, claiming)[0]


def _swap(
    messages: Messages, tenant: str, wanted: Sequence[Stored], claiming: Claiming
) -> tuple[list[Stored], list[Stored]]:
    changes = [Stored(claiming(stored.message), stored.version) for stored in wanted]
    versions = messages.swap(tenant, changes)
    won = [
        Stored(change.message, version)
        for change, version in zip(changes, versions, strict=True)
        if version is not None
    ]
    missed = [stored for stored, version in zip(wanted, versions, strict=True) if version is None]
    return won, missed
