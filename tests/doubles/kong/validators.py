# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validators of single values: the generic ones a schema names, and those of Kong's types, found by their description.

A validator answers None where the value is good, else the error text. Schemas come from recorded `/schemas` answers,
which carry everything but Lua functions; the description of a type tells which function Kong runs.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Optional
from urllib.parse import quote, unquote_to_bytes, urlsplit

from . import netaddr, pem
from .lua import matches, number, quoted_list, text

Validator = Callable[[Any, Any, dict], Optional[str]]

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
TAG = re.compile("^[ \x21-\x2b\x2d\x2e\x30-\x7e\x80-\U0010ffff]+\\Z")
_NAME = re.compile("^[0-9A-Za-z.\\-_~\x80-\U0010ffff]+\\Z")
_BAD_ASN1 = "error:680008E:asn1 encoding routines:asn1_d2i_read_bio:not enough data:crypto/asn1/a_d2i_fp.c:"


def _eq(value: Any, wanted: Any, _field: dict) -> str | None:
    return None if value == wanted and type(value) is type(wanted) else f"value must be {text(wanted)}"


def _ne(value: Any, unwanted: Any, _field: dict) -> str | None:
    return f"value must not be {text(value)}" if value == unwanted and value is not None else None


def _one_of(value: Any, options: list, _field: dict) -> str | None:
    return None if value in options else f"expected one of: {', '.join(text(option) for option in options)}"


def _not_one_of(value: Any, options: list, _field: dict) -> str | None:
    return f"must not be one of: {', '.join(text(option) for option in options)}" if value in options else None


def _between(value: Any, limits: list, _field: dict) -> str | None:
    if limits[0] <= value <= limits[1]:
        return None
    return f"value should be between {int(limits[0])} and {int(limits[1])}"


def _length(test: Callable[[int, int], bool], message: str) -> Validator:
    def validate(value: Any, wanted: int, _field: dict) -> str | None:
        length = len(value.encode()) if isinstance(value, str) else len(value)
        return None if test(length, wanted) else f"length must be {message}{wanted}"

    return validate


def _match_none(value: str, rules: list, _field: dict) -> str | None:
    return next((rule["err"] for rule in rules if matches(value, rule["pattern"])), None)


def _match_all(value: str, rules: list, _field: dict) -> str | None:
    return next((rule["err"] for rule in rules if not matches(value, rule["pattern"])), None)


def _match_any(value: str, rule: dict, _field: dict) -> str | None:
    return None if any(matches(value, pattern) for pattern in rule["patterns"]) else rule.get("err", "")


def _exclusive_subsets(value: list, subsets: list, _field: dict) -> str | None:
    found: list = []
    for item in value:
        subset = next((subset for subset in subsets if item in subset), None)
        if subset is not None and subset not in found:
            found.append(subset)
    return None if len(found) <= 1 else f"these sets are mutually exclusive: {quoted_list(found)}"


# In the order in which Kong runs them.
GENERIC: dict[str, Validator] = {
    "eq": _eq,
    "ne": _ne,
    "not_one_of": _not_one_of,
    "one_of": _one_of,
    "gt": lambda value, limit, _f: None if value > limit else f"value must be greater than {number(limit)}",
    "timestamp": lambda value, _a, _f: None if value > 0 else "expected a valid timestamp",
    "uuid": lambda value, _a, _f: None if UUID.match(value) else "expected a valid UUID",
    "between": _between,
    "len_eq": _length(lambda n, wanted: n == wanted, ""),
    "len_min": _length(lambda n, wanted: n >= wanted, "at least "),
    "len_max": _length(lambda n, wanted: n <= wanted, "at most "),
    "starts_with": lambda value, start, _f: None if value.startswith(start) else f"should start with: {start}",
    "not_match": lambda value, p, _f: f"invalid value: {value}" if matches(value, p) else None,
    "match_none": _match_none,
    "match": lambda value, p, _f: None if matches(value, p) else f"invalid value: {value}",
    "match_all": _match_all,
    "match_any": _match_any,
    "contains": lambda value, wanted, _f: None if wanted in value else f"expected to contain: {wanted}",
    "custom_validator": lambda value, function, _f: function(value),
    "mutually_exclusive_subsets": _exclusive_subsets,
}


def _address_problem(value: str, parsed: Any) -> str | None:
    if isinstance(parsed, str) and parsed != netaddr.INVALID_PORT:
        return f"invalid value: {value}"
    if parsed == netaddr.INVALID_PORT or parsed.port is not None:
        return "must not have a port"
    return None


def host(value: str) -> str | None:
    return _address_problem(value, netaddr.normalize(value))


def sni(value: str) -> str | None:
    parsed = netaddr.normalize(value)
    if isinstance(parsed, netaddr.Host) and parsed.type != "name":
        return "must not be an IP"
    return _address_problem(value, parsed)


