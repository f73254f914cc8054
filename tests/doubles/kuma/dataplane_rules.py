# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The validator of a Dataplane: addresses, ports, tags, gateways, listeners."""

from __future__ import annotations

from . import mesh_rules
from .errors import Violation
from .formats import is_dns_name, is_ip
from .golang import DecodeError, parse_duration
from .target_ref import tags

_PROTOCOLS = ("grpc", "http", "http2", "kafka", "tcp")
_BACKENDS = ("MeshExternalService", "MeshMultiZoneService", "MeshService")
_SAME = "serviceAddress and servicePort has to differ from address and port"
_KINDS = f"invalid value. Available values are: {','.join(_BACKENDS)}"


def _port(at: str, port: int) -> list[Violation]:
    return [] if 0 < port < 65536 else [(at, "port must be in the range [1, 65535]")]


def _address(at: str, address: str) -> list[Violation]:
    if not address:
        return [(at, "address can't be empty")]
    found = [(at, "must not be 0.0.0.0 or ::")] if address in ("0.0.0.0", "::") else []
    if not is_ip(address) and not is_dns_name(address):
        found.append((at, "address has to be valid IP address or domain name"))
    return found


def violations(value: dict) -> list[Violation]:
    net = value.get("networking")
    if net is None:
        return [("networking", "must be defined")]
    found = _admin(net)
    gateway = net.get("gateway")
    if gateway is not None:
        builtin = gateway.get("type") == "BUILTIN"
        what = "builtin" if builtin else "delegated"
        for name in ("inbound", *(["outbound"] if builtin else []), "listeners"):
            if net.get(name):
                found.append((f"networking.{name}", f"{name} cannot be defined for {what} gateways"))
        if builtin and value.get("probes") is not None:
            found.append(("networking.probes", "probes cannot be defined for builtin gateways"))
        found += _gateway(gateway.get("tags", {}))
    found += _networking(net)
    if gateway is None or gateway.get("type") != "BUILTIN":
        found += _probes(value.get("probes"))
    if gateway is None:
        if "metrics" in value:
            found += mesh_rules.metrics("metrics", value["metrics"])
        found += _listeners(net)
    return found


def _networking(net: dict) -> list[Violation]:
    found = _address("networking.address", net.get("address", ""))
    for number, inbound in enumerate(net.get("inbound", [])):
        found += _inbound(f"networking.inbound[{number}]", inbound, net.get("address", ""))
    for number, outbound in enumerate(net.get("outbound", [])):
        found += _outbound(f"networking.outbound[{number}]", outbound)
    refs = net.get("transparentProxying", {}).get("reachableBackends", {}).get("refs", [])
    for number, ref in enumerate(refs):
        # The word is Kuma's.
        at = f"networking.transparentProxing.reachableBackends.refs[{number}]"
        if ref.get("kind") not in _BACKENDS:
            found.append((f"{at}.kind", _KINDS))
        if not ref.get("name") and not ref.get("namespace") and not ref.get("labels"):
            found.append((f"{at}.name", "name or labels are required"))
        if not ref.get("name") and ref.get("namespace"):
            found.append((f"{at}.name", "name is required, when namespace is defined"))
        if (ref.get("name") or ref.get("namespace")) and ref.get("labels"):
            found.append((f"{at}.labels", "labels cannot be defined when name is specified"))
    return found


def _admin(net: dict) -> list[Violation]:
    port = net.get("admin", {}).get("port")
    found: list[Violation] = []
    for name in ("inbound", "outbound"):
        default = net.get("address", "") if name == "inbound" else "127.0.0.1"
        pairs = [(one.get("address") or default, one.get("port")) for one in net.get(name, [])]
        if port and ("127.0.0.1", port) in pairs:
            found.append(("networking.admin.port", f"must differ from {name}"))
    return found


def _gateway(values: dict[str, str]) -> list[Violation]:
    found = [(f"networking.gateway.tags{at}", reason) for at, reason in tags(values, service=bool(values))]
    protocol = values.get("kuma.io/protocol")
    if protocol not in (None, "tcp"):
        reason = f'other values than tcp are not allowed, provided value "{protocol}"'
        found.append(('networking.gateway.tags["kuma.io/protocol"]', reason))
    return found


def _probes(probes: dict | None) -> list[Violation]:
    if probes is None:
        return []
    found = _port("probes.port", probes.get("port", 0))
    for number, endpoint in enumerate(probes.get("endpoints", [])):
        at = f"probes.endpoints[{number}]"
        found += _port(f"{at}.inboundPort", endpoint.get("inboundPort", 0))
        for name in ("inboundPath", "path"):
            path = endpoint.get(name, "")
            if not path.startswith("/") and "://" not in path:
                found.append((f"{at}.{name}", "should be a valid URL Path"))
    return found


