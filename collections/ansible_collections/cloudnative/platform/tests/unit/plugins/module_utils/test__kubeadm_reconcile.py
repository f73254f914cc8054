# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kubeadm import reconcile

ETCD = "/etc/kubernetes/manifests/etcd.yaml"
API = "/etc/kubernetes/manifests/kube-apiserver.yaml"
CONFIG = "/var/lib/kubelet/config.yaml"
FLAGS = "/var/lib/kubelet/kubeadm-flags.env"
AUDIT = "/etc/kubernetes/policy/audit.yaml"

#: as kubeadm writes it, shortened
MANIFEST = """\
apiVersion: v1
kind: Pod
spec:
  containers:
  - command:
    - etcd
    - --initial-advertise-peer-urls=https://192.0.2.11:2380
    - --initial-cluster=cp1=https://192.0.2.11:2380
    - --key-file=/etc/kubernetes/pki/etcd/server.key
    - --name=cp1
    - --quota-backend-bytes=4294967296
    image: registry.k8s.io/etcd:3.6.8-0
    ports:
    - containerPort: 2381
      name: probe-port
      protocol: TCP
    startupProbe:
      failureThreshold: 24
      httpGet:
        host: 127.0.0.1
        path: /readyz
        port: probe-port
        scheme: HTTP
      initialDelaySeconds: 10
status: {}
"""
JOINED = MANIFEST.replace(
    "    - --initial-cluster=cp1=https://192.0.2.11:2380\n",
    "    - --initial-cluster=cp1=https://192.0.2.11:2380,cp2=https://192.0.2.12:2380\n"
    "    - --initial-cluster-state=existing\n",
)
WANTED = {
    ETCD: MANIFEST,
    API: "    - --a=1\n    - --b=2\n",
    CONFIG: "a: 1\nb:\n  c: 2\n",
    FLAGS: 'KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.11"\n',
}
POLICY = {AUDIT: "rules: []\n"}
FOUND = {**WANTED, **POLICY}
NAMES = (["a", "b"], ["b", "a"])


def planned(found=None, wanted=None, stale=False, names=NAMES):
    found = FOUND if found is None else found
    return reconcile.plan(WANTED if wanted is None else wanted, found, POLICY, stale, names)


def test_a_node_that_is_what_it_should_be_has_nothing_to_do():
    assert planned() == []


def test_the_member_list_of_etcd_stays_as_it_is():
    assert reconcile.carry_over_manifest(MANIFEST, JOINED, reconcile.ETCD_KEPT) == JOINED
    assert reconcile.carry_over_manifest(MANIFEST, MANIFEST, reconcile.ETCD_KEPT) == MANIFEST
    assert planned({**FOUND, ETCD: JOINED}) == []


def test_a_changed_flag_of_etcd_keeps_its_member_list():
    wanted = {**WANTED, ETCD: MANIFEST.replace("4294967296", "8589934592")}
    (change,) = planned({**FOUND, ETCD: JOINED}, wanted)
    assert (change.component, change.restart) == ("etcd", "manifest")
    assert change.files == {ETCD: JOINED.replace("4294967296", "8589934592")}
    assert change.text == (
        "restart etcd: --quota-backend-bytes=4294967296 goes, --quota-backend-bytes=8589934592 comes"
    )


@pytest.mark.parametrize(
    ("wanted", "found", "result"),
    [
        ("--node-ip=a", "--node-ip=a", "--node-ip=a"),
        # in the order in which they are found, so that nothing changes
        ("--node-ip=a", "--register-with-taints=x --node-ip=a", "--register-with-taints=x --node-ip=a"),
        ("--node-ip=b", "--register-with-taints=x --node-ip=a", "--node-ip=b --register-with-taints=x"),
        ("--node-ip=a", "--node-ip=a --node-labels=b=c", "--node-ip=a"),
    ],
)
def test_taints_of_the_registration_stay_in_the_flags_of_the_kubelet(wanted, found, result):
    line = 'KUBELET_KUBEADM_ARGS="{}"\n'.format
    assert reconcile.carry_over_flags(line(wanted), line(found), reconcile.KUBELET_KEPT) == line(result)


@pytest.mark.parametrize(
    ("found", "component", "restart", "files", "words"),
    [
        ({API: "    - --a=1\n    - --c=3\n"}, "kube-apiserver", "manifest", {API}, "--c=3 goes, --b=2 comes"),
        ({API: ""}, "kube-apiserver", "manifest", {API}, "its manifest is missing"),
        ({API: "x\n    - --a=1\n    - --b=2\n"}, "kube-apiserver", "manifest", {API}, "differs in more than flags"),
        ({AUDIT: "rules: [x]\n"}, "kube-apiserver", "container", {AUDIT}, f"{AUDIT} changes"),
        (
            {AUDIT: "", API: "    - --a=1\n"},
            "kube-apiserver",
            "manifest",
            {AUDIT, API},
            f"--b=2 comes; {AUDIT} changes",
        ),
        ({CONFIG: "a: 2\nb:\n  c: 2\n"}, "kubelet", "unit", {CONFIG}, f"{CONFIG} changes (a)"),
        ({CONFIG: "a: 1\nb:\n  c: 3\nd: 1\n"}, "kubelet", "unit", {CONFIG}, f"{CONFIG} changes (b, d)"),
        ({FLAGS: ""}, "kubelet", "unit", {FLAGS}, f"{FLAGS} changes"),
    ],
)
def test_one_difference_is_one_change(found, component, restart, files, words):
    (change,) = planned({**FOUND, **found})
    assert (change.component, change.restart, set(change.files)) == (component, restart, files)
    assert words in change.text


def test_policy_is_written_before_the_manifest_that_needs_it():
    (change,) = planned({**FOUND, AUDIT: "", API: ""})
    assert list(change.files) == [AUDIT, API]


