"""A tenant's ERP in a SQLite file, and consumers called on it as the relay calls them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Executable, Row, Table, select

from consumers.sgdp.database import metadata
from consumers.sgdp.erp import engine_for
from infra.people import SamplePerson
from smartlink.consumer import Consumer, Context, Logger, Reply
from smartlink.domain.message import LogType
from smartlink.domain.payload import Style, parse_payload

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@dataclass
class TenantErp:
    """A tenant, its ERP, and what the relay saw of it."""

    tenant: str
    url: str
    people: list[SamplePerson]
    secret: bytes
    header: Mapping[str, object] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        return engine_for(self.url)

    @property
    def customer(self) -> SamplePerson:
        """Somebody of whom nothing has to be kept."""
        return self.people[0]

    @property
    def worker(self) -> SamplePerson:
        """Somebody who is an employee as well."""
        return self.people[2]

    def run(self, consumer: Consumer, body: object, message_id: str = "m1") -> dict[str, Any]:
        """Deliver a body in a TOTVS content; answers the reply's content."""
        header = {"type": consumer.command, "tenantId": f"{self.tenant}-guid", "locale": "pt_BR"}
        answer = self.deliver(consumer, {"header": header, "content": body}, message_id)
        content: dict[str, Any] = answer["content"]
        return content

    def deliver(self, consumer: Consumer, content: object, message_id: str) -> dict[str, Any]:
        """Deliver a whole content; answers the whole reply."""
        payload = parse_payload(json.dumps(content))
        context = self.context(consumer, payload.style, payload.header, message_id)
        assert consumer.payload is not None
        reply = consumer(consumer.payload.model_validate(payload.body), context)
        self.lines += [line.text for line in context.log.lines]
        assert isinstance(reply, Reply)
        assert reply.audience == "SGDP"
        answer: dict[str, Any] = json.loads(json.dumps(reply.content))
        assert answer["header"]["type"] == reply.type
        return answer

    def context(
        self, consumer: Consumer, style: Style, header: Mapping[str, object], message_id: str
    ) -> Context:
        return Context(
            tenant=self.tenant,
            message_id=message_id,
            command=consumer.command,
            attempt=1,
            attempts=5,
            correlation_id=None,
            audience=None,
            received=NOW,
            now=NOW,
            style=style,
            header=header,
            log=Logger(self._log),
            erp_secret=lambda: self.secret,
        )

    def rows(self, table: Table) -> list[Row[Any]]:
        with self.engine.begin() as connection:
            return list(connection.execute(select(table).order_by(*table.primary_key)).all())

    def everything(self) -> list[Row[Any]]:
        """Each row of the database."""
        return [row for table in metadata.sorted_tables for row in self.rows(table)]

    def execute(self, statement: Executable) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)

    def _log(self, _kind: LogType, template: str) -> None:
        self.templates.append(template)
