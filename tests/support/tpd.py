"""TPD's consumers called as the relay calls them, on a tenant's ERP database."""

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Executable, MetaData, Row, Table, select

from consumers.sgdp.engine import engine_for
from smartlink.consumer import Consumer, Context, Continue, Logger, Reply
from smartlink.domain.message import LogType
from smartlink.domain.payload import parse_payload

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
SALT = "a salt that only the tests know"


def tpd_context(
    command: str,
    tenant: str,
    message_id: str,
    content: str,
    erp_secret: Callable[[], bytes],
    template: Callable[[LogType, str], None] = lambda _kind, _template: None,
) -> Context:
    """Build the only Context of the TPD suites."""
    payload = parse_payload(content)
    return Context(
        tenant=tenant,
        message_id=message_id,
        command=command,
        attempt=1,
        attempts=5,
        correlation_id=None,
        audience=None,
        received=NOW,
        now=NOW,
        style=payload.style,
        header=payload.header,
        log=Logger(template),
        erp_secret=erp_secret,
        once=lambda _key, effect: effect(),
    )


@dataclass
class Tpd:
    """A tenant, its ERP's secret, and what the relay saw of it."""

    tenant: str
    secret: Mapping[str, object] | bytes
    lines: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        assert isinstance(self.secret, Mapping)
        return str(self.secret["databaseUrl"])

    @property
    def engine(self) -> Engine:
        return engine_for(self.url)

    @property
    def payload(self) -> bytes:
        return self.secret if isinstance(self.secret, bytes) else json.dumps(self.secret).encode()

    def run(self, consumer: Consumer, body: object, message_id: str = "m1") -> dict[str, Any]:
        """Deliver a body in a TOTVS content; answers the only reply's content."""
        (answer,) = self.parts(consumer, body, message_id)
        return answer

    def parts(
        self, consumer: Consumer, body: object, message_id: str = "m1"
    ) -> list[dict[str, Any]]:
        """Deliver a body in a TOTVS content; answers each reply's content."""
        header = {"type": consumer.command, "tenantId": f"{self.tenant}-guid", "locale": "pt_BR"}
        answers = self.deliver(consumer, {"header": header, "content": body}, message_id)
        return [answer["content"] for answer in answers]

    def deliver(self, consumer: Consumer, content: object, message_id: str) -> list[dict[str, Any]]:
        """Deliver a whole content; answers the whole replies."""
        text = json.dumps(content)
        context = tpd_context(
            consumer.command, self.tenant, message_id, text, lambda: self.payload, self._log
        )
        assert consumer.payload is not None
        returned = consumer(consumer.payload.model_validate(parse_payload(text).body), context)
        self.lines += [line.text for line in context.log.lines]
        assert not isinstance(returned, Continue)
        replies = [returned] if isinstance(returned, Reply) else list(returned or ())
        answers: list[dict[str, Any]] = []
        for reply in replies:
            assert reply.audience == "SGDP"
            answers.append(json.loads(json.dumps(reply.content)))
            assert answers[-1]["header"]["type"] == reply.type
        return answers

    def rows(self, table: Table) -> list[Row[Any]]:
        with self.engine.begin() as connection:
            return list(connection.execute(select(table).order_by(*table.primary_key)).all())

    def everything(self) -> dict[str, list[Row[Any]]]:
        """Each row of the database, by its table, if that has any."""
        found = MetaData()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it skips indexes on expressions
            found.reflect(self.engine, resolve_fks=False)
        rows = {table.name: self.rows(table) for table in found.tables.values()}
        return {name: them for name, them in rows.items() if them}

    def execute(self, *statements: Executable) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)

    def _log(self, _kind: LogType, template: str) -> None:
        self.templates.append(template)
