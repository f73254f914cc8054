# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the platform changes in a network plugin's own manifest. Pure.

The manifest is the publisher's, from the bundle. It is patched by name (this variable of that container), never
re-written, so that the same patches hold for each version of it. A patch that doesn't find its place is an error:
silently missing it would make a network that isn't what was asked for.
"""

from __future__ import annotations

import copy
import hashlib
import ipaddress
import json
import typing as t

Object = dict[str, t.Any]
Objects = list[Object]

HASH_ANNOTATION = "cloudnative.platform/config-hash"
CALICO_POOL = "default-ipv4-ippool"

# Where each plugin shows itself in a cluster: namespace and name of its DaemonSet.
DAEMON_SETS: dict[str, tuple[tuple[str, str], ...]] = {
    "calico": (("kube-system", "calico-node"), ("calico-system", "calico-node")),
    "flannel": (("kube-flannel", "kube-flannel-ds"),),
    "cilium": (("kube-system", "cilium"),),
    "kube-router": (("kube-system", "kube-router"),),
}
ENFORCES_POLICY = {"calico": True, "flannel": False}

# Runs beside flanneld: flannel's own CNI plugin does on the host, at each call, what this does once.
_CONFLIST_WRITER = """\
# Writes this node's CNI configuration when flanneld knows the node's subnet, and again when that changes.
set -eu
source=/run/flannel/subnet.env
template=/etc/kube-flannel/cni-conf.json
target=/etc/cni/net.d/10-flannel.conflist
trap 'exit 0' TERM INT
written=
while :; do
  if [ -s "$source" ] && { [ ! -s "$target" ] || [ "$(cat "$source")" != "$written" ]; }; then
    written=$(cat "$source")
    . "$source"
    # subnet.env holds the address of the bridge, the first one; host-local wants the network's, which is one less.
    address=${FLANNEL_SUBNET%/*}
    network=${address%.*}.$((${address##*.} - 1))/${FLANNEL_SUBNET#*/}
    sed -e "s|__SUBNET__|$network|" -e "s|\\"__MTU__\\"|$FLANNEL_MTU|" "$template" > "$target.new"
    mv "$target.new" "$target"
    echo "wrote $target: subnet $network, mtu $FLANNEL_MTU"
  fi
  sleep 2 &
  wait $!
done
"""

_FLANNEL_CONFLIST = {
    "name": "cbr0",
    "cniVersion": "1.0.0",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isDefaultGateway": True,
            # A node that came back with another subnet still has the bridge of the old one.
            "forceAddress": True,
            "hairpinMode": True,
            "mtu": "__MTU__",
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "__SUBNET__"}]]},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


class ManifestError(Exception):
    """The manifest or a setting doesn't fit; str() is the whole sentence."""


# -- general patches --------------------------------------------------------------------------------------------


def find(objects: Objects, kind: str, name: str) -> Object:
    for body in objects:
        if body.get("kind") == kind and (body.get("metadata") or {}).get("name") == name:
            return body
    raise ManifestError(f"the manifest has no {kind} {name}: is it the manifest of another plugin or version?")


def pod_spec(body: Object) -> Object | None:
    """Of a workload, else None."""
    return ((body.get("spec") or {}).get("template") or {}).get("spec")


def containers(spec: Object) -> Objects:
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def container(workload: Object, name: str) -> Object:
    for one in containers(pod_spec(workload) or {}):
        if one.get("name") == name:
            return one
    raise ManifestError(f"{workload['kind']} {workload['metadata']['name']} has no container {name}")


def set_env(target: Object, values: t.Mapping[str, str]) -> None:
    """Variables as given: each replaces what the manifest has under its name, wherever that comes from."""
    env = target.setdefault("env", [])
    for name, value in values.items():
        wanted = {"name": name, "value": value}
        places = [index for index, entry in enumerate(env) if entry.get("name") == name]
        if places:
            env[places[0]] = wanted
        else:
            env.append(wanted)


def repository_path(reference: str) -> str:
    """`quay.io/calico/node:v3.32.1` → `calico/node`: publishers move images between hosts."""
    name = reference.partition("@")[0]
    if name.rfind(":") > name.rfind("/"):
        name = name[: name.rfind(":")]
    first, slash, rest = name.partition("/")
    return rest if slash and ("." in first or ":" in first or first == "localhost") else name


