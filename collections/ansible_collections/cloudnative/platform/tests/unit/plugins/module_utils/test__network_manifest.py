# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _network_manifest as manifests
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import parse_yaml

CIDR = "10.244.0.0/16"
CALICO = {
    "vxlan_mode": "CrossSubnet",
    "mtu": 0,
    "block_size": 26,
    "ip_autodetection": "kubernetes-internal-ip",
    "resources": {"requests": {"cpu": "50m"}},
    "env": {"FELIX_LOGSEVERITYSCREEN": "Warning"},
}
FLANNEL = {"backend": "vxlan", "mtu": 0, "nftables": True, "resources": {}}


def image(ref, digit):
    return {"kind": "image", "ref": ref, "digest": f"sha256:{digit * 64}"}


COMPONENTS = {
    "calico": {"kind": "files", "ref": "cloudnative.platform/calico:v3.28.5", "digest": "sha256:" + "0" * 64},
    "calico-node": image("docker.io/calico/node:v3.28.5", "1"),
    "calico-cni": image("docker.io/calico/cni:v3.28.5", "2"),
    "calico-kube-controllers": image("docker.io/calico/kube-controllers:v3.28.5", "3"),
    "flannel-image": image("ghcr.io/flannel-io/flannel:v0.28.9", "4"),
}

# The parts of Calico's manifests that patches touch; publishers moved the images and reworded the probes over time.
CALICO_MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: calico-config, namespace: kube-system}}
data: {{calico_backend: "{backend}", veth_mtu: "0"}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: ippools.crd.projectcalico.org}}
spec:
  group: crd.projectcalico.org
  names: {{kind: IPPool, plural: ippools}}
  versions: [{{name: v1alpha1, storage: false}}, {{name: v1, storage: true}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: calico-node, namespace: kube-system}}
