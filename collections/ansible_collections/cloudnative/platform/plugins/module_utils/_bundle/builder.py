# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""From the lock to a bundle: what is missing, where it comes from, make it, put it together."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import fcntl
import os
import shutil
import threading
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import layout, oci, spdx
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import (
    BundleError,
    DigestMismatch,
    canonical,
    clock,
    human,
    read_json,
    sha256_bytes,
    write_atomic,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.lock import HEX, ORIGINS, Component
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.progress import Progress
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.recipe import Kitchen

Record = dict[str, t.Any]
# A component's share of the disk beside the caches of its origin: its content in the cache, doubled while it is made.
COMPONENT_MB = 200
SPARE_MB = 300


@dataclasses.dataclass
class Step:
    """What has to be done for one component."""

    component: Component
    record: Record | None  # what the cache has
    origins: list[str]  # what will be tried, in this order
    reasons: list[str]  # why other origins won't

    def sentence(self) -> str:
        return f"{self.component.name} {self.component.version}: from {', then '.join(self.origins)}"


def size_of(record: Record) -> int:
    return sum({entry["digest"]: entry["size"] for entry in record["content"]}.values())


class Builder:
    def __init__(
        self,
        kitchen: Kitchen,
        components: list[Component],
        origins: list[str],
        download_jobs: int,
        build_jobs: int,
        refresh: t.Sequence[str] = (),
    ) -> None:
        self.kitchen = kitchen
        self.components = components
        self.allowed = origins
        self.download_jobs = download_jobs
        self.build_jobs = build_jobs
        self.refresh = refresh
        self.directory = os.path.join(kitchen.cache, "components")
        self.report_path = os.path.join(kitchen.cache, "build_report.json")
        self._report_mutex = threading.Lock()
        self._tool_mutex = threading.Lock()
        self._tools: dict[str, Record] = {}
        kitchen.tool = self.tool

    # -- plan ---------------------------------------------------------------------------------------------------

    def plan(self) -> tuple[list[Step], list[dict[str, str]]]:
        """Steps for what can be had, and what can't be had with the reason."""
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            steps = list(pool.map(self._step, self.components))
        possible, impossible, problems = [], [], []
        for step in steps:
            if step.record or step.origins:
                possible.append(step)
            elif step.component.optional:
                impossible.append({"name": step.component.name, "reason": self._why_not(step.component)})
            else:
                problems.append(f"{step.component.name}: {'; '.join(step.reasons)}")
        if problems:
            raise BundleError("no origin can be used for\n  " + "\n  ".join(problems))
        return possible, impossible

    def _why_not(self, component: Component) -> str:
        """The reason in words that don't depend on the order of origins: it is part of bundle.json."""
        return "; ".join(
            f"{origin}: {self.kitchen.refusal(component, origin) or 'not among the origins'}" for origin in ORIGINS
        )

    def _step(self, component: Component) -> Step:
        reasons: list[str] = []
        origins: list[str] = []
        fresh = component.name in self.refresh or "all" in self.refresh
        for origin in self.allowed:
            refusal = self.kitchen.refusal(component, origin)
            if refusal:
                reasons.append(f"{origin}: {refusal}")
                continue
            record = None if fresh else self._cached(component, origin)
            if record:
                return Step(component, record, [], [])
            origins.append(origin)
        return Step(component, None, origins, reasons)

    def _path(self, component: Component, origin: str) -> str:
        return os.path.join(self.directory, self.kitchen.key(component, origin) + ".json")

    def _cached(self, component: Component, origin: str) -> Record | None:
        path = self._path(component, origin)
        record = read_json(path)
        if not record:
            return None
        bad = [entry for entry in record["content"] if not self.kitchen.blobs.sound(entry["digest"], entry["size"])]
        for entry in bad:
            self.kitchen.blobs.drop(entry["digest"])
        if bad:
            os.unlink(path)
            return None
        self.kitchen.check(component, record)
        return record

    def reachable_origins(self, step: Step) -> list[str]:
        """The step's origins without those whose host doesn't answer: for a plan that is true."""
        origins = []
        for origin in step.origins:
            release = step.component.release or {}
            if origin == "release" and self.kitchen.releases.reachable(self.kitchen.releases.address(release)):
                continue
            origins.append(origin)
        return origins or step.origins

    def needed_mb(self, steps: list[Step]) -> int:
        """Disk space that the missing components take at most."""
        lock, missing = self.kitchen.lock, [step for step in steps if not step.record]
        if not missing:
            return 0
        total = SPARE_MB + COMPONENT_MB * len(missing)
        building = [step.component for step in missing if "source" in step.origins]
        modules = {name for component in building for name in component.go_directories()}
        layers = {name for component in building for name in component.debian_layers()}
        caches = sum(int(lock.go[name].get("disk_mb", 500)) for name in modules)
        # What an earlier build left in Go's caches is part of that sum already.
        used = _used_mb(os.path.join(self.kitchen.cache, "go"), caches) if caches else 0
        total += max(0, caches - used)
        return total + sum(int(lock.debian["layers"][name].get("disk_mb", 100)) for name in layers)

    def check_space(self, steps: list[Step], path: str) -> str:
        """Refuse to begin what would fill the disk; returns the sentence that says how much is needed."""
        needed = self.needed_mb(steps)
        if not needed:
            return ""
        places = {self.kitchen.cache: needed, path: COMPONENT_MB * len(self.components)}
        for place, megabytes in places.items():
            os.makedirs(place, exist_ok=True)
            free = shutil.disk_usage(place).free // 1_000_000
            if free < megabytes:
                raise BundleError(
                    f"{place}: the build needs up to {human(megabytes * 1e6)} there and {human(free * 1e6)} are free; "
                    "make room, or choose another place with bundle_cache_path and bundle_path"
                )
        missing = sum(1 for step in steps if not step.record)
        return f"{missing} of {len(steps)} components are missing; needs up to {human(needed * 1e6)} of disk"

    # -- make ---------------------------------------------------------------------------------------------------

    def make(self, steps: list[Step], progress: Progress) -> tuple[dict[str, Record], list[dict[str, str]]]:
        """Make what is missing; all failures together at the end, so that nothing is done twice.

        Returns the records, and what is optional and couldn't be had.
        """
        records: dict[str, Record] = {}
        failures: dict[str, str] = {}

        def attempt(step: Step, origin: str) -> str | None:
            """Try one origin; returns the error if another may be tried."""
            name = step.component.name
            progress.start(name, "downloading" if origin == "release" else "building from source")
            try:
                record = self._make(step.component, origin)
            except DigestMismatch as error:
                # Content that isn't what it should be is a sign of an attack, not of bad weather.
                failures[name] = str(error).removeprefix(f"{name}: ")
                progress.fail(name, f"FAILED: {failures[name]}")
                return None
            except (BundleError, OSError) as error:
                progress.fail(name, f"{origin} failed: {error}")
                return f"{origin}: {error}"
            records[name] = record
            text = f"{step.component.version} from {record['origin']}, {human(size_of(record))}"
            self._write_report(step.component, record, progress.finish(name, text))
            return None

        pools = concurrent.futures.ThreadPoolExecutor
        with pools(max_workers=self.build_jobs) as builds, pools(max_workers=self.download_jobs) as downloads:

            def walk(step: Step, origins: list[str], said: list[str]) -> None:
                if not origins:
                    failures[step.component.name] = "; ".join(said)
                    return
                error = attempt(step, origins[0])
                if error is not None:
                    after(step, origins[1:], [*said, error])

            def after(step: Step, origins: list[str], said: list[str]) -> None:
                pool = builds if origins[:1] == ["source"] else downloads
                waiting.append(pool.submit(walk, step, origins, said))

            waiting: list[concurrent.futures.Future[None]] = []
            for step in steps:
                if step.record:
                    records[step.component.name] = step.record
                    progress.done += 1
                else:
                    after(step, step.origins, [])
            while waiting:
                waiting.pop(0).result()
        optional = {step.component.name for step in steps if step.component.optional}
        serious = {name: text for name, text in failures.items() if name not in optional}
        if serious:
            raise BundleError(
                f"{len(serious)} of {len(steps)} components failed; what was made is kept and not made again:\n"
                + "\n".join(f"- {name}: {text}" for name, text in sorted(serious.items()))
            )
        return records, [{"name": name, "reason": text} for name, text in failures.items()]

    def tool(self, name: str) -> str:
        """Path of a program that a recipe needs: the file of the component of that name, made if it is missing."""
        with self._tool_mutex:
            record = self._tools.get(name)
            if record is None:
                (component,) = self.kitchen.lock.select([name])
                record = self._tools[name] = self._tool_record(self._step(component))
        digest = next(file["sha256"] for file in record["files"] if file["name"] == name)
        return self.kitchen.blobs.path(f"sha256:{digest}")

    def _tool_record(self, step: Step) -> Record:
        if step.record:
            return step.record
        said = list(step.reasons)
        for origin in step.origins:
            try:
                return self._make(step.component, origin)
            except (BundleError, OSError) as error:
                said.append(f"{origin}: {error}")
        raise BundleError(f"needs {step.component.name}, which can't be had: {'; '.join(said)}")

    def _make(self, component: Component, origin: str) -> Record:
        made = self.kitchen.make(component, origin).record()
        self.kitchen.check(component, made)
        write_atomic(self._path(component, origin), canonical(made))
        return made

    def _write_report(self, component: Component, record: Record, seconds: float) -> None:
        with self._report_mutex:
            report = read_json(self.report_path) or {"components": {}}
            report["components"][component.name] = {
                "version": component.version,
                "origin": record["origin"],
                "seconds": round(seconds, 1),
                "bytes": size_of(record),
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "unknown_digests": self.kitchen.learned(component, record),
            }
            entries = report["components"].values()
            report["seconds"] = round(sum(entry["seconds"] for entry in entries), 1)
            write_atomic(self.report_path, layout.pretty(report))

    # -- put together -------------------------------------------------------------------------------------------

    def bundle(self, records: dict[str, Record], unobtainable: list[dict[str, str]]) -> dict[str, t.Any]:
        """bundle.json: what is in it, and nothing that depends on when or where it was made."""
        components = []
        for component in self.components:
            record = records.get(component.name)
            if record is None:
                continue
            entry: dict[str, t.Any] = {
                "name": component.name,
                "version": component.version,
                "licence": component.licence,
                "origin": record["origin"],
                "kind": component.kind,
                "ref": component.ref,
                "digest": record["content"][0]["digest"],
                "size": size_of(record),
                "platform": f"linux/{self.kitchen.lock.architecture}",
                "reproducible": record["origin"] == "release" or component.reproducible(),
            }
            if component.kind == "files":
                entry["files"] = record["files"]
            if record["debian_packages"]:
                entry["debian_packages"] = record["debian_packages"]
            learned = self.kitchen.learned(component, record)
            if learned:
                entry["unknown_digests"] = learned
            components.append(entry)
        return {
            "format": 1,
            "lock_sha256": self.kitchen.lock.sha256,
            "components": components,
            "unobtainable": sorted(unobtainable, key=lambda entry: entry["name"]),
        }

    def assemble(self, path: str, records: dict[str, Record], bundle: dict[str, t.Any]) -> list[str]:
        """Write the layout; returns what changed in it."""
        lock, blobs = self.kitchen.lock, self.kitchen.blobs
        homes = {component.name: component.home for component in self.components}
        bill = spdx.document(bundle["components"], records, homes, lock.date, lock.debian["suite"])
        copies = {"bundle.json": layout.pretty(bundle), "sbom.spdx.json": layout.pretty(bill)}
        own = oci.file_artifact(
            blobs,
            [(name, "0644", data) for name, data in sorted({**copies, "lock.yml": lock.text}.items())],
            {oci.LICENCES: "GPL-3.0-or-later"},
        )
        tag = sha256_bytes(copies["bundle.json"])[:12]
        entries = [(f"{layout.BUNDLE}:{tag}", own[0]), (f"{layout.BUNDLE}:current", own[0])]
        needed = {descriptor["digest"]: descriptor["size"] for descriptor in own}
        for component in bundle["components"]:
            content = records[component["name"]]["content"]
            entries.append((component["ref"], content[0]))
            needed.update({descriptor["digest"]: descriptor["size"] for descriptor in content})
        return layout.write(path, blobs, needed, layout.index_of(entries, lock.architecture), copies)


def _used_mb(path: str, enough: int) -> int:
    """Size of a directory; counting stops when it is enough to know."""
    total = 0
    for base, _directories, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(base, name)).st_blocks * 512
            except OSError:
                continue
        if total > enough * 1_000_000:
            break
    return total // 1_000_000


