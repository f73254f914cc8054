# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The half of host_measure that touches disk and registry: clock, fsync, bandwidth.

Standard library only (Python >= 3.9). A figure that can't be had is an entry with `error`, never an exception: the
others are wanted all the same.
"""

from __future__ import annotations

import os
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ansible_collections.cloudnative.platform.plugins.module_utils._host_files import existing_directory
from ansible_collections.cloudnative.platform.plugins.module_utils._host_measure import Sample, percentile, skew
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files import OciFilesError, layers_of
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_registry import (
    Registry,
    RegistryError,
    parse_reference,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._path_mtu_io import Peer, measure_paths

# A registry that doesn't answer keeps nobody waiting: this is a look at it, not the installation.
TIMEOUT = 3.0
# The Date header has whole seconds. Asking this often finds where one ends to about half of it.
POLL = 0.02
POLL_SECONDS = 2.5
PRECISE = 0.05
# What etcd writes to its log before each fdatasync, on average of a cluster, and how often it is tried here.
WRITE_SIZE, WRITES, WRITE_SECONDS = 2300, 1000, 2.0
FSYNC_FILE = ".cloudnative-fsync"
BLOB_LIMIT, BLOB_SECONDS = 32 * 1024 * 1024, 3.0

Measured = dict[str, t.Any]


def host_of(endpoint: str) -> str:
    """Pure: as it is named in a sentence."""
    return urlsplit(endpoint).hostname or endpoint


def registry_peers(endpoints: t.Iterable[str]) -> list[Peer]:
    """Pure: where registries are, as peers to which a path leads."""
    peers = []
    for endpoint in endpoints:
        parts = urlsplit(endpoint)
        if parts.hostname:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            peers.append(Peer(f"registry {parts.hostname}", parts.hostname, port))
    return peers


def measure_clock(
    endpoint: str, ca_pem: str | None, now: t.Callable[[], float] = time.time, seconds: float = POLL_SECONDS
) -> Measured:
    """How far this host's clock is ahead of the registry's, by the second that its answers carry."""
    result: Measured = {"host": host_of(endpoint), "endpoint": endpoint}
    registry = None
    try:
        registry = Registry(endpoint, ca_pem, timeout=TIMEOUT, connect_timeout=TIMEOUT, attempts=2)
        # The first answer takes as long as opening the connection and says little.
        registry.date()
        samples: list[Sample] = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            sent = now()
            date = registry.date()
            received = now()
            samples.append(Sample(sent, parsedate_to_datetime(date).timestamp(), received))
            # On a busy network one end of a second may not be enough.
            if samples[-1].second != samples[0].second and skew(samples)[1] <= PRECISE:
                break
            time.sleep(POLL)
        ahead, uncertainty = skew(samples)
    except RegistryError as e:
        return {**result, "error": str(e)}
    except (TypeError, ValueError) as e:
        return {**result, "error": f"its Date header tells no time ({e})"}
    finally:
        if registry is not None:
            registry.close()
    return {
        **result,
        "skew_ms": round(ahead * 1000, 1),
        "uncertainty_ms": round(uncertainty * 1000, 1),
        "samples": len(samples),
    }


def measure_fsync(path: str, sync: t.Callable[[int], None] = os.fdatasync, seconds: float = WRITE_SECONDS) -> Measured:
    """Latency of small writes that must reach the disk, in the file system that a directory is or will be in."""
    directory = existing_directory(path)
    result: Measured = {"path": path, "directory": directory}
    name = os.path.join(directory, FSYNC_FILE)
    try:
        # What a killed run left. kubeadm would refuse a directory that isn't empty.
        if os.path.lexists(name):
            os.unlink(name)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            return {**result, **_latencies(descriptor, sync, seconds)}
        finally:
            os.close(descriptor)
            os.unlink(name)
    except OSError as e:
        return {**result, "error": f"cannot write there: {e.strerror or e}"}


class CpuWait:
    """How long this thread has been ready to run and had no CPU: 0 where the kernel doesn't keep that figure.

    On a busy host that is most of the time of a write, and no fault of the disk.
    """

    def __init__(self) -> None:
        try:
            self._descriptor: int | None = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._descriptor = None

    def milliseconds(self) -> float:
        return int(os.pread(self._descriptor, 80, 0).split()[1]) / 1e6 if self._descriptor is not None else 0.0

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def _latencies(descriptor: int, sync: t.Callable[[int], None], seconds: float) -> Measured:
    # etcd too has its log's space allocated before it writes: growing a file takes the disk longer.
    os.posix_fallocate(descriptor, 0, WRITE_SIZE * WRITES)
    os.fsync(descriptor)
    block = os.urandom(WRITE_SIZE)
    latencies: list[float] = []
    waited = 0.0
    with closing(CpuWait()) as cpu:
        deadline = time.monotonic() + seconds
        while len(latencies) < WRITES and (not latencies or time.monotonic() < deadline):
            os.write(descriptor, block)
            before, start = cpu.milliseconds(), time.monotonic()
            sync(descriptor)
            took, without_cpu = (time.monotonic() - start) * 1000, cpu.milliseconds() - before
            latencies.append(max(0.0, took - without_cpu))
            waited += without_cpu
    return {
        "samples": len(latencies),
        "p50_ms": round(percentile(latencies, 50), 3),
        "p99_ms": round(percentile(latencies, 99), 3),
        "max_ms": round(max(latencies), 3),
        "cpu_wait_ms": round(waited, 1),
    }


def measure_bandwidth(
    endpoint: str, registry: t.Mapping[str, t.Any], artifact: t.Mapping[str, str], seconds: float = BLOB_SECONDS
) -> Measured:
    """How fast the largest file of an artifact comes from one endpoint."""
    result: Measured = {"host": host_of(endpoint), "endpoint": endpoint}
    client = None
    try:
        repository = parse_reference(artifact["ref"]).repository
        client = Registry(
            endpoint,
            registry.get("ca_pem"),
            registry.get("username"),
            registry.get("password"),
            timeout=TIMEOUT,
            connect_timeout=TIMEOUT,
            attempts=2,
        )
        layers = layers_of(client.manifest(repository, artifact["digest"])[0], artifact["ref"])
        sha256, _size = max(layers.values(), key=lambda layer: layer[1])
        received, took = client.time_blob(repository, f"sha256:{sha256}", BLOB_LIMIT, seconds)
    except (OciFilesError, RegistryError, ValueError) as e:
        return {**result, "error": str(e)}
    finally:
        if client is not None:
            client.close()
    rate = received / took / 1e6 if took else 0.0
    return {**result, "bytes": received, "seconds": round(took, 3), "mbytes_per_second": round(rate, 1)}


def measure(
    registry: t.Mapping[str, t.Any] | None,
    artifact: t.Mapping[str, str] | None,
    peers: t.Sequence[Peer],
    fsync_path: str | None,
) -> Measured:
    """All figures of this host. Those that disturb each other little at the same time, the bandwidth after them."""
    endpoints: list[str] = list((registry or {}).get("endpoints") or [])
    ca_pem = (registry or {}).get("ca_pem")
    everybody = [*peers, *registry_peers(endpoints)]
    with ThreadPoolExecutor(len(endpoints) + 2) as pool:
        clocks = [pool.submit(measure_clock, endpoint, ca_pem) for endpoint in endpoints]
        paths = pool.submit(measure_paths, everybody)
        disk = pool.submit(measure_fsync, fsync_path) if fsync_path else None
        measured: Measured = {
            "clock": [clock.result() for clock in clocks],
            "path_mtu": paths.result(),
            "fsync": disk.result() if disk else None,
        }
    # One after the other: together they would share the link that is measured.
    measured["bandwidth"] = [
        measure_bandwidth(endpoint, registry or {}, artifact, BLOB_SECONDS / len(endpoints))
        for endpoint in endpoints
        if artifact
    ]
    return measured
