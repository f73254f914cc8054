# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a transcript does not say: its first state, what happened between its requests, what is left out and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from .control_plane import ControlPlane
    from .replay import Client

Action = Callable[["ControlPlane", "Client"], None]
Reasons = dict[str, set[int]]


def put(path: str, body: dict[str, Any]) -> Action:
    return lambda plane, client: void(client.write("PUT", path, body))


def delete(path: str) -> Action:
    return lambda plane, client: void(client.write("DELETE", path))


def settle(plane: ControlPlane, client: Client) -> None:
    plane.settle()


def void(_: object) -> None:
    """Actions answer nothing."""


class Setting(NamedTuple):
    """How the control plane of a story was started."""

    options: tuple[str, ...] = ()
    # Seconds until controllers act; None: as usual.
    delay: float | None = None
    # Another one, which the notes of some records name.
    other: tuple[str, ...] | None = None


_ZONE = ("--mode", "federated-zone", "--zone", "zone-1")
SETTINGS = {
    # These look at a control plane that has just been started.
    "index_config.jsonl": Setting(delay=20.0),
    "first_start.jsonl": Setting(delay=19.0),
    "read_only.jsonl": Setting(("--read-only", "--no-localhost-admin")),
    "mtls_dataplanes.jsonl": Setting(("--dataplanes-connect",)),
    "global_and_federated_zone.jsonl": Setting(("--mode", "global"), other=_ZONE),
}
# Played with the state that another one left.
CONTINUED = {"status_after_controllers.jsonl": "policies_valid.jsonl"}


def _timeout_of(mesh: str, name: str, value: str) -> Action:
    conf = {"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": value}}
    body = {"type": "MeshTimeout", "mesh": mesh, "name": name, "spec": {"to": [conf]}}
    return put(f"/meshes/{mesh}/meshtimeouts/{name}", body)


def _timeout(number: int) -> Action:
    """The policies of the list: every second one is ours."""
    labels = {"managed-by": "ansible" if number % 2 else "hand", "app.kubernetes.io/part-of": "x"}
    conf = {"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": f"{number + 1}s"}}
    body = {"type": "MeshTimeout", "mesh": "l1", "name": f"p{number}", "labels": labels, "spec": {"to": [conf]}}
    return put(f"/meshes/l1/meshtimeouts/p{number}", body)


def _proxy(name: str, address: str, port: int, outbound: bool = False) -> Action:
    """A Dataplane as kuma-dp registers it."""
    inbound: dict[str, Any] = {"port": port, "servicePort": port + 1, "serviceAddress": "127.0.0.1"}
    inbound |= {"name": "http", "protocol": "http"}
    if name != "notags":
        inbound["tags"] = {"kuma.io/service": name, "kuma.io/protocol": "http"}
    networking: dict[str, Any] = {"address": address, "inbound": [inbound]}
    if outbound:
        pairs = [(21001, "backend", 18080), (21003, "notags", 18060)]
        refs = [(one, {"kind": "MeshService", "name": service, "port": to}) for one, service, to in pairs]
        networking["outbound"] = [{"port": one, "backendRef": ref} for one, ref in refs]
    body = {"type": "Dataplane", "mesh": "default", "name": f"{name}-1", "networking": networking}
    body["labels"] = {"app": name, "kuma.io/workload": name}
    return put(f"/meshes/default/dataplanes/{name}-1", body)


_DP_B = delete("/meshes/default/dataplanes/dp-b")
_MESH: dict[str, Any] = {"type": "Mesh"}
# Before a request: what was done by a program, by a request that was not recorded, or by time.
BETWEEN: dict[tuple[str, int], list[Action]] = {
    ("policies_invalid.jsonl", 86): [put("/meshes/e1", {**_MESH, "name": "e1"})],
    ("list_filter.jsonl", 9): [_timeout(number) for number in range(7)],
    ("secrets.jsonl", 27): [put("/meshes/sk", {**_MESH, "name": "sk"})],
    ("status_after_controllers.jsonl", 1): [settle],
    ("status_after_controllers.jsonl", 26): [settle],
    ("dataplane.jsonl", 72): [settle],
    ("mtls_dataplanes.jsonl", 19): [
        _proxy("frontend", "127.0.0.11", 18090, outbound=True),
        _proxy("backend", "127.0.0.12", 18080),
        _proxy("evil", "127.0.0.13", 18070),
        _proxy("notags", "127.0.0.14", 18060),
        settle,
    ],
    ("mtls_dataplanes.jsonl", 57): [settle],
    ("mtls_dataplanes.jsonl", 124): [settle],
    ("mtls_dataplanes.jsonl", 139): [delete("/meshes/default/dataplanes/frontend-1")],
    ("postgres.jsonl", 39): [_timeout_of("p1", "x", "8s")],
    ("https_client_certificates.jsonl", 21): [
        put("/meshes/default", {**_MESH, "name": "default", "meshServices": {"mode": "Exclusive"}})
    ],
}
# Between these, the recording removed dp-b again.
for _number in (10, 12, 20, 24, 26, 28, 30, 34, 36, 38, 40, 44, 46, 48, 52):
    BETWEEN.setdefault(("dataplane.jsonl", _number), []).insert(0, _DP_B)

# Requests whose headers the recording shortened.
HEADERS = {"auth.jsonl": {"Content-Type": "application/json"}}

_SYNC = "shows what global and zone synchronize; the double is one control plane"
_PROXY = "shows the configuration of a proxy, which the double does not compute"
_TLS = "asks over TLS or with a client certificate"
_KUMA_DP = "shows what a running kuma-dp reports"
_TIMING = "depends on when a controller looked, which a replay can't hit"
_RESTART = "shows another control plane on the same database, or one after a restart"
_DATABASE = "shows the settings of a database"
_PAGE = "shows the web interface"
_METRICS = "shows the control plane's own metrics"

SKIPPED: dict[str, Reasons] = {
    "index_config.jsonl": {_PAGE: {20}, _METRICS: {25}},
    "dataplane.jsonl": {_PROXY: {54, 60, 61, 81}, _TIMING: {83}},
    "auth.jsonl": {_TLS: {133, 134}},
    "postgres.jsonl": {_RESTART: {63, 75}, _DATABASE: {8}},
    "https_client_certificates.jsonl": {_TLS: {8, 9, 10, 12, 13, 14, 15, 16, 17, 20}},
    "mtls_dataplanes.jsonl": {
        _KUMA_DP: {20, 75, 130, 138, 141},
        _TIMING: {21},
        _PROXY: {106, 108, 109, 110, 111, 112, 113, 120, 122},
    },
    "global_and_federated_zone.jsonl": {
        _SYNC: {3, 4, 5, 6, 8, 9, 10, 12, 16, 17, 18, 25, 33, 42, 44, 45, 46},
    },
}
# Runs of kumactl, kuma-cp and kuma-dp, calls through Envoy, rows of a database, many writes at once: no requests.
NOTES = "are steps that are no requests: runs of programs, calls through proxies, measurements"
# A control plane that was given is not started with other options.
NOT_REAL = {*SETTINGS, "auth.jsonl"}


def skipped(name: str, number: int) -> str | None:
    return next((reason for reason, numbers in SKIPPED.get(name, {}).items() if number in numbers), None)
