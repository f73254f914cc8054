# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import control_plane as pure
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError

IMAGES = {role: f"kuma/{role}:1@sha256:{'a' * 64}" for role in ("control_plane", "data_plane", "init", "cni")}
MANAGER = "injection"


def chart() -> list[dict[str, t.Any]]:
    """What Kuma's chart renders, as far as it is changed."""
    labels = {"app": pure.NAME}
    environment = [
        {"name": "KUMA_ENVIRONMENT", "value": "kubernetes"},
        {"name": "KUMA_INJECTOR_INIT_CONTAINER_IMAGE", "value": "docker.io/kumahq/kuma-init:2.14.3"},
        {
            "name": "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_IMAGE",
            "value": "docker.io/kumahq/kuma-dp:2.14.3",
        },
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    container = {
        "name": "control-plane",
        "image": "docker.io/kumahq/kuma-cp:2.14.3",
        "env": environment,
        "securityContext": {"readOnlyRootFilesystem": True},
        "resources": {"requests": {"cpu": "500m"}},
    }
    pod = {"containers": [container], "nodeSelector": {"kubernetes.io/os": "linux"}}
    client = {"caBundle": "cGxhY2Vob2xkZXI=", "service": {"name": pure.NAME}}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": pure.NAME, "namespace": pure.NAMESPACE},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "kuma", "namespace": pure.NAMESPACE},
            "webhooks": [
                {"name": "mesh.defaulter.kuma-admission.kuma.io", "failurePolicy": "Fail", "clientConfig": client},
                {"name": "pods-kuma-injector.kuma.io", "failurePolicy": "Fail", "clientConfig": dict(client)},
            ],
        },
    ]


def patched(**settings: t.Any) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    given = chart()
    before = copy.deepcopy(given)
    deployment, hooks = pure.patched(given, pure.Settings(images=IMAGES, **settings))
    assert given == before
    return deployment, hooks


def test_images_are_those_of_the_registry_by_digest() -> None:
    container = patched()[0]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == IMAGES["control_plane"]
    values = {one["name"]: one.get("value") for one in container["env"]}
    assert values["KUMA_INJECTOR_INIT_CONTAINER_IMAGE"] == IMAGES["init"]
    assert values["KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_IMAGE"] == IMAGES["data_plane"]
    assert "KUMA_INJECTOR_SIDECAR_CONTAINER_IMAGE" not in values


def test_what_a_site_chooses() -> None:
    deployment, _hooks = patched(
        replicas=3,
        resources={"limits": {"memory": "1Gi"}},
        environment={"KUMA_LOG": 1, "KUMA_ENVIRONMENT": "universal"},
        node_selector={"mesh": "yes"},
        tolerations=[{"key": "mesh"}],
        certificate="print",
    )
    assert deployment["spec"]["replicas"] == 3
    template = deployment["spec"]["template"]
    assert template["metadata"]["annotations"] == {pure.CERTIFICATE_ANNOTATION: "print"}
    assert template["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux", "mesh": "yes"}
    assert template["spec"]["tolerations"] == [{"key": "mesh"}]
    spread = template["spec"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    container = template["spec"]["containers"][0]
    assert container["resources"] == {"limits": {"memory": "1Gi"}}
    assert {"name": "KUMA_LOG", "value": "1"} in container["env"]
    assert container["env"][0] == {"name": "KUMA_ENVIRONMENT", "value": "universal"}
    assert container["env"][3] == chart()[0]["spec"]["template"]["spec"]["containers"][0]["env"][3]
    security = container["securityContext"]
    assert security == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_pod_that_ends_answers_until_nobody_asks_it_any_more() -> None:
    pod = patched()[0]["spec"]["template"]["spec"]
    assert pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5


def test_number_of_pods_is_the_autoscalers() -> None:
    assert "replicas" not in patched(autoscaled=True)[0]["spec"]


def test_webhooks_trust_the_authority_and_only_injection_may_be_left_out() -> None:
    _deployment, hooks = patched(ca_bundle="Y2E=", injector_failure_policy="Ignore", webhook_timeout=3)
    assert "namespace" not in hooks["metadata"]
    found = {hook["name"]: (hook["failurePolicy"], hook["clientConfig"]["caBundle"]) for hook in hooks["webhooks"]}
    assert found == {
        "mesh.defaulter.kuma-admission.kuma.io": ("Fail", "Y2E="),
        "pods-kuma-injector.kuma.io": ("Ignore", "Y2E="),
    }
    assert {hook["timeoutSeconds"] for hook in hooks["webhooks"]} == {3}


def test_charts_that_are_not_known_are_refused() -> None:
    with pytest.raises(KumaError, match="have no Deployment kuma-control-plane"):
        pure.patched(chart()[1:], pure.Settings(images=IMAGES))
    spec = {"template": {"spec": {"containers": [{"image": "docker.io/kumahq/merbridge:0.8.5"}]}}}
    job = {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"name": "x"}, "spec": spec}
    with pytest.raises(KumaError, match=r"images that the bundle has not: docker\.io/kumahq/merbridge:0\.8\.5"):
        pure.patched([*chart(), job], pure.Settings(images=IMAGES))


