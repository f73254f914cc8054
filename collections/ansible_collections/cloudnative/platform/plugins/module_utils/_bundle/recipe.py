# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""How a component comes from one of its origins: the content, and the record of what went into it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tarfile
import tempfile
import threading
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import chart, debian, oci, spdx, wheel
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import (
    BundleError,
    DigestMismatch,
    canonical,
    read_json,
    sha256_bytes,
    sha256_file,
    write_atomic,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.golang import Go
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.lock import Component, Lock
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.process import run
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.release import Releases, Unavailable, discard

# Raised by whoever changes how content is made, so that caches made the old way are not taken for new ones.
RECIPE = 1


@dataclasses.dataclass
class Made:
    """What a component consists of. `sums` are those of the files that the lock names a sha256 for."""

    origin: str
    content: list[oci.Descriptor]
    files: list[dict[str, t.Any]]
    sums: dict[str, str]
    debian_packages: list[dict[str, str]]
    modules: list[dict[str, str]]
    url: str = ""
    upstream_digest: str = ""

    def record(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)


class Kitchen:
    """Everything a recipe needs: the lock, the cache, the compiler, Debian, the publishers."""

    def __init__(
        self, lock: Lock, cache: str, go: Go, releases: Releases, suite: debian.Debian, allow_unknown: bool
    ) -> None:
        self.lock = lock
        self.cache = cache
        self.go = go
        self.releases = releases
        self.suite = suite
        self.allow_unknown = allow_unknown
        self.blobs = oci.Blobs(os.path.join(cache, "blobs", "sha256"))
        self._debian_mutex = threading.Lock()
        # Gives the path of a program that is a component itself; the builder has its own, which makes it if need be.
        self.tool: t.Callable[[str], str] = self._no_tool

    @staticmethod
    def _no_tool(name: str) -> str:
        raise BundleError(f"{name} is needed to render a chart, and nothing here makes it")

    def log(self, component: Component) -> str:
        return os.path.join(self.cache, "logs", f"{component.name}.log")

    def labels(self, component: Component) -> dict[str, str]:
        return {oci.VERSION: component.version, oci.LICENCES: component.licence}

    # -- identity -----------------------------------------------------------------------------------------------

    def key(self, component: Component, origin: str) -> str:
        """Equal keys mean equal content, but for parts of Debian packages, which the record names."""
        entry = dataclasses.asdict(component)
        wanted = dict(entry[origin])
        # The expected sums don't decide what comes out; they are compared with it each time.
        wanted.pop("sha256", None)
        wanted.pop("digest", None)
        parts: dict[str, t.Any] = {
            "recipe": RECIPE,
            "architecture": self.lock.architecture,
            "origin": origin,
            "entry": {
                key: value
                for key, value in entry.items()
                if key not in ("release", "source", "optional", "chart") or (key == "chart" and value)
            },
            "spec": wanted,
        }
        if origin == "source":
            parts["go"] = {name: self.go.key(name) for name in sorted(set(component.go_directories()))}
            parts["debian"] = {name: self.layer_spec(name) for name in sorted(set(component.debian_layers()))}
        if component.chart:
            parts["helm"] = self.lock.select(["helm"])[0].version
        return sha256_bytes(canonical(parts))

    def layer_spec(self, name: str) -> dict[str, t.Any]:
        layers = self.lock.debian["layers"]
        spec = {key: value for key, value in layers[name].items() if key != "disk_mb"}
        if "above" in spec:
            spec["above"] = {spec["above"]: self.layer_spec(spec["above"])}
        return {**spec, "suite": self.lock.debian["suite"]}

    # -- origins ------------------------------------------------------------------------------------------------

    def refusal(self, component: Component, origin: str) -> str:
        """Why an origin can't be used for a component; empty when it can."""
        spec = getattr(component, origin)
        where = f"linux/{self.lock.architecture}"
        if spec is None:
            return f"the lock has no origin {origin} for it"
        if self.allow_unknown:
            return ""
        if origin == "release":
            known = spec.get("sha256") if "url" in spec else spec.get("digest")
            if known is None:
                return f"the lock has no digest of the release for {where}, and unknown digests are not allowed"
        elif "wheel" in spec and spec["wheel"]["sha256"] is None:
            return f"the lock has no sha256 of the wheel for {where}, and unknown digests are not allowed"
        else:
            missing = sorted(set(self._pinned_names(component)) - set(component.expected_sha256()))
            if missing:
                return (
                    f"the lock has no source sha256 of {', '.join(missing)} for {where}, and unknown digests are "
                    "not allowed"
                )
        return ""

    def _pinned_names(self, component: Component) -> list[str]:
        source = component.source or {}
        if not source.get("reproducible", True):
            return []
        names = [name for _directory, binaries in component.go_builds() for name in binaries]
        return names + list(source.get("module_files", {}))

    def check(self, component: Component, made: dict[str, t.Any]) -> None:
        """Compare sums with the lock's, for fresh and for cached content alike."""
        expected: dict[str, str | None] = {}
        if made["origin"] == "release":
            release = component.release or {}
            expected = {"release": release.get("sha256") if "url" in release else release.get("digest")}
        elif (component.source or {}).get("reproducible", True):
            expected = dict(component.expected_sha256())
        for name, found in made["sums"].items():
            wanted = expected.get(name)
            if wanted is not None and found != wanted:
                raise DigestMismatch(
                    f"{component.name}: {name} from {made['origin']} has {found}, the lock says {wanted}: refused"
                )

    def learned(self, component: Component, made: dict[str, t.Any]) -> dict[str, str]:
        """Sums that the lock doesn't have yet."""
        if made["origin"] == "release":
            release = component.release or {}
            known = release.get("sha256") if "url" in release else release.get("digest")
            return {} if known is not None else dict(made["sums"])
        pinned = set(self._pinned_names(component)) - set(component.expected_sha256())
        return {name: found for name, found in made["sums"].items() if name in pinned}

    def make(self, component: Component, origin: str) -> Made:
        discard(self.log(component))
        return self._from_release(component) if origin == "release" else self._from_source(component)

    def _from_release(self, component: Component) -> Made:
        release = component.release or {}
        if "image" in release:
            content, top = self.releases.image(release["image"], release["digest"], self.lock.architecture, self.blobs)
            return Made("release", content, [], {"release": top}, [], [], release["image"], top)
        url = release["url"]
        target = os.path.join(self.cache, "downloads", f"{component.name}-{sha256_bytes(url.encode())[:16]}")
        found = self.releases.file(url, release["sha256"], target)
        with tempfile.TemporaryDirectory(dir=self._work()) as work:
            if component.chart:
                paths = self._rendered(component, chart.unpack(target, os.path.join(work, "chart"), url), work)
            elif "members" in release:
                paths = extract(target, release["members"], work, url)
            else:
                paths = {next(iter(component.files)): target}
            content, files = self._file_artifact(component, paths)
        discard(target)
        return Made("release", content, files, {"release": found}, [], [], url)

    def _from_source(self, component: Component) -> Made:
        source = component.source or {}
        with tempfile.TemporaryDirectory(dir=self._work()) as work:
            paths: dict[str, str] = {}
            modules: dict[str, dict[str, str]] = {}
            for directory, binaries in component.go_builds():
                for name, package in binaries.items():
                    paths[name] = os.path.join(work, name)
                    self.go.build(directory, package, paths[name], self.log(component))
                    for module in self.go.modules_of(paths[name], self.log(component)):
                        licence = spdx.licence_of_module(self.go.module_cache, module["path"], module["version"])
                        modules[f"{module['path']}@{module['version']}"] = {**module, "licence": licence}
            for name, member in source.get("module_files", {}).items():
                # Copied, because the blob may become a link to it and the module cache isn't ours alone.
                paths[name] = os.path.join(work, name)
                shutil.copyfile(os.path.join(self._module(component), member), paths[name])
            if "wheel" in source:
                paths |= wheel.files(source["wheel"], self.lock.architecture, work, self.log(component))
            sums = {name: sha256_file(path) for name, path in paths.items()}
            if component.chart:
                paths = self._rendered(component, self._chart_of_tree(source.get("tree", ()), work), work)
            if component.kind == "files":
                content, files = self._file_artifact(component, paths)
                packages: list[dict[str, str]] = []
            else:
                content, packages = self._image(component, paths)
                files = []
        origin = "debian" if packages and not component.go_directories() else "source"
        packages += self._build_packages(source.get("build_packages", []))
        return Made(origin, content, files, sums, packages, [modules[key] for key in sorted(modules)])

    def _rendered(self, component: Component, place: str, work: str) -> dict[str, str]:
        # A copy, because blobs are not to be run. Not written here: a program that another thread starts meanwhile
        # would have it open for a moment, and until then the kernel runs no file that somebody may write to.
        helm = os.path.join(work, "helm")
        run(["install", "-m", "0755", self.tool("helm"), helm], self.log(component))
        return chart.render(helm, place, component.chart or {}, work, self.log(component))

    @staticmethod
    def _chart_of_tree(tree: t.Iterable[dict[str, t.Any]], work: str) -> str:
        """A chart that stands in the lock itself, file by file."""
        place = os.path.join(work, "chart")
        for entry in tree:
            path = os.path.join(place, entry["path"])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as target:
                target.write(entry["content"])
        return place

    def _build_packages(self, names: list[str]) -> list[dict[str, str]]:
        """Versions of the packages whose code is linked into what the C compiler makes."""
        linked = [name for name in names if name.startswith("lib")]
        return debian.installed_versions(linked)

    def _work(self) -> str:
        path = os.path.join(self.cache, "tmp")
        os.makedirs(path, exist_ok=True)
        return path

    def _module(self, component: Component) -> str:
        return self.go.module_directory((component.source or {})["go"], self.log(component))

    def _file_artifact(
        self, component: Component, paths: dict[str, str]
    ) -> tuple[list[oci.Descriptor], list[dict[str, t.Any]]]:
        entries = [(name, mode, paths[name]) for name, mode in sorted(component.files.items())]
        content = oci.file_artifact(self.blobs, list(entries), self.labels(component))
        files = [
            {"name": name, "sha256": sha256_file(path), "size": os.path.getsize(path), "mode": mode}
            for name, mode, path in entries
        ]
        return content, files

    # -- images -------------------------------------------------------------------------------------------------

    def _image(self, component: Component, paths: dict[str, str]) -> tuple[list[oci.Descriptor], list[dict[str, str]]]:
        source = component.source or {}
        layers: list[oci.Descriptor] = []
        packages: list[dict[str, str]] = []
        for name in source.get("debian", ()):
            record = self.debian_layer(name)
            layers.append(record["descriptor"])
            packages += record["packages"]
        tree = oci.Tree()
        for entry in source.get("tree", ()):
            packages += self._grow(tree, entry, component, paths, merged=bool(layers))
        layers.append(tree.write(self.blobs))
        config = source.get("config", {})
        content = oci.image(self.blobs, layers, config, self.lock.architecture, self.labels(component))
        return content, packages

    def _grow(
        self, tree: oci.Tree, entry: dict[str, t.Any], component: Component, paths: dict[str, str], merged: bool
    ) -> list[dict[str, str]]:
        """Add one entry of a recipe to a layer; returns the Debian packages it came from."""
        path = entry["path"]
        if merged and debian.merged_path(path) != path.rstrip("/"):
            raise BundleError(f"{component.name}: {path} goes through a link of the layer below: write /usr{path}")
        mode = int(entry["mode"], 8) if "mode" in entry else None
        uid = int(entry.get("uid", 0))
        if "binary" in entry:
            tree.add(path, oci.Node("file", mode or 0o755, source=paths[entry["binary"]], uid=uid))
        elif "content" in entry:
            tree.add(path, oci.Node("file", mode or 0o644, data=entry["content"].encode(), uid=uid))
        elif "hardlink" in entry:
            tree.add(path, oci.Node("hardlink", target=entry["hardlink"]))
        elif "module" in entry:
            self._grow_module(tree, path, os.path.join(self._module(component), entry["module"]), mode or 0o644)
        elif "package_file" in entry:
            with self._debian_mutex:
                layer = self.lock.debian["layers"][entry["layer"]]
                found, packages = self.suite.file(list(layer["packages"]), entry["package_file"])
            tree.add(path, oci.Node("file", mode or 0o755, data=found.data, uid=uid))
            return packages
        elif path.endswith("/"):
            tree.add(path, oci.Node("directory", mode or 0o755, uid=uid))
        else:
            raise BundleError(f"{component.name}: nothing says what {path} holds")
        return []

    def _grow_module(self, tree: oci.Tree, path: str, source: str, mode: int) -> None:
        if os.path.isfile(source):
            tree.add(path, oci.Node("file", mode, source=source))
            return
        if not os.path.isdir(source):
            raise BundleError(f"{source}: not in the module; correct the lock's entry for {path}")
        for base, _directories, names in os.walk(source):
            for name in names:
                full = os.path.join(base, name)
                tree.add(os.path.join(path, os.path.relpath(full, source)), oci.Node("file", mode, source=full))

    def debian_layer(self, name: str) -> dict[str, t.Any]:
        """Descriptor, packages and paths of a layer: made once, then shared by all images that lie on it."""
        path = os.path.join(self.cache, "layers", sha256_bytes(canonical(self._layer_key(name))) + ".json")
        with self._debian_mutex:
            return self._debian_layer(name, path)

    def _layer_key(self, name: str) -> dict[str, t.Any]:
        return {"recipe": RECIPE, "architecture": self.lock.architecture, "layer": self.layer_spec(name)}

    def _debian_layer(self, name: str, path: str) -> dict[str, t.Any]:
        record = read_json(path)
        if record and self.blobs.sound(record["descriptor"]["digest"], record["descriptor"]["size"]):
            return record
        spec = self.lock.debian["layers"][name]
        below: list[str] = []
        if "above" in spec:
            lower = os.path.join(
                self.cache, "layers", sha256_bytes(canonical(self._layer_key(spec["above"]))) + ".json"
            )
            below = self._debian_layer(spec["above"], lower)["paths"]
        selection = self.suite.layer(spec, below)
        descriptor = debian.tree_of(selection, base=not below).write(self.blobs)
        record = {"descriptor": descriptor, "packages": selection.packages, "paths": sorted(selection.files)}
        write_atomic(path, canonical(record))
        return record


def extract(archive: str, members: dict[str, str], directory: str, url: str) -> dict[str, str]:
    """Take the named members of a tar archive; returns {name: path}."""
    paths: dict[str, str] = {}
    try:
        with tarfile.open(archive) as tar:
            for name, member in members.items():
                stream = None
                for candidate in (member, f"./{member}"):
                    try:
                        stream = tar.extractfile(candidate)
                        break
                    except KeyError:
                        continue
                if stream is None:
                    raise Unavailable(f"{url}: has no file {member}")
                paths[name] = os.path.join(directory, name)
                with open(paths[name], "wb") as target:
                    oci.copy_stream(stream, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Unavailable(f"{url}: is no readable tar archive: {error}") from error
    return paths
