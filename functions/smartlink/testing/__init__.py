"""Tests a consumer in a plain unit test, without emulator or network, with any test runner.

    from smartlink.testing import conforms, deliver

    def test_it_greets():
        outcome = deliver(greet, {"name": "Ana"}, audience="APP")
        assert outcome.done().replied("GreetResponse") == {"text": "Hello, Ana"}

    def test_it_may_be_repeated():
        conforms(greet, {"name": "Ana"}, effects=lambda: database.rows(), reset=database.empty)

`deliver` runs one message as the deployed function does. `conforms` runs many messages, with
repeats, crashes, odd payloads and limits, and raises an error with advice if a check fails.
`examine` does the same, but returns the report.
"""

from smartlink.testing.conformance import Examined, conforms, examine
from smartlink.testing.delivered import Delivered, Sent
from smartlink.testing.delivery import Around, deliver
from smartlink.testing.options import Limits
from smartlink.testing.payloads import cloud_event, totvs
from smartlink.testing.place import Place
from smartlink.testing.report import Check, Report, Verdict

__all__ = [
    "Around",
    "Check",
    "Delivered",
    "Examined",
    "Limits",
    "Place",
    "Report",
    "Sent",
    "Verdict",
    "cloud_event",
    "conforms",
    "deliver",
    "examine",
    "totvs",
]