def test_a_kubelet_older_than_its_configuration_is_restarted():
    (change,) = planned(stale=True)
    assert (change.component, change.restart, change.files) == ("kubelet", "unit", {})


def test_names_of_the_certificate():
    (change,) = planned(names=(["a", "b"], ["b", "c"]))
    assert change.component == "certificate"
    assert change.text == "issue the API server's certificate again: a comes, c goes"


def test_changes_come_in_the_order_in_which_components_depend_on_each_other():
    changes = planned({}, names=(["a"], []))
    assert [change.component for change in changes] == ["certificate", "etcd", "kube-apiserver", "kubelet"]


def test_diff_is_text_by_file():
    changes = planned({**FOUND, API: "    - --a=1\n"})
    assert reconcile.diff(changes, {**FOUND, API: "    - --a=1\n"}) == [
        {"before_header": API, "after_header": API, "before": "    - --a=1\n", "after": WANTED[API]}
    ]


def test_certificate_names_are_those_of_kubeadm():
    cluster = {
        "service_cidr": "10.96.0.0/16",
        "dns_domain": "cluster.local",
        "api_name": "api.kubernetes.internal",
        "cert_sans": ["k8s.example.com", "localhost"],
    }
    names = reconcile.certificate_names(cluster, {"name": "cp1", "address": "192.0.2.11"})
    assert sorted(names) == sorted(
        [
            "10.96.0.1",
            "127.0.0.1",
            "192.0.2.11",
            "api.kubernetes.internal",
            "cp1",
            "k8s.example.com",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
        ]
    )


def config_map(data, **annotations):
    return {"metadata": {"annotations": annotations}, "data": data}


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "write ConfigMap kube-proxy"),
        (config_map({"a": "b"}), "write ConfigMap kube-proxy"),
        (
            config_map(
                {"a": "b"},
                **{
                    reconcile.SOURCE_ANNOTATION: '{"mode": "iptables"}',
                    reconcile.CONTENT_ANNOTATION: reconcile.content_hash({"a": "b"}),
                },
            ),
            "write ConfigMap kube-proxy: mode",
        ),
        (
            config_map(
                {"a": "edited"},
                **{
                    reconcile.SOURCE_ANNOTATION: '{"mode": "nftables"}',
                    reconcile.CONTENT_ANNOTATION: reconcile.content_hash({"a": "b"}),
                },
            ),
            "write ConfigMap kube-proxy: it was changed by somebody else",
        ),
        (
            config_map(
                {"a": "b"},
                **{
                    reconcile.SOURCE_ANNOTATION: '{"mode": "nftables"}',
                    reconcile.CONTENT_ANNOTATION: reconcile.content_hash({"a": "b"}),
                },
            ),
            None,
        ),
    ],
)
def test_plan_stored(found, text):
    changes = reconcile.plan_stored(
        {"kube-proxy": '{"mode": "nftables"}'}, {"kube-proxy": reconcile.read_stored(found)}
    )
    assert [change.text for change in changes] == ([text] if text else [])


def member(name, healthy=True, learner=False):
    return {"name": name, "id": name, "healthy": healthy, "learner": learner, "error": "" if healthy else "timeout"}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([member("cp1")], ""),
        ([member("cp1"), member("cp2")], ""),
        ([member("cp1"), member("cp2", False)], "without cp1 etcd would have 0 of 2 members and needs 2"),
        ([member("cp1"), member("cp2"), member("cp3")], ""),
        (
            [member("cp1"), member("cp2", False), member("cp3")],
            "would have 1 of 3 members and needs 2; not healthy: cp2",
        ),
        # who is down already can only gain
        ([member("cp1", False), member("cp2", False), member("cp3")], ""),
        ([member("cp1"), member("cp2"), member("cp3"), member("cp4", False), member("cp5")], ""),
        ([member("cp1"), member("cp2"), member("cp3", learner=True)], "etcd member cp3 is still a learner"),
        # no quorum, no answer: nothing can be lost
        ([], ""),
    ],
)
def test_why_not_etcd(members, reason):
    assert reason in reconcile.why_not_etcd(members, "cp1")
    assert bool(reason) == bool(reconcile.why_not_etcd(members, "cp1"))


@pytest.mark.parametrize(
    ("reasons", "refused"),
    [
        ({"cp1": ""}, False),
        ({"cp1": "", "cp2": ""}, False),
        ({"cp1": "", "cp2": "timeout"}, True),
        ({"cp1": "", "cp2": "timeout", "cp3": ""}, False),
        ({"cp1": "refused", "cp2": "timeout"}, False),
    ],
)
def test_why_not_api(reasons, refused):
    assert bool(reconcile.why_not_api(reasons, "cp1")) is refused


@pytest.mark.parametrize(
    ("marker", "refused"),
    [
        ("", False),
        (reconcile.failure_text("cp1", "s1", "unknown flag"), True),
        # other settings, the same node again, a node that is gone
        (reconcile.failure_text("cp1", "s0", "unknown flag"), False),
        (reconcile.failure_text("cp2", "s1", "unknown flag"), False),
        (reconcile.failure_text("cp9", "s1", "unknown flag"), False),
    ],
)
def test_what_failed_on_one_control_plane_is_not_tried_on_the_next(marker, refused):
    reason = reconcile.why_not_after(marker, "s1", "cp2", ["cp1", "cp2", "cp3"])
    assert bool(reason) is refused
    assert not refused or ("cp1" in reason and json.loads(marker)["reason"] in reason)


def test_probe_address_is_that_of_the_startup_probe():
    assert reconcile.probe_address(MANIFEST) == ("http", "127.0.0.1", 2381, "/readyz")