def pin_images(objects: Objects, components: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
    """Every image by the digest that the registry was seeded with."""
    known: dict[str, str] = {}
    for component in components.values():
        if component.get("kind") == "image":
            repository = component["ref"].rpartition(":")[0]
            known[repository_path(component["ref"])] = f"{repository}@{component['digest']}"
    for body in objects:
        for one in containers(pod_spec(body) or {}):
            path = repository_path(one["image"])
            if path not in known:
                raise ManifestError(
                    f"{body['kind']} {body['metadata']['name']}, container {one['name']}: image {one['image']} is not "
                    "in the components, so no registry has it; add it to the bundle's lock"
                )
            one["image"] = known[path]


def stamp_config(objects: Objects) -> None:
    """Pods read their ConfigMaps when they start, so a change of those has to start them again."""
    data = [body.get("data") for body in objects if body.get("kind") == "ConfigMap"]
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
    for body in objects:
        if pod_spec(body) is not None and body["kind"] == "DaemonSet":
            metadata = body["spec"]["template"].setdefault("metadata", {})
            metadata.setdefault("annotations", {})[HASH_ANNOTATION] = digest


# -- plugins ----------------------------------------------------------------------------------------------------


def calico(
    manifest: Objects,
    components: t.Mapping[str, t.Mapping[str, t.Any]],
    pod_cidr: str,
    settings: t.Mapping[str, t.Any],
) -> Objects:
    """Calico's vxlan manifest with our addresses, plus the address pool as an object of its own.

    calico-node makes the pool from its environment only when there is none; as an object its settings can be changed
    later. The environment says the same, so that there is no moment in which the two disagree.
    """
    objects = copy.deepcopy(manifest)
    config = find(objects, "ConfigMap", "calico-config")
    config["data"].update({"calico_backend": "vxlan", "veth_mtu": str(settings["mtu"])})
    node = container(find(objects, "DaemonSet", "calico-node"), "calico-node")
    set_env(
        node,
        {
            "IP": "autodetect",
            "IP_AUTODETECTION_METHOD": settings["ip_autodetection"],
            "CLUSTER_TYPE": "k8s",
            "CALICO_IPV4POOL_CIDR": pod_cidr,
            "CALICO_IPV4POOL_BLOCK_SIZE": str(settings["block_size"]),
            "CALICO_IPV4POOL_IPIP": "Never",
            "CALICO_IPV4POOL_VXLAN": settings["vxlan_mode"],
            **{name: str(value) for name, value in settings["env"].items()},
        },
    )
    for probe in ("livenessProbe", "readinessProbe"):
        # A manifest for BGP also asks BIRD, which doesn't run with vxlan.
        command = ((node.get(probe) or {}).get("exec") or {}).get("command")
        if command:
            command[:] = [word for word in command if not word.lstrip("-").startswith("bird-")]
    if settings["resources"]:
        node["resources"] = copy.deepcopy(settings["resources"])
    objects.append(_calico_pool(objects, pod_cidr, settings))
    pin_images(objects, components)
    stamp_config(objects)
    return objects


def _calico_pool(objects: Objects, pod_cidr: str, settings: t.Mapping[str, t.Any]) -> Object:
    definitions = [
        body["spec"]
        for body in objects
        if body.get("kind") == "CustomResourceDefinition" and body["spec"]["names"]["kind"] == "IPPool"
    ]
    if not definitions:
        raise ManifestError("the manifest has no CustomResourceDefinition of kind IPPool: is it Calico's?")
    stored = next(version["name"] for version in definitions[0]["versions"] if version.get("storage"))
    return {
        "apiVersion": f"{definitions[0]['group']}/{stored}",
        "kind": "IPPool",
        "metadata": {"name": CALICO_POOL},
        "spec": {
            "cidr": pod_cidr,
            "blockSize": settings["block_size"],
            "ipipMode": "Never",
            "vxlanMode": settings["vxlan_mode"],
            "natOutgoing": True,
            "nodeSelector": "all()",
            "allowedUses": ["Workload", "Tunnel"],
        },
    }


def flannel(
    manifest: Objects,
    components: t.Mapping[str, t.Mapping[str, t.Any]],
    pod_cidr: str,
    settings: t.Mapping[str, t.Any],
) -> Objects:
    """flannel's manifest without its CNI plugin: a container beside flanneld writes a bridge configuration instead."""
    objects = copy.deepcopy(manifest)
    namespace = find(objects, "Namespace", "kube-flannel")
    namespace["metadata"].setdefault("labels", {})["pod-security.kubernetes.io/enforce"] = "privileged"
    config = find(objects, "ConfigMap", "kube-flannel-cfg")
    network = json.loads(config["data"]["net-conf.json"])
    network.update({"Network": pod_cidr, "EnableNFTables": settings["nftables"]})
    network["Backend"] = {"Type": settings["backend"], **({"MTU": settings["mtu"]} if settings["mtu"] else {})}
    config["data"] = {
        "cni-conf.json": json.dumps(_FLANNEL_CONFLIST, indent=2) + "\n",
        "net-conf.json": json.dumps(network, indent=2) + "\n",
        "write-conflist.sh": _CONFLIST_WRITER,
    }
    daemon = find(objects, "DaemonSet", "kube-flannel-ds")
    spec = daemon["spec"]["template"]["spec"]
    flanneld = container(daemon, "kube-flannel")
    if settings["resources"]:
        flanneld["resources"] = copy.deepcopy(settings["resources"])
    spec.pop("initContainers", None)
    spec["volumes"] = [volume for volume in spec["volumes"] if volume["name"] != "cni-plugin"]
    spec["containers"].append(
        {
            "name": "write-conflist",
            "image": flanneld["image"],
            "command": ["sh", "/etc/kube-flannel/write-conflist.sh"],
            "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [
                {"name": "run", "mountPath": "/run/flannel", "readOnly": True},
                {"name": "cni", "mountPath": "/etc/cni/net.d"},
                {"name": "flannel-cfg", "mountPath": "/etc/kube-flannel/", "readOnly": True},
            ],
        }
    )
    pin_images(objects, components)
    stamp_config(objects)
    return objects


