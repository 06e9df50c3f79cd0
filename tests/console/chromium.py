"""Debian's chromium, driven by Playwright, which downloads none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str:
    """Finds it. Without it these tests are skipped on a person's machine, and fail in CI."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        text = (
            "there is no chromium, so no page was looked at in a real browser: "
            "apt-get install -y chromium (or Google Chrome)"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """Starts it without a screen."""
    path = program()
    with sync_playwright() as playwright:
        # In a container there is no user namespace for its sandbox; the pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