def test_cni_plugin_gets_its_image() -> None:
    spec = {"template": {"spec": {"containers": [{"image": "kumahq/kuma-cni:2"}], "initContainers": [{"image": "x"}]}}}
    daemon = {"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": {"name": "kuma-cni-node"}, "spec": spec}
    pod = pure.patched([*chart(), daemon], pure.Settings(images=IMAGES))[2]["spec"]["template"]["spec"]
    assert [one["image"] for one in pod["containers"] + pod["initContainers"]] == [IMAGES["cni"]] * 2


def test_images_that_the_bundle_has_not_are_named_at_once() -> None:
    known = {"kuma-cp": {"ref": "docker.io/kumahq/kuma-cp:2", "digest": "sha256:1"}}
    names = {"control_plane": "kuma-cp", "data_plane": "kuma-dp", "init": "kuma-init"}
    with pytest.raises(KumaError, match="components has no kuma-dp, kuma-init: the bundle was made without"):
        pure.images(names, known)
    assert pure.images({"control_plane": "kuma-cp"}, known) == {"control_plane": "docker.io/kumahq/kuma-cp:2@sha256:1"}


def test_versions_that_are_not_supported_are_refused() -> None:
    pure.check_version("kuma", {"kuma": {"version": "2.14.9"}})
    for version in ("2.13.10", "3.0.0"):
        with pytest.raises(KumaError, match=f"component kuma is Kuma {version}; supported is 2.14"):
            pure.check_version("kuma", {"kuma": {"version": version}})


def namespace(name: str, *, label: str = "", manager: str = "", level: str = "") -> dict[str, t.Any]:
    labels = {pure.INJECTION: label} if label else {}
    if level:
        labels["pod-security.kubernetes.io/enforce"] = level
    managed = [{"manager": manager, "operation": "Apply"}] if manager else []
    return {"metadata": {"name": name, "labels": labels, "managedFields": managed}}


@pytest.mark.parametrize(
    ("there", "wanted", "applied", "warned"),
    [
        ([namespace("shop")], ["shop"], {"shop": "enabled"}, ""),
        ([namespace("shop", label="enabled", manager=MANAGER)], ["shop"], {"shop": "enabled"}, ""),
        ([namespace("shop", label="enabled", manager=MANAGER)], [], {"shop": None}, ""),
        # Somebody else's label.
        ([namespace("shop", label="enabled", manager="kubectl")], [], {}, ""),
        ([namespace("kuma-system", label="disabled")], [], {}, ""),
        # Taken off before; the manager is forgotten when nothing of it is left.
        ([namespace("shop", manager=MANAGER)], [], {}, ""),
        ([], ["shop"], {}, "namespace shop does not exist yet"),
        ([namespace("shop", level="restricted")], ["shop"], {"shop": "enabled"}, "enforces Pod Security restricted"),
        ([namespace("shop", level="privileged")], ["shop"], {"shop": "enabled"}, ""),
    ],
)
def test_labels_of_namespaces(
    there: list[dict[str, t.Any]], wanted: list[str], applied: dict[str, str | None], warned: str
) -> None:
    bodies, warnings = pure.injection(there, wanted, MANAGER, init_container=True)
    found = {one["metadata"]["name"]: one["metadata"]["labels"].get(pure.INJECTION) for one in bodies}
    assert found == applied
    assert (warned in " ".join(warnings)) if warned else (warnings == [])


def test_a_cni_plugin_leaves_pods_restricted() -> None:
    assert pure.injection([namespace("shop", level="restricted")], ["shop"], MANAGER, init_container=False)[1] == []


def test_dataplanes_are_counted() -> None:
    connected = {"subscriptions": [{"connectTime": "2026-01-01T00:00:00Z"}]}
    gone = {"subscriptions": [{"connectTime": "2026-01-01T00:00:00Z", "disconnectTime": "2026-01-01T00:00:01Z"}]}
    certified = {**connected, "mTLS": {"certificateExpirationTime": "2026-01-02T00:00:00Z"}}
    items = [
        {"mesh": "default", "name": name, "dataplaneInsight": insight}
        for name, insight in (("a", certified), ("b", connected), ("c", gone), ("d", {}))
    ]
    assert pure.dataplanes(items, "2.14.3") == {
        "online": 2,
        "offline": ["default/c", "default/d"],
        "without_certificate": ["default/b"],
    }
