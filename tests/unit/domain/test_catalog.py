"""The catalogue's parser: every mistake is named, before anything runs on it."""

import json

import pytest

from smartlink.domain.catalog import CatalogError, parse_catalog

Entry = dict[str, object]


def catalog(function: str = "", command: str = "", **changes: object) -> str:
    """A good catalogue; the changes are to one of its functions or commands. `...` removes."""
    functions: dict[str, Entry] = {
        "poll": {"timeoutSeconds": 60},
        "poll_shard": {"timeoutSeconds": 60, "topic": "shards"},
        "consume": {"timeoutSeconds": 540},
        "publish": {"timeoutSeconds": 60},
    }
    commands: dict[str, Entry] = {
        name: {"module": f"consumers.{name}", "topic": f"topic-{name}", "timeoutSeconds": 60}
        for name in ("one", "two")
    }
    changed = functions[function] if function else commands[command or "one"]
    changed.update(changes)
    for name in [name for name, value in changes.items() if value is ...]:
        del changed[name]
    return json.dumps({"functions": functions, "commands": commands})


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["erp"], "erp is the name of a secret of the relay"),
        (["tenant"], "tenant is the name"),
        (["titular"], "titular is the name"),
        (["bank", "bank"], "stands twice"),
        (["bank-of-acme"], "commands.one.secrets.0"),
        (["Bank"], "commands.one.secrets.0"),
        ([""], "commands.one.secrets.0"),
        ("bank", "commands.one.secrets"),
        ([f"s{number}" for number in range(11)], "commands.one.secrets"),
    ],
)
def test_a_secret_that_no_command_may_declare(names: object, why: str) -> None:
    """A name with a hyphen could begin another secret's name, and so could the grant for it."""
    with pytest.raises(CatalogError, match=why):
        parse_catalog(catalog("", "one", secrets=names))


def test_a_command_declares_its_secrets() -> None:
    """Up to ten."""
    names = [f"s{number}" for number in range(10)]
    assert parse_catalog(catalog("", "one", secrets=names)).commands["one"].secrets == (*names,)
    assert parse_catalog(catalog()).commands["one"].secrets == ()


def test_what_an_entry_says_nothing_of() -> None:
    """512 MiB, one call at a time, not personal, no ERP secret."""
    parsed = parse_catalog(catalog())
    assert list(parsed.commands) == ["one", "two"]
    one = parsed.commands["one"]
    assert (one.memory, one.concurrency, one.personal, one.erp) == (512, 1, False, False)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "the file"),
        ("[]", "the file"),
        ("{}", "functions: "),
        ('{"functions": {}}', "functions.poll: "),
        (catalog(function="poll", timeoutSeconds=0), "functions.poll.timeoutSeconds"),
        (catalog(function="consume", timeoutSeconds=601), "functions.consume.timeoutSeconds"),
        (catalog(function="poll", timeout_s=3), "functions.poll.timeout_s"),
        (catalog(function="poll_shard", topic=...), "functions.poll_shard"),
        (catalog(memoryMiB=64), "commands.one.memoryMiB"),
        (catalog(concurrency=0), "commands.one.concurrency"),
        (catalog(module="os.path"), "commands.one.module"),
        (catalog(module="consumers"), "commands.one.module"),
        (catalog(module="consumers..one"), "commands.one.module"),
        (catalog(module=...), "commands.one.module"),
        (catalog(topic="Topic"), "commands.one.topic"),
        (catalog(topic="-a"), "commands.one.topic"),
        (catalog(topic=...), "commands.one.topic"),
        (catalog(timeoutSeconds=...), "commands.one.timeoutSeconds"),
        (catalog(timeoutSeconds=601), "commands.one.timeoutSeconds"),
        (catalog(personnal=True), "commands.one.personnal"),
        (catalog(topic="topic-two"), "topic-two"),
        (catalog(topic="shards"), "shards"),
        (json.dumps({**json.loads(catalog()), "commands": {}}), "commands: "),
        (json.dumps({**json.loads(catalog()), "more": {}}), "more: "),
    ],
)
def test_a_mistake_is_named(text: str, named: str) -> None:
    """The error names the entry: a typo is found when it is made, not in the cloud."""
    with pytest.raises(CatalogError) as refused:
        parse_catalog(text)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("call", "message", "good"),
    [(540, 60, True), (540, 525, True), (540, 526, False), (60, 60, False), (10, 1, False)],
)
def test_a_message_fits_into_a_call(call: int, message: int, *, good: bool) -> None:
    """Invariant 6: with a time-out so long that no message may ever start, nothing would run."""
    text = catalog(timeoutSeconds=message)
    document = json.loads(text)
    document["functions"]["consume"]["timeoutSeconds"] = call
    document["commands"]["two"]["timeoutSeconds"] = 1
    text = json.dumps(document)
    if good:
        assert parse_catalog(text).commands["one"].timeout == message
    else:
        with pytest.raises(CatalogError, match=r"command (one|two) may run .*functions.consume"):
            parse_catalog(text)


@pytest.mark.parametrize(
    "ordered", ["invoice", "", "/a~2", "tenants", 7, ["/a"], "/" + "a" * 400, {"by": "/a"}]
)
def test_an_order_that_no_command_may_ask_for(ordered: object) -> None:
    """It names the entry, and says how a pointer is written."""
    with pytest.raises(CatalogError, match=r"commands\.one\.ordered"):
        parse_catalog(catalog("", "one", ordered=ordered))


@pytest.mark.parametrize(
    ("ordered", "by"),
    [(True, "tenant"), ("tenant", "tenant"), ("/a", "/a"), ("/a~1b/0/~0", "/a~1b/0/~0")],
)
def test_a_command_asks_for_an_order(ordered: object, by: str) -> None:
    """True is RM's own order; the same order is the same catalogue."""
    parsed = parse_catalog(catalog("", "one", ordered=ordered, whenDead="pass"))
    assert parsed.ordered == {"one": by}
    assert parsed.digest == parse_catalog(catalog("", "one", ordered=by, whenDead="pass")).digest


@pytest.mark.parametrize("ordered", [False, None, ...])
def test_no_order_is_none(ordered: object) -> None:
    assert parse_catalog(catalog("", "one", ordered=ordered)).ordered == {}
    with pytest.raises(CatalogError, match="one has whenDead"):
        parse_catalog(catalog("", "one", ordered=ordered, whenDead="pass"))


@pytest.mark.parametrize("pointer", ["requestID", "", "/a~2", 7, True, "/" + "a" * 400, ["/a"]])
def test_no_place_for_a_request_id(pointer: object) -> None:
    """It names the entry."""
    with pytest.raises(CatalogError, match=r"commands\.one\.requestId"):
        parse_catalog(catalog("", "one", requestId=pointer))


@pytest.mark.parametrize(("pointer", "expected"), [("/a/b", "/a/b"), (None, None), (..., None)])
def test_a_command_says_where_its_request_id_stands(pointer: object, expected: str | None) -> None:
    parsed = parse_catalog(catalog("", "one", requestId=pointer))
    assert parsed.commands["one"].request_id == expected
