# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a check found, and the forms in which people and programs read it."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import asdict, dataclass, field
from xml.etree import ElementTree

OK = "ok"
FAILED = "failed"
SKIPPED = "skipped"

# Characters that XML 1.0 cannot carry, not even escaped; messages of programs may hold them.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass
class Result:
    """One check: its outcome, one sentence why, and everything it saw that matters."""

    name: str
    status: str
    message: str
    details: list[str] = field(default_factory=list)
    seconds: float = 0.0


def verdict(name: str, faults: t.Sequence[str], good: str, details: t.Sequence[str] = ()) -> Result:
    """Failed when there is a fault; the first one becomes the message, all of them the details."""
    if not faults:
        return Result(name, OK, good, list(details))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Result(name, FAILED, f"{faults[0]}{more}", [*faults, *details])


def skipped(name: str, reason: str) -> Result:
    return Result(name, SKIPPED, reason)


def passed(results: t.Sequence[Result]) -> bool:
    """A proof without a single positive finding proves nothing."""
    return any(result.status == OK for result in results) and all(result.status != FAILED for result in results)


def summary(results: t.Sequence[Result], seconds: float) -> str:
    counts = {status: sum(1 for result in results if result.status == status) for status in (OK, FAILED, SKIPPED)}
    verb = "passed" if passed(results) else "FAILED"
    return (
        f"{verb}: {counts[OK]} of {len(results)} checks ok, {counts[FAILED]} failed, {counts[SKIPPED]} skipped "
        f"in {seconds:.1f} s"
    )


def table(results: t.Sequence[Result]) -> list[str]:
    """Aligned lines, details only where something failed."""
    width = max((len(result.name) for result in results), default=0)
    lines = []
    for result in results:
        lines.append(f"{result.status:<7} {result.name:<{width}} {result.seconds:5.1f} s  {result.message}")
        if result.status == FAILED:
            lines += [f"        - {detail}" for detail in result.details]
    return lines


def as_dicts(results: t.Sequence[Result]) -> list[dict[str, t.Any]]:
    return [{**asdict(result), "seconds": round(result.seconds, 3)} for result in results]


def as_json(results: t.Sequence[Result], seconds: float) -> str:
    document = {
        "passed": passed(results),
        "summary": summary(results, seconds),
        "seconds": round(seconds, 3),
        "results": as_dicts(results),
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def as_junit(results: t.Sequence[Result], seconds: float, suite: str = "cluster_verify") -> str:
    """JUnit XML as CI systems read it: one suite, one case per check."""

    def clean(text: str) -> str:
        return _NOT_XML.sub("\ufffd", text)

    root = ElementTree.Element(
        "testsuite",
        name=suite,
        tests=str(len(results)),
        failures=str(sum(1 for result in results if result.status == FAILED)),
        errors="0",
        skipped=str(sum(1 for result in results if result.status == SKIPPED)),
        time=f"{seconds:.3f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            root, "testcase", classname=suite, name=clean(result.name), time=f"{result.seconds:.3f}"
        )
        if result.status == OK:
            ElementTree.SubElement(case, "system-out").text = clean("\n".join([result.message, *result.details]))
        else:
            tag = "failure" if result.status == FAILED else "skipped"
            outcome = ElementTree.SubElement(case, tag, message=clean(result.message))
            outcome.text = clean("\n".join(result.details))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
