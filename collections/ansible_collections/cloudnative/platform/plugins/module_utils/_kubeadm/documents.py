# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""kubeadm v1beta4 documents as pure functions of the cluster's settings.

Field names and shapes: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
"""

from __future__ import annotations

import hashlib
import json
import typing as t

API_VERSION = "kubeadm.k8s.io/v1beta4"
POLICY_DIR = "/etc/kubernetes/policy"
ENCRYPTION_FILE = "/etc/kubernetes/encryption/config.yaml"
AUDIT_LOG_DIR = "/var/log/kubernetes/audit"
API_PORT = 6443
#: by which a run finds the tokens of earlier ones
TOKEN_LABEL = "app.kubernetes.io/managed-by=cloudnative.platform"
#: where kubeadm finds what it has to change in the manifests that it writes
PATCHES_DIR = "/run/cloudnative/patches"
POLICY_ANNOTATION = "cloudnative.platform/policy-sha256"


def merge(base: dict[str, t.Any], override: dict[str, t.Any]) -> dict[str, t.Any]:
    """Merge two dictionaries deeply; values of *override* win, ``None`` takes a key out."""
    result = dict(base)
    for key, value in override.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def extra_args(base: dict[str, str], override: dict[str, t.Any]) -> list[dict[str, str]]:
    """Return flags as kubeadm v1beta4 wants them: a list of name and value, sorted by name.

    A list as value gives the flag once for each item; ``None`` takes a flag out.
    """
    result = []
    for name, value in sorted(merge(base, override).items()):
        for item in value if isinstance(value, list) else [value]:
            text = str(item).lower() if isinstance(item, bool) else str(item)
            result.append({"name": name, "value": text})
    return result


def _volume(name: str, path: str, read_only: bool, path_type: str) -> dict[str, t.Any]:
    return {"name": name, "hostPath": path, "mountPath": path, "readOnly": read_only, "pathType": path_type}


def cluster_configuration(cluster: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the ClusterConfiguration; it must be the same for every node of the cluster.

    *cluster* is the module's option of the same name (see the documentation of ``kubeadm_node``).
    """
    apiserver_args = {
        "anonymous-auth": "true",  # /livez and /readyz are read by the node-local proxies without credentials
        "audit-log-path": f"{AUDIT_LOG_DIR}/audit.log",
        "audit-log-maxage": "30",
        "audit-log-maxbackup": "10",
        "audit-log-maxsize": "100",
        "audit-policy-file": f"{POLICY_DIR}/audit.yaml",
        "admission-control-config-file": f"{POLICY_DIR}/admission.yaml",
        "encryption-provider-config": ENCRYPTION_FILE,
        "encryption-provider-config-automatic-reload": "true",
        "profiling": "false",
        "tls-min-version": "VersionTLS12",
    }
    volumes = [
        _volume("policy", POLICY_DIR, True, "Directory"),
        _volume("encryption", ENCRYPTION_FILE.rsplit("/", 1)[0], True, "Directory"),
        _volume("audit-log", AUDIT_LOG_DIR, False, "DirectoryOrCreate"),
    ]
    sans = ["127.0.0.1", "localhost", cluster["api_name"], *cluster.get("cert_sans", [])]
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterConfiguration",
        "clusterName": cluster["name"],
        "kubernetesVersion": cluster["version"],
        "controlPlaneEndpoint": f"{cluster['api_name']}:{cluster['api_port']}",
        "encryptionAlgorithm": "ECDSA-P256",
        "networking": {
            "dnsDomain": cluster["dns_domain"],
            "podSubnet": cluster["pod_cidr"],
            "serviceSubnet": cluster["service_cidr"],
        },
        "apiServer": {
            "certSANs": list(dict.fromkeys(sans)),
            "extraArgs": extra_args(apiserver_args, cluster.get("apiserver_extra_args", {})),
            "extraVolumes": volumes + list(cluster.get("apiserver_extra_volumes", [])),
        },
        "controllerManager": {
            "extraArgs": extra_args(
                {
                    "bind-address": cluster["metrics_address"],
                    "profiling": "false",
                    "terminated-pod-gc-threshold": "1000",
                },
                cluster.get("controller_manager_extra_args", {}),
            )
        },
        "scheduler": {
            "extraArgs": extra_args(
                {"bind-address": cluster["metrics_address"], "profiling": "false"},
                cluster.get("scheduler_extra_args", {}),
            )
        },
        "etcd": {
            "local": {
                "dataDir": "/var/lib/etcd",
                "extraArgs": extra_args(
                    {
                        "listen-metrics-urls": f"http://{cluster['metrics_address']}:2381",
                        "auto-compaction-mode": "periodic",
                        "auto-compaction-retention": "8h",
                        "quota-backend-bytes": str(4 * 1024**3),
                    },
                    cluster.get("etcd_extra_args", {}),
                ),
            }
        },
        "dns": {"imageTag": cluster["coredns_tag"]} if cluster.get("coredns_tag") else {},
    }


