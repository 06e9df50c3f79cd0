"""Claims: only the call that wins the compare-and-swap on a message's version may run or send it.

A claim reads nothing in advance. If the compare-and-swap fails, the message is read once:

    it has our claim id                 our write took effect, but its answer got lost: claimed
    Pendente, at the attempt we know    the sweep dispatched the message again: claim it again
    waits for its turn, the same        the sweep did not know yet that its turn has come: the same
    anything else                       another call has the message, or it has ended: not claimed
"""

from collections.abc import Callable, Sequence

from smartlink.domain.message import Claim, Message, State, Stored
from smartlink.ports import Messages
from smartlink.services.order import startable

Claiming = Callable[[Message], Message]


def claim_all(
    messages: Messages, tenant: str, wanted: Sequence[Stored], claim: Claim, claiming: Claiming
) -> list[Stored]:
    """Returns the messages that this call has claimed. Their versions fence their settlements."""
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
        elif _same_run(now.message, stored.message):
            again.append(now)
    late = _unended(messages, tenant, again, claiming)
    known = {stored.message.document for stored in late}
    unsure = [it.message.document for it in again if it.message.document not in known]
    return won + late + _own(messages, tenant, unsure, claim)


def _same_run(now: Message, wanted: Message) -> bool:
    """Tells whether the message waits for the very run that was dispatched.

    One that waits for its turn was dispatched because its turn has come.
    """
    return startable(now) and (now.attempt, now.order) == (wanted.attempt, wanted.order)


def _own(messages: Messages, tenant: str, documents: Sequence[str], claim: Claim) -> list[Stored]:
    """Returns the messages that hold our claim although the database's answer said otherwise."""
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
    """Claims these messages again, except those whose id is in the history.

    A delivery may come so late that its message has ended. The live message under the same id is
    then a repeat, which the sweep has not yet found.
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
