"""`python -m tests.bench.tables`: the newest figures as the tables of tests/bench/README.md.

They are pasted there once a release, by a person who reads them. `--release` prints the few of them
that stand in CHANGELOG.md with each release, as its block "Figures".
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from infra.deploy.costs import bills
from tests.bench.check import baseline
from tests.bench.operations import written
from tests.bench.replies import HEADS, rows
from tests.bench.sizing import (
    LOADS,
    Assumed,
    IncompleteError,
    consumer_seconds,
    latest,
    measured,
    size,
    table,
)
from tests.bench.tpd import without

Results = Mapping[str, Any]


def _markdown(heads: Sequence[str], rows: Iterator[Sequence[object]]) -> str:
    align = ["---", *["---:"] * (len(heads) - 1)]
    lines = [heads, align, *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _when(results: Results, key: str) -> str:
    about = results.get("measured", {}).get(key)
    if about is None:
        return ""
    machine = about.get("machine", {})
    load = machine.get("loadBefore", ["?"])[0]
    quick = ", a quick run" if about.get("quick") else ""
    return (
        f"\n\nMeasured {about['at'][:16].replace('T', ' ')} UTC{quick}: {machine.get('cores')} "
        f"cores, Python {machine.get('python')}, load before {load}."
    )


def _throughput(results: Results) -> str | None:
    found = results.get("comparisons")
    if not found:
        return None

    def rows() -> Iterator[Sequence[object]]:
        for it in found:
            for other, ratio in it["oursInTimesOf"].items():
                rates = it["messagesPerSecond"]
                expected = "" if ratio["expected"] is None else f"≥ {ratio['expected']:g}"
                figures = (rates["ours"]["median"], rates[other]["median"])
                yield (
                    it["name"],
                    other,
                    *(f"{its:,.0f}" for its in figures),
                    ratio["median"],
                    expected,
                )

    heads = ("comparison", "beside", "ours /s", "other /s", "ratio", "expected")
    return _markdown(heads, rows()) + _when(results, found[-1]["name"])


def _cpu(results: Results) -> str | None:
    found = [it for it in results.get("comparisons", ()) if "cpuMillisecondsPerMessage" in it]
    if not found:
        return None
    rows = (
        (it["name"], name, *(f"{its.get(part, 0):.2f}" for part in ("APPLICATION", "SERVERS")))
        for it in found
        for name, its in it["cpuMillisecondsPerMessage"].items()
    )
    heads = ("comparison", "whose", "its own processes", "its servers")
    return _markdown(heads, rows)


def _noisy(results: Results) -> str | None:
    found = results.get("noisyNeighbour")
    if not found:
        return None
    rows = (
        (group, f"{its['p99Alone']:.2f}", f"{its['p99Noisy']:.2f}", f"{its['rise']:+.0%}")
        for group, parts in found["groups"].items()
        for its in [parts["arrival to settled"]]
    )
    heads = ("the others' command", "p99 alone, s", "p99 noisy, s", "rise")
    return _markdown(heads, rows) + _when(results, "noisyNeighbour")


def _stages(results: Results) -> str | None:
    found = results.get("stages")
    if not found:
        return None
    rows = ((name, f"{its:,.0f}") for name, its in found["microseconds"].items())
    shares = "\n".join(
        f"- {use_case}: "
        + ", ".join(f"{name} {share:.0%}" for name, share in list(its["libraries"].items())[:8])
        for use_case, its in found["profile"].items()
    )
    own = f"\n\nOwn time by library, of the profile:\n\n{shares}"
    return _markdown(("stage", "µs of CPU per message"), rows) + own + _when(results, "stages")


def _operations(results: Results) -> str | None:
    found = results.get("operations")
    if not found:
        return None
    said = written()
    rows = (
        (what, name, f"{its.get(name, 0):.4g}", f"{said.get(what, {}).get(name, 0):.4g}")
        for what, its in found["counted"].items()
        for name in sorted({*its, *said.get(what, {})})
    )
    return _markdown(("for each", "operation", "counted", "in the bill"), rows)


def _cold_start(results: Results) -> str | None:
    found = results.get("coldStart")
    if not found:
        return None
    rows = (
        (
            it["name"],
            it["milliseconds"]["ours"],
            it["milliseconds"]["bare"],
            f"{it['ratio']:.2f}",
            it["milliseconds"]["oursAgain"],
            f"{it['cpuRatio']:.2f}",
            f"{it['importRatio']:.2f}",
            f"{it['mebibytes']['ours']:.0f}",
            f"{it['mebibytes']['bare']:.0f}",
        )
        for it in found
    )
    heads = ("function", "ms", "bare", "ratio", "again", "of CPU", "of imports", "MiB", "bare")
    return _markdown(heads, rows) + _when(results, "coldStart")


def _growth(results: Results) -> str | None:
    found = results.get("growth")
    if not found:
        return None
    ticks = _markdown(
        ("tick", "tenants", "s", "ms of CPU per tenant", "MiB"),
        (
            (
                it["kind"],
                f"{it['tenants']:,}",
                f"{it['seconds']:.2f}",
                f"{1e3 * it['cpu'] / it['tenants']:.1f}",
                f"{it['peak']:.0f}",
            )
            for it in found["ticks"]
        ),
    )
    loads = _markdown(
        ("messages", "ms each", "CPU in poll", "CPU in consume", "MiB poll", "MiB consume"),
        (
            (
                f"{it['messages']:,}",
                f"{1e3 * it['seconds'] / it['messages']:.2f}",
                *(f"{it[key]:.2f}" for key in ("pollCpu", "consumeCpu")),
                *(f"{it[key]:.0f}" for key in ("poll", "consume")),
            )
            for it in found["messages"]
        ),
    )
    waiting = _markdown(
        (
            "waiting",
            "ms of CPU a message",
            "functions called",
            "requests to Firestore",
            "queries a tick",
            "ask for",
            "get",
            "MiB",
        ),
        (
            (
                f"{it['waiting']:,}",
                f"{it['cpu']:.2f}",
                f"{it['pythonCalls']:,.0f}",
                f"{it['requests']['firestore']:.2f}",
                *(it["queries"][key] for key in ("queries", "asked", "returned")),
                f"{it['peak']:.0f}",
            )
            for it in found.get("waiting", ())
        ),
    )
    flat = _markdown(
        ("what", "smaller", "larger", "from", "to", "ratio"),
        (
            (
                f"{it['what']}, {it['unit']}",
                it["smaller"],
                it["larger"],
                *(f"{its:.4g}" for its in it["figures"]),
                f"{it['ratio']:.2f}" if it["met"] else f"**{it['ratio']:.2f}**",
            )
            for it in found.get("ratios", ())
        ),
    )
    return f"{ticks}\n\n{loads}\n\n{waiting}\n\n{flat}{_when(results, 'growth')}"


def _deployment(results: Results) -> str | None:
    found = results.get("deployment")
    if not found:
        return None
    form = found["form"]
    heads = (
        "instances of poll and poll_shard",
        "ticks keep up",
        "slowest tick, s",
        "tenants asked in it, at least",
        "pushes refused",
        "shards too late",
        "longest unasked, s",
    )
    rows = (
        (
            it["instances"],
            "yes" if it["keepsUp"] else "no",
            max(it["seconds"]),
            f"{min(it['asked']):,}",
            it["refused"],
            it["expired"],
            f"{it['unaskedSeconds']:.0f}",
        )
        for it in (found["sized"], found["oneLess"])
    )
    costs = ", ".join(
        f"{1e3 * found['costs'][key]:.2f} {name}"
        for key, name in (
            ("poll_cpu", "for a message in poll"),
            ("consume_cpu", "in consume"),
            ("idle_cpu", "for a tenant and tick"),
            ("cold_cpu", "for its first in an instance"),
        )
    )
    text = (
        f"{form['tenants']:,} tenants, {form['rate']:g} messages a second, {form['ticks']} ticks "
        f"after a deployment. Milliseconds of CPU, by {found['costs']['of']}: {costs}."
    )
    return f"{text}\n\n{_markdown(heads, rows)}{_when(results, 'deployment')}"


def _latency(results: Results) -> str | None:
    found = results.get("latency")
    if not found:
        return None
    keys = ("p50", "p99", "serviceP50", "serviceP99")
    rows = (
        (it["broker"], it["kind"], *(f"{it[key]:.2f}" for key in keys), it["messages"])
        for it in found
    )
    heads = ("broker", "when", "p50 s", "p99 s", "service p50", "service p99", "messages")
    return _markdown(heads, rows) + _when(results, "latency")


def _replies(results: Results) -> str | None:
    found = results.get("replies")
    if not found:
        return None
    text = (
        f"{found['tenants']} tenants, {found['messages']:,} replies each, sent by "
        f"{found['senders']} processes; rounds: {found['rounds']}."
    )
    return f"{text}\n\n{_markdown(HEADS, iter(rows(found)))}{_when(results, 'replies')}"


def _life(results: Results) -> str | None:
    found = results.get("life")
    if not found:
        return None
    keys = ("settledP50", "settledP99", "sentP50", "sentP99")

    def waits() -> Iterator[Sequence[object]]:
        for it in found["contestants"]:
            for whose in ("all", "quiet"):
                yield it["name"], whose, *(f"{it[whose][key]:.2f}" for key in keys)
            if reckoned := it.get("byTheMinute"):
                text = "all, reckoned with a tick a minute"
                yield it["name"], text, *(f"{reckoned[key]:.2f}" for key in keys)

    heads = ("seconds from the arrival", "tenants", "settled p50", "p99", "reply sent p50", "p99")
    costs = _markdown(
        (
            "for each message",
            "messages/s",
            "ms of CPU, own",
            "of its servers",
            "MiB, own",
            "programs",
            "calls of the broker",
        ),
        (
            (
                it["name"],
                f"{it['messagesPerSecond']:.1f}",
                f"{it['cpuMilliseconds']:.2f}",
                f"{it['serversCpuMilliseconds']:.2f}",
                f"{it['peakMebibytes']:.0f}",
                f"{it['programs']:.0f}",
                f"{it['callsPerMessage']:.2f}",
            )
            for it in found["contestants"]
        ),
    )
    bill = _markdown(
        ("million messages a month", "ours, US$", "the peers' database alone, US$"),
        (
            (f"{it['millions']:g}", f"{it['ours']:.2f}", f"{it['peersAtLeast']:.2f}")
            for it in found["dollarsAMonth"]
        ),
    )
    text = (
        f"{found['messages']:,} messages, a call of the broker takes "
        f"{1e3 * found['latencySeconds']:.0f} ms in the median (sigma {found['latencySigma']:g}), "
        f"a look at each tenant every {found['lookSeconds']:g} s; rounds: {found['rounds']}."
    )
    return f"{text}\n\n{_markdown(heads, waits())}\n\n{costs}\n\n{bill}{_when(results, 'life')}"


def _tpd(results: Results) -> str | None:
    found = results.get("tpd")
    if not found:
        return None

    def rows() -> Iterator[Sequence[object]]:
        named = {**found["with"]["requests"], "data, by e-mail": found["with"]["byEmail"]}
        smaller = found["smaller"]["requests"] | {"data, by e-mail": found["smaller"]["byEmail"]}
        for name, it in named.items():
            before = found["without"].get(name)
            yield (
                name,
                "" if before is None else without(before),
                *(f"{it['seconds'][key]:.3f}" for key in ("median", "max")),
                found["expected"].get(name, ""),
                f"{it['statements']:.0f}",
                it["rows"],
                f"{it['allocatedMebibytes']:.2f}",
                f"{smaller[name]['allocatedMebibytes']:.2f}",
            )

    heads = (
        "request",
        "without, s",
        "with, s",
        "max",
        "goal",
        "statements",
        "rows found",
        "MiB",
        f"MiB of {found['smaller']['people']:,} people",
    )
    crowds = _markdown(
        ("of a person with very many rows", "rows", "s", "MiB", "above 50,000 refused after, s"),
        (
            (
                name,
                f"{it['rows']:,}",
                f"{it['seconds']:.2f}",
                f"{it['allocatedMebibytes']:.1f}",
                f"{it['refusedAfter']:.2f}",
            )
            for name, it in found["crowds"].items()
        ),
    )
    size = f"{found['people']:,} people, {found['rows']:,} rows that refer to them."
    return f"{size}\n\n{_markdown(heads, rows())}\n\n{crowds}{_when(results, 'tpd')}"


def _sizing(results: Results) -> str | None:
    try:
        unit = measured(results)
    except IncompleteError:
        return None
    seconds = consumer_seconds()
    lines = size(unit, Assumed(consumer=seconds), LOADS)
    text = (
        f"From {1e3 * unit.poll_cpu:.2f} ms of CPU for a message in poll and "
        f"{1e3 * unit.consume_cpu:.2f} in consume, {1e3 * unit.idle_cpu:.1f} ms for an idle "
        f"tenant and tick, {1e3 * unit.cold_cpu:.1f} for its first in an instance; memory at most "
        f"{unit.poll_memory:.0f} and {unit.consume_memory:.0f} MiB. "
        f"Assumed: a call to the broker takes {1e3 * Assumed.latency:.0f} ms and brings one "
        f"message, a new connection to it {1e3 * Assumed.connect:.0f}, each message has a reply, "
        f"its consumer takes {1e3 * seconds:.0f} ms. "
        "Bold: beyond the limit."
    )
    return f"{text}\n\n{table(lines, LOADS)}"


TABLES: Mapping[str, Callable[[Results], str | None]] = {
    "throughput": _throughput,
    "cpu": _cpu,
    "noisy": _noisy,
    "stages": _stages,
    "operations": _operations,
    "cold-start": _cold_start,
    "growth": _growth,
    "deployment": _deployment,
    "latency": _latency,
    "replies": _replies,
    "life": _life,
    "tpd": _tpd,
    "sizing": _sizing,
}
"""Each part's tables; None where the results lack the part."""


