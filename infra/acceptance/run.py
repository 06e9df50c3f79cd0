"""Probes of Cloud Run functions: who may call them, from where, and how they are set."""

from infra.acceptance.errors import UnansweredError
from infra.acceptance.place import Place
from infra.acceptance.probe import need, probe

_CLOUD = "no front end of Google's stands before the local functions"
_REFUSED = frozenset({401, 403})
_NOT_FOUND = 404
_ALL = "ALLOW_ALL"


def _ingress(place: Place, key: str) -> str:
    return str(place.function(key)["serviceConfig"].get("ingressSettings", _ALL))


def _url(place: Place, key: str) -> str:
    return str(place.function(key)["serviceConfig"]["uri"])


@probe(
    "run-ingress",
    assumes="A function with internal ingress answers 404 to a call from the internet, before any "
    "code of ours runs.",
    relied="Nobody outside reaches poll, poll_shard or a consumer (terraform/catalog.tf: ingress).",
    expected="404 from each internal function",
    cloud_only=_CLOUD,
)
def ingress(place: Place) -> str:
    """Call each internal function from this machine, which must be outside the project's VPC."""
    internal = [key for key in place.functions if _ingress(place, key) != _ALL]
    statuses = {key: place.calls.knock(_url(place, key), None) for key in internal}
    seen = ", ".join(f"{key} {status}" for key, status in statuses.items())
    if any(status in _REFUSED for status in statuses.values()):
        message = f"{seen}: this machine seems to be inside the project's network"
        raise UnansweredError(message)
    need(
        seen or "no function is internal",
        holds=bool(internal) and set(statuses.values()) == {_NOT_FOUND},
    )
    return f"404 from {len(internal)} functions"


@probe(
    "run-anonymous",
    assumes="Cloud Run's front end refuses a call without an identity token (401 or 403).",
    relied="publish with ingress ALLOW_ALL is open to its invokers alone (terraform/functions.tf).",
    expected="401 or 403",
    cloud_only=_CLOUD,
)
def anonymous(place: Place) -> str:
    """Call publish without a token."""
    status = place.calls.knock(reachable(place), None)
    need(str(status), holds=status in _REFUSED)
    return str(status)


@probe(
    "run-publisher-token",
    assumes="Cloud Run lets in an identity token of an invoker whose audience is the function's "
    "URL.",
    relied="Segments' own code calls publish so (smartlink/publisher/).",
    expected="400: the function itself refuses the empty message",
    cloud_only=_CLOUD,
)
def publisher_token(place: Place) -> str:
    """Call publish with a token of the account in use, and with no message."""
    url = reachable(place)
    token = place.calls.identity_token(url)
    status = place.calls.knock(url, token)
    if status in _REFUSED:
        message = f"{status}: the account in use is not among publish.invokers"
        raise UnansweredError(message)
    need(str(status), holds=status == 400)  # noqa: PLR2004
    return str(status)


def reachable(place: Place) -> str:
    """Return the URL of `publish`. Raises UnansweredError if it cannot be called from here."""
    found = _ingress(place, "publish")
    if found != _ALL:
        message = f"publish has the ingress {found}: nobody outside can ask it"
        raise UnansweredError(message)
    return _url(place, "publish")


@probe(
    "run-settings",
    assumes="Time-out, memory, concurrency and the most instances are what was asked for.",
    relied="Leases and the poll's memory are computed from the catalogue (settings.py); one "
    "instance of poll (terraform/catalog.tf).",
    expected="each function as in the catalogue; poll with one instance",
    cloud_only="the local functions have none of these",
)
def settings(place: Place) -> str:
    """Compare each function's configuration with the catalogue."""
    catalog = place.settings.catalog
    shared = catalog.functions
    wanted = {
        "poll": (shared.poll.timeout, shared.poll.memory),
        **{name: (it.timeout, it.memory) for name, it in catalog.pushed.items()},
        **{
            f"consume-{name}": (shared.consume.timeout, command.memory)
            for name, command in catalog.commands.items()
        },
    }
    for key, (timeout, memory) in wanted.items():
        config = place.function(key)["serviceConfig"]
        found = (config["timeoutSeconds"], config["availableMemory"])
        text = f"{key}: {found[0]} s, {found[1]}; the catalogue says {timeout} s, {memory} MiB"
        need(text, holds=found == (timeout, f"{memory}Mi"))
    most = place.function("poll")["serviceConfig"].get("maxInstanceCount")
    need(f"poll: {most} instances", holds=most == 1)
    return f"{len(wanted)} functions"


@probe(
    "run-active",
    assumes="A deployed function is ACTIVE, and its newest revision takes all calls.",
    relied="An upgrade is done when `make deploy` ends (terraform/README.md).",
    expected="each ACTIVE, all traffic on the latest revision",
    cloud_only="the local functions have no revisions",
)
def active(place: Place) -> str:
    """Read the state of each function."""
    for key, function in place.functions.items():
        latest = function["serviceConfig"].get("allTrafficOnLatestRevision", False)
        text = f"{key}: {function.get('state')}, all on the latest: {latest}"
        need(text, holds=function.get("state") == "ACTIVE" and latest)
    return f"{len(place.functions)} ACTIVE"


PROBES = (ingress, anonymous, publisher_token, settings, active)
