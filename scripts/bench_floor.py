"""Runs bench_floor.sh, the bare kubeadm installation that ours is measured against, on hosts of the lab."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import typing as t

from bench_lab import REGISTRY_PORT, Lab
from lab_report import read_bundle
from lab_run import Failed

SCRIPTS = pathlib.Path(__file__).resolve().parent
API_NAME = "api.floor.internal"
#: the binaries of the platform's own installation, and where they go
DIRECTORIES = {
    "kubeadm": "/usr/local/bin",
    "kubelet": "/usr/local/bin",
    "kubectl": "/usr/local/bin",
    "crictl": "/usr/local/bin",
    "containerd": "/usr/local/bin",
    "runc": "/usr/local/bin",
    "cni-plugins": "/opt/cni/bin",
    "calico": "/root/floor",
}
_STEP = re.compile(r"^floor: ([\d.]+) (.+)$", re.MULTILINE)


def downloads(components: t.Mapping[str, t.Mapping[str, t.Any]], registry: str, user: str) -> str:
    """A configuration of curl with every file of DIRECTORIES."""
    lines = [f'user = "{user}"', 'cacert = "/root/floor/registry-ca.crt"']
    for name, directory in DIRECTORIES.items():
        repository = components[name]["ref"].rpartition(":")[0]
        for file in components[name]["files"]:
            lines.append(f'url = "{registry}/v2/{repository}/blobs/sha256:{file["sha256"]}"')
            lines.append(f'output = "{directory}/{file["name"]}"')
    return "\n".join(lines) + "\n"


def steps(output: str) -> dict[str, float]:
    """Step -> seconds it took, from the moments at which steps ended."""
    found: dict[str, float] = {}
    before = 0.0
    for moment, step in _STEP.findall(output):
        found[step] = round(float(moment) - before, 1)
        before = float(moment)
    return found


def tag(reference: str) -> str:
    return reference.rpartition(":")[2]


def write_files(lab: Lab, bundle: pathlib.Path, files: pathlib.Path) -> dict[str, str]:
    """What the script needs; returns its environment."""
    components = {component["name"]: component for component in read_bundle(bundle)["components"]}
    host_name = lab.group("registry")[0]
    registry = f"https://{lab.address(host_name)}:{REGISTRY_PORT}"
    password = lab.ssh(host_name, "cat /etc/cloudnative/secrets/registry-pull").strip()
    host = files / "host"
    host.mkdir(parents=True)
    (host / "registry-ca.crt").write_text(lab.ssh(host_name, "cat /etc/registry/ca.crt"))
    (host / "downloads.curl").write_text(downloads(components, registry, f"pull:{password}"))
    settings = {
        "REGISTRY": registry,
        "AUTHORIZATION": "Basic " + base64.b64encode(f"pull:{password}".encode()).decode(),
        "PAUSE_IMAGE": components["pause"]["ref"],
    }
    (host / "settings").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
    shutil.copy(SCRIPTS / "bench_floor_host.sh", host)
    shared: dict[str, object] = {"ControlMaster": "auto", "ControlPersist": 60, "ControlPath": files / "cp-%C"}
    options = {**lab.ssh_options(), **shared}
    (files / "ssh_config").write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    return {
        "FILES": str(files),
        "API_NAME": API_NAME,
        "KUBERNETES_VERSION": components["kubeadm"]["version"],
        "COREDNS_TAG": tag(components["coredns"]["ref"]),
    }


def run(lab: Lab, bundle: pathlib.Path, files: pathlib.Path) -> dict[str, float]:
    """Step -> seconds. The hosts of the cluster must be fresh, the registry filled."""
    environment = write_files(lab, bundle, files)
    for variable, group in (("CONTROL_PLANES", "kube_control_plane"), ("WORKERS", "kube_node")):
        environment[variable] = " ".join(f"{name}={lab.address(name)}" for name in lab.group(group))
    print("\n==> floor: scripts/bench_floor.sh", flush=True)
    output = ""
    with subprocess.Popen(
        [str(SCRIPTS / "bench_floor.sh")],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                output += line
                sys.stdout.write(line)
                sys.stdout.flush()
        except BaseException:
            os.killpg(process.pid, 15)
            raise
    if process.returncode != 0:
        raise Failed(f"bench_floor.sh ended with status {process.returncode} after: {json.dumps(steps(output))}")
    return steps(output)