def _listeners(net: dict) -> list[Violation]:
    found: list[Violation] = []
    inbounds = net.get("inbound", [])
    names = {one["name"] for one in inbounds if one.get("name")}
    taken = {f"{one.get('address') or net.get('address', '')}:{one.get('port', 0)}" for one in inbounds}
    seen: dict[str, str] = {}
    for number, listener in enumerate(net.get("listeners", [])):
        at, kind = f"networking.listeners[{number}]", listener.get("type", "")
        if not kind:
            found.append((f"{at}.type", "type must be ZoneIngress or ZoneEgress"))
        found += _address(f"{at}.address", listener.get("address", ""))
        found += _port(f"{at}.port", listener.get("port", 0))
        name = listener.get("name")
        if name and name in names:
            found.append((f"{at}.name", f'name "{name}" must be unique across inbounds and listeners'))
        names.add(name)
        place = f"{listener.get('address', '')}:{listener.get('port', 0)}"
        if place in seen:
            same = "is already used by another listener"
            how = same if seen[place] == kind else "is used by listeners of different types"
            found.append((at, f"address:port {place} {how}"))
        seen.setdefault(place, kind)
        if place in taken:
            found.append((at, f"address:port {place} collides with an inbound listener"))
    return found


def _probe(at: str, probe: dict) -> list[Violation]:
    found: list[Violation] = []
    for name in ("interval", "timeout"):
        if name in probe:
            try:
                good = parse_duration(probe[name]) != 0
            except DecodeError:
                good = True
            if not good:
                found.append((f"{at}.{name}", "must have a positive value"))
    for name in ("unhealthyThreshold", "healthyThreshold"):
        if probe.get(name) == 0:
            found.append((f"{at}.{name}", "must have a positive value"))
    return found


def _inbound(at: str, inbound: dict, address: str) -> list[Violation]:
    found = _port(f"{at}.port", inbound.get("port", 0))
    if inbound.get("servicePort"):
        found += _port(f"{at}.servicePort", inbound["servicePort"])
    for name in ("serviceAddress", "address"):
        if inbound.get(name) and not is_ip(inbound[name]):
            found.append((f"{at}.{name}", f"{name} has to be valid IP address"))
        same_port = inbound.get("servicePort", 0) in (0, inbound.get("port", 0))
        other = address if name == "serviceAddress" else inbound.get("address")
        if inbound.get("serviceAddress") and inbound["serviceAddress"] == other and same_port:
            found.append((f"{at}.serviceAddress", _SAME))
    values = inbound.get("tags", {})
    allowed = f"Allowed values: {', '.join(_PROTOCOLS)}"
    protocol = values.get("kuma.io/protocol")
    if protocol is not None and protocol not in _PROTOCOLS:
        reason = f'tag "kuma.io/protocol" has an invalid value "{protocol}". {allowed}'
        found.append((f'{at}.tags["kuma.io/protocol"]', reason))
    found += [(f"{at}.tags{key}", reason) for key, reason in tags(values)]
    if inbound.get("protocol") and inbound["protocol"] not in _PROTOCOLS:
        found.append((f"{at}.protocol", f'has an invalid value "{inbound["protocol"]}". {allowed}'))
    found += _probe(f"{at}.serviceProbe", inbound.get("serviceProbe", {}))
    if values and "kuma.io/service" not in values:
        found.append((f'{at}.tags["kuma.io/service"]', "tag has to exist"))
    return found


def _outbound(at: str, outbound: dict) -> list[Violation]:
    found = _port(f"{at}.port", outbound.get("port", 0))
    if outbound.get("address") and not is_ip(outbound["address"]):
        found.append((f"{at}.address", "address has to be valid IP address"))
    ref, values = outbound.get("backendRef"), outbound.get("tags", {})
    if ref is not None:
        if ref.get("kind") not in _BACKENDS:
            found.append((f"{at}.backendRef.kind", _KINDS))
        if not ref.get("name") and not ref.get("labels"):
            found.append((f"{at}.backendRef", "either 'name' or 'labels' should be specified"))
        if ref.get("kind") != "MeshExternalService":
            found += _port(f"{at}.backendRef.port", ref.get("port", 0))
        if values:
            found.append((f"{at}.backendRef", "both backendRef and tags/service cannot be defined"))
    elif not values:
        found.append((f"{at}.tags", 'mandatory tag "kuma.io/service" is missing'))
    else:
        found += [(f"{at}.tags{key}", reason) for key, reason in tags(values, service=True)]
    return found
