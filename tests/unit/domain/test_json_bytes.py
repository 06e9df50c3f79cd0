"""A byte order mark before a JSON text: who wrote it used an editor of Windows."""

import codecs
from collections.abc import Callable

import pytest

from infra.local.checkout import CATALOG
from smartlink.domain.catalog import parse_catalog
from smartlink.domain.config import parse_config
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.payload import read_json
from smartlink.domain.tenant import parse_credentials

TEXT = '{"a": "ção", "b": "\U0001f600"}'
MARKED = {
    "UTF-8": codecs.BOM_UTF8 + TEXT.encode(),
    "UTF-16, little endian": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "UTF-16, big endian": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-32, little endian": codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"),
    "UTF-32, big endian": codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
}
CREDENTIALS = b'{"clientId": "c", "clientSecret": "s", "environment": "production"}'
CONFIG = (
    b'{"TotvsAppGlobalConfig": {"IntegrationSmartLinkInfo": '
    b'{"QtdeTentativasExec": 5, "FatorTempoExecucao": 1, "MinutesInterval": 3}}}'
)


def utf_16(text: bytes) -> bytes:
    """As PowerShell 5 writes a file."""
    return codecs.BOM_UTF16_LE + text.decode().encode("utf-16-le")


@pytest.mark.parametrize("data", MARKED.values(), ids=MARKED)
def test_a_marked_text_becomes_utf_8(data: bytes) -> None:
    """Whichever encoding the mark tells; half of a surrogate pair comes through."""
    assert unmarked(data) == TEXT.encode()
    lone = codecs.BOM_UTF16_LE + "\ud800".encode("utf-16-le", "surrogatepass")
    assert unmarked(lone) == b"\xed\xa0\x80"


@pytest.mark.parametrize("data", [b"", b"{}", b"\xef\xbb", b"\xff", b"\xff\xfe{", b"\xfe\xff\x00"])
def test_all_else_stays_as_it_is(data: bytes) -> None:
    """Also bytes that are not what their mark says: whoever parses them says so."""
    assert unmarked(data) == data


def test_a_text_loses_its_mark() -> None:
    """One, and only at its beginning."""
    assert unmarked("\ufeff{}\ufeff") == "{}\ufeff"
    assert read_json("\ufeff7") == read_json(b"\xef\xbb\xbf7") == 7


@pytest.mark.parametrize("mark", [utf_16, lambda text: codecs.BOM_UTF8 + text])
def test_what_operators_write_may_be_marked(mark: Callable[[bytes], bytes]) -> None:
    """A tenant's secret, the configuration, the catalogue."""
    tenant = parse_credentials("acme", mark(CREDENTIALS), "production")
    assert tenant == parse_credentials("acme", CREDENTIALS, "production")
    assert parse_config(mark(CONFIG), "7") == parse_config(CONFIG, "7")
    catalog = CATALOG.read_bytes()
    assert parse_catalog(mark(catalog)) == parse_catalog(f"\ufeff{catalog.decode()}")
