"""Prints, as JSON, the secrets that a host keeps: name → value in base64. Runs on the host, as root."""

from __future__ import annotations

import base64
import glob
import json
import re
import subprocess

KEYS = (
    "/etc/cloudnative/secrets/*",
    "/etc/cloudnative/pki/*.key",
    "/etc/kubernetes/pki/*.key",
    "/etc/kubernetes/pki/etcd/*.key",
    "/var/lib/kubelet/pki/*.pem",
)
KUBECTL = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--namespace=kube-system", "get", "secrets"]


def read(pattern: str) -> dict[str, bytes]:
    found = {}
    for path in sorted(glob.glob(pattern)):
        with open(path, "rb") as stream:
            found[path] = stream.read()
    return found


def secrets() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for pattern in KEYS:
        found.update(read(pattern))
    for path, text in read("/etc/registry/*.htpasswd").items():
        found[path] = text.strip().partition(b":")[2]
    for path, text in read("/etc/kubernetes/*.conf").items():
        for number, value in enumerate(re.findall(rb"client-key-data: (\S+)", text)):
            found[f"{path} client key {number}"] = base64.b64decode(value)
    for path, text in read("/etc/kubernetes/encryption/config.yaml").items():
        for value in re.findall(rb'"?secret"?: "?([A-Za-z0-9+/=]{40,})', text):
            found[path] = value
    if glob.glob("/etc/kubernetes/admin.conf") and glob.glob("/etc/kubernetes/pki/ca.key"):
        listed = json.loads(subprocess.run([*KUBECTL, "-o", "json"], capture_output=True, check=True).stdout)["items"]
        for item in listed:
            if item["type"] == "bootstrap.kubernetes.io/token":
                found[f"token {item['metadata']['name']}"] = base64.b64decode(item["data"]["token-secret"])
    return found


if __name__ == "__main__":
    print(json.dumps({name: base64.b64encode(value).decode() for name, value in secrets().items()}))
