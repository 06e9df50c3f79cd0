"""Numbers and time spans in the reader's form."""

from datetime import timedelta

from babel.numbers import format_decimal, get_decimal_symbol
from babel.units import format_unit

from smartlink.i18n.language import Language


def number(value: int, language: Language) -> str:
    """Write a number: 20,000 or 20.000."""
    return format_decimal(value, locale=language.locale)


def decimal(value: float, form: str, language: Language) -> str:
    """Write a number by a form of Python's: 2.5 or 2,5, 98%."""
    return format(value, form).replace(".", get_decimal_symbol(language.locale))


def duration(span: timedelta, language: Language, most: int = 3) -> str:
    """Write a time span by its largest units: 2d 3h 5m, or 2 dias 3 h 5 min."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = {"day": days, "hour": hours, "minute": minutes, "second": seconds}
    told = [
        format_unit(count, f"duration-{unit}", "narrow", locale=language.locale)
        for unit, count in parts.items()
        if count
    ]
    nothing = format_unit(0, "duration-second", "narrow", locale=language.locale)
    return " ".join(told[:most]) or nothing
