# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import pathlib
import subprocess

import pytest

ROLE = pathlib.Path(__file__).parents[3] / "roles" / "kubernetes"
SPEC = importlib.util.spec_from_file_location("approver", ROLE / "files" / "kubelet_csr_approver.py")
assert SPEC and SPEC.loader
approver = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(approver)

NODES = {"worker1": ["192.0.2.21"]}
REQUEST = {
    "username": "system:node:worker1",
    "groups": ["system:nodes", "system:authenticated"],
    "signerName": "kubernetes.io/kubelet-serving",
    "usages": ["digital signature", "server auth"],
}
SUBJECT = {
    "cn": "system:node:worker1",
    "organizations": ["system:nodes"],
    "dns": ["worker1"],
    "ips": ["192.0.2.21"],
    "other": [],
}


def test_a_known_node_is_approved():
    assert approver.refusal(REQUEST, SUBJECT, NODES) == ""


@pytest.mark.parametrize(
    ("request_changes", "subject_changes", "reason"),
    [
        ({"signerName": "kubernetes.io/kube-apiserver-client"}, {}, "signer"),
        ({"username": "system:serviceaccount:default:x"}, {}, "is not a node"),
        ({"groups": ["system:authenticated"]}, {}, "is not a node"),
        ({"username": "system:node:stranger"}, {"cn": "system:node:stranger"}, "not in the inventory"),
        ({}, {"cn": "system:node:other"}, "subject"),
        ({}, {"organizations": ["system:masters"]}, "subject"),
        ({}, {"ips": ["192.0.2.99"]}, "192.0.2.99 does not belong"),
        ({}, {"dns": ["api.kubernetes.internal"]}, "api.kubernetes.internal does not belong"),
        ({}, {"dns": [], "ips": []}, "neither a name nor an address"),
        ({}, {"other": ["URI"]}, "URI"),
        ({"usages": ["client auth"]}, {}, "usages"),
        ({"usages": ["digital signature"]}, {}, "usages"),
    ],
)
def test_everything_else_is_refused(request_changes, subject_changes, reason):
    assert reason in approver.refusal({**REQUEST, **request_changes}, {**SUBJECT, **subject_changes}, NODES)


@pytest.mark.parametrize(
    ("names", "dns", "ips"),
    [("DNS:worker1,IP:192.0.2.21", ["worker1"], ["192.0.2.21"]), ("IP:192.0.2.21", [], ["192.0.2.21"])],
)
def test_parse_request_reads_what_openssl_prints(tmp_path, names, dns, ips):
    key = tmp_path / "key.pem"
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += [
        "-keyout",
        str(key),
        "-subj",
        "/O=system:nodes/CN=system:node:worker1",
        "-addext",
        f"subjectAltName={names}",
    ]
    pem = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    show = ["openssl", "req", "-noout", "-text", "-nameopt", "RFC2253"]
    text = subprocess.run(show, input=pem, check=True, capture_output=True, text=True).stdout
    assert approver.parse_request(text) == {**SUBJECT, "dns": dns, "ips": ips}