class CacheLock:
    """One build at a time in one cache: the next one waits, and then finds what the first has made."""

    def __init__(self, cache: str, say: t.Callable[[str], None], patience: float = 3600) -> None:
        os.makedirs(cache, exist_ok=True)
        self.path = os.path.join(cache, ".lock")
        self.say = say
        self.patience = patience

    def __enter__(self) -> CacheLock:
        self.stream = open(self.path, "a+", encoding="utf-8")
        deadline = time.monotonic() + self.patience
        said = False
        while not self._taken():
            self.stream.seek(0)
            what = f"another build (process {self.stream.read().strip()}) is using this cache"
            if time.monotonic() > deadline:
                self.stream.close()
                raise BundleError(f"{os.path.dirname(self.path)}: {what}, and has for {clock(self.patience)}")
            if not said:
                self.say(f"{what}: waiting for it")
                said = True
            time.sleep(0.2)
        self.stream.truncate(0)
        self.stream.write(str(os.getpid()))
        self.stream.flush()
        self._clean(os.path.dirname(self.path))
        return self

    def _taken(self) -> bool:
        try:
            fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @staticmethod
    def _clean(cache: str) -> None:
        """Remove what a killed run left half-made."""
        shutil.rmtree(os.path.join(cache, "tmp"), ignore_errors=True)
        blobs = os.path.join(cache, "blobs", "sha256")
        for name in os.listdir(blobs) if os.path.isdir(blobs) else ():
            if not HEX.match(name):
                os.unlink(os.path.join(blobs, name))

    def __exit__(self, *_: t.Any) -> None:
        self.stream.close()
