# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Forms that values have: ranges of numbers, addresses, paths, names. Which variable has which form: _input_rules.

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import (
    as_integer,
    close_to,
    is_dns_label,
    is_dns_name,
    listed,
    parse_address,
    parse_network,
)

_UNIT = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?(?:ns|us|ms|s|m|h|d|w))+\Z")
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e\d+|E\d+)?\Z")
_URL = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[^\s/:?#@]+)(:\d{1,5})?(/\S*)?\Z")
_CALENDAR_WORDS = (
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannually",
    "yearly",
    "annually",
)
_DAY = r"(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)"
_NUMBER = r"[\d*][\d*,./~]*"
_CALENDAR = re.compile(
    rf"(?:{_DAY}(?:(?:\.\.|,|-){_DAY})*(?:\s+|\Z))?"
    rf"(?:(?:{_NUMBER}-)?{_NUMBER}[-~]{_NUMBER}(?:\s+|\Z))?"
    rf"(?:({_NUMBER}):({_NUMBER})(?::({_NUMBER}))?(?:\s+|\Z))?"
    r"(?:UTC|[A-Z][A-Za-z_]+(?:/[A-Za-z_+-]+)+)?\Z",
    re.IGNORECASE,
)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a value, or with a part of it: `at` is appended to the variable's name."""

    problem: str
    remedy: str
    at: str = ""
    value: t.Any = None


@dataclass(frozen=True)
class Form:
    """What a value must look like: one sentence for people, and the judgement."""

    means: str
    judge: t.Callable[[t.Any], t.Sequence[Fault]]


def simple(means: str, good: t.Callable[[t.Any], bool], problem: str, remedy: str) -> Form:
    return Form(means, lambda value: () if good(value) else (Fault(problem, remedy),))


def matching(pattern: str, problem: str, remedy: str) -> Form:
    compiled = re.compile(pattern)
    return simple(remedy, lambda value: compiled.fullmatch(str(value)) is not None, problem, remedy)


def between(low: int, high: int, unit: str = "", also: t.Container[int] = (), problem: str = "is out of range") -> Form:
    exception = "0, or " if 0 in also else ""
    remedy = f"use {exception}a number between {low} and {high}{f' ({unit})' if unit else ''}"

    def good(value: t.Any) -> bool:
        number = value if isinstance(value, float) else as_integer(value)
        return number is not None and (low <= number <= high or number in also)

    return simple(remedy, good, problem, remedy)


def any_text(why: str) -> Form:
    """An exemption: any value is right, or others judge it. Says why."""
    return Form(why, lambda _value: ())


def one_of(words: t.Sequence[str], problem: str) -> Form:
    def judge(value: t.Any) -> t.Sequence[Fault]:
        if value in words:
            return ()
        return (Fault(problem, f"{close_to(str(value), words)} valid: {', '.join(words)}".strip()),)

    return Form(f"one of {', '.join(words)}", judge)


def each_key(key: Form | None, item: t.Callable[[t.Any], t.Sequence[Fault]], means: str) -> Form:
    """A dictionary with free keys."""

    def judge(value: Mapping[str, t.Any]) -> t.Sequence[Fault]:
        faults = []
        for name, content in value.items():
            at = f".{name}"
            faults += [Fault(f.problem, f.remedy, at, str(name)) for f in (key.judge(name) if key else ())]
            faults += [
                Fault(f.problem, f.remedy, at + f.at, content if f.value is None else f.value) for f in item(content)
            ]
        return faults

    return Form(means, judge)


def is_absolute(value: t.Any) -> bool:
    return str(value).startswith("/") and "\n" not in str(value) and ".." not in str(value).split("/")


def is_name_or_address(value: t.Any) -> bool:
    text = str(value)
    return parse_address(text) is not None or (is_dns_name(text.lower()) and not re.fullmatch(r"[\d.]+", text))


def is_endpoint(value: t.Any) -> bool:
    host, colon, port = str(value).rpartition(":")
    number = as_integer(port)
    return bool(colon) and is_name_or_address(host) and number is not None and 0 < number < 65536


def is_calendar(value: t.Any) -> bool:
    text = str(value).strip()
    if text.lower() in _CALENDAR_WORDS:
        return True
    match = _CALENDAR.fullmatch(text)
    if not text or match is None:
        return False
    limits = zip(match.groups(), (23, 59, 59))
    return all(int(number) <= limit for part, limit in limits for number in re.findall(r"(?<!/)\b\d+", part or ""))


def seconds_of(value: t.Any) -> float | None:
    """Of 90, "90s" or "1h30m"."""
    number = as_integer(value)
    if number is not None:
        return float(number)
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        return None
    return sum(
        float(amount) * _UNIT[unit] for amount, unit in re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d|w)", value)
    )


def judge_network(value: t.Any) -> t.Sequence[Fault]:
    _network, findings = parse_network("", value)
    return [Fault(finding.problem, finding.remedy) for finding in findings]


def judge_resources(value: Mapping[str, t.Any]) -> t.Sequence[Fault]:
    faults = []
    for kind, amounts in value.items():
        if kind not in ("requests", "limits"):
            hint = close_to(str(kind), ("requests", "limits"))
            faults.append(Fault("is not a known key", f"{hint} known: limits, requests".strip(), f".{kind}", str(kind)))
        elif not isinstance(amounts, Mapping):
            faults.append(Fault("is not a dictionary", "write it like {cpu: 50m, memory: 64Mi}", f".{kind}", amounts))
        else:
            faults += [
                Fault("is not a quantity", "write it like 50m, 2, 64Mi or 1Gi", f".{kind}.{name}", str(amount))
                for name, amount in amounts.items()
                if isinstance(amount, bool) or not _QUANTITY.fullmatch(str(amount))
            ]
    return faults