def kubelet_configuration(cluster: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the KubeletConfiguration that kubeadm stores in the cluster for all nodes."""
    base = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "systemd",
        "clusterDomain": cluster["dns_domain"],
        "failCgroupV1": not cluster.get("cgroup_v1", False),
        "readOnlyPort": 0,
        "rotateCertificates": True,
        "seccompDefault": True,
        "serverTLSBootstrap": True,
        "serializeImagePulls": False,
        "maxParallelImagePulls": 5,
        "shutdownGracePeriod": "60s",
        "shutdownGracePeriodCriticalPods": "20s",
        "tlsMinVersion": "VersionTLS12",
    }
    return merge(base, cluster.get("kubelet_config", {}))


def kube_proxy_configuration(cluster: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the KubeProxyConfiguration; the mode is always written, since kube-proxy's default changes over time."""
    base = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clusterCIDR": cluster["pod_cidr"],
        "metricsBindAddress": f"{cluster['metrics_address']}:10249",
        "mode": cluster["kube_proxy_mode"],
    }
    return merge(base, cluster.get("kube_proxy_config", {}))


def node_registration(node: dict[str, t.Any], ignore: list[str]) -> dict[str, t.Any]:
    """Return the nodeRegistration block: name, address and what preflight may overlook on this host.

    Labels are not in it: the kubelet would own them for ever, and one that is taken out of the settings would stay.
    """
    result: dict[str, t.Any] = {
        "name": node["name"],
        "criSocket": node["cri_socket"],
        "imagePullPolicy": "IfNotPresent",
        "imagePullSerial": False,
        "ignorePreflightErrors": ignore,
        "kubeletExtraArgs": extra_args({"node-ip": node["address"]}, node.get("kubelet_extra_args", {})),
    }
    if node.get("taints") is not None:
        result["taints"] = node["taints"]
    return result


def policy_hash(policy: t.Mapping[str, str]) -> str:
    """Return one hash for all files, path → content, that the API server reads when it starts."""
    return hashlib.sha256(json.dumps(policy, sort_keys=True).encode()).hexdigest()


def apiserver_patch(policy: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return the patch that ties the API server's manifest to what it reads: a new policy makes it start anew."""
    return {"metadata": {"annotations": {POLICY_ANNOTATION: policy_hash(policy)}}}


def init_configuration(
    node: dict[str, t.Any], ignore: list[str], policy: t.Mapping[str, str], token: str = ""
) -> dict[str, t.Any]:
    """Return the InitConfiguration of a control plane; the directory of patches has to be there when *policy* is."""
    document: dict[str, t.Any] = {
        "apiVersion": API_VERSION,
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": node["address"], "bindPort": API_PORT},
        "nodeRegistration": node_registration(node, ignore),
    }
    if policy:
        document["patches"] = {"directory": PATCHES_DIR}
    if token:
        # kubeadm makes a token for a whole day when none is named; ours ends after a quarter of an hour
        document["bootstrapTokens"] = [{"token": token, "ttl": "15m0s", "description": "cloudnative.platform init"}]
    return document


def init_documents(
    cluster: dict[str, t.Any], node: dict[str, t.Any], ignore: list[str], policy: t.Mapping[str, str], token: str
) -> list[dict[str, t.Any]]:
    """Return the documents of ``kubeadm init`` on the first control plane."""
    return [
        init_configuration(node, ignore, policy, token),
        cluster_configuration(cluster),
        kubelet_configuration(cluster),
        kube_proxy_configuration(cluster),
    ]


def join_documents(
    cluster: dict[str, t.Any],
    node: dict[str, t.Any],
    material: dict[str, t.Any],
    ignore: list[str],
    policy: t.Mapping[str, str],
) -> list[dict[str, t.Any]]:
    """Return the document of ``kubeadm join``, for a control plane or a worker (``node['role']``)."""
    document: dict[str, t.Any] = {
        "apiVersion": API_VERSION,
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": f"{cluster['api_name']}:{cluster['api_port']}",
                "token": material["token"],
                "caCertHashes": [material["ca_cert_hash"]],
            }
        },
        "nodeRegistration": node_registration(node, ignore),
    }
    if node["role"] == "control_plane":
        document["controlPlane"] = {
            "certificateKey": material["certificate_key"],
            "localAPIEndpoint": {"advertiseAddress": node["address"], "bindPort": API_PORT},
        }
        if policy:
            document["patches"] = {"directory": PATCHES_DIR}
    return [document]


def render(documents: list[dict[str, t.Any]]) -> str:
    """Render documents as a YAML stream (JSON is YAML, and hosts have no YAML library)."""
    return "".join("---\n" + json.dumps(document, indent=2) + "\n" for document in documents)


def encryption_configuration(key_name: str, key: str) -> str:
    """Return the EncryptionConfiguration for Secrets; *key* is 32 random bytes in base64.

    The identity provider comes last, so that what was written before encryption can still be read.
    """
    return render(
        [
            {
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "EncryptionConfiguration",
                "resources": [
                    {
                        "resources": ["secrets"],
                        "providers": [{"secretbox": {"keys": [{"name": key_name, "secret": key}]}}, {"identity": {}}],
                    }
                ],
            }
        ]
    )


def bootstrap_token_secret(token: str, expiration: str, description: str) -> dict[str, t.Any]:
    """Return the Secret that is a bootstrap token (kubeadm's ``token create`` would show it on a command line)."""
    token_id, token_secret = token.split(".", 1)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {
            "name": f"bootstrap-token-{token_id}",
            "namespace": "kube-system",
            "labels": dict([TOKEN_LABEL.split("=")]),
        },
        "stringData": {
            "token-id": token_id,
            "token-secret": token_secret,
            "expiration": expiration,
            "description": description,
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        },
    }
