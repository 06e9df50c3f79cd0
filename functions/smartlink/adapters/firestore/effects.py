"""Keeps what `Context.once` remembers in `GTotvsLinkEffect` under the tenant."""

import json

from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.firestore.documents import TENANTS
from smartlink.adapters.firestore.values import (
    DocumentError,
    Raw,
    get_optional_text,
    get_optional_time,
    get_text,
    get_time,
    put_optional_text,
    put_optional_time,
    put_time,
)
from smartlink.adapters.firestore.writes import create, delete, put
from smartlink.domain.effect import Effect
from smartlink.domain.message import Version
from smartlink.ports import Conflict, Effects, UnreadableDocument

COLLECTION = "GTotvsLinkEffect"


class FirestoreEffects:
    """See Effects. If the answer to a try was lost, `write` may return None although it has
    written."""

    def __init__(self, calls: FirestoreCalls) -> None:
        self._calls = calls

    def _name(self, tenant: str, document: str) -> str:
        return f"{self._calls.root}/{TENANTS}/{tenant}/{COLLECTION}/{document}"

    def write(self, tenant: str, effect: Effect, version: Version | None) -> Version | None:
        name = self._name(tenant, effect.document)
        if version is None:
            write = create(name, put_effect, effect)
        else:
            write = put(name, put_effect, effect, version)
        [written] = self._calls.write_each(f"keep an effect of {tenant}", [write])
        return written

    def read(self, tenant: str, document: str) -> tuple[Effect, Version] | None:
        found = self._calls.get(f"read an effect of {tenant}", [self._name(tenant, document)])
        try:
            return next(((get_effect(item.id, item.fields), item.version) for item in found), None)
        except DocumentError as error:
            message = f"{COLLECTION}/{document} of {tenant} cannot be read: {error}"
            raise UnreadableDocument(message) from None

    def delete(self, tenant: str, document: str, version: Version) -> None:
        try:
            write = delete(self._name(tenant, document), version)
            self._calls.commit(f"forget an effect of {tenant}", [write])
        except Conflict:
            return  # the record is gone, or another run has replaced it


def put_effect(fields: Raw, effect: Effect) -> None:
    """Fills a document of `GTotvsLinkEffect`."""
    fields["Comando"].string_value = effect.command
    put_optional_text(fields, "Chave", effect.key)
    fields["Mensagem"].string_value = effect.message
    fields["Execucao"].string_value = effect.run
    put_time(fields["DataInicio"], effect.begun)
    put_optional_time(fields, "DataFim", effect.ended)
    put_optional_text(fields, "Resultado", effect.result)
    put_time(fields["DataExpiracao"], effect.expires)


def get_effect(document: str, fields: Raw) -> Effect:
    """Reads a document of `GTotvsLinkEffect`. Raises DocumentError if we did not write it so."""
    result = get_optional_text(fields, "Resultado")
    ended = get_optional_time(fields, "DataFim")
    if (ended is None) != (result is None):
        message = "of DataFim and Resultado one is missing"
        raise DocumentError(message)
    _check_json(result)
    return Effect(
        document=document,
        command=get_text(fields, "Comando"),
        key=get_optional_text(fields, "Chave"),
        message=get_text(fields, "Mensagem"),
        run=get_text(fields, "Execucao"),
        begun=get_time(fields, "DataInicio"),
        ended=ended,
        result=result,
        expires=get_time(fields, "DataExpiracao"),
    )


def _check_json(text: str | None) -> None:
    try:
        json.loads(text or "null")
    except (ValueError, RecursionError):
        message = "the field Resultado is no JSON"
        raise DocumentError(message) from None


_effects: type[Effects] = FirestoreEffects
