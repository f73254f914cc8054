#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: monitoring_health
short_description: Prove that monitoring sees everything and that its alerts get through
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Asks Prometheus and Alertmanager through the Kubernetes API, and the metrics API, until all of it is good or the
    time is over. Good is when every expected job has its targets, all targets are up, all rules can be evaluated, the
    alert C(Watchdog) has reached Alertmanager and every node has metrics.
  - Does not fail when something is missing, it returns RV(problems), so that the caller decides.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._k8s_auth
attributes:
  check_mode:
    support: full
    details:
      - This module does not modify anything.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  namespace:
    description: Namespace of Prometheus and Alertmanager.
    type: str
    default: monitoring
  jobs:
    description: Least number of targets, by job.
    type: dict
    default: {}
  metrics_api:
    description: Whether the metrics API (C(metrics.k8s.io)) must know every node.
    type: bool
    default: true
  within:
    description: Seconds after which to give up.
    type: int
    default: 120
seealso:
  - module: cloudnative.platform.cluster_verify
"""

EXAMPLES = r"""
- name: See whether all targets are up
  cloudnative.platform.monitoring_health:
    kubeconfig: "{{ kubernetes_admin_kubeconfig }}"
    jobs:
      etcd: 3
      node-exporter: 6
  delegate_to: localhost
  register: monitoring
"""

RETURN = r"""
problems:
  description: What is missing, down or not evaluated, one sentence each; empty when all is good.
  returned: success
  type: list
  elements: str
  sample: ["etcd http://192.0.2.11:2381/metrics is down: connection refused"]
firing:
  description: Names of the alerts that fire, without C(Watchdog).
  returned: success
  type: list
  elements: str
targets:
  description: Number of targets.
  returned: success
  type: int
waited:
  description: Seconds until all was good, or until the time was over.
  returned: success
  type: float
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import (
    AUTH_ARG_SPEC,
    ApiError,
    ClientError,
    Cluster,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import health

PAUSE = 2.0


class Monitoring:
    """Prometheus and Alertmanager, asked through the API server."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.services = f"/api/v1/namespaces/{namespace}/services"
        self.targets = 0
        self.firing: list[str] = []

    def prometheus(self, path: str) -> dict[str, t.Any]:
        return self.cluster.request("GET", f"{self.services}/prometheus:web/proxy/api/v1/{path}")["data"]

    def problems(self, jobs: dict[str, int], metrics_api: bool) -> list[str]:
        try:
            targets = self.prometheus("targets?state=active")["activeTargets"]
            self.targets = len(targets)
            self.firing = health.firing(self.prometheus("alerts")["alerts"])
            found = health.target_problems(targets, jobs) + health.rule_problems(self.prometheus("rules")["groups"])
            received = self.cluster.request("GET", f"{self.services}/alertmanager:web/proxy/api/v2/alerts")
            found += health.watchdog_problems(received)
            if metrics_api:
                nodes = self.cluster.request("GET", "/api/v1/nodes")["items"]
                measured = self.cluster.request("GET", "/apis/metrics.k8s.io/v1beta1/nodes")["items"]
                found += health.metrics_problems(nodes, measured)
        except ApiError as e:
            if e.status in (401, 403):
                raise
            return [str(e)]
        return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **AUTH_ARG_SPEC,
            "namespace": {"type": "str", "default": "monitoring"},
            "jobs": {"type": "dict", "default": {}},
            "metrics_api": {"type": "bool", "default": True},
            "within": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    params = module.params
    jobs = {}
    for name, least in params["jobs"].items():
        try:
            jobs[name] = int(least)
        except (TypeError, ValueError):
            module.fail_json(msg=f"jobs: {name}: {least!r} is not a number of targets")
    monitoring = Monitoring(Cluster.from_module(module), params["namespace"])
    started = time.monotonic()
    try:
        while True:
            problems = monitoring.problems(jobs, params["metrics_api"])
            waited = time.monotonic() - started
            if not problems or waited > params["within"]:
                break
            time.sleep(PAUSE)
    except ClientError as e:
        module.fail_json(msg=str(e))
    module.exit_json(
        changed=False,
        problems=problems,
        firing=monitoring.firing,
        targets=monitoring.targets,
        waited=round(waited, 1),
    )


if __name__ == "__main__":
    main()
