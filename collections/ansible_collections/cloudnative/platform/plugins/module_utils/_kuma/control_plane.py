# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The control plane on Kubernetes: the chart's manifests with what differs from site to site. Pure."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass, field

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import information, reading
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Raw

NAMESPACE = "kuma-system"
NAME = "kuma-control-plane"
INJECTION = "kuma.io/sidecar-injection"
SERVING_SECRET, AUTHORITY_SECRET = "kuma-tls-cert", "kuma-tls-ca"
#: By what clients, webhooks and sidecars call it.
SERVICE_NAMES = (NAME, f"{NAME}.{NAMESPACE}", f"{NAME}.{NAMESPACE}.svc")
CERTIFICATE_ANNOTATION = "cloudnative.platform/certificate"
FILES = {"init": "init.yaml", "calico": "cni-calico.yaml", "flannel": "cni-flannel.yaml"}
CRDS = "crds.yaml"
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
#: Kinds of the chart that are in no namespace, though it gives some of them one.
_CLUSTER_WIDE = (*WEBHOOKS, "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "GatewayClass")
_INJECTOR = "kuma-injector.kuma.io"
#: For how long a pod that is asked to end goes on answering. Well within the chart's grace period.
LEAVING_SECONDS = 5
#: Environment of the control plane that names images of pods it changes.
_IMAGES = {
    "KUMA_INJECTOR_SIDECAR_CONTAINER_IMAGE": "data_plane",
    "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_IMAGE": "data_plane",
    "KUMA_INJECTOR_INIT_CONTAINER_IMAGE": "init",
}
#: What the role sets because the rest of it relies on it.
RESERVED = (
    "KUMA_API_SERVER_READ_ONLY",
    "KUMA_DEFAULTS_SKIP_MESH_CREATION",
    "KUMA_ENVIRONMENT",
    "KUMA_GENERAL_TLS_CERT_FILE",
    "KUMA_GENERAL_TLS_KEY_FILE",
    "KUMA_MODE",
    "KUMA_RUNTIME_KUBERNETES_ADMISSION_SERVER_CERT_DIR",
    "KUMA_RUNTIME_KUBERNETES_ADMISSION_SERVER_PORT",
    "KUMA_STORE_KUBERNETES_SYSTEM_NAMESPACE",
    "KUMA_STORE_TYPE",
    *_IMAGES,
)


@dataclass(frozen=True)
class Settings:
    """What a site chooses. `images` are references with digest, by role."""

    images: dict[str, str]
    replicas: int = 2
    autoscaled: bool = False
    resources: Raw = field(default_factory=dict)
    environment: dict[str, t.Any] = field(default_factory=dict)
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[Raw] = field(default_factory=list)
    injector_failure_policy: str = "Fail"
    webhook_timeout: int = 10
    ca_bundle: str = ""
    certificate: str = ""


def images(names: t.Mapping[str, str], components: t.Mapping[str, t.Any]) -> dict[str, str]:
    """References by digest of the images, all that are missing named at once."""
    missing = sorted({name for name in names.values() if not (components.get(name) or {}).get("digest")})
    if missing:
        raise KumaError(
            f"components has no {', '.join(missing)}: the bundle was made without; write digests into the lock, or set "
            "bundle_allow_unknown_digest, and make it again"
        )
    return {role: f"{components[name]['ref']}@{components[name]['digest']}" for role, name in names.items()}


def check_version(component: str, components: t.Mapping[str, t.Any]) -> None:
    """Other versions have other fields, defaults and manifests."""
    version = str((components.get(component) or {}).get("version") or "")
    if version and reading.numbers(version)[:2] != reading.SUPPORTED:
        supported = ".".join(str(number) for number in reading.SUPPORTED)
        raise KumaError(f"component {component} is Kuma {version}; supported is {supported}: correct the lock file")


def version_of(component: str, components: t.Mapping[str, t.Any]) -> str:
    """What a component is, by its version or else by the tag of its reference."""
    found = components.get(component) or {}
    tag = str(found.get("ref") or "").rpartition("/")[2].partition(":")[2]
    return str(found.get("version") or tag)


def patched(objects: t.Iterable[Raw], settings: Settings) -> list[Raw]:
    """The chart's objects as this site wants them."""
    made = [_plain(copy.deepcopy(body)) for body in objects]
    found = {(body["kind"], body["metadata"]["name"]): body for body in made}
    deployment = found.get(("Deployment", NAME))
    if deployment is None:
        raise KumaError(f"the chart's manifests have no Deployment {NAME}; is the component the one of Kuma's chart?")
    _patch_deployment(deployment, settings)
    for body in made:
        if body["kind"] in WEBHOOKS:
            _patch_webhooks(body, settings)
        if body["kind"] == "DaemonSet":
            for container in _containers(body):
                container["image"] = settings.images["cni"]
    loose = sorted({image for body in made for image in _images_of(body) if "@sha256:" not in image})
    if loose:
        raise KumaError(
            f"the chart has images that the bundle has not: {', '.join(loose)}; this chart is not supported"
        )
    return made


def _plain(body: Raw) -> Raw:
    if body["kind"] in _CLUSTER_WIDE:
        body["metadata"].pop("namespace", None)
    return body


def _containers(body: Raw) -> list[Raw]:
    spec = ((body.get("spec") or {}).get("template") or {}).get("spec") or {}
    return [*spec.get("initContainers", []), *spec.get("containers", [])]


def _images_of(body: Raw) -> list[str]:
    found = [container["image"] for container in _containers(body)]
    for container in _containers(body):
        found += [one["value"] for one in container.get("env") or [] if one["name"] in _IMAGES]
    return found


def _patch_deployment(body: Raw, settings: Settings) -> None:
    spec = body["spec"]
    if settings.autoscaled:
        # The autoscaler's own.
        spec.pop("replicas", None)
    else:
        spec["replicas"] = settings.replicas
    template = spec["template"]
    annotations = template["metadata"].setdefault("annotations", {})
    if settings.certificate:
        # The control plane reads its certificate when it starts.
        annotations[CERTIFICATE_ANNOTATION] = settings.certificate
    pod = template["spec"]
    pod["nodeSelector"] = {**pod.get("nodeSelector", {}), **settings.node_selector}
    if settings.tolerations:
        pod["tolerations"] = settings.tolerations
    labels = spec["selector"]["matchLabels"]
    pod["topologySpreadConstraints"] = [
        {
            "topologyKey": key,
            "maxSkew": 1,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
    for container in pod["containers"]:
        container["image"] = settings.images["control_plane"]
        # All that the chart's own security context lacks for a restricted namespace.
        security = container.setdefault("securityContext", {})
        security["allowPrivilegeEscalation"] = False
        security["capabilities"] = {"drop": ["ALL"]}
        # Until no API server sends it reviews any more: one to a pod that is gone waits for its whole timeout. The
        # image has no shell to sleep in.
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": LEAVING_SECONDS}}}
        if settings.resources:
            container["resources"] = settings.resources
        container["env"] = _environment(container.get("env") or [], settings)


def _environment(given: list[Raw], settings: Settings) -> list[Raw]:
    wanted = {name: str(value) for name, value in settings.environment.items()}
    wanted |= {name: settings.images[role] for name, role in _IMAGES.items()}
    made = []
    for one in given:
        value = wanted.pop(one["name"], None)
        made.append({"name": one["name"], "value": value} if value is not None else one)
    # Names of images that this chart does not know are none of it.
    return made + [{"name": name, "value": value} for name, value in wanted.items() if name not in _IMAGES]


def _patch_webhooks(body: Raw, settings: Settings) -> None:
    for webhook in body.get("webhooks") or []:
        webhook["clientConfig"]["caBundle"] = settings.ca_bundle
        webhook["timeoutSeconds"] = settings.webhook_timeout
        if webhook["name"].endswith(_INJECTOR):
            webhook["failurePolicy"] = settings.injector_failure_policy


# Injection ----------------------------------------------------------------------------------------------------------


def injection(
    namespaces: t.Iterable[Raw], wanted: t.Collection[str], manager: str, init_container: bool
) -> tuple[list[Raw], list[str]]:
    """What to apply to which namespaces, and what to warn of.

    Only the label is ours, not the namespace: one that is not wanted any more gets an empty application, which takes
    off what `manager` had put on.
    """
    bodies: list[Raw] = []
    warnings: list[str] = []
    known: set[str] = set()
    for one in namespaces:
        name = one["metadata"]["name"]
        labels = one["metadata"].get("labels") or {}
        known.add(name)
        if name in wanted:
            bodies.append(_label(name, {INJECTION: "enabled"}))
            level = labels.get("pod-security.kubernetes.io/enforce", "privileged")
            if init_container and level != "privileged":
                warnings.append(
                    f"namespace {name} enforces Pod Security {level}, and kuma-init needs NET_ADMIN: its pods are "
                    "refused; use kuma_redirection: cni, or a namespace that is privileged"
                )
        elif labels.get(INJECTION) and _managed(one, manager):
            bodies.append(_label(name, {}))
    missing = sorted(set(wanted) - known)
    warnings += [
        f"namespace {name} does not exist yet; it gets its label by the next run after it was made" for name in missing
    ]
    return bodies, warnings


def _label(name: str, labels: dict[str, str]) -> Raw:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _managed(body: Raw, manager: str) -> bool:
    return any(
        one.get("manager") == manager and one.get("operation") == "Apply"
        for one in body["metadata"].get("managedFields", [])
    )


# What it says of itself ---------------------------------------------------------------------------------------------

#: Refused by the validating webhook of every supported version, so that a refusal is the proof that it answers.
PROBE: Raw = {
    "apiVersion": "kuma.io/v1alpha1",
    "kind": "Mesh",
    "metadata": {"name": "cloudnative-platform-probe"},
    "spec": {"mtls": {"enabledBackend": "none"}},
}
DENIED = 'kuma-admission.kuma.io" denied the request'


def dataplanes(overviews: t.Iterable[Raw], version: str) -> dict[str, t.Any]:
    """Who is connected, and who of them has no certificate."""
    found = [information.dataplane(one, version) for one in overviews]
    named = [(f"{one['mesh']}/{one['name']}", one) for one in found]
    return {
        "online": sum(one["online"] for one in found),
        "offline": sorted(name for name, one in named if not one["online"]),
        "without_certificate": sorted(name for name, one in named if one["online"] and not one["certificate_expiry"]),
    }
