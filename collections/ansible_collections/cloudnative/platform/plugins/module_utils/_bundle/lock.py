# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The lock file: every artifact, its version, its origins and what its bytes must be."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import chart
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError, sha256_bytes
from ansible_collections.cloudnative.platform.plugins.module_utils._wording import suggestion

ARCHITECTURES = ("amd64", "arm64")
ORIGINS = ("release", "source")
KINDS = ("files", "image")
HEX = re.compile(r"^[0-9a-f]{64}$")
REFERENCE = re.compile(r"^[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9._-]+)+:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")
REQUIRED = ("name", "kind", "version", "licence", "home", "ref")
SHAPES = {
    "component": {*REQUIRED, "files", "chart", "release", "source", "optional"},
    "release": {"url", "sha256", "members", "image", "digest"},
    "source": {
        "go",
        "binaries",
        "also",
        "module_files",
        "debian",
        "tree",
        "config",
        "reproducible",
        "build_packages",
        "wheel",
    },
    "wheel": {"package", "version", "platform", "members", "sha256"},
}


@dataclasses.dataclass(frozen=True)
class Component:
    """One artifact of the lock with all placeholders filled in for one architecture."""

    name: str
    kind: str
    version: str
    licence: str
    home: str
    ref: str
    files: dict[str, str]
    release: dict[str, t.Any] | None
    source: dict[str, t.Any] | None
    optional: bool
    # How the files are made of a Helm chart, where its origin is one.
    chart: dict[str, t.Any] | None = None

    def origins(self) -> list[str]:
        return [name for name in ORIGINS if getattr(self, name) is not None]

    def reproducible(self) -> bool:
        """Whether the same lock gives the same bytes at any time: not with parts of packages that mirrors drop."""
        source = self.source or {}
        return bool(source.get("reproducible", True)) and not self.debian_layers()

    def debian_layers(self) -> list[str]:
        source = self.source or {}
        layers = list(source.get("debian", ()))
        layers += [entry["layer"] for entry in source.get("tree", ()) if "layer" in entry]
        return layers

    def go_builds(self) -> list[tuple[str, dict[str, str]]]:
        """(directory of the go.mod, {file name: package}) of everything to compile."""
        source = self.source or {}
        builds = [(source["go"], dict(source["binaries"]))] if source.get("binaries") else []
        return builds + [(extra["go"], dict(extra["binaries"])) for extra in source.get("also", ())]

    def go_directories(self) -> list[str]:
        source = self.source or {}
        names = [source["go"]] if "go" in source else []
        return names + [extra["go"] for extra in source.get("also", ())]

    def expected_sha256(self) -> dict[str, str]:
        return dict((self.source or {}).get("sha256") or {})


@dataclasses.dataclass(frozen=True)
class Lock:
    text: bytes
    date: str
    architecture: str
    versions: dict[str, str]
    toolchain: dict[str, t.Any]
    go: dict[str, dict[str, t.Any]]
    debian: dict[str, t.Any]
    components: tuple[Component, ...]

    @property
    def sha256(self) -> str:
        return sha256_bytes(self.text)

    def select(self, names: list[str]) -> list[Component]:
        if names == ["all"]:
            return list(self.components)
        known = {component.name: component for component in self.components}
        unknown = sorted(set(names) - set(known))
        if unknown:
            near = "".join(suggestion(name, known) for name in unknown)
            choice = f"it has {', '.join(sorted(known))}, or 'all'"
            raise BundleError(f"components: {', '.join(unknown)}: not in the lock file{near}; {choice}")
        return [component for component in self.components if component.name in set(names)]


def _fill(value: t.Any, words: dict[str, str], where: str) -> t.Any:
    if isinstance(value, str):

        def word(match: re.Match[str]) -> str:
            if match.group(1) not in words:
                raise BundleError(f"lock: {where}: {{{match.group(1)}}} is none of {', '.join(sorted(words))}")
            return words[match.group(1)]

        return PLACEHOLDER.sub(word, value)
    if isinstance(value, dict):
        return {_fill(key, words, where): _fill(item, words, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, words, where) for item in value]
    return value


def _known(entry: dict[str, t.Any], shape: str, where: str) -> None:
    unknown = sorted(set(entry) - SHAPES[shape])
    if unknown:
        raise BundleError(f"lock: {where}: unknown key {unknown[0]}; known are {', '.join(sorted(SHAPES[shape]))}")


def _per_architecture(value: t.Any, architecture: str, where: str) -> t.Any:
    if not isinstance(value, dict) or set(value) - set(ARCHITECTURES):
        raise BundleError(f"lock: {where}: must be a mapping of {' and '.join(ARCHITECTURES)}, got {value!r}")
    return value.get(architecture)


def _sum(value: t.Any, where: str) -> str:
    # One of nothing but decimal digits is a number to YAML unless it is quoted.
    if not isinstance(value, str) or not HEX.match(value):
        raise BundleError(f"lock: {where}: {value!r} is not a SHA-256 sum in hexadecimal; is it quoted?")
    return value


def _release(entry: dict[str, t.Any], architecture: str, where: str) -> dict[str, t.Any]:
    _known(entry, "release", where)
    result = dict(entry)
    if ("url" in entry) == ("image" in entry):
        raise BundleError(f"lock: {where}: needs url (with sha256) or image (with digest)")
    if "url" in entry:
        found = _per_architecture(entry.get("sha256"), architecture, f"{where}.sha256")
        result["sha256"] = None if found is None else _sum(found, f"{where}.sha256.{architecture}")
    else:
        found = _per_architecture(entry.get("digest"), architecture, f"{where}.digest")
        if found is not None and not (str(found).startswith("sha256:") and HEX.match(str(found)[7:])):
            raise BundleError(f"lock: {where}.digest.{architecture}: {found!r} is not of the form sha256:<64 digits>")
        result["digest"] = found
    return result


