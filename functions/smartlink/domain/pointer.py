"""JSON pointers (RFC 6901) of the catalogue, which find one value in a payload's body.

Senders write names in different casings, so a name that is not there is also found in another one.
"""

from collections.abc import Iterator, Mapping

_LONGEST = 300  # characters


def check_pointer(pointer: str) -> str:
    """Returns a JSON pointer if it is one; raises ValueError if it is none."""
    rest = pointer.replace("~0", "").replace("~1", "")
    if not pointer.startswith("/") or "~" in rest or len(pointer) > _LONGEST:
        message = (
            f"{pointer[:80]!r} is no JSON pointer into the payload's body: "
            f'write "/invoice" for its field invoice, "/order/number" for a field of a field'
        )
        raise ValueError(message)
    return pointer


def found_at(pointer: str, body: object) -> object:
    """Returns what stands at a place of a body; None if nothing does."""
    try:
        for name in _names(pointer):
            if isinstance(body, dict):
                body = body[name] if name in body else _in_any_casing(body, name)
            elif isinstance(body, list) and name.isascii() and name.isdigit():
                body = body[int(name)]
            else:
                return None
    except LookupError:
        return None
    return body


def _in_any_casing(body: Mapping[str, object], name: str) -> object:
    found = [value for key, value in body.items() if key.casefold() == name.casefold()]
    return found[0] if len(found) == 1 else None


def _names(pointer: str) -> Iterator[str]:
    for part in pointer.split("/")[1:]:
        yield part.replace("~1", "/").replace("~0", "~")
