# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Go's libraries do and Kuma shows: durations, the messages of JSON decoding, names of Kubernetes."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"(\d*)(?:(\.)(\d*))?([^\d.]*)")

QUALIFIED_NAME = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_KEY = (
    "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end w"
    "ith an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validatio"
    "n is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g."
    " 'example.com/MyName')"
)
LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
RFC1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
RFC1123_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
RFC1123_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\Z")


class DecodeError(ValueError):
    """JSON that does not fit, in Go's words."""


def quote(text: str) -> str:
    """Go's %q."""
    return json.dumps(text, ensure_ascii=False)


def parse_duration(text: str) -> int:
    """Nanoseconds of a Go duration."""
    rest, sign = text, 1
    if rest[:1] in ("+", "-"):
        sign, rest = -1 if rest[0] == "-" else 1, rest[1:]
    if rest == "0":
        return 0
    if not rest:
        raise DecodeError(f"time: invalid duration {quote(text)}")
    total = Fraction(0)
    while rest:
        match = _PART.match(rest)
        assert match is not None
        whole, _, part, unit = match.groups()
        if not whole and not part:
            raise DecodeError(f"time: invalid duration {quote(text)}")
        if not unit:
            raise DecodeError(f"time: missing unit in duration {quote(text)}")
        if unit not in _UNITS:
            raise DecodeError(f"time: unknown unit {quote(unit)} in duration {quote(text)}")
        total += Fraction(f"{whole or 0}.{part or 0}") * _UNITS[unit]
        rest = rest[match.end() :]
    return sign * int(total)


def format_duration(nanoseconds: int) -> str:
    """As Go prints it: 1h0m0s, 1.5s, 250ms."""
    if nanoseconds == 0:
        return "0s"
    sign, value = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if value < 1_000_000_000:
        name = "ns" if value < 1_000 else "µs" if value < 1_000_000 else "ms"
        return f"{sign}{_decimal(Fraction(value, _UNITS[name]))}{name}"
    seconds = Fraction(value % _UNITS["m"], _UNITS["s"])
    minutes, hours = value // _UNITS["m"] % 60, value // _UNITS["h"]
    text = f"{_decimal(seconds)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _decimal(value: Fraction) -> str:
    whole = value.numerator // value.denominator
    rest = value - whole
    return str(whole) if not rest else f"{whole}.{int(rest * 10**9):09d}".rstrip("0")


def decode(body: bytes, into: str = "map[string]interface {}") -> Any:
    """An object from JSON, or what Go's decoder would say."""
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DecodeError(_syntax(text, error.pos, error.msg)) from None
    if not isinstance(value, dict):
        raise DecodeError(f"json: cannot unmarshal {_go_kind(value)} into Go value of type {into}")
    return value


def _go_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "number"


def _syntax(text: str, at: int, message: str) -> str:
    if message.startswith("Unterminated") or at >= len(text.rstrip()):
        return "unexpected end of JSON input"
    character = text[at]
    for literal in ("true", "false", "null"):
        if character == literal[0] and message.startswith("Expecting value"):
            wrong = next((n for n, wanted in enumerate(literal) if text[at + n : at + n + 1] != wanted), None)
            if wrong is None:
                break
            if at + wrong >= len(text):
                return "unexpected end of JSON input"
            return f"invalid character '{text[at + wrong]}' in literal {literal} (expecting '{literal[wrong]}')"
    where = {
        "Expecting property name": "looking for beginning of object key string",
        "Illegal trailing comma": "looking for beginning of object key string",
        "Expecting ':'": "after object key",
        "Expecting ','": "after object key:value pair",
        "Extra data": "after top-level value",
        "Invalid control": "in string literal",
        "Invalid \\": "in string escape code",
    }
    context = next((words for start, words in where.items() if message.startswith(start)), None)
    return f"invalid character '{character}' {context or 'looking for beginning of value'}"


def label_problems(key: str, value: str) -> list[str]:
    """What Kubernetes says about a label."""
    problems = []
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return [LABEL_KEY, *_value_problems(value)]
    if slash and not _SUBDOMAIN.match(prefix):
        problems.append(f"prefix part {RFC1123_SUBDOMAIN}" if prefix else "prefix part must be non-empty")
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _NAME_PART.match(name):
        problems.append(QUALIFIED_NAME)
    return problems + _value_problems(value)


def _value_problems(value: str) -> list[str]:
    problems = ["must be no more than 63 bytes"] if len(value) > 63 else []
    return problems if _VALUE.match(value) else [*problems, LABEL_VALUE]


def is_subdomain(name: str) -> bool:
    return len(name) <= 253 and _SUBDOMAIN.match(name) is not None


def rfc1035_problems(name: str) -> list[str]:
    problems = [] if len(name) <= 63 else ["must be no more than 63 characters"]
    return problems + ([] if re.match(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z", name) else [RFC1035])


def rfc1123_label_problems(name: str) -> list[str]:
    problems = [] if len(name) <= 63 else ["must be no more than 63 characters"]
    if re.match(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z", name):
        return problems
    return [*problems, "must not contain dots" if "." in name else RFC1123_LABEL]
