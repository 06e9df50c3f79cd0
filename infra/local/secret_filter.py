"""Filters secrets by names and labels joined by AND: the part of Google's filter that people
use."""

import re
from collections.abc import Mapping

_TERM = re.compile(
    r'(?P<field>name|labels(?:\.[a-z0-9_-]+)?)\s*(?P<sign>[:=])\s*"?(?P<text>[^"\s]+)"?'
)
_AND = re.compile(r"\s+(?:AND\s+)?")


def matches(terms: str, name: str, labels: Mapping[str, str]) -> bool:
    """Tell whether every term matches. Raises ValueError for a term that it does not know."""
    position, text = 0, terms.strip()
    verdict = True
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            message = f"The filter [{terms}] is not understood from [{text[position:]}] on."
            raise ValueError(message)
        verdict &= _holds(term["field"], term["sign"], term["text"], name, labels)
        join = _AND.match(text, term.end())
        position = join.end() if join else term.end()
    return verdict


def _holds(field: str, sign: str, text: str, name: str, labels: Mapping[str, str]) -> bool:
    if field == "labels":  # labels:KEY
        return text in labels
    actual = name if field == "name" else labels.get(field.removeprefix("labels."))
    if actual is None:
        return False
    return actual == text if sign == "=" else text == "*" or text in actual
