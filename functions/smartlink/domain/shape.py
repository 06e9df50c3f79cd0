"""Why pydantic refuses a value, as a text that can be translated.

Pydantic writes in English alone. Its text stays as it is; it is compared with the templates that
our models can meet, so that the text and its fields are known apart.
"""

import re
from functools import cache

from smartlink.domain.said import Said, said

_OF_AN_ERROR = "Value error, "
_TEMPLATES = (
    said("Field required"),
    said("Extra inputs are not permitted"),
    said("Invalid JSON: {problem}"),
    said("Input should be an object"),
    said("Input should be a valid array"),
    said("Input should be a valid string"),
    said("Input should be a valid boolean"),
    said("Input should be a valid boolean, unable to interpret input"),
    said("Input should be a valid integer"),
    said("Input should be a valid integer, unable to parse string as an integer"),
    said("Input should be a valid integer, got a number with a fractional part"),
    said("Input should be a valid decimal"),
    said("Input should be a finite number"),
    said("Decimal input should be an integer, float, string or Decimal object"),
    said("Decimal input should have no more than {most} decimal places"),
    said("Input should be greater than or equal to {least}"),
    said("Input should be greater than {least}"),
    said("Input should be less than or equal to {most}"),
    said("Input should be {first} or {last}"),
    said("Input should be {expected}"),
    said("String should have at least {least} character"),
    said("String should have at least {least} characters"),
    said("String should have at most {most} character"),
    said("String should have at most {most} characters"),
    said("String should match pattern '{pattern}'"),
    said("{what} should have at least {least} item after validation, not {count}"),
    said("{what} should have at most {most} items after validation, not {count}"),
    said("{what} should have at most {most} items after validation, not more"),
    said(
        "Input tag '{tag}' found using {discriminator} does not match any of the expected tags: "
        "{tags}"
    ),
    said("Unable to extract tag using discriminator {discriminator}"),
)
"""The first that fits is taken: a narrow one stands before a wide one."""


def refused(message: str) -> Said:
    """Find the template of what pydantic says; a rare text stays in English."""
    if message.startswith(_OF_AN_ERROR):
        problem = Said(message.removeprefix(_OF_AN_ERROR))
        return said("Value error, {problem}", problem=problem)
    for template, pattern in _patterns():
        if found := pattern.fullmatch(message):
            return Said(template, found.groupdict())
    return Said(message)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((it.template, re.compile(_pattern(it.template), re.DOTALL)) for it in _TEMPLATES)


def _pattern(template: str) -> str:
    return re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(template))
