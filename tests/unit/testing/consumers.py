"""Consumers that conform, and consumers with one flaw each."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from uuid import uuid4

from smartlink.consumer import (
    Consumer,
    Context,
    FatalError,
    Payload,
    Reply,
    RetryableError,
    consumer,
)


class Greeting(Payload):
    name: str


def hello(request: Greeting, context: Context) -> Reply:
    content = {"text": f"Hello, {request.name}", "generatedOn": context.now.isoformat()}
    return Reply("GreetResponse", content, audience=context.audience)


@consumer("GreetCommand")
def greet(request: Greeting, context: Context) -> Reply:
    if not request.name.strip():
        raise FatalError("a greeting needs a name")
    context.log.info("Greeting %s", request.name)
    return hello(request, context)


@dataclass(slots=True)
class Ledger:
    """What a consumer changes outside: a table, and a bank that never forgets."""

    rows: list[str] = field(default_factory=list)
    keyed: dict[str, str] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def snapshot(self) -> dict[str, object]:
        return {"rows": self.rows, "keyed": self.keyed}

    def empty(self) -> None:
        self.rows.clear()
        self.keyed.clear()

    def release(self) -> None:
        """Let every thread that waits come to its end."""
        self.released.set()
        for thread in self.threads:
            thread.join()

    # Those that conform.

    def upserts(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:
            context.log.info("Before")
            self.keyed[request.name] = context.tenant
            context.log.info("After")
            return hello(request, context)

        return run

    def asks_for_its_secret(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:
            try:
                url = json.loads(context.erp_secret())["databaseUrl"]
            except (ValueError, KeyError, TypeError):
                raise RetryableError("fix the secret") from None
            self.keyed[request.name] = url
            return hello(request, context)

        return run

    def pays_once(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:
            number = context.once(f"pay-{context.message_id}", lambda: self._pay(request.name))
            return Reply("Paid", {"number": number})

        return run

    def pays_a_bank_that_knows_the_key(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:  # noqa: ARG001
            key = f"pay-{context.message_id}"
            number = context.once(key, lambda: self.keyed.setdefault(key, f"paid {key}"))
            return Reply("Paid", {"number": number})

        return run

    def _pay(self, name: str) -> int:
        self.rows.append(name)
        return len(self.rows)

    # Those that do not.

    def appends(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:
            self.rows.append(request.name)
            return hello(request, context)

        return run

    def marks_too_late(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:
            if context.message_id not in self.keyed:
                self.rows.append(request.name)
                context.log.info("Added")
                self.keyed[context.message_id] = "done"
            return hello(request, context)

        return run

    def does_nothing_again(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply | None:
            return hello(request, context) if context.attempt == 1 else None

        return run

    def makes_up_an_id(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:  # noqa: ARG001
            return Reply("Made", {"number": uuid4().hex})

        return run

    def waits(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:
            self._wait()
            return hello(request, context)

        return run

    def waits_without_a_name(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:
            if not request.name:
                self._wait()
            return hello(request, context)

        return run

    def _wait(self) -> None:
        self.threads.append(threading.current_thread())
        self.released.wait(10)

    def logs_values(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> None:
            context.log.info(f"Greeting {request.name.upper()} now")  # noqa: G004  (the flaw)

        return run

    def prints(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> None:  # noqa: ARG001
            print("greeting", request.name)  # noqa: T201

        return run

    def trusts_the_payload(self) -> Consumer:
        @consumer("Probe")
        def run(content: str, context: Context) -> Reply:  # noqa: ARG001
            return Reply("Echo", {"name": json.loads(content)["name"].strip()})

        return run

    def returns_what_cannot_be_sent(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:  # noqa: ARG001
            return Reply(request.name, "x")

        return run

    def remembers_the_last(self) -> Consumer:
        last = ""

        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:  # noqa: ARG001
            nonlocal last
            after = last if last != request.name else ""
            last = request.name
            return Reply("Greeting", {"name": request.name, "after": after})

        return run

    def replies_without_end(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Iterator[Reply]:  # noqa: ARG001
            yield from (Reply("Page", str(number)) for number in count())

        return run

    def logs_each_row(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> None:  # noqa: ARG001
            for number in range(200):
                context.log.info("Row %d", number)

        return run

    def keeps_a_secret(self) -> Consumer:
        kept: list[bytes] = []

        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:
            if not kept:
                kept.append(context.erp_secret())
            return hello(request, context)

        return run

    def keeps_its_own_secret(self) -> Consumer:
        kept: list[bytes] = []

        @consumer("Probe")
        def run(request: Greeting, context: Context) -> Reply:
            if not kept:
                kept.append(context.secret("bank"))
            return hello(request, context)

        return run

    def leaves_threads(self) -> Consumer:
        @consumer("Probe")
        def run(request: Greeting, context: Context) -> None:  # noqa: ARG001
            thread = threading.Thread(target=self.released.wait, args=(10,), daemon=True)
            self.threads.append(thread)
            thread.start()

        return run

    def keeps_everything(self) -> Consumer:
        kept: list[bytes] = []

        @consumer("Probe")
        def run(request: Greeting, context: Context) -> None:  # noqa: ARG001
            kept.append(bytes(100_000))

        return run