spec:
  template:
    metadata: {{labels: {{k8s-app: calico-node}}}}
    spec:
      initContainers:
        - {{name: install-cni, image: "{registry}/calico/cni:{version}"}}
      containers:
        - name: calico-node
          image: "{registry}/calico/node:{version}"
          env:
            - {{name: DATASTORE_TYPE, value: kubernetes}}
            - {{name: CLUSTER_TYPE, value: "k8s,bgp"}}
            - {{name: CALICO_IPV4POOL_VXLAN, value: Never}}
            - {{name: NODENAME, valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}
          resources: {{requests: {{cpu: 250m}}}}
          livenessProbe: {{exec: {{command: {live}}}}}
          readinessProbe: {{exec: {{command: {ready}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: calico-kube-controllers, namespace: kube-system}}
spec:
  template:
    spec:
      containers: [{{name: calico-kube-controllers, image: "{registry}/calico/kube-controllers:{version}"}}]
"""
CALICO_VARIANTS = [
    {
        "registry": "docker.io",
        "version": "v3.28.5",
        "backend": "vxlan",
        "live": "[/bin/calico-node, -felix-live]",
        "ready": "[/bin/calico-node, -felix-ready]",
    },
    {
        "registry": "quay.io",
        "version": "v3.32.1",
        "backend": "bird",
        "live": "[/bin/calico-node, -felix-live, -bird-live]",
        "ready": "[/bin/calico-node, -felix-ready, -bird-ready]",
    },
]

FLANNEL_MANIFEST = """
apiVersion: v1
kind: Namespace
metadata: {name: kube-flannel}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-flannel-cfg, namespace: kube-flannel}
data:
  cni-conf.json: '{"plugins": [{"type": "flannel"}]}'
  net-conf.json: '{"Network": "10.0.0.0/8", "EnableNFTables": false, "Backend": {"Type": "udp"}}'
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-flannel-ds, namespace: kube-flannel}
spec:
  template:
    metadata: {labels: {app: flannel}}
    spec:
      initContainers:
        - {name: install-cni-plugin, image: "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel3"}
        - {name: install-cni, image: "ghcr.io/flannel-io/flannel:v0.28.9"}
      containers:
        - {name: kube-flannel, image: "ghcr.io/flannel-io/flannel:v0.28.9", resources: {requests: {cpu: 100m}}}
      volumes: [{name: run}, {name: cni-plugin}, {name: cni}, {name: flannel-cfg}]
"""


@pytest.fixture(name="calico", params=CALICO_VARIANTS, ids=lambda variant: variant["version"])
def fixture_calico(request):
    return parse_yaml(CALICO_MANIFEST.format(**request.param), "calico.yaml")


@pytest.fixture(name="flannel")
def fixture_flannel():
    return parse_yaml(FLANNEL_MANIFEST, "flannel.yaml")


def env_of(objects):
    node = manifests.container(manifests.find(objects, "DaemonSet", "calico-node"), "calico-node")
    return node, {entry["name"]: entry.get("value") for entry in node["env"]}


def test_calico(calico):
    before = json.dumps(calico)
    objects = manifests.calico(calico, COMPONENTS, CIDR, CALICO)
    assert json.dumps(calico) == before, "the manifest itself is left alone"
    node, env = env_of(objects)
    assert env == {
        "DATASTORE_TYPE": "kubernetes",
        "CLUSTER_TYPE": "k8s",
        "NODENAME": None,
        "IP": "autodetect",
        "IP_AUTODETECTION_METHOD": "kubernetes-internal-ip",
        "CALICO_IPV4POOL_CIDR": CIDR,
        "CALICO_IPV4POOL_BLOCK_SIZE": "26",
        "CALICO_IPV4POOL_IPIP": "Never",
        "CALICO_IPV4POOL_VXLAN": "CrossSubnet",
        "FELIX_LOGSEVERITYSCREEN": "Warning",
    }
    assert node["resources"] == {"requests": {"cpu": "50m"}}
    assert node["livenessProbe"]["exec"]["command"] == ["/bin/calico-node", "-felix-live"]
    assert node["readinessProbe"]["exec"]["command"] == ["/bin/calico-node", "-felix-ready"]
    assert manifests.find(objects, "ConfigMap", "calico-config")["data"]["calico_backend"] == "vxlan"
    pool = manifests.find(objects, "IPPool", "default-ipv4-ippool")
    assert pool["apiVersion"] == "crd.projectcalico.org/v1"
    assert (pool["spec"]["cidr"], pool["spec"]["vxlanMode"], pool["spec"]["blockSize"]) == (CIDR, "CrossSubnet", 26)


def test_calico_images_come_by_digest_from_where_the_registry_has_them(calico):
    objects = manifests.calico(calico, COMPONENTS, CIDR, CALICO)
    images = {
        one["name"]: one["image"] for body in objects for one in manifests.containers(manifests.pod_spec(body) or {})
    }
    assert images == {
        "install-cni": "docker.io/calico/cni@sha256:" + "2" * 64,
        "calico-node": "docker.io/calico/node@sha256:" + "1" * 64,
        "calico-kube-controllers": "docker.io/calico/kube-controllers@sha256:" + "3" * 64,
    }


def test_an_image_that_no_registry_has_is_refused(calico):
    components = {name: one for name, one in COMPONENTS.items() if name != "calico-cni"}
    with pytest.raises(manifests.ManifestError, match=r"install-cni: image .*calico/cni.* not in the components"):
        manifests.calico(calico, components, CIDR, CALICO)


def test_a_changed_setting_of_calico_restarts_its_pods(calico):
    def stamp(**settings):
        objects = manifests.calico(calico, COMPONENTS, CIDR, {**CALICO, **settings})
        template = manifests.find(objects, "DaemonSet", "calico-node")["spec"]["template"]
        return template["metadata"]["annotations"][manifests.HASH_ANNOTATION]

    assert stamp() == stamp()
    assert stamp() != stamp(mtu=1400)


def test_flannel(flannel):
    objects = manifests.flannel(flannel, COMPONENTS, CIDR, {**FLANNEL, "mtu": 1400})
    labels = manifests.find(objects, "Namespace", "kube-flannel")["metadata"]["labels"]
    assert labels == {"pod-security.kubernetes.io/enforce": "privileged"}
    data = manifests.find(objects, "ConfigMap", "kube-flannel-cfg")["data"]
    assert json.loads(data["net-conf.json"]) == {
        "Network": CIDR,
        "EnableNFTables": True,
        "Backend": {"Type": "vxlan", "MTU": 1400},
    }
    spec = manifests.find(objects, "DaemonSet", "kube-flannel-ds")["spec"]["template"]["spec"]
    assert "initContainers" not in spec
    assert [one["name"] for one in spec["containers"]] == ["kube-flannel", "write-conflist"]
    assert {one["image"] for one in spec["containers"]} == {"ghcr.io/flannel-io/flannel@sha256:" + "4" * 64}
    mounts = {mount["name"] for mount in spec["containers"][1]["volumeMounts"]}
    assert mounts <= {volume["name"] for volume in spec["volumes"]}
    assert "cni-plugin" not in {volume["name"] for volume in spec["volumes"]}
    assert spec["containers"][0]["resources"] == {"requests": {"cpu": "100m"}}


@pytest.mark.parametrize(
    ("subnet", "network"),
    [("10.244.3.1/24", "10.244.3.0/24"), ("10.244.1.129/25", "10.244.1.128/25"), ("10.244.0.1/16", "10.244.0.0/16")],
)
def test_flannel_writes_the_configuration_of_its_node(flannel, tmp_path, subnet, network):
    """The very script of the container, run by this machine's shell."""
    data = manifests.find(manifests.flannel(flannel, COMPONENTS, CIDR, FLANNEL), "ConfigMap", "kube-flannel-cfg")[
        "data"
    ]
    source, target, template = tmp_path / "subnet.env", tmp_path / "10-flannel.conflist", tmp_path / "cni-conf.json"
    template.write_text(data["cni-conf.json"])
    script = data["write-conflist.sh"]
    for place, path in (
        ("/run/flannel/subnet.env", source),
        ("/etc/cni/net.d/10-flannel.conflist", target),
        ("/etc/kube-flannel/cni-conf.json", template),
    ):
        assert place in script
        script = script.replace(place, str(path))
    process = subprocess.Popen(["sh", "-c", script.replace("sleep 2", "sleep 0.05")], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.2)
        assert not target.exists(), "without a subnet there is nothing to write"
        source.write_text(f"FLANNEL_NETWORK={CIDR}\nFLANNEL_SUBNET={subnet}\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")
        conflist = eventually(target)
        bridge = conflist["plugins"][0]
        assert bridge["ipam"]["ranges"] == [[{"subnet": network}]]
        assert bridge["mtu"] == 1450
        source.write_text("FLANNEL_SUBNET=10.244.9.1/24\nFLANNEL_MTU=1400\n")
        deadline = time.monotonic() + 5
        while eventually(target)["plugins"][0]["mtu"] != 1400:
            assert time.monotonic() < deadline, "a changed subnet is not written"
        target.unlink()
        assert eventually(target)["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.244.9.0/24"}]]
        process.send_signal(signal.SIGTERM)
        output, _errors = process.communicate(timeout=5)
        assert process.returncode == 0
        assert f"subnet {network}, mtu 1450" in output
    finally:
        process.kill()


