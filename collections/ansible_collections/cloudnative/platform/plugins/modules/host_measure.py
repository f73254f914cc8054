#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_measure
short_description: Measure what a cluster needs of a host and its network
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Measures how far the host's clock is from that of the registry, the path MTU to its peers and to the registry, how
    long etcd would wait for the disk, and how fast files come from the registry. Compares each figure with its bound.
  - It takes one to three seconds, about six at most. Each endpoint of the registry sends up to 32 MiB, which are thrown
    away, and for the disk 2.3 MB are written to a file that is removed again.
  - A figure that can't be had, because the registry isn't there yet or a host doesn't answer ICMP, is V(unknown). That
    is no failure and no miss.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._attributes.facts
  - cloudnative.platform._attributes.platform
attributes:
  check_mode:
    support: full
    details:
      - This module does not modify anything that lasts. It measures in check mode too.
  diff_mode:
    support: none
  facts:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: linux
options:
  registry:
    description:
      - The registry that clock and bandwidth are measured against. Nothing is measured against it when it is not set.
    type: dict
    suboptions:
      endpoints:
        description: Base URLs that serve the same content. Each is measured.
        type: list
        elements: str
        required: true
      ca_pem:
        description: Certificates, in PEM, that the endpoints are checked against. Without it, the host's own.
        type: str
      username:
        description: User that may pull.
        type: str
      password:
        description: Password of that user.
        type: str
  artifact:
    description: Artifact of files whose largest one is read for the bandwidth. There is no such figure when not set.
    type: dict
    suboptions:
      ref:
        description: Reference of the artifact.
        type: str
        required: true
      digest:
        description: Digest of the artifact's manifest.
        type: str
        required: true
  peers:
    description:
      - Hosts that packets must reach at full size. The registry is one without being named.
        The host itself is left out.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the host in findings.
        type: str
        required: true
      address:
        description: IPv4 address or name.
        type: str
        required: true
      port:
        description:
          - TCP port that is asked when the host doesn't answer ICMP echo requests. What the kernel knows of the path
            after the connection is then the figure, which finds a narrow path but no black hole.
        type: int
        default: 22
  fsync_path:
    description:
      - Directory of etcd's data, or the place where it will be. There is no such figure when it is not set.
    type: path
  max_clock_skew_ms:
    description: Milliseconds that the clock may differ from the registry's. 0 for any.
    type: float
    default: 500
  min_path_mtu:
    description:
      - Bytes that a path must take, in addition to what the MTU of the outgoing interface promises.
        0 for no more than that.
    type: int
    default: 1450
  max_fsync_p99_ms:
    description: Milliseconds within which 99 of 100 writes must be on the disk. 0 for any.
    type: float
    default: 10
  min_registry_mbytes_per_second:
    description: Megabytes a second that must come from each endpoint of the registry. 0 for any.
    type: float
    default: 10
  on_miss:
    description:
      - What happens when a figure misses its bound.
      - With V(report) it is only returned, with V(warn) it is also a warning, with V(fail) the module fails.
    type: str
    choices: [report, warn, fail]
    default: warn
seealso:
  - module: cloudnative.platform.host_prepare
  - name: etcd FAQ
    description: Where the bound of the disk comes from.
    link: https://etcd.io/docs/v3.6/faq/#what-does-the-etcd-warning-failed-to-send-out-heartbeat-on-time-mean
"""

EXAMPLES = r"""
- name: Measure a control plane to be
  cloudnative.platform.host_measure:
    registry: "{{ registry_client }}"
    artifact:
      ref: "{{ registry_components['kubelet'].ref }}"
      digest: "{{ registry_components['kubelet'].digest }}"
    peers:
      - name: worker1
        address: 192.0.2.21
    fsync_path: /var/lib/etcd
  register: measured

- name: Show what misses its bound
  ansible.builtin.debug:
    msg: "{{ measured.missed }}"
"""

RETURN = r"""
findings:
  description: Every figure with its bound. Paths that have the same figures share one.
  returned: always
  type: list
  elements: dict
  contains:
    figure:
      description: V(clock), V(path MTU), V(fsync p99) or V(bandwidth).
      type: str
    subject:
      description: What it was measured against.
      type: str
    value:
      description: The figure with its unit, or why there is none.
      type: str
    bound:
      description: What it may be.
      type: str
    verdict:
      description: V(ok), V(missed) or V(unknown).
      type: str
    consequence:
      description: What follows when the bound is missed.
      type: str
    remedy:
      description: What to do about it.
      type: str
    text:
      description: All of it in one sentence.
      type: str
