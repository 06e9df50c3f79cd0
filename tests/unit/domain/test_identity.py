"""How ids become documents' ids, whatever senders write."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlink.domain.identity import (
    Direction,
    content_hash,
    derived_ids,
    digest,
    document_id,
    encode,
    reused_document_id,
)
from smartlink.domain.settlement import reply_id
from tests.support.samples import NOW, pending

HOUR = NOW.replace(minute=0, second=0, microsecond=0)

ANY = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates too
HOSTILE = [
    "",
    ".",
    "..",
    "/",
    "a/b",
    "../../etc",
    "__x__",
    "____",
    "~",
    "~abc",
    "%7E",
    "%",
    "%25",
    " ",
    "a b",
    "a+b",
    "\x00",
    "a\x00b",
    "\n",
    "\ud800",
    "\udc80",
    "\ud83d",
    "😀",
    "ação",
    "á",  # one character
    "a\u0301",  # the same to the eye
    "x" * 5_000,
    "x" * 4_999 + "y",
    "😀" * 5_000,
    "/" * 5_000,
    "X" * 1_000,
    "X" * 1_001,
    "~" + hashlib.sha256(b"x" * 5_000).hexdigest(),
    "D-a",
    "U-a",
]


def assert_valid(document: str) -> None:
    """Firestore's rules for a document's id."""
    assert document
    assert "/" not in document
    assert document not in {".", ".."}
    assert not (document.startswith("__") and document.endswith("__"))
    assert len(document.encode()) <= 1_500, "and it must be UTF-8"
    assert document.isascii()


@pytest.mark.parametrize("identity", HOSTILE, ids=lambda text: ascii(text[:12]))
@pytest.mark.parametrize("direction", Direction)
def test_any_id_makes_a_valid_document_id(identity: str, direction: Direction) -> None:
    """Firestore takes the document's id of any message, and of what is derived from it."""
    document = document_id(direction, identity)
    assert_valid(document)
    assert_valid(reused_document_id(document, "Probe", "0" * 64))
    reply = reply_id(pending(identity), 1)
    assert_valid(document_id(Direction.UPSTREAM, reply))


def test_hostile_ids_stay_apart() -> None:
    """No two ids share a document, in either direction, long ones and literal `~` included."""
    documents = [document_id(way, identity) for way in Direction for identity in HOSTILE]
    assert len(set(documents)) == 2 * len(HOSTILE)


@given(ANY)
def test_every_text_makes_a_valid_document_id(identity: str) -> None:
    """Whatever a sender writes, the document's id is valid."""
    assert_valid(document_id(Direction.DOWNSTREAM, identity))


@given(ANY, ANY)
def test_the_escape_is_injective(one: str, other: str) -> None:
    """Two ids share a document only if they are one id."""
    same = document_id(Direction.UPSTREAM, one) == document_id(Direction.UPSTREAM, other)
    assert same == (one == other)


@pytest.mark.parametrize(
    ("identity", "document"),
    [
        ("0b1f-22", "D-0b1f-22"),  # a usual id can be read in the console
        ("a/b", "D-a%2Fb"),
        ("~", "D-%7E"),
        ("%7E", "D-%257E"),
        ("\x00", "D-%00"),
        ("\ud800", "D-%ED%A0%80"),
        ("x" * 5_000, f"D-~{hashlib.sha256(b'x' * 5_000).hexdigest()}"),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_the_form_of_a_document_id(identity: str, document: str) -> None:
    """The prefix, percent escapes, and `~` with a SHA-256 where that is too long."""
    assert document_id(Direction.DOWNSTREAM, identity) == document


def test_a_reused_id_has_a_document_of_its_own() -> None:
    """Each content under a reused id has its own document; the same one has the same."""
    document = document_id(Direction.DOWNSTREAM, "m")
    ones = {
        reused_document_id(document, kind, sha256)
        for kind in ("Probe", "Other")
        for sha256 in ("0" * 64, "1" * 64)
    }
    assert len(ones) == 4
    assert document not in ones
    assert reused_document_id(document, "Probe", "0" * 64) in ones
    assert all(one.startswith(f"{document}~") for one in ones)


@pytest.mark.parametrize(
    ("later", "own", "before"),
    [
        (timedelta(0), True, False),
        (timedelta(minutes=59), True, False),
        (timedelta(hours=1), False, True),
        (timedelta(minutes=119), False, True),
        (timedelta(hours=2), False, False),
    ],
)
def test_a_derived_id_is_known_for_the_next_hour(
    later: timedelta, *, own: bool, before: bool
) -> None:
    """The same content without an id has the same id in its hour, or is found as the one before."""
    first, _ = derived_ids("Probe", content_hash("x"), HOUR)
    again, previous = derived_ids("Probe", content_hash("x"), HOUR + later)
    assert (first == again, first == previous) == (own, before)


def test_a_derived_id_is_of_type_and_content() -> None:
    """Another type or content has another id; nothing of the content can be read in it."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    ids = {
        derived_ids(kind, content_hash(text), at)[0] for kind in ("A", "AB") for text in ("", "B")
    }
    assert len(ids) == 4
    assert all(one.startswith("content-") for one in ids)


@given(st.lists(ANY, max_size=4), st.lists(ANY, max_size=4))
def test_a_digest_tells_lists_apart(one: list[str], other: list[str]) -> None:
    """`("ab",)`, `("a", "b")` and `("", "ab")` have digests of their own."""
    assert (digest(*one) == digest(*other)) == (one == other)


def test_a_content_hash_is_what_sha256sum_prints() -> None:
    """The hash of a content is of its UTF-8 bytes, so an operator can compute it."""
    printed = "0664077f33cc3ebbaa4bbdacac0eb70e740983080f01dce29929e73b7785a7ad"
    assert content_hash("ação") == printed
    assert content_hash("\ud800") == hashlib.sha256(b"\xed\xa0\x80").hexdigest()


@given(ANY)
def test_encoded_text_comes_back(text: str) -> None:
    """Any text of Python has bytes, and they tell it."""
    assert encode(text).decode("utf-8", "surrogatepass") == text
