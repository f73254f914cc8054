# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration of a real Envoy, in the files that it watches. Pure, but for writing them."""

from __future__ import annotations

import json
import os

_TYPE = "type.googleapis.com/envoy"
_HTTP = ("http", "http2", "grpc")
INBOUND_PORT, OUTBOUND_PORT = 15006, 15001
Config = dict


def bootstrap(directory: str, name: str) -> Config:
    def watched(kind: str) -> Config:
        return {"resource_api_version": "V3", "path_config_source": {"path": os.path.join(directory, f"{kind}.json")}}

    return {
        "node": {"id": name, "cluster": name},
        "admin": {"address": {"pipe": {"path": os.path.join(directory, "admin.sock")}}},
        "dynamic_resources": {"lds_config": watched("lds"), "cds_config": watched("cds")},
    }


def resources(dataplane: Config, outbounds: list[Config], directory: str) -> dict[str, list[Config]]:
    """Listeners and clusters; the endpoints of outbounds are in files of their own."""
    networking = dataplane.get("networking") or {}
    transparent = bool(networking.get("transparentProxying"))
    listeners, clusters = [], []
    for inbound in networking.get("inbound") or []:
        name = f"inbound_{inbound['port']}"
        protocol = inbound.get("protocol") or (inbound.get("tags") or {}).get("kuma.io/protocol") or "tcp"
        target = (inbound.get("serviceAddress") or "127.0.0.1", inbound.get("servicePort") or inbound["port"])
        listeners.append(_listener(name, networking["address"], inbound["port"], protocol, name, bind=not transparent))
        clusters.append(_static(name, [target]))
    for outbound in outbounds:
        name = f"outbound_{outbound['address']}_{outbound['port']}"
        address, port = outbound["address"], outbound["port"]
        virtual = transparent and not address.startswith("127.")
        listeners.append(_listener(name, address, port, outbound["protocol"], name, bind=not virtual))
        clusters.append(_watched(name, directory))
    if transparent:
        for name, port in (("inbound_all", INBOUND_PORT), ("outbound_all", OUTBOUND_PORT)):
            listeners.append({**_listener(name, "0.0.0.0", port, "tcp", "passthrough"), "use_original_dst": True})
        clusters.append(
            {"name": "passthrough", "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "connect_timeout": "5s"}
        )
    return {"lds": listeners, "cds": clusters}


def endpoints(outbounds: list[Config]) -> dict[str, Config]:
    return {
        name: _assignment(name, [(host, port) for host, port in outbound["endpoints"]])
        for name, outbound in ((f"outbound_{one['address']}_{one['port']}", one) for one in outbounds)
    }


def _address(host: str, port: int) -> Config:
    return {"socket_address": {"address": host, "port_value": port}}


def _assignment(name: str, targets: list[tuple[str, int]]) -> Config:
    return {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(*target)}} for target in targets]}],
    }


def _static(name: str, targets: list[tuple[str, int]]) -> Config:
    assignment = _assignment(name, targets)
    return {"name": name, "type": "STATIC", "connect_timeout": "5s", "load_assignment": assignment}


def _watched(name: str, directory: str) -> Config:
    path = {"path": os.path.join(directory, f"eds-{name}.json")}
    source = {"resource_api_version": "V3", "path_config_source": path}
    return {"name": name, "type": "EDS", "connect_timeout": "5s", "eds_cluster_config": {"eds_config": source}}


def _listener(name: str, host: str, port: int, protocol: str, cluster: str, bind: bool = True) -> Config:
    if protocol in _HTTP:
        # What Kuma's own MeshRetry of a new mesh comes to.
        retry = {
            "retry_on": "connect-failure,refused-stream,reset-before-request,gateway-error",
            "num_retries": 5,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {
                        "@type": f"{_TYPE}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                    },
                }
            ],
            "host_selection_retry_max_attempts": 5,
        }
        route = {"cluster": cluster, "timeout": "15s", **({"retry_policy": retry} if name[:3] == "out" else {})}
        router = {"@type": f"{_TYPE}.extensions.filters.http.router.v3.Router"}
        network: Config = {
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "route_config": {
                    "virtual_hosts": [
                        {"name": name, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
                    ],
                    # Envoy may read the file of listeners before that of clusters, and does not read it again.
                    "validate_clusters": False,
                },
                "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
            },
        }
    else:
        kind = f"{_TYPE}.extensions.filters.network.tcp_proxy.v3.TcpProxy"
        proxy = {"@type": kind, "stat_prefix": name, "cluster": cluster}
        network = {"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}
    listener: Config = {"name": name, "address": _address(host, port), "filter_chains": [{"filters": [network]}]}
    return listener if bind else {**listener, "bind_to_port": False}


def write(directory: str, kind: str, type_url: str, found: list[Config]) -> None:
    """By a rename, which is what Envoy watches for."""
    path = os.path.join(directory, f"{kind}.json")
    content = {"resources": [{"@type": f"{_TYPE}.config.{type_url}", **one} for one in found]}
    with open(f"{path}.new", "w", encoding="utf-8") as stream:
        json.dump(content, stream)
    os.replace(f"{path}.new", path)