missed:
  description: The findings that miss their bounds, as sentences.
  returned: always
  type: list
  elements: str
  sample:
    - >-
      path MTU to worker1: 1404, larger packets vanish, the bound is at least 1500 (MTU of eth0: 1500).
      Connections open and then hang as soon as much is sent: images don't arrive, kubectl logs and pods stall.
      What to do: set the MTU of eth0 to 1404 if the network is like that, or repair the way: an equal MTU on all
      switches, and no filter for ICMP type 3 code 4 (fragmentation needed)
seconds:
  description: How long it took.
  returned: always
  type: float
ansible_facts:
  description: The figures, for later reports.
  returned: always
  type: dict
  contains:
    platform_measurements:
      description: The figures as numbers.
      returned: always
      type: dict
      contains:
        clock:
          description: >-
            For each endpoint C(host), C(endpoint), and C(skew_ms) (positive where this host is ahead),
            C(uncertainty_ms), C(samples), or C(error).
          type: list
          elements: dict
          returned: always
        path_mtu:
          description: >-
            For each peer C(name), C(address), C(interface), C(interface_mtu), and C(path_mtu), C(black_hole), C(by)
            (V(icmp) or V(tcp)), or C(error).
          type: list
          elements: dict
          returned: always
        fsync:
          description: >-
            C(path), C(directory), and C(samples), C(p50_ms), C(p99_ms), C(max_ms), C(cpu_wait_ms) (the time without a
            CPU, which is not in the others), or C(error). Null when the disk wasn't measured.
          type: dict
          returned: always
        bandwidth:
          description: >-
            For each endpoint C(host), C(endpoint), and C(bytes), C(seconds), C(mbytes_per_second), or C(error).
          type: list
          elements: dict
          returned: always
"""

import socket
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._host_measure import MISSED, Bounds, judge
from ansible_collections.cloudnative.platform.plugins.module_utils._host_measure_io import measure
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule
from ansible_collections.cloudnative.platform.plugins.module_utils._path_mtu_io import Peer

ARGUMENT_SPEC: dict[str, t.Any] = {
    "registry": {
        "type": "dict",
        "options": {
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "ca_pem": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
        },
    },
    "artifact": {
        "type": "dict",
        "options": {
            "ref": {"type": "str", "required": True},
            "digest": {"type": "str", "required": True},
        },
    },
    "peers": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 22},
        },
    },
    "fsync_path": {"type": "path"},
    "max_clock_skew_ms": {"type": "float", "default": 500},
    "min_path_mtu": {"type": "int", "default": 1450},
    "max_fsync_p99_ms": {"type": "float", "default": 10},
    "min_registry_mbytes_per_second": {"type": "float", "default": 10},
    "on_miss": {"type": "str", "choices": ["report", "warn", "fail"], "default": "warn"},
}


def main() -> None:
    module = MaskedModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    start = time.monotonic()
    try:
        measured = measure(
            params["registry"],
            params["artifact"],
            [Peer(**peer) for peer in params["peers"]],
            params["fsync_path"],
        )
    except OSError as e:
        module.fail_json(msg=f"cannot measure this host: {e}")
    bounds = Bounds(**{name: params[name] for name in Bounds.__dataclass_fields__})
    findings = judge(measured, bounds)
    missed = [finding.sentence() for finding in findings if finding.verdict == MISSED]
    result = {
        "changed": False,
        "findings": [finding.as_dict() for finding in findings],
        "missed": missed,
        "seconds": round(time.monotonic() - start, 2),
        "ansible_facts": {"platform_measurements": measured},
    }
    if missed and params["on_miss"] == "fail":
        listed = "".join(f"\n- {sentence}" for sentence in missed)
        module.fail_json(msg=f"host {socket.gethostname()} misses what a cluster needs:{listed}", **result)
    if params["on_miss"] == "warn":
        for sentence in missed:
            module.warn(f"host {socket.gethostname()}, {sentence}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
