# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Decisions about certificates. Pure: nothing here reads a file, runs a command or asks for the time."""

from __future__ import annotations

import ipaddress
import re
import ssl
import typing as t
from dataclasses import dataclass

DAY = 86400
USAGES = {"server": "serverAuth", "client": "clientAuth"}

_HOST_NAME = re.compile(r"^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*$")
_COMMON_NAME = re.compile(r"^[A-Za-z0-9 ._-]{1,64}$")


class CertificateError(Exception):
    """A certificate, a key or a name can't be used; the message names it and the remedy."""


@dataclass(frozen=True)
class Certificate:
    """What is known of an X.509 certificate. Times are seconds since 1970."""

    subject: str
    issuer: str
    not_before: int
    not_after: int
    names: frozenset[str]
    authority: bool
    public_key: str
    fingerprint: str


def parse_certificate(text: str) -> Certificate:
    """Reads what `openssl x509 -noout` prints for the fields of Certificate."""
    fields = dict(re.findall(r"^(subject|issuer|notBefore|notAfter)=\s*(.*)$", text, re.M))
    fingerprint = re.search(r"^sha256 Fingerprint=(.*)$", text, re.M | re.I)
    key = re.search(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", text, re.S)
    if len(fields) != 4 or not fingerprint or not key:
        raise CertificateError(f"openssl described a certificate in an unknown way: {text[:200]!r}")
    names = re.search(r"Subject Alternative Name:[^\n]*\n\s*(.*)$", text, re.M)
    constraints = re.search(r"Basic Constraints:[^\n]*\n\s*(.*)$", text, re.M)
    return Certificate(
        subject=fields["subject"],
        issuer=fields["issuer"],
        not_before=ssl.cert_time_to_seconds(fields["notBefore"]),
        not_after=ssl.cert_time_to_seconds(fields["notAfter"]),
        names=frozenset(_parse_names(names.group(1) if names else "")),
        authority=bool(constraints and "CA:TRUE" in constraints.group(1)),
        public_key=key.group(0),
        fingerprint=fingerprint.group(1).strip(),
    )


def _parse_names(text: str) -> t.Iterator[str]:
    for item in text.split(","):
        kind, colon, value = item.strip().partition(":")
        if colon and kind in ("DNS", "IP Address"):
            yield normal_name(value)


def normal_name(name: str) -> str:
    """One spelling for a host name or an address, so that they can be compared."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.strip().lower()


def checked_names(names: t.Iterable[str], owner: str) -> list[str]:
    """Names of a certificate in order, without doubles; raises for one that is neither a host name nor an address."""
    result: list[str] = []
    for name in names:
        normal = normal_name(name)
        if not _is_address(normal) and not _HOST_NAME.match(normal):
            raise CertificateError(f"{name!r} is neither a host name nor an address; it was meant for {owner}")
        if normal not in result:
            result.append(normal)
    if not result:
        raise CertificateError(f"{owner} needs at least one host name or address")
    return result


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def renewal_reason(
    current: Certificate | None,
    names: t.Collection[str],
    public_key: str,
    signed: bool,
    authority: Certificate,
    now: int,
    renew_before_days: int,
) -> str | None:
    """Why a certificate has to be issued, None when the current one will do.

    `signed` tells whether the authority's signature on the current one is good.
    """
    if current is None:
        return "there is no certificate yet"
    if current.public_key != public_key:
        return "it belongs to another key"
    if not signed or current.issuer != authority.subject:
        return "it was signed by another authority"
    if current.names != frozenset(names):
        added = sorted(frozenset(names) - current.names)
        removed = sorted(current.names - frozenset(names))
        changes = [f"{', '.join(added)} added"] if added else []
        changes += [f"{', '.join(removed)} removed"] if removed else []
        return f"its names change: {', '.join(changes)}"
    left = days_left(current, now)
    # One that ends with its authority can't be made to last longer by issuing it again.
    if left < renew_before_days and current.not_after < authority.not_after - DAY:
        return "it has expired" if current.not_after <= now else f"it expires in {left} days"
    return None


def authority_fault(certificate: Certificate, public_key: str | None, now: int) -> tuple[str, str] | None:
    """Why a certificate authority can't sign, and what to do; None when it can.

    A public key of None is one that isn't known; then the pair isn't compared.
    """
    if not certificate.authority:
        return "is not a certificate authority", "it lacks basicConstraints CA:TRUE"
    if public_key is not None and certificate.public_key != public_key:
        return "does not belong to the private key", "give the pair that belongs together"
    if certificate.not_after <= now:
        return f"expired {(now - certificate.not_after) // DAY} days ago", "replace it"
    if certificate.not_before > now:
        return "is not valid yet", "is the clock of this host right?"
    return None


def authority_problem(certificate: Certificate, public_key: str, now: int, origin: str) -> str | None:
    """The same as a sentence."""
    fault = authority_fault(certificate, public_key, now)
    return f"{origin} ({certificate.subject}) {fault[0]}: {fault[1]}" if fault else None


def days_left(certificate: Certificate, now: int) -> int:
    return (certificate.not_after - now) // DAY


def lifetime_days(days: int, authority: Certificate, now: int) -> int:
    """A certificate never outlives its authority."""
    return max(1, min(days, days_left(authority, now)))


def subject_config(common_name: str) -> str:
    """Configuration of `openssl req`; the name goes through it, not through a command line."""
    if not _COMMON_NAME.match(common_name):
        raise CertificateError(f"common name {common_name!r} must be 1 to 64 letters, digits, spaces or . _ -")
    return (
        "[req]\nprompt = no\ndistinguished_name = subject\nstring_mask = utf8only\n"
        f"[subject]\nCN = {common_name}\n"
        "[authority]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n"
        "subjectKeyIdentifier = hash\n"
    )


def leaf_extensions(names: t.Sequence[str], usages: t.Sequence[str]) -> str:
    alternatives = ", ".join(("IP:" if _is_address(name) else "DNS:") + name for name in names)
    return (
        "basicConstraints = critical, CA:FALSE\n"
        "keyUsage = critical, digitalSignature\n"
        f"extendedKeyUsage = {', '.join(USAGES[usage] for usage in usages)}\n"
        "subjectKeyIdentifier = hash\n"
        "authorityKeyIdentifier = keyid, issuer\n"
        f"subjectAltName = {alternatives}\n"
    )
