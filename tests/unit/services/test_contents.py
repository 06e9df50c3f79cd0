"""What was put for a commit that did not hold goes only where nothing refers to it."""

from smartlink.adapters.in_memory import InMemoryContents, InMemoryMessages
from smartlink.domain.lifecycle import to_send
from smartlink.domain.message import Message
from smartlink.ports import Unavailable
from smartlink.services.contents import keep, withdraw_all
from tests.support.world import START

LARGE = "x" * 300_000


def reply(contents: InMemoryContents, number: int) -> Message:
    document = f"U-{number}"
    content = keep(contents, "acme", document, LARGE)
    return to_send(message_id=str(number), message_type="R", content=content, now=START)


def test_what_is_stored_all_the_same_keeps_its_content() -> None:
    """It was taken for lost: the others go."""
    contents, messages = InMemoryContents(), InMemoryMessages()
    stored, lost = (reply(contents, number) for number in range(2))
    messages.create("acme", [stored])
    withdraw_all(contents, messages, "acme", [stored, lost])
    assert list(contents.objects) == [stored.content.object]


def test_while_it_is_not_known_nothing_goes() -> None:
    contents, messages = InMemoryContents(), InMemoryMessages()
    lost = reply(contents, 1)
    messages.faults.fail("references", Unavailable("down"))
    withdraw_all(contents, messages, "acme", [lost])
    assert list(contents.objects) == [lost.content.object]


def test_inline_contents_cost_no_read() -> None:
    contents, messages = InMemoryContents(), InMemoryMessages()
    small = keep(contents, "acme", "U-1", "{}")
    message = to_send(message_id="1", message_type="R", content=small, now=START)
    withdraw_all(contents, messages, "acme", [message])
    assert messages.operations["read"] == 0
