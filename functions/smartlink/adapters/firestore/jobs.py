"""`Tarefa`: the jobs of operators, beside the tenants in the database of the messages.

What a job is about is written once; a step writes only STATE_FIELDS, so that fields of another
version stay.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from smartlink.adapters.firestore.calls import FirestoreCalls, Found
from smartlink.adapters.firestore.documents import JOB_DUE, JOBS
from smartlink.adapters.firestore.newest import Newest
from smartlink.adapters.firestore.values import (
    DocumentError,
    Raw,
    get_count,
    get_flag,
    get_map,
    get_one_of,
    get_optional_text,
    get_optional_time,
    get_text,
    get_texts,
    get_time,
    put_count,
    put_flag,
    put_optional_text,
    put_optional_time,
    put_text,
    put_texts,
    put_time,
)
from smartlink.adapters.firestore.writes import change, create
from smartlink.domain.identity import Direction
from smartlink.domain.message import Version
from smartlink.operations.job import ACTIONS, Counts, Cursor, Job, JobState, OddJob, Selection
from smartlink.operations.ports import Jobs
from smartlink.ports import Conflict

STATE_FIELDS = (
    "Situacao",
    "Quem",
    "Verificado",
    "Motivo",
    "Intencao",
    "Retomada",
    JOB_DUE,
    "DataAlteracao",
    "Passos",
    "PassosSemAvanco",
    "Execucao",
    "ExecucaoAte",
    "Lugar",
    "Documento",
    "Contagem",
    "PeloMenos",
    "HaMais",
    "Recusas",
    "Problema",
    "ParadaPor",
    "DataFim",
    "DataExpiracao",
)
"""The fields that change while a job lives."""

_FAILED_FIELDS = ("Situacao", "Problema", "DataFim", "Execucao", "ExecucaoAte", JOB_DUE)
_MADE = "DataCriacao"
NEWEST = Newest(JOBS, time=_MADE, tenants="Selecao.Tenants")


class FirestoreJobs:
    """The jobs in Firestore."""

    def __init__(self, calls: FirestoreCalls) -> None:
        self._calls = calls

    def _name(self, job: str) -> str:
        return f"{self._calls.root}/{JOBS}/{job}"

    def create(self, job: Job) -> None:
        write = create(self._name(job.id), put_job, job)
        try:
            self._calls.commit(f"make the job {job.id}", [write])
        except Conflict:  # its id is its own, so an earlier try has made it
            return

    def read(self, job: str) -> tuple[Job | OddJob, Version] | None:
        for found in self._calls.get(f"read the job {job}", [self._name(job)]):
            return _readable(found), found.version
        return None

    def save(self, job: Job, version: Version) -> Version | None:
        write = change(self._name(job.id), put_state, job, STATE_FIELDS, version)
        return self._calls.write_each(f"save the job {job.id}", [write])[0]

    def fail(self, job: OddJob, version: Version, now: datetime) -> None:
        def put(fields: Raw, odd: OddJob) -> None:
            fields["Situacao"].string_value = JobState.FAILED
            put_text(fields["Problema"], f"it cannot be read: {odd.why}")
            put_time(fields["DataFim"], now)

        write = change(self._name(job.id), put, job, _FAILED_FIELDS, version)
        self._calls.write_each(f"end the job {job.id}", [write])

    def newest(self, most: int) -> list[Job | OddJob]:
        return list(islice(self._newest(most, None), most))

    def about(self, tenants: Sequence[str], *, page: int) -> Iterator[Job | OddJob]:
        return self._newest(page, tenants)

    def _newest(self, page: int, tenants: Sequence[str] | None) -> Iterator[Job | OddJob]:
        return map(_readable, NEWEST.ask(self._calls, "list the jobs", page, tenants=tenants))


def _readable(found: Found) -> Job | OddJob:
    try:
        return get_job(found.id, found.fields)
    except DocumentError as error:
        return OddJob(found.id, str(error))


def put_job(fields: Raw, job: Job) -> None:
    """Fills a document of `Tarefa`."""
    put_text(fields["Ato"], job.action)
    put_text(fields["Alvo"], job.target)
    put_text(fields["FeitaPor"], job.made_by)
    put_time(fields[_MADE], job.made)
    put_count(fields, "Encontradas", job.matched)
    put_flag(fields, "EncontradasNoMaximo", flag=job.bound)
    put_count(fields, "Limite", job.most)
    put_count(fields, "Ritmo", job.rate)
    _put_selection(fields["Selecao"].map_value.fields, job.selection)
    put_state(fields, job)


def _put_selection(fields: Raw, selection: Selection) -> None:
    put_time(fields["Data"], selection.at)
    put_texts(fields["Tenants"], selection.tenants)
    put_optional_text(fields, "Direcao", selection.direction)
    put_optional_text(fields, "Comando", selection.command)
    for name, age in (("MaisAntigasQue", selection.older), ("MaisNovasQue", selection.newer)):
        if age is not None:
            fields[name].integer_value = int(age.total_seconds())  # seconds
    put_optional_text(fields, "Erro", selection.error)
    put_optional_text(fields, "Causa", selection.cause)
    put_optional_time(fields, "RecebidaApos", selection.received_after)
    put_flag(fields, "Aguardando", flag=selection.waiting)
    put_flag(fields, "NaoExecutada", flag=selection.undone)
    for tenant, documents in selection.chosen.items():
        put_texts(fields["Documentos"].map_value.fields[tenant], documents)


def put_state(fields: Raw, job: Job) -> None:
    """Fills STATE_FIELDS."""
    fields["Situacao"].string_value = job.state
    put_text(fields["Quem"], job.who)
    put_flag(fields, "Verificado", flag=job.verified)
    put_text(fields["Motivo"], job.reason)
    put_text(fields["Intencao"], job.intent)
    put_flag(fields, "Retomada", flag=job.resumed)
    put_optional_time(fields, JOB_DUE, job.due)
    put_time(fields["DataAlteracao"], job.updated)
    put_count(fields, "Passos", job.steps)
    put_count(fields, "PassosSemAvanco", job.tries)
    put_optional_text(fields, "Execucao", job.claim)
    put_optional_time(fields, "ExecucaoAte", job.lease)
    put_count(fields, "Lugar", job.cursor.place)
    put_text(fields["Documento"], job.cursor.document)
    _put_counts(fields["Contagem"].map_value.fields, job.counts)
    put_flag(fields, "PeloMenos", flag=job.at_least)
    put_flag(fields, "HaMais", flag=job.more)
    if job.refusals:
        put_texts(fields["Recusas"], job.refusals)
    put_optional_text(fields, "Problema", job.problem)
    put_optional_text(fields, "ParadaPor", job.stopped_by)
    put_optional_time(fields, "DataFim", job.ended)
    put_optional_time(fields, "DataExpiracao", job.expires)


def _put_counts(fields: Raw, counts: Counts) -> None:
    fields["Olhadas"].integer_value = counts.looked
    put_count(fields, "Feitas", counts.done)
    put_count(fields, "Repetidas", counts.second)
    put_count(fields, "Alteradas", counts.changed)
    put_count(fields, "Recusadas", counts.refused)
    for why, number in counts.skipped.items():
        fields["Deixadas"].map_value.fields[why].integer_value = number


def get_job(identity: str, fields: Raw) -> Job:
    """Reads a document of `Tarefa`. Raises DocumentError if we did not write it so."""
    action = get_text(fields, "Ato")
    if action not in ACTIONS:
        message = f"the field Ato holds {action[:40]!r}, which this version does not know"
        raise DocumentError(message)
    return Job(
        id=identity,
        action=action,
        selection=_get_selection(_get_map(fields, "Selecao")),
        target=get_text(fields, "Alvo"),
        matched=get_count(fields, "Encontradas"),
        bound=get_flag(fields, "EncontradasNoMaximo"),
        most=get_count(fields, "Limite"),
        rate=_at_least_one(fields, "Ritmo"),
        made_by=get_text(fields, "FeitaPor"),
        made=get_time(fields, _MADE),
        state=get_one_of(fields, "Situacao", JobState),
        who=get_text(fields, "Quem"),
        verified=get_flag(fields, "Verificado"),
        reason=get_text(fields, "Motivo"),
        intent=get_text(fields, "Intencao"),
        resumed=get_flag(fields, "Retomada"),
        due=get_optional_time(fields, JOB_DUE),
        updated=get_time(fields, "DataAlteracao"),
        steps=get_count(fields, "Passos"),
        tries=get_count(fields, "PassosSemAvanco"),
        claim=get_optional_text(fields, "Execucao"),
        lease=get_optional_time(fields, "ExecucaoAte"),
        cursor=Cursor(get_count(fields, "Lugar"), get_text(fields, "Documento")),
        counts=_get_counts(_get_map(fields, "Contagem")),
        at_least=get_flag(fields, "PeloMenos"),
        more=get_flag(fields, "HaMais"),
        refusals=get_texts(fields, "Recusas"),
        problem=get_optional_text(fields, "Problema"),
        stopped_by=get_optional_text(fields, "ParadaPor"),
        ended=get_optional_time(fields, "DataFim"),
        expires=get_optional_time(fields, "DataExpiracao"),
    )


def _get_selection(fields: Raw) -> Selection:
    direction = None if "Direcao" not in fields else get_one_of(fields, "Direcao", Direction)
    chosen = get_map(fields, "Documentos") or {}
    tenants = get_texts(fields, "Tenants")
    if not tenants:
        message = "the field Selecao.Tenants is missing"
        raise DocumentError(message)
    return Selection(
        at=get_time(fields, "Data"),
        tenants=tenants,
        direction=direction,
        command=get_optional_text(fields, "Comando"),
        older=_get_age(fields, "MaisAntigasQue"),
        newer=_get_age(fields, "MaisNovasQue"),
        error=get_optional_text(fields, "Erro"),
        cause=get_optional_text(fields, "Causa"),
        received_after=get_optional_time(fields, "RecebidaApos"),
        waiting=get_flag(fields, "Aguardando"),
        undone=get_flag(fields, "NaoExecutada"),
        chosen={tenant: get_texts(chosen, tenant) for tenant in chosen},
    )


def _get_age(fields: Raw, name: str) -> timedelta | None:
    return timedelta(seconds=get_count(fields, name)) if name in fields else None


def _get_counts(fields: Raw) -> Counts:
    skipped: Mapping[str, object] = get_map(fields, "Deixadas") or {}
    return Counts(
        looked=get_count(fields, "Olhadas"),
        done=get_count(fields, "Feitas"),
        second=get_count(fields, "Repetidas"),
        changed=get_count(fields, "Alteradas"),
        refused=get_count(fields, "Recusadas"),
        skipped={why: get_count(skipped, why) for why in skipped},
    )


def _get_map(fields: Raw, name: str) -> Raw:
    found = get_map(fields, name)
    if found is None:
        message = f"the field {name} is missing"
        raise DocumentError(message)
    return found


def _at_least_one(fields: Raw, name: str) -> int:
    number = get_count(fields, name)
    if number < 1:
        message = f"the field {name} must be at least 1"
        raise DocumentError(message)
    return number


_: type[Jobs] = FirestoreJobs