def wildcard_host(value: str) -> str | None:
    at = value.find("*")
    if at < 0:
        return sni(value)
    if at not in (0, len(value) - 1):
        return "wildcard must be leftmost or rightmost character"
    if value.count("*") > 1:
        return "only one wildcard must be specified"
    return sni(value.replace("*", "wildcard"))


def host_with_port(value: str) -> str | None:
    parsed = netaddr.normalize(value)
    return parsed if isinstance(parsed, str) else None


def utf8_name(value: str) -> str | None:
    if _NAME.match(value):
        return None
    return f"invalid value '{value}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"


def tag(value: str) -> str | None:
    if TAG.match(value):
        return None
    return f"invalid tag '{value}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"


def path(value: str) -> str | None:
    if not re.match(r"^/[A-Za-z0-9.\-_~/%:@!$&'()*+,;=]*\Z", value):
        return f"invalid path: '{value}' (characters outside of the reserved list of RFC 3986 found)"
    return _percent(value)


def _percent(value: str) -> str | None:
    bad = re.search(r"%.?.?", re.sub(r"%[0-9A-Fa-f]{2}", "___", value))
    return f"invalid url-encoded value: '{bad.group()}'" if bad else None


def normalized_path(value: str) -> str:
    """Decode unreserved characters, resolve dot segments and merge slashes, as kong.tools.uri.normalize does."""

    def decode(match: re.Match[str]) -> str:
        char = chr(int(match.group(1), 16))
        return char if char.isascii() and (char.isalnum() or char in "-._~") else match.group().upper()

    decoded = re.sub(r"%([0-9A-Fa-f]{2})", decode, value)
    decoded = quote(decoded, safe="/%:@!$&'()*+,;=-._~") if not decoded.isascii() else decoded
    out: list[str] = []
    segments = re.sub(r"/+", "/", decoded).split("/")
    for position, segment in enumerate(segments):
        if segment in (".", ".."):
            if segment == ".." and len(out) > 1:
                out.pop()
            if position == len(segments) - 1:
                out.append("")
        else:
            out.append(segment)
    return "/".join(out)


def pcre(pattern: str) -> re.Pattern[str]:
    """Compile a PCRE pattern of a route; raises re.error. Python writes named groups (?P<name>...)."""
    return re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern).replace(r"\z", r"\Z"))


def router_path(value: str) -> str | None:
    if re.match(r"^/[A-Za-z0-9.\-_~/%:@!$&'()*+,;=]*\Z", value) and _percent(value):
        return _percent(value)
    if not value.startswith("~"):
        wanted = normalized_path(value)
        return None if wanted == value else f"non-normalized path, consider use '{wanted}' instead"
    try:
        pcre(value[1:])
    except re.error as error:
        problem = "missing closing parenthesis" if "missing )" in str(error) else str(error)
        rest = value[1:]
        return f"invalid regex: '{rest}' (PCRE returned: pcre2_compile() failed: {problem} in \"{rest}\")"
    return None


def route_host(value: str) -> str | None:
    return host_with_port(value.replace("*", "abc"))


def header_name(value: str) -> str | None:
    if re.match(r"^[a-zA-Z0-9\-_]+\Z", value):
        return None
    return f"bad header name '{value}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"


def url(value: str) -> str | None:
    parts = urlsplit(value)
    if not parts.netloc:
        return "missing host in url"
    return None if parts.scheme else "missing scheme in url"


def certificate(value: str) -> str | None:
    if pem.certificate(value) is not None:
        return None
    # OpenSSL takes short and longer rubbish at different lines.
    line = 155 if len(value) < 2 else 283
    return f"invalid certificate: x509.new: {_BAD_ASN1}{line}:"


def private_key(value: str) -> str | None:
    if pem.key(value) is not None:
        return None
    return f"invalid key: pkey.new:load_key: {_BAD_ASN1}{155 if len(value) < 2 else 283}:"


def ip(value: str) -> str | None:
    return None if netaddr.is_ip(value) else f"not an ip address: {value}"


def ip_or_cidr(value: str) -> str | None:
    return None if netaddr.is_ip_or_cidr(value) else f"invalid ip or cidr range: '{value}'"


# Start of a description -> the function of the type it describes.
BY_DESCRIPTION: dict[str, Callable[[Any], str | None]] = {
    "A string representing a tag.": tag,
    "A string representing a host name, such as": host,
    "A string representing a host name with an optional port": host_with_port,
    "A string representing an SNI": sni,
    "A string representing a wildcard host name": wildcard_host,
    "A unique string representing a UTF-8 encoded name.": utf8_name,
    "A string representing a URL path": path,
    "A string representing a URL, such as": url,
    "A string representing a router path": router_path,
    "A string representing an HTTP header name.": header_name,
    "A string representing an IP address or CIDR": ip_or_cidr,
    "A string representing an IP address, such as": ip,
    "A string representing a certificate.": certificate,
    "A string representing a key.": private_key,
}


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def unescape(value: str) -> str:
    return unquote_to_bytes(value).decode(errors="surrogateescape")
