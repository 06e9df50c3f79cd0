"""`totvsAppConfig_v2.json`: what is read, what is refused, and how the error names it."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlink.domain.config import MAX_BYTES, ConfigError, parse_config
from smartlink.domain.retry import RetryPolicy

INFO = "TotvsAppGlobalConfig.IntegrationSmartLinkInfo"


def written(
    attempts: str = "5", factor: str = "1", interval: str = "3", *, more: str = ""
) -> bytes:
    """The file, with these JSON texts as its values."""
    info = (
        f'"QtdeTentativasExec": {attempts}, "FatorTempoExecucao": {factor}, '
        f'"MinutesInterval": {interval}{more}'
    )
    return f'{{"TotvsAppGlobalConfig": {{"IntegrationSmartLinkInfo": {{{info}}}}}}}'.encode()


def refusal(data: bytes) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_config(data, "7")
    return str(refused.value)


@pytest.mark.parametrize(
    ("data", "attempts", "factor", "interval"),
    [
        (written(), 5, "1", "3"),
        (written("10", "0.5", "1.25"), 10, "0.5", "1.25"),
        (written("5", "0.1", "0.3"), 5, "0.1", "0.3"),  # the decimal that was written
        (written("5.0", "1.0", "3e0"), 5, "1", "3"),
        (written('"5"', '"1.5"', '"3"'), 5, "1.5", "3"),  # numbers in quotes are numbers
        (written("1", "1000000", "1000000"), 1, "1000000", "1000000"),  # never waited
        (written(more=', "Novo": {"a": [1]}, "Outro": null'), 5, "1", "3"),
    ],
)
def test_a_good_file(data: bytes, attempts: int, factor: str, interval: str) -> None:
    """The three values, exactly as written; the generation rides along."""
    expected = RetryPolicy(attempts, Decimal(factor), Decimal(interval), "7")
    assert parse_config(data, "7") == expected


def test_a_byte_order_mark_is_no_obstacle() -> None:
    """Editors on Windows write one."""
    assert parse_config(b"\xef\xbb\xbf" + written(), "7") == parse_config(written(), "7")


def test_unknown_fields_are_ignored_at_each_level() -> None:
    """Invariant 9: the file is RM's; what we do not know does not concern us."""
    document = json.loads(written())
    document["Outro"] = 1
    document["TotvsAppGlobalConfig"]["Outro"] = [1]
    document["TotvsAppGlobalConfig"]["IntegrationSmartLinkInfo"]["Outro"] = {"a": None}
    data = json.dumps(document).encode()
    assert parse_config(data, "7").attempts == 5


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (written("0"), "QtdeTentativasExec"),
        (written("-1"), "QtdeTentativasExec"),
        (written("1001"), "QtdeTentativasExec"),
        (written("5.5"), "QtdeTentativasExec"),
        (written("null"), "QtdeTentativasExec"),
        (written('"many"'), "QtdeTentativasExec"),
        (written("NaN"), "QtdeTentativasExec"),
        (written("[5]"), "QtdeTentativasExec"),
        (written(factor="0"), "FatorTempoExecucao"),
        (written(factor="-0.1"), "FatorTempoExecucao"),
        (written(factor="NaN"), "FatorTempoExecucao"),
        (written(factor='"NaN"'), "FatorTempoExecucao"),
        (written(factor='"Infinity"'), "FatorTempoExecucao"),
        (written(factor="true"), "FatorTempoExecucao"),
        (written(factor="1000001"), "FatorTempoExecucao"),
        (written(factor="1e-10"), "FatorTempoExecucao"),
        (written(interval="0"), "MinutesInterval"),
        (written(interval="-3"), "MinutesInterval"),
        (written(interval="Infinity"), "MinutesInterval"),
        (written(interval='"3 min"'), "MinutesInterval"),
        (written(interval="{}"), "MinutesInterval"),
        (written(interval="1e400"), "MinutesInterval"),
    ],
)
def test_a_wrong_value_is_named(data: bytes, field: str) -> None:
    """The error names the file and the whole path of the field, which is what gets fixed."""
    text = refusal(data)
    assert text.startswith("totvsAppConfig_v2.json: ")
    assert f"{INFO}.{field}: " in text


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"{}", "TotvsAppGlobalConfig: "),
        (b'{"TotvsAppGlobalConfig": null}', "TotvsAppGlobalConfig: "),
        (b'{"TotvsAppGlobalConfig": {}}', f"{INFO}: "),
        (b'{"TotvsAppGlobalConfig": {"IntegrationSmartLinkInfo": []}}', f"{INFO}: "),
        (b"", "the file: "),
        (b"[]", "the file: "),
        (b"null", "the file: "),
        (b"{", "the file: "),
        (b"\xff\xfe{\x00}", "the file: "),
        (b'"\xe7"', "the file: "),
        (b"<xml/>", "the file: "),
        (b"[" * 100_000, "the file: "),
    ],
)
def test_what_is_missing_or_no_json_is_named(data: bytes, place: str) -> None:
    """Also where nothing can be read, the error says at which level."""
    assert f"totvsAppConfig_v2.json: {place}" in refusal(data)


def test_every_wrong_field_is_named_at_once() -> None:
    """One look is enough to fix them all."""
    text = refusal(written("0", "-1", "x".join('""')))
    assert all(name in text for name in ("QtdeTentativasExec", "FatorTempo", "MinutesInterval"))


@pytest.mark.parametrize(
    ("attempts", "factor", "interval", "good"),
    [
        # interval * factor * attempts * (attempts * (attempts - 1) / 2) minutes; 366 days: 527,040
        (2, "1", "263520", True),  # 263,520 * 2 * 1 = 527,040
        (2, "1", "263520.1", False),
        (5, "1", "10540.8", True),  # 10,540.8 * 5 * 10 = 527,040
        (5, "1", "10541", False),
        (1000, "0.001", "1", True),  # 1 * 499,500
        (1000, "0.01", "1", False),
    ],
)
def test_the_attempts_end_within_a_year(
    attempts: int, factor: str, interval: str, *, good: bool
) -> None:
    """A typo must not put a retry off for centuries: the last attempt is within 366 days."""
    data = written(str(attempts), factor, interval)
    if good:
        assert parse_config(data, "7").attempts == attempts
    else:
        text = refusal(data)
        assert all(name in text for name in ("MinutesInterval", "FatorTempo", "QtdeTentativas"))


def test_a_huge_file_is_refused_unread() -> None:
    """What is far too large for this file is not even parsed."""
    assert str(MAX_BYTES) in refusal(b" " * (MAX_BYTES + 1))


@given(st.binary(max_size=200))
def test_no_file_causes_another_error(data: bytes) -> None:
    """Invariant 9 rests on it: whatever lies there, it is a policy or a ConfigError."""
    try:
        parse_config(data, "7")
    except ConfigError as error:
        assert str(error)  # noqa: PT017  (both ends are fine)