def release(results: Results) -> str:
    """The block of CHANGELOG.md: a line of each part that was measured, and what needs no clock."""
    lines = [*_rates(results), *_ticks(results), *_waits(results), *_starts(results)]
    parts = ("comparisons", "growth", "latency", "coldStart")
    measured_ = results.get("measured", {})
    names = [it["name"] for it in results.get("comparisons", ())]
    days = sorted({measured_[it]["at"][:10] for it in [*parts, *names] if it in measured_})
    when = f"Measured {' and '.join(days)} by `make bench`; " if days else ""
    calls = sum(its.get("calls", 0) for its in baseline()["work"].values())
    dollars = ", ".join(f"{name} {its:.2f}" for name, its in bills().items())
    lines += [f"calls of our code for a message and its reply: {calls:,.0f}", f"US$: {dollars}"]
    text = f"{when}tests/bench/README.md has the tables."
    return "\n".join(["### Figures", "", text, "", *(f"- {line}" for line in lines)])


def _rates(results: Results) -> Iterator[str]:
    for it in results.get("comparisons", ()):
        if it["name"].startswith("per CPU"):
            continue
        others = ", ".join(
            f"{ratio['median']:g} times {other}" for other, ratio in it["oursInTimesOf"].items()
        )
        ours = it["messagesPerSecond"]["ours"]["median"]
        yield f"{it['name']}: {ours:,.0f} messages a second, {others}"