def eventually(path, seconds=5):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} is not written"
        time.sleep(0.02)
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ("plugin", "kind", "name", "message"),
    [
        ("calico", "DaemonSet", "calico-node", "no DaemonSet calico-node"),
        ("calico", "ConfigMap", "calico-config", "no ConfigMap calico-config"),
        ("calico", "CustomResourceDefinition", "ippools.crd.projectcalico.org", "IPPool"),
        ("flannel", "ConfigMap", "kube-flannel-cfg", "no ConfigMap kube-flannel-cfg"),
    ],
)
def test_a_manifest_that_a_patch_does_not_fit_is_refused(plugin, kind, name, message):
    text = CALICO_MANIFEST.format(**CALICO_VARIANTS[0]) if plugin == "calico" else FLANNEL_MANIFEST
    manifest = [body for body in parse_yaml(text, "x") if (body["kind"], body["metadata"]["name"]) != (kind, name)]
    settings = CALICO if plugin == "calico" else FLANNEL
    with pytest.raises(manifests.ManifestError, match=message):
        manifests.PATCHES[plugin](manifest, COMPONENTS, CIDR, settings)


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("quay.io/calico/node:v3.32.1", "calico/node"),
        ("docker.io/calico/node@sha256:abc", "calico/node"),
        ("registry:5000/calico/node", "calico/node"),
        ("localhost/x:1", "x"),
        ("calico/node:v1", "calico/node"),
        ("busybox", "busybox"),
    ],
)
def test_repository_path(reference, path):
    assert manifests.repository_path(reference) == path


@pytest.mark.parametrize(
    ("cidr", "block_size", "message"),
    [
        (CIDR, 26, None),
        ("10.244.0.1/16", 26, "host bits"),
        ("fd00::/56", 64, "only IPv4"),
        ("podnet", 26, '"podnet" is not a network'),
        ("10.244.0.0/27", 26, "between 27"),
        (CIDR, 33, "block_size 33"),
    ],
)
def test_check_cidr(cidr, block_size, message):
    if message is None:
        manifests.check_cidr(cidr, block_size)
    else:
        with pytest.raises(manifests.ManifestError, match=message):
            manifests.check_cidr(cidr, block_size)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (None, None),
        ({"spec": {"cidr": CIDR, "blockSize": 26}}, None),
        ({"spec": {"cidr": CIDR}}, None),
        ({"spec": {"cidr": "10.0.0.0/16", "blockSize": 26}}, "has cidr 10.0.0.0/16, not 10.244.0.0/16"),
        ({"spec": {"cidr": CIDR, "blockSize": 24}}, "has blockSize 24, not 26"),
    ],
)
def test_check_pool(pool, message):
    if message is None:
        manifests.check_pool(pool, CIDR, 26)
    else:
        with pytest.raises(manifests.ManifestError, match=message):
            manifests.check_pool(pool, CIDR, 26)


def node(name, cidr=None, ready="True"):
    return {
        "metadata": {"name": name},
        "spec": {"podCIDR": cidr} if cidr else {},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def test_foreign_nodes():
    nodes = [node("a", "10.244.1.0/24"), node("b", "10.99.0.0/24"), node("c"), node("d", "fd00::/64")]
    assert manifests.foreign_nodes(nodes, CIDR) == ["b has 10.99.0.0/24", "d has fd00::/64"]


def test_silent_nodes():
    nodes = [node("c", ready="Unknown"), node("a"), node("b", ready="False"), {"metadata": {"name": "new"}}]
    assert manifests.silent_nodes(nodes) == ["c"]


def test_prediction_where_there_is_no_cluster_yet():
    predicted = manifests.predicted("calico", {"calico": {"version": "v3.0.0"}}, CIDR)
    assert predicted["actions"] == ["would install network plugin calico v3.0.0 once there is a cluster"]
    assert (predicted["changed"], predicted["enforces_policy"], predicted["not_ready"]) == (True, True, [])
