# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The kinds of entities that a Kong Gateway has: paths, keys, references, levels. Pure.

A `Kind` says everything about a kind that the rest of the package asks for, so that no other file names one where a
column of this table does.
"""

from __future__ import annotations

import typing as t

Raw = dict[str, t.Any]


class KongError(Exception):
    """Anything this package reports to a user; str() is the whole text."""


class Problems(KongError):
    """All that is wrong with the input or the plan, found before anything was written."""

    def __init__(self, problems: t.Iterable[str]) -> None:
        self.problems = list(dict.fromkeys(problems))
        super().__init__("; ".join(self.problems))


class Kind:
    """One kind of entity, as a declarative document and the Admin API have it."""

    def __init__(
        self,
        name: str,
        path: str,
        level: int,
        keys: tuple[tuple[str, ...], ...],
        foreign: dict[str, str] | None = None,
        nested: tuple[str, ...] = (),
        cascade: tuple[str, ...] = (),
        secrets: tuple[str, ...] = (),
        generated: tuple[str, ...] = (),
        plugin: str | None = None,
    ) -> None:
        #: name in a document, in `/schemas` and in error messages
        self.name = name
        #: path of the collection; targets have none of their own
        self.path = path
        #: what is created first has the lowest level, and is deleted last
        self.level = level
        #: what can't be there twice; the first that an entity has all fields of is its name
        self.keys = keys
        #: fields that hold a reference, and the kind they point to
        self.foreign = foreign or {}
        #: kinds that can stand inside of this one in a document
        self.nested = nested
        #: references whose end takes this entity with it
        self.cascade = cascade
        self.secrets = secrets
        #: fields that Kong makes up when they are left out, and makes up anew when a PUT leaves them out
        self.generated = generated
        #: a credential is there only when the plugin is installed that knows it
        self.plugin = plugin

    def __repr__(self) -> str:
        return f"<{self.name}>"


_CONSUMER = {"consumer": "consumers"}
CREDENTIALS = (
    "keyauth_credentials",
    "basicauth_credentials",
    "hmacauth_credentials",
    "jwt_secrets",
    "acls",
    "oauth2_credentials",
)


def _credential(name: str, path: str, plugin: str, keys: tuple[tuple[str, ...], ...], **more: t.Any) -> Kind:
    return Kind(name, path, 2, keys, foreign=_CONSUMER, cascade=("consumer",), plugin=plugin, **more)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("certificates", "certificates", 1, (), nested=("snis",), secrets=("key", "key_alt")),
        Kind("ca_certificates", "ca_certificates", 1, (("cert",),)),
        Kind("consumers", "consumers", 1, (("username",), ("custom_id",)), nested=(*CREDENTIALS, "plugins")),
        Kind("vaults", "vaults", 1, (("prefix",),)),
        Kind("key_sets", "key-sets", 1, (("name",),), nested=("keys",)),
        Kind("snis", "snis", 2, (("name",),), foreign={"certificate": "certificates"}, cascade=("certificate",)),
        Kind(
            "services",
            "services",
            2,
            (("name",),),
            foreign={"client_certificate": "certificates"},
            nested=("routes", "plugins"),
        ),
        Kind(
            "upstreams",
            "upstreams",
            2,
            (("name",),),
            foreign={"client_certificate": "certificates"},
            nested=("targets",),
        ),
        Kind(
            "keys",
            "keys",
            2,
            (("name",), ("kid", "set")),
            foreign={"set": "key_sets"},
            cascade=("set",),
            secrets=("jwk", "pem"),
        ),
        _credential("keyauth_credentials", "key-auths", "key-auth", (("key",),), secrets=("key",), generated=("key",)),
        _credential("basicauth_credentials", "basic-auths", "basic-auth", (("username",),), secrets=("password",)),
        _credential(
            "hmacauth_credentials",
            "hmac-auths",
            "hmac-auth",
            (("username",),),
            secrets=("secret",),
            generated=("secret",),
        ),
        _credential("jwt_secrets", "jwts", "jwt", (("key",),), secrets=("secret",), generated=("key", "secret")),
        _credential("acls", "acls", "acl", (("consumer", "group"),)),
        _credential(
            "oauth2_credentials",
            "oauth2",
            "oauth2",
            (("client_id",),),
            secrets=("client_secret",),
            generated=("client_id", "client_secret"),
        ),
        Kind("routes", "routes", 3, (("name",),), foreign={"service": "services"}, nested=("plugins",)),
        Kind(
            "targets",
            "",
            3,
            (("upstream", "target"),),
            foreign={"upstream": "upstreams"},
            cascade=("upstream",),
        ),
        Kind(
            "plugins",
            "plugins",
            4,
            (("name", "service", "route", "consumer"), ("instance_name",)),
            foreign={"service": "services", "route": "routes", "consumer": "consumers"},
            cascade=("service", "route", "consumer"),
        ),
    )
}

# The reference that a nested entity has to what it stands in, where it is not the singular of the outer kind.
_SINGULAR = {"certificates": "certificate", "key_sets": "set"}

#: Kinds of other editions and of what is off by default, which people do write into documents.
ELSEWHERE = {
    "consumer_groups": "consumer groups are an Enterprise feature, which Kong Gateway OSS does not have",
    "consumer_group_plugins": "consumer groups are an Enterprise feature, which Kong Gateway OSS does not have",
    "filter_chains": "filter chains need WASM, which is off in Kong Gateway OSS",
    "partials": "partials are an Enterprise feature, which Kong Gateway OSS does not have",
    "licenses": "licences are an Enterprise feature, which Kong Gateway OSS does not have",
    "rbac_roles": "RBAC is an Enterprise feature, which Kong Gateway OSS does not have",
    "mtls_auth_credentials": "mtls-auth is an Enterprise plugin, which Kong Gateway OSS does not have",
}

#: What an update can hand over to another entity first, by setting it to null.
RELEASABLE = {
    ("services", "name"),
    ("routes", "name"),
    ("consumers", "username"),
    ("consumers", "custom_id"),
    ("plugins", "instance_name"),
    ("keys", "name"),
    ("key_sets", "name"),
}

#: The plural of each label is the name of the kind, but for these.
_LABELS = {
    "keyauth_credentials": "key-auth credential",
    "basicauth_credentials": "basic-auth credential",
    "hmacauth_credentials": "hmac-auth credential",
    "oauth2_credentials": "oauth2 credential",
    "jwt_secrets": "jwt credential",
    "acls": "acl group",
    "ca_certificates": "CA certificate",
    "certificates": "certificate",
    "snis": "SNI",
    "key_sets": "key set",
}


def reference_of(outer: str) -> str:
    """The field by which an entity refers to an entity of the kind `outer` that it stands in."""
    return _SINGULAR.get(outer, outer[:-1])


def singular(kind: str) -> str:
    return _LABELS.get(kind, kind[:-1])


def by_level(reverse: bool = False) -> list[Kind]:
    return sorted(KINDS.values(), key=lambda kind: kind.level, reverse=reverse)


def name_of(kind: str, fields: t.Mapping[str, t.Any], names: t.Callable[[str, t.Any], str] | None = None) -> str:
    """What a person calls an entity. Never a secret: the key of a key-auth credential is one."""

    def of(field: str) -> str:
        value = fields.get(field)
        if isinstance(value, dict):
            value = value.get("id") or next(iter(value.values()), None)
        return names(KINDS[kind].foreign[field], value) if names and value else str(value)

    if kind == "targets":
        return f"{fields.get('target')} of upstream {of('upstream')}"
    if kind in CREDENTIALS:
        own = {"acls": "group", "oauth2_credentials": "client_id", "jwt_secrets": "key"}.get(kind, "username")
        own = "" if kind == "keyauth_credentials" else str(fields.get(own) or "")
        own = own or (str(fields.get("id") or "") if kind != "acls" else "")
        return f"{own} of consumer {of('consumer')}".strip()
    if kind == "routes" and not fields.get("name"):
        for field in ("paths", "hosts", "methods", "snis"):
            if isinstance(fields.get(field), list) and fields[field]:
                return f"{fields[field][0]} of service {of('service')}"
    if kind == "plugins":
        scopes = [f"{field} {of(field)}" for field in ("service", "route", "consumer") if fields.get(field)]
        return f"{fields.get('name')} {'of ' + ', '.join(scopes) if scopes else '(global)'}"
    for key in KINDS[kind].keys:
        if key[0] != "cert" and fields.get(key[0]):
            return str(fields[key[0]])
    return str(fields.get("id") or "without a name")
