"""Each alert's link opens the page that shows the cause, and its commands can be typed."""

import re
import shlex
from collections.abc import Iterator

import pytest

from infra.cli.app import built
from tests.console.browser import Browser, text_of
from tests.project.checkout import ROOT

CONSOLE = (ROOT / "terraform" / "console.tf").read_text(encoding="utf-8")
ALERTS = (ROOT / "terraform" / "monitoring_alerts.tf").read_text(encoding="utf-8")
LABEL = re.compile(r"\$\$\{metric\.label\.(\w+)\}")
BLOCK = re.search(r"console_pages = \{\n(.*?)\n  \}", CONSOLE, re.DOTALL)
assert BLOCK
PAGES = dict(re.findall(r'(\w+) += "([^"]+)"', BLOCK[1]))
SHOWS = {
    # what the page says of the cause
    "dead_messages": "The ERP took longer than <n> s",
    "messages_overdue": "pend-1",
    "tenant_paused": "RAC answered 503",
    "tenant_refused": "Verificar: segredo",
    "unreadable": "Ilegível",
    "jobs_failed": "an old batch",
    "config_invalid": "QtdeTentativasExec",
    "no_poll": "minutos do Scheduler",
    "dead_letter": "funções",
    "error_ratio": "The ERP took longer than <n> s",
}


def texts() -> Iterator[str]:
    """The text of each alert, with names for its labels."""
    found = re.findall(r"(?:text|content) += <<-EOT\n(.*?)\n +EOT", ALERTS, re.DOTALL)
    for text in found:
        yield LABEL.sub(r"\1-1", text)


def commands() -> list[str]:
    return [it for text in texts() for it in re.findall(r"`(smartlink [^`]+)`", text)]


def shape(arguments: list[str]) -> tuple[str, ...]:
    """A line's command and options. Raises UsageError for what the command does not take."""
    while arguments[0] in {"--project", "--environment"}:
        arguments = arguments[2:]
    path = []
    command = built(arguments)
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
        path.append(name)
    if "--help" not in arguments:
        own = [it for it in arguments if it != "--json"]  # every command takes it
        command.make_context(str(command.name), own)
    return (*path, *(it for it in arguments if it.startswith("--")))


def test_each_alert_has_its_page() -> None:
    own = re.findall(r"^    (\w+) = \{\n      title", ALERTS, re.MULTILINE)
    own += re.findall(r'google_monitoring_alert_policy" "(\w+)"', ALERTS)
    own.remove("counter")  # each of those above
    assert len(own) > 8
    assert sorted(PAGES) == sorted(SHOWS) == sorted(own)


@pytest.mark.parametrize("alert", PAGES)
def test_its_link_opens_the_page_that_shows_the_cause(
    troubled: tuple[Browser, str], alert: str
) -> None:
    """With the tenant or the job that the alert names, and without another click."""
    browser, job = troubled
    named = {"tenant": "acme", "job": job}
    page = browser.get(LABEL.sub(lambda found: named[found[1]], PAGES[alert]))
    assert SHOWS[alert] in text_of(page)


def test_each_alert_says_a_command_too() -> None:
    """Where no console is deployed."""
    for text in texts():
        assert re.search(r"`smartlink ", text), text


@pytest.mark.parametrize("line", commands())
def test_its_commands_can_be_typed(line: str) -> None:
    shape(shlex.split(line.replace("…", "why"))[1:])
