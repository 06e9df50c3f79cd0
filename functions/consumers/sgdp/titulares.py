"""Whom a request is about, in keyed hashes: after a mask the identifiers find nobody any more.

A row of `smartlink_access_titulares` says that a person of the access log was known by an
identifier, by its HMAC under a key of the tenant's secret `smartlink-titular-<tenant>`. Without
such a secret nothing is written here, and the log of a masked person is found by nobody.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC

from pydantic import ValidationError
from sqlalchemy import Connection, select

from consumers.sgdp.access_log import entry_id, insert_new
from consumers.sgdp.database import access_titulares
from consumers.sgdp.identifiers import canonical
from consumers.sgdp.messages import Request
from consumers.sgdp.person import Identity, Record, identities_in
from consumers.sgdp.requested import Identifiers
from consumers.sgdp.rows import chunks
from smartlink.consumer import Context, FatalError

_AT_ONCE = 500  # values bound in one query


def asked(identifiers: Identifiers) -> set[Identity]:
    """List the identifiers of a request."""
    given = ((kind, canonical(kind, text or "")) for kind, text in identifiers.root.items())
    return {(kind, value) for kind, value in given if value.strip("0 ")}


def known(records: Iterable[Record]) -> dict[str, set[Identity]]:
    """List the identifiers that the rows hold, by person; a dependant's are not the person's."""
    found: dict[str, set[Identity]] = {}
    for record in records:
        identities = found.setdefault(record.person, set())
        if not record.dependent:
            identities.update(identities_in(record))
    return found


def note(context: Context, identities: Iterable[Identity]) -> None:
    """Have the relay write whom the message is about, as `Titular`."""
    keys = context.titular_keys()
    context.concerns(hashed for it in identities if (hashed := keys.written(*it)) is not None)


def same_person(identities: set[Identity]) -> Callable[[object], bool]:
    """Make a test whether a request's body names somebody by one of these."""

    def fits(body: object) -> bool:
        try:
            request = Request.model_validate(body)
        except ValidationError:
            return False  # it can never be answered
        return bool(asked(request.identifiers) & identities)

    return fits


def record_titulares(connection: Connection, context: Context, records: Iterable[Record]) -> None:
    """Write by what each person is known, beside the access log; once a message."""
    keys = context.titular_keys()
    same = {"tenant": context.tenant, "seen_on": context.now.astimezone(UTC)}
    entries: dict[object, dict[str, object]] = {}
    for person, identities in known(records).items():
        for kind, value in identities:
            titular = keys.written(kind, value)
            if titular is not None:
                key = entry_id(context, f"{titular}/{person}")
                entry = {"id": key, "titular": titular, "kind": kind, "person": person}
                entries[key] = same | entry
    insert_new(connection, access_titulares, entries)


def logged_people(
    connection: Connection, context: Context, identifiers: Identifiers, records: Sequence[Record]
) -> list[str]:
    """Find the people of the access log whom the identifiers mean, masked or not.

    Who is in the database decides, with what is logged of the same CPF. Where nobody is, the
    strongest identifier that somebody had. Raises FatalError if several people had it.
    """
    people = {record.person for record in records}
    keys = context.titular_keys()
    if not keys:
        return sorted(people)
    if people:
        cpfs = {it for identities in known(records).values() for it in identities if it[0] == "CPF"}
        hashes = [hashed for it in cpfs for hashed in keys.sought(*it)]
        return sorted(people | _people(connection, context.tenant, hashes))
    cpf = identifiers.cpf
    wanted = frozenset(keys.sought("CPF", cpf)) if cpf else frozenset[str]()
    kinds = {kind for kind, _ in asked(identifiers)}
    for kind, value in identifiers.strongest_first(kinds):
        found = _people(connection, context.tenant, keys.sought(kind, value))
        if kind != "CPF":
            cpfs_of = _of_one(kind, wanted, _cpfs(connection, context.tenant, found))
            # Tables that know people by their CPF alone have entries of their own.
            hashes = sorted(set[str]().union(*cpfs_of.values()))
            found = {*cpfs_of, *_people(connection, context.tenant, hashes)}
        if found:
            return sorted(found)
    return []


def _of_one(
    kind: str, wanted: frozenset[str], cpfs: Mapping[str, frozenset[str]]
) -> Mapping[str, frozenset[str]]:
    """Leave out who had other CPFs only; raise FatalError if several people are left."""
    if wanted:
        cpfs = {who: its for who, its in cpfs.items() if not its or its & wanted}
    identities = {its or frozenset({f"#{who}"}) for who, its in cpfs.items()}
    if len(identities) > 1:
        message = (
            f"the request's {kind} was that of {len(identities)} people in the access log: have "
            f"it sent again with the person's CPF"
        )
        raise FatalError(message)
    return cpfs


def _people(connection: Connection, tenant: str, hashes: Sequence[str]) -> set[str]:
    table, found = access_titulares, set[str]()
    for some in chunks([(it,) for it in hashes], _AT_ONCE):
        among = table.c.titular.in_([hashed for (hashed,) in some])
        query = select(table.c.person).where(table.c.tenant == tenant, among).distinct()
        found.update(connection.scalars(query))
    return found


def _cpfs(connection: Connection, tenant: str, people: Iterable[str]) -> dict[str, frozenset[str]]:
    """Read the hashes of the CPFs that each of these people was known by."""
    table = access_titulares
    found: dict[str, set[str]] = {person: set() for person in people}
    for some in chunks([(person,) for person in found], _AT_ONCE):
        query = select(table.c.person, table.c.titular).where(
            table.c.tenant == tenant,
            table.c.person.in_([person for (person,) in some]),
            table.c.kind == "CPF",
        )
        for row in connection.execute(query):
            found[row.person].add(row.titular)
    return {person: frozenset(hashes) for person, hashes in found.items()}
