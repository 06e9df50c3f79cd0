"""Texts that are translated when they are shown."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from smartlink.i18n import (
    Language,
    Text,
    _,
    chosen,
    data,
    joined,
    plural,
    span,
    speak,
    spoken,
    told,
)

PSEUDO, PORTUGUESE = Language.PSEUDO, Language.PORTUGUESE


def test_a_text_is_english_for_programs_and_told_in_the_readers_language() -> None:
    text = _("{tenant} has {count}", tenant="acme", count=20_000)
    with spoken(PSEUDO):
        assert text == str(text) == f"{text}" == "acme has 20,000"
        assert told(text) == "⟦acme has 20,000⟧"
    assert told(text) == "acme has 20,000"


def test_texts_within_texts_and_errors_are_told_too() -> None:
    error = ValueError(_("no {what}", what=_("queue")))
    text = _("failed: {error}", error=error)
    assert text == "failed: no queue"
    assert told(text, PSEUDO) == "⟦failed: ⟦no ⟦queue⟧⟧⟧"
    assert told(joined(", ", [_("one"), data("x"), 1_000]), PSEUDO) == "⟦one⟧, x, 1,000"
    assert told(_("one") + data("; two"), PSEUDO) == "⟦one⟧; two"
    assert isinstance(_("one") + "; two", Text)


def test_numbers_and_spans_have_the_readers_form() -> None:
    ago = timedelta(days=2, hours=3, minutes=5, seconds=9)
    assert told(20_000, PORTUGUESE) == "20.000"
    assert told(data("20000"), PORTUGUESE) == "20000"
    assert told(ago, Language.ENGLISH) == "2d 3h 5m"
    assert told(ago, PORTUGUESE) == "2 dias 3 h 5 min"
    assert told(span(ago, 1), PORTUGUESE) == "2 dias"
    assert told(timedelta(), Language.ENGLISH) == "0s"
    number = plural("{number} message", "{number} messages", 1)
    assert (number, plural("{number} message", "{number} messages", 1_000)) == (
        "1 message",
        "1,000 messages",
    )


def test_braces_are_fields_only_where_there_are_fields() -> None:
    assert _('{"clientId": "…"}') == '{"clientId": "…"}'
    with pytest.raises(KeyError):
        _("{tenant} has {count}", tenant="acme")


def test_a_process_has_one_reader_and_a_request_its_own() -> None:
    """Threads tell the process's reader; a request's language ends with it."""
    text = _("x")
    speak(PSEUDO)
    try:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(told, text).result() == "⟦x⟧"
        with spoken(Language.ENGLISH):
            assert told(text) == "x"
        assert told(text) == "⟦x⟧"
    finally:
        speak(Language.ENGLISH)


@pytest.mark.parametrize(
    ("asked", "environ", "language"),
    [
        ("pt-BR", {}, PORTUGUESE),
        ("PT", {"LANG": "en_US.UTF-8"}, PORTUGUESE),
        ("en", {"SMARTLINK_LANG": "pt"}, Language.ENGLISH),
        ("de", {}, None),
        ("", {}, None),
        (None, {}, Language.ENGLISH),
        (None, {"LANG": "pt_BR.UTF-8"}, PORTUGUESE),
        (None, {"LANG": "pt_PT"}, PORTUGUESE),
        (None, {"LC_ALL": "C.UTF-8", "LANG": "pt_BR"}, Language.ENGLISH),
        (None, {"LC_ALL": "", "LC_MESSAGES": "pt_BR", "LANG": "en_US"}, PORTUGUESE),
        (None, {"SMARTLINK_LANG": "pt-BR", "LC_ALL": "C"}, PORTUGUESE),
        (None, {"LANG": "de_DE"}, Language.ENGLISH),
    ],
)
def test_the_language_is_chosen(
    asked: str | None, environ: dict[str, str], language: Language | None
) -> None:
    assert chosen(asked, environ) is language
