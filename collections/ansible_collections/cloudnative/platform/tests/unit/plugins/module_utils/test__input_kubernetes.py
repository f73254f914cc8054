# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._input_rules import form_of


def faults(name, value):
    return [(fault.at, fault.problem) for fault in form_of(name).judge(value)]


LABEL_KEY, LABEL_VALUE = "is not a label key", "is not a label value"
OWN = "is a label that the kubelet sets itself"
BOOL = "is not text, YAML took it for true or false"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"rack": "a1", "example.org/zone": "", "topology.kubernetes.io/zone": "z-1"}, []),
        ({"node.kubernetes.io/pool": "gpu", "node-role.kubernetes.io/worker": "", "rack": 7}, []),
        ({"kubernetes.io/hostname": "cp1"}, [(".kubernetes.io/hostname", OWN)]),
        ({"-rack": "a"}, [(".-rack", LABEL_KEY)]),
        ({"a" * 64: "a"}, [("." + "a" * 64, LABEL_KEY)]),
        ({"Example_/a": "b"}, [(".Example_/a", "is not a label key: 'Example_' is not a DNS name")]),
        ({"rack": "a b"}, [(".rack", LABEL_VALUE)]),
        ({"rack": "a" * 64}, [(".rack", LABEL_VALUE)]),
        ({"gpu": True}, [(".gpu", BOOL)]),
        ({"gpu": None}, [(".gpu", LABEL_VALUE)]),
    ],
)
def test_labels(labels, expected):
    assert faults("kubernetes_node_labels", labels) == expected


@pytest.mark.parametrize(
    ("taint", "expected"),
    [
        ({"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}, []),
        ({"key": "node-role.kubernetes.io/control-plane", "effect": "NoExecute"}, []),
        ({"key": "a", "effect": "NoSchedul"}, [(".effect", "is not an effect of a taint")]),
        ({"key": "a"}, [(".effect", "is not an effect of a taint")]),
        ({"effect": "NoSchedule"}, [("", "has no key")]),
        ({"key": "a b", "effect": "NoSchedule"}, [(".key", "is not a taint key")]),
        ({"key": "a", "value": "b c", "effect": "NoSchedule"}, [(".value", "is not a taint value")]),
        ({"key": "a", "value": True, "effect": "NoSchedule"}, [(".value", "is not a taint value")]),
        ({"key": "a", "effekt": "NoExecute", "effect": "NoExecute"}, [(".effekt", "is not a known key")]),
    ],
)
def test_taints(taint, expected):
    assert faults("kubernetes_node_taints[]", taint) == expected


def test_a_misspelt_effect_is_recognised():
    fault = form_of("kubernetes_node_taints[]").judge({"key": "a", "effect": "noschedule"})[0]
    assert fault.remedy == "did you mean NoSchedule? valid: NoSchedule, PreferNoSchedule, NoExecute"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"v": 2, "audit-log-maxage": None, "feature-gates": ["A=true", "B=false"], "profiling": False}, []),
        ({"--v": 2}, [(".--v", "is not the name of a flag")]),
        ({"audit_log_maxage": 2}, [(".audit_log_maxage", "is not the name of a flag")]),
        ({"v": {"a": 1}}, [(".v", "is not the value of a flag")]),
    ],
)
def test_flags(flags, expected):
    for component in ("apiserver", "controller_manager", "scheduler", "etcd"):
        assert faults(f"kubernetes_{component}_extra_args", flags) == expected


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"name": "p", "hostPath": "/etc/p", "mountPath": "/etc/p", "readOnly": True, "pathType": "File"}, []),
        ({"name": "p", "hostPath": "/etc/p"}, [(".mountPath", "is missing")]),
        ({"name": "p", "hostPath": "p", "mountPath": "/p"}, [(".hostPath", "is not an absolute path")]),
        (
            {"name": "p", "hostPath": "/p", "mountPath": "/p", "pathType": "Fil"},
            [(".pathType", "is not a type of path")],
        ),
        ({"name": "p", "hostPath": "/p", "mountPath": "/p", "readonly": 1}, [(".readonly", "is not a known key")]),
    ],
)
def test_volumes(volume, expected):
    assert faults("kubernetes_apiserver_extra_volumes[]", volume) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, []),
        ({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None"}, {"level": "Request"}]}, []),
        ({"kind": "Policy", "rules": [{"level": "None"}]}, [(".apiVersion", "is not that of an audit policy")]),
        ({"apiVersion": "audit.k8s.io/v1", "kind": "Policy"}, [("", "has no list of rules")]),
        (
            {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "All"}, "x"]},
            [(".rules[0].level", "is not a level"), (".rules[1].level", "is not a level")],
        ),
    ],
)
def test_audit_policy(policy, expected):
    assert faults("kubernetes_audit_policy", policy) == expected
