"""Reads an ERP's answer as TPD does: both payload styles, and the shape of each response.

Assumptions (A): the log's entries are in a list under `logs`; the keys of the wrapper (`header`,
`content`, `specversion`, `data`) may have any casing, and those of the body are as in TOTVS's
sample.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final

COMMAND_OF: Final = {
    "SGDPDataResponse": "SGDPDataCommand",
    "SGDPMaskResponse": "SGDPMaskCommand",
    "SGDPLogsResponse": "SGDPLogsCommand",
}


class MalformedAnswerError(Exception):
    """The answer does not have the shape that TPD expects. The text says where."""


def body_of(content: str) -> Mapping[str, object]:
    """Return the body of a TOTVS or a CloudEvents wrapper. Raises MalformedAnswerError."""
    try:
        wrapper = json.loads(content)
    except (ValueError, RecursionError) as error:
        message = f"not JSON: {error}"
        raise MalformedAnswerError(message) from error
    keys = {key.lower(): value for key, value in _mapping(wrapper, "the answer").items()}
    if "header" in keys:
        _mapping(keys["header"], "header")
        return _mapping(keys.get("content"), "content")
    if "specversion" in keys:
        return _mapping(keys.get("data"), "data")
    message = "neither TOTVS's header and content nor a CloudEvents envelope"
    raise MalformedAnswerError(message)


def check(response: str, body: Mapping[str, object]) -> None:
    """Raise MalformedAnswerError unless the body has the shape of that response type."""
    _CHECKS[response](body)


def _check_data(body: Mapping[str, object]) -> None:
    _text(body, "applicationId")
    for group, value in _mapping(body.get("response"), "response").items():
        at = f"response.{group}"
        for name, rows in _mapping(_mapping(value, at).get("models"), f"{at}.models").items():
            for index, row in enumerate(_list(rows, f"{at}.models.{name}")):
                _mapping(row, f"{at}.models.{name}[{index}]")


def _check_mask(body: Mapping[str, object]) -> None:
    _text(body, "applicationId")
    for name, value in _mapping(body.get("exceptionAttributes"), "exceptionAttributes").items():
        at = f"exceptionAttributes.{name}"
        for attribute, details in _mapping(
            _mapping(value, at).get("attributes"), f"{at}.attributes"
        ).items():
            where = f"{at}.attributes.{attribute}"
            fields = _mapping(details, where)
            _mapping(fields.get("sgdpData"), f"{where}.sgdpData")
            _list(fields.get("sgdpPurposes"), f"{where}.sgdpPurposes")


def _check_logs(body: Mapping[str, object]) -> None:
    for index, value in enumerate(_list(body.get("logs"), "logs")):
        entry = _mapping(value, f"logs[{index}]")
        for name in ("ids", "data"):
            _mapping(entry.get(name, {}), f"logs[{index}].{name}")


_CHECKS: Final[dict[str, Callable[[Mapping[str, object]], None]]] = {
    "SGDPDataResponse": _check_data,
    "SGDPMaskResponse": _check_mask,
    "SGDPLogsResponse": _check_logs,
}


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        message = f"{where} is not an object"
        raise MalformedAnswerError(message)
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        message = f"{where} is not a list"
        raise MalformedAnswerError(message)
    return value


def _text(body: Mapping[str, object], name: str) -> None:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        message = f"{name} is not a text"
        raise MalformedAnswerError(message)