def judge_addresses_of_name(value: t.Any) -> t.Sequence[Fault]:
    addresses = [value] if isinstance(value, str) else value
    if not isinstance(addresses, (list, tuple)) or not addresses:
        return (Fault("is not a list of addresses", "write it like [192.0.2.10]"),)
    return [
        Fault("is not an IP address", "write it like 192.0.2.10", f"[{number}]", address)
        for number, address in enumerate(addresses)
        if parse_address(address) is None
    ]


def judge_scalar(value: t.Any) -> t.Sequence[Fault]:
    if isinstance(value, (Mapping, list, tuple)) or value is None or value == "":
        return (Fault("is not one value", "write text or a number"),)
    return ()


PORT = between(1, 65535, problem="is not a port")
SECONDS = between(1, 86400, "seconds")
PERCENT = between(0, 100, "percent")
MTU = between(1280, 9216, "bytes; 0 finds it out", also=(0,))
NETWORK = Form("a network like 10.244.0.0/16", judge_network)
ADDRESS = simple(
    "an IP address", lambda v: parse_address(v) is not None, "is not an IP address", "write it like 192.0.2.10"
)
NAME_OR_ADDRESS = simple(
    "an IP address or a DNS name",
    is_name_or_address,
    "is neither an IP address nor a DNS name",
    "write it like 192.0.2.10 or registry.example.org",
)
CERTIFICATE_NAME = simple(
    "an IP address or a DNS name, which may begin with *.",
    lambda v: is_name_or_address(str(v)[2:] if str(v).startswith("*.") else v),
    "is neither an IP address nor a DNS name",
    "write it like 192.0.2.10, api.example.org or *.example.org, without scheme and port",
)
ENDPOINT = simple(
    "address and port",
    is_endpoint,
    "is not an address with a port",
    "write it like 127.0.0.1:1338, IPv6 like [::1]:1338",
)
DNS_NAME = simple(
    "a DNS name",
    lambda v: parse_address(v) is None and is_dns_name(str(v)),
    "is not a DNS name",
    "use lower-case letters, digits, '-' and '.', e.g. api.example.org",
)
DNS_LABEL = simple(
    "lower-case letters, digits and dashes",
    lambda v: is_dns_label(str(v)),
    "is not a name that Kubernetes accepts (RFC 1123)",
    "use at most 63 lower-case letters, digits and '-'",
)
PATH = simple(
    "an absolute path",
    is_absolute,
    "is not an absolute path",
    "begin it with / and write it without .., e.g. /var/lib/x",
)
CONTROLLER_PATH = simple(
    "an absolute path on the controller, ~ is the home directory",
    lambda v: re.fullmatch(r"(/|~/).*|~", str(v)) is not None,
    "is not an absolute path",
    "begin it with / or ~/, a relative one would depend on where Ansible happens to run",
)
URL = simple(
    "a URL",
    lambda v: _URL.fullmatch(str(v)) is not None,
    "is not a URL",
    "write it like https://mirror.example.org/path",
)
SCHEDULE = simple(
    "a calendar event of systemd",
    is_calendar,
    "is not a calendar event as in systemd.time(7)",
    'write it like "Sun *-*-* 03:00:00" or daily; `systemd-analyze calendar` shows when it would be',
)
DURATION = simple(
    "a duration",
    lambda v: (seconds_of(v) or 0) > 0,
    "is not a duration",
    "write a number with its unit, e.g. 30s, 5m or 1h30m",
)
QUANTITY = simple(
    "a quantity of Kubernetes",
    lambda v: bool(_QUANTITY.fullmatch(str(v))),
    "is not a quantity",
    "write it like 64Mi or 50m",
)
VERSION = simple(
    "a whole version with its v",
    lambda v: isinstance(v, str) and re.fullmatch(r"v\d+\.\d+\.\d+", v) is not None,
    "is not a whole version with its v",
    'write it in quotes like "v1.36.4"',
)
PEM = simple(
    "certificates in PEM",
    lambda v: bool(_PEM.search(str(v))),
    "is not a certificate in PEM",
    "give its text, from -----BEGIN CERTIFICATE----- on, not its path",
)
PEM_KEY = simple(
    "a private key in PEM",
    lambda v: "PRIVATE KEY-----" in str(v),
    "is not a private key in PEM",
    "give its text, from -----BEGIN PRIVATE KEY----- on, not its path",
)
DIGEST = matching(
    "sha256:[0-9a-f]{64}", "is not a digest", "write it like sha256: and 64 lower-case hexadecimal digits"
)
USER = matching(r"[A-Za-z0-9._-]+", "is not a user name", "use letters, digits, '.', '_' and '-'")
PASSWORD = simple(
    "text without control characters",
    lambda v: not re.search(r"[\x00-\x1f\x7f]", str(v)),
    "has a line break or another control character in it",
    "take it out; a file read with lookup() ends with one: use `| trim`",
)
LINE = simple("one line of text", lambda v: "\n" not in str(v), "has more than one line", "write it in one line")
RESOURCES = Form("resource requests and limits", judge_resources)


def no_doubles(means: str) -> Form:
    def judge(value: t.Sequence[t.Any]) -> t.Sequence[Fault]:
        doubles = {str(item) for item in value if list(value).count(item) > 1}
        return (Fault(f"has {listed(doubles)} more than once", "name it once"),) if doubles else ()

    return Form(means, judge)