PATCHES: dict[str, t.Callable[..., Objects]] = {"calico": calico, "flannel": flannel}


# -- does it fit the cluster --------------------------------------------------------------------------------------


def check_cidr(pod_cidr: str, block_size: int) -> None:
    try:
        network = ipaddress.ip_network(pod_cidr)
    except ValueError as e:
        raise ManifestError(f'pod_cidr "{pod_cidr}" is not a network: {e}') from e
    if network.version != 4:
        raise ManifestError(f'pod_cidr "{pod_cidr}" is not an IPv4 network; only IPv4 is supported')
    if not network.prefixlen <= block_size <= 32:
        raise ManifestError(f"calico.block_size {block_size} must lie between {network.prefixlen} (pod_cidr) and 32")


def foreign_nodes(nodes: t.Iterable[Object], pod_cidr: str) -> list[str]:
    """Nodes whose own range is not part of the pod network: the cluster was made with another one."""
    network = t.cast(ipaddress.IPv4Network, ipaddress.ip_network(pod_cidr))
    wrong = []
    for node in nodes:
        own = (node.get("spec") or {}).get("podCIDR")
        if own and not (":" not in own and ipaddress.IPv4Network(own, strict=False).subnet_of(network)):
            wrong.append(f"{node['metadata']['name']} has {own}")
    return wrong


def check_pool(pool: Object | None, pod_cidr: str, block_size: int) -> None:
    """Both are fixed while pods have addresses from the pool."""
    spec = (pool or {}).get("spec") or {}
    for field, wanted in (("cidr", pod_cidr), ("blockSize", block_size)):
        if spec.get(field) not in (None, wanted):
            raise ManifestError(
                f"the cluster's address pool {CALICO_POOL} has {field} {spec[field]}, not {wanted}; it can't change "
                "in place, because running pods have addresses from it"
            )


def silent_nodes(nodes: t.Iterable[Object]) -> list[str]:
    """Nodes that don't report at all: nothing that is done here can make them ready."""
    return sorted(
        node["metadata"]["name"]
        for node in nodes
        for entry in (node.get("status") or {}).get("conditions") or []
        if entry.get("type") == "Ready" and entry.get("status") == "Unknown"
    )


def predicted(plugin: str, components: t.Mapping[str, t.Any], pod_cidr: str) -> dict[str, t.Any]:
    """Pure: what check mode tells of a cluster that is still to be made."""
    version = (components.get(plugin) or {}).get("version")
    name = f"network plugin {plugin} {version or ''}".strip()
    return {
        "changed": True,
        "actions": [f"would install {name} once there is a cluster"],
        "diff": [{"before_header": name, "after_header": name, "before": "", "after": "installed\n"}],
        "not_ready": [],
        "nodes": [],
        "plugin": plugin,
        "version": version,
        "pod_cidr": pod_cidr,
        "enforces_policy": ENFORCES_POLICY[plugin],
    }
