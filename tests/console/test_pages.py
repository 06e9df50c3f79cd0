"""Each page, as somebody who may do everything sees it, and what stands on it."""

from urllib.parse import quote

import pytest

from tests.console.browser import Browser, tags_of, text_of
from tests.console.samples import HOSTILE

MESSAGE = "/message?tenant=acme&document=D-dead-1"
PAGES = (
    "/",
    "/tenants",
    "/tenants/acme",
    "/activate",
    "/messages",
    "/messages?view=history",
    "/messages?state=Morta&tenant=acme",
    "/messages?id=corr-77",
    MESSAGE,
    "/message?tenant=acme&document=D-done-acme",
    "/errors",
    "/configuration",
    "/person",
    "/audit",
    "/health",
    "/health?run=yes",
)


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_drawn(browser: Browser, path: str) -> None:
    page = browser.get(path)
    assert "<h1" in page
    assert "</html>" in page