def _ticks(results: Results) -> Iterator[str]:
    growth = results.get("growth", {})
    warm = [it for it in growth.get("ticks", ()) if it["kind"] == "warm"]
    if warm:
        its = max(warm, key=lambda it: (it["tenants"], it["seconds"]))
        yield (
            f"a warm tick over {its['tenants']:,} idle tenants: {its['seconds']:.1f} s, "
            f"{its['cpu']:.1f} s of CPU, {its['peak']:.0f} MiB"
        )
    for its in growth.get("messages", ())[-1:]:
        yield (
            f"CPU for each of {its['messages']:,} messages: {its['pollCpu']:.2f} ms in poll, "
            f"{its['consumeCpu']:.2f} in consume; {its['poll']:.0f} and {its['consume']:.0f} MiB"
        )


def _waits(results: Results) -> Iterator[str]:
    for it in results.get("latency", ()):
        name = f"from arrival to settled, broker {it['broker']}, {it['kind']}"
        yield f"{name}: p50 {it['p50']:.2f} s, p99 {it['p99']:.2f}"


def _starts(results: Results) -> Iterator[str]:
    found = results.get("coldStart")
    if found:
        slowest = max(found, key=lambda it: it["cpuRatio"])
        yield (
            f"cold start: at most {slowest['cpuRatio']:.2f} times the CPU of a bare function "
            f"({slowest['name']})"
        )


def main(arguments: Sequence[str]) -> int:
    """Print the tables of every part that was measured, or the release's block."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tables", description=__doc__)
    parser.add_argument("--release", action="store_true", help="the block of CHANGELOG.md")
    asked = parser.parse_args(arguments)
    try:
        results = latest()
    except IncompleteError as error:
        sys.stderr.write(f"tables: {error}\n")
        return 1
    if asked.release:
        sys.stdout.write(release(results) + "\n")
        return 0
    for name, table_of in TABLES.items():
        if (text := table_of(results)) is not None:
            sys.stdout.write(f"## {name}\n\n{text.rstrip()}\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
