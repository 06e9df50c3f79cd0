"""Watches a consumer at its seams, and makes it crash there.

The seams are the calls of the context: a log line, the ERP's secret, `once` and the effect in it. A
process may end anywhere, but what it leaves behind differs only from seam to seam.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from smartlink.consumer import Consumer, Context, Reply, Returned
from smartlink.domain.message import LogType


class CrashError(BaseException):
    """Stands for the end of the process. No `except Exception` catches it."""


class EndlessError(BaseException):
    """The consumer yields more replies than the limit, perhaps without end."""


@dataclass(slots=True)
class Watch:
    """Records what one delivery did."""

    most_replies: int
    crash_at: int | None = None  # the seam at which to crash, counted from 0
    seams: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)  # of log lines
    raised: BaseException | None = None
    endless: bool = False

    def over(self, consumer: Consumer) -> Consumer:
        """Returns the same consumer, under watch."""
        return replace(consumer, function=partial(self._run, consumer.function))

    def asked_for(self, seam: str) -> bool:
        """Tells whether the delivery passed a seam whose name begins with `seam`."""
        return any(it.startswith(seam) for it in self.seams)

    def _run(
        self, function: Callable[[Any, Context], Returned], payload: object, context: Context
    ) -> Returned:
        try:
            returned = function(payload, self._watched(context))
        except BaseException as error:
            self.raised = error
            raise
        return self._counted(returned) if isinstance(returned, Iterator) else returned

    def _counted(self, replies: Iterator[Reply]) -> Iterator[Reply]:
        try:
            yield from islice(replies, self.most_replies)
            for _ in replies:
                self._end()
        except BaseException as error:
            self.raised = error
            raise

    def _watched(self, context: Context) -> Context:
        template = context.log.template

        def line(kind: LogType, text: str) -> None:
            self.templates.append(text)
            template(kind, text)
            self._seam(f"log {text!r}")

        def secret() -> bytes:
            self._seam("erp_secret")
            return context.erp_secret()

        def own(name: str, fresh: bool) -> bytes:  # noqa: FBT001  (as the context calls it)
            self._seam("secret")
            return context._secret(name, fresh)  # noqa: SLF001  (what `context.secret` calls)

        def once(key: str, effect: Callable[[], object]) -> object:
            self._seam("once: before it began")
            result = context.once(key, partial(self._effect, effect))
            self._seam("once: recorded")
            return result

        context.log.template = line
        return replace(context, erp_secret=secret, _secret=own, once=once)

    def _end(self) -> None:
        self.endless = True
        raise EndlessError

    def _effect(self, effect: Callable[[], object]) -> object:
        self._seam("once: begun")
        result = effect()
        self._seam("once: done, not recorded")
        return result

    def _seam(self, name: str) -> None:
        self.seams.append(name)
        if len(self.seams) - 1 == self.crash_at:
            raise CrashError
