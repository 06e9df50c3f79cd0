"""Whose a tenant's name is."""

import pytest

from smartlink.domain.pin import Pin, fingerprint, first_use, same_tenant_id

GUID = "0b1f22d4-5a7e-4c53-9a10-2f6f3c1f9d11"


@pytest.mark.parametrize(
    "other",
    [
        GUID.upper(),
        GUID.replace("-", ""),
        f"{{{GUID}}}",
        f"({GUID})",
        f"urn:uuid:{GUID}",
        f"URN:UUID:{GUID.upper()}",
        f"  {GUID}\n",
        f"{{{GUID.replace('-', '').upper()}}}",
    ],
)
def test_a_guid_is_one_however_it_is_written(other: str) -> None:
    assert same_tenant_id(GUID, other)
    assert Pin(GUID, ()).admits(other, "anybody")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (GUID, GUID[:-1] + "2"),
        ("t-1", "t1"),  # no GUIDs: a dash is a part of the name
        ("{t}", "t"),
        ("0x" + "1" * 30, "1" * 30),
        ("1_2", "12"),
    ],
)
def test_others_are_two(one: str, other: str) -> None:
    assert not same_tenant_id(one, other)


def test_names_that_are_no_guids_differ_in_more_than_case() -> None:
    assert same_tenant_id("T-One ", "t-one")
    assert not same_tenant_id("t-one", "tone")
    assert not same_tenant_id("t-one", "t-ones")


def test_two_ids_decide_whoever_the_client_is() -> None:
    """New credentials of the same id are a rotation; those of another are not, with any client."""
    pin = first_use("t-one", "a")
    assert pin.admits("T-ONE", "b")
    assert not pin.admits("t-two", "a")


def test_without_two_ids_the_client_decides() -> None:
    assert first_use(None, "a").admits("t-one", "a")
    assert first_use("t-one", "a").admits(None, "a")
    assert not first_use(None, "a").admits("t-one", "b")
    assert not first_use("t-one", "a").admits(None, "b")


def test_a_pin_learns_the_id_and_further_clients() -> None:
    """And changes only then: it is written once."""
    pin = first_use(None, "a")
    assert pin.used(None, "a") is pin
    known = pin.used("t-one", "a")
    assert known.tenant_id == "t-one"
    assert known.used("T-ONE", "a") is known
    both = known.used(None, "b")
    assert both.clients == (fingerprint("a"), fingerprint("b"))
    assert both.only("b").clients == (fingerprint("b"),)


def test_rotations_by_hand_do_not_let_it_grow_for_ever() -> None:
    pin = first_use("t-one", "client-0")
    for number in range(1, 40):
        pin = pin.used("t-one", f"client-{number}")
    assert len(pin.clients) == 10
    assert pin.admits(None, "client-39")


def test_a_client_id_is_kept_as_its_fingerprint_alone() -> None:
    """Of the first one, and of each that is added later."""
    pin = first_use("t-one", "hush-client").used("t-one", "hush-hush")
    assert pin.clients == (fingerprint("hush-client"), fingerprint("hush-hush"))
    assert "hush" not in repr(pin)


@pytest.mark.parametrize(
    "written",
    [
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736",
        "{4bf92f35-77b3-4da6-a3ce-929d0e0e4736}",
        "(4bf92f35-77b3-4da6-a3ce-929d0e0e4736)",
        "urn:uuid:4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
        " {0x4BF92F35,0x77b3,0x4da6,{0xa3,0xce,0x92,0x9d,0x0e,0x0e,0x47,0x36}} ",
    ],
)
def test_each_form_of_a_guid_is_one_tenant(written: str) -> None:
    """RAC's claim, a secret and an operator may each write it as their library does."""
    plain = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"
    assert same_tenant_id(written, plain)
    assert not same_tenant_id(written, plain.replace("4736", "4737"))
