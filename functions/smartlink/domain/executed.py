"""What the execution of a downstream message comes to. Only a consumer's function needs it."""

from smartlink.domain import lifecycle
from smartlink.domain.message import (
    DeadReason,
    Ended,
    Ending,
    LogLine,
    LogType,
    Message,
    Result,
    Stored,
)
from smartlink.domain.outcome import Done, Finished, HandBack, Line, Reject, Retry, Unknown
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention, Settlement


def reply_id(message: Message, number: int) -> str:
    """The id of a message's reply: the same however often the message is executed."""
    return f"{message.document}/reply/{number}"


def settle(
    stored: Stored, finished: Finished, policy: RetryPolicy, retention: Retention
) -> Settlement:
    """The settlement of one attempt of a downstream message."""
    message, now = stored.message, finished.at
    expires = retention.expires(now, policy)

    def lines(kind: LogType, text: str, debug: str | None = None) -> tuple[LogLine, ...]:
        own = Line(kind, text, now, debug)
        return tuple(
            LogLine(message.id, line.type, line.text, line.at, expires, line.debug)
            for line in (*finished.lines, own)
        )

    limit = f"attempt {message.attempt} of {policy.limit}"
    match finished.outcome:
        case Done(answers):
            replies = tuple(
                lifecycle.to_send(
                    message_id=reply_id(message, number),
                    message_type=answer.type,
                    content=answer.content,
                    now=now,
                    audience=answer.audience,
                    correlation_id=answer.correlation_id or message.correlation_id or message.id,
                    personal=message.personal,
                )
                for number, answer in enumerate(answers, start=1)
            )
            done = lifecycle.with_attempt(message, Result.DONE, now, None)
            return Settlement(
                document=message.document,
                fence=stored.version,
                history=Ended(done, Ending.DONE, now, expires),
                logs=lines(LogType.INFORMATION, f"Executed in {limit}; {len(replies)} replies"),
                created=replies,
            )
        case Unknown(error, debug) if policy.hold_unknown:
            live = lifecycle.unknown(message, now, error)
            log = lines(LogType.ERROR, f"Dead, outcome unknown in {limit}: {live.error}", debug)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case Retry(error, debug) | Unknown(error, debug):
            live = lifecycle.failed(
                message, policy.next_attempt_at(now, message.attempt), now, error
            )
            if live.due is None:
                log = lines(LogType.ERROR, f"Dead after {limit}: {live.error}", debug)
            else:
                text = f"Failed in {limit}, next at {live.due:%Y-%m-%d %H:%M:%S}Z: {live.error}"
                log = lines(LogType.WARNING, text, debug)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case Reject(error, debug):
            rejected = lifecycle.with_attempt(message, Result.REJECTED, now, error)
            live = lifecycle.dead(rejected, DeadReason.REJECTED, error)
            log = lines(LogType.ERROR, f"Dead, rejected in {limit}: {live.error}", debug)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case HandBack(error):
            live = lifecycle.handed_back(message, now, error)
            return Settlement(document=message.document, fence=stored.version, live=live)