def _source(entry: dict[str, t.Any], architecture: str, where: str, lock: dict[str, t.Any]) -> dict[str, t.Any]:
    """The source of a component with its packages and expected sums, which the lock's go section has."""
    _known(entry, "source", where)
    result = dict(entry)
    sums: dict[str, str] = {}

    def packages(part: dict[str, t.Any]) -> dict[str, str]:
        name = part.get("go")
        if name not in lock["go"]:
            raise BundleError(f"lock: {where}.go: {name!r} is none of {', '.join(sorted(lock['go']))}")
        module = lock["go"][name]
        known = _per_architecture(module.get("sha256") or {}, architecture, f"go.{name}.sha256") or {}
        unknown = sorted(set(part.get("binaries", ())) - set(module.get("binaries", {})))
        if unknown:
            raise BundleError(f"lock: {where}.binaries: {unknown[0]} is none of go.{name}.binaries")
        wanted = [*part.get("binaries", ()), *part.get("module_files", {})]
        sums.update({key: _sum(known[key], f"go.{name}.sha256.{architecture}.{key}") for key in wanted if key in known})
        return {key: module["binaries"][key] for key in part.get("binaries", ())}

    if "go" in entry:
        result["binaries"] = packages(entry)
    if "also" in entry:
        result["also"] = [{"go": part.get("go"), "binaries": packages(part)} for part in entry["also"]]
    result["sha256"] = sums
    if "wheel" in entry:
        _known(entry["wheel"], "wheel", f"{where}.wheel")
        found = _per_architecture(entry["wheel"].get("sha256"), architecture, f"{where}.wheel.sha256")
        known = None if found is None else _sum(found, f"{where}.wheel.sha256.{architecture}")
        result["wheel"] = {**entry["wheel"], "sha256": known}
    for name in entry.get("debian", ()):
        if name not in lock["debian"]["layers"]:
            raise BundleError(f"lock: {where}.debian: {name!r} is none of {', '.join(lock['debian']['layers'])}")
    return result


def _component(raw: t.Any, index: int, lock: dict[str, t.Any], architecture: str) -> Component:
    where = f"components[{index}]"
    if not isinstance(raw, dict):
        raise BundleError(f"lock: {where}: must be a mapping, got {raw!r}")
    where += f" ({raw.get('name', 'without a name')})"
    _known(raw, "component", where)
    for key in REQUIRED:
        if not isinstance(raw.get(key), str) or not raw[key]:
            raise BundleError(f"lock: {where}: {key} is missing or no text: {raw.get(key)!r}")
    words = {**lock["versions"], "arch": architecture}
    words["version"] = _fill(raw["version"], words, where)
    entry = _fill(raw, words, where)
    if entry["kind"] not in KINDS:
        raise BundleError(f"lock: {where}: kind {entry['kind']!r} is none of {', '.join(KINDS)}")
    if not REFERENCE.match(entry["ref"]):
        raise BundleError(f"lock: {where}: ref {entry['ref']!r} is not of the form host/path:tag")
    if (entry["kind"] == "files") != bool(entry.get("files")):
        raise BundleError(f"lock: {where}: files names what a component of kind files holds, and belongs to no other")
    if "chart" in entry:
        trouble = chart.problem(entry["chart"], entry.get("files") or {})
        if trouble:
            raise BundleError(f"lock: {where}.chart: {trouble}")
    if "release" not in entry and "source" not in entry:
        raise BundleError(f"lock: {where}: has no origin; it needs release or source")
    return Component(
        name=entry["name"],
        kind=entry["kind"],
        version=entry["version"],
        licence=entry["licence"],
        home=entry["home"],
        ref=entry["ref"],
        files=dict(entry.get("files") or {}),
        release=_release(entry["release"], architecture, f"{where}.release") if "release" in entry else None,
        source=_source(entry["source"], architecture, f"{where}.source", lock) if "source" in entry else None,
        optional=bool(entry.get("optional", False)),
        chart=entry.get("chart"),
    )


def parse(data: t.Any, text: bytes, architecture: str) -> Lock:
    """The lock for one architecture; `data` is the parsed YAML, `text` the bytes it came from."""
    if architecture not in ARCHITECTURES:
        raise BundleError(f"platform: linux/{architecture} is none of linux/{', linux/'.join(ARCHITECTURES)}")
    if not isinstance(data, dict) or data.get("format") != 1:
        raise BundleError("lock: format must be 1; this file was made for another version of the collection")
    for key in ("date", "versions", "toolchain", "go", "debian", "components"):
        if key not in data:
            raise BundleError(f"lock: {key} is missing")
    versions = {str(key): str(value) for key, value in data["versions"].items()}
    words = {**versions, "arch": architecture}
    lock = {
        "versions": versions,
        "go": _fill(data["go"], words, "go"),
        "debian": _fill(data["debian"], words, "debian"),
    }
    toolchain = _fill(data["toolchain"], words, "toolchain")
    components = [_component(raw, index, lock, architecture) for index, raw in enumerate(data["components"])]
    for attribute in ("name", "ref"):
        seen: set[str] = set()
        for component in components:
            value = getattr(component, attribute)
            if value in seen:
                raise BundleError(f"lock: two components have the {attribute} {value}")
            seen.add(value)
    return Lock(
        text=text,
        date=str(data["date"]),
        architecture=architecture,
        versions=versions,
        toolchain=toolchain,
        go=lock["go"],
        debian=lock["debian"],
        components=tuple(components),
    )
