# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One call of `kuma_control_plane`, from its options to its result."""

from __future__ import annotations

import base64
import tempfile
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils import _x509
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import reading
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.changes import summary
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    Definition,
    DefinitionError,
    collect,
    listed,
    parse_yaml,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import Engine
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.prune import Estate
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.secrets import secrets_of
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.wait import Waiter
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ApiError, ClientError, Cluster
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import control_plane as pure
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import running, upgrade
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.serving import Certificates, Serving
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files import OciFilesError
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_texts import artifact_of, read_texts
from ansible_collections.cloudnative.platform.plugins.module_utils._openssl import OpenSSL

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

FIELD_MANAGER = "cloudnative.platform"
#: Has the label of namespaces that are not ours, and nothing else.
INJECTION_MANAGER = "cloudnative.platform-kuma-injection"
OWNER = "kuma"
RECORDS = "kube-system"
#: A new endpoint takes a moment to reach every node.
ANSWER_SECONDS = 30.0
PROXY = f"/api/v1/namespaces/{pure.NAMESPACE}/services/http:{pure.NAME}:5681/proxy"
ERRORS = (ClientError, DefinitionError, KumaError, OciFilesError, _x509.CertificateError, ValueError, OSError)


class ControlPlane:
    def __init__(self, module: AnsibleModule, cluster: Cluster) -> None:
        self.module = module
        self.cluster = cluster
        self.params = module.params
        self.engine = self._engine(OWNER)
        # Labels of namespaces, by a manager of their own and without an owner.
        self.labels = Engine(cluster, INJECTION_MANAGER, force=True, check=module.check_mode)
        self.engines = [self.engine, self.labels]
        self.made: list[str] = []
        self.facts: dict[str, t.Any] = {}

    def _engine(self, owner: str) -> Engine:
        return Engine(self.cluster, FIELD_MANAGER, force=True, check=self.module.check_mode, owned_by=owner)

    def __call__(self) -> None:
        """Ends the module."""
        try:
            if self.params["state"] == "present":
                self.put_in()
            else:
                self.take_out()
        except ERRORS as e:
            self.module.fail_json(msg=str(e), **self.result())
        self.module.exit_json(**self.result())

    # -- present ------------------------------------------------------------------------------------------------

    def put_in(self) -> None:
        serving = self.serving()
        self.made = serving.actions
        definitions = collect(
            [
                *((f"definitions[{number}]", item) for number, item in enumerate(listed(self.params["definitions"]))),
                *(("the chart", body) for body in self.chart(serving)),
                *(("the certificates", body) for body in _secrets(serving)),
            ]
        )
        self.module.no_log_values.update(secrets_of(definitions))
        self.check_upgrade()
        planned = self.engine.plan(definitions)
        estate = Estate(self.engine, OWNER, RECORDS)
        estate.observe(planned)
        estate.plan_prune("50%")
        estate.open()
        sent = self.engine.send(planned)
        self.inject()
        timeout = 0 if self.module.check_mode else self.params["wait_timeout"]
        problems = Waiter(self.cluster).wait(self.engine.targets(sent), timeout)
        estate.prune(timeout or None)
        estate.close(True)
        self.tell(serving, problems or self.webhooks_silent())

    def check_upgrade(self) -> None:
        """Refuses a version that what runs may not go to. Only when it is another one: a mesh that is not as it should
        be still gets its certificates."""
        version = running.control_plane(self.cluster)
        target = pure.version_of(self.params["images"]["control_plane"], self.params["components"])
        if version == target:
            return
        made = upgrade.first(target)
        if version is not None:
            made = upgrade.check(target, *running.mesh(self.cluster, version, self.params["environment"]))
        refusal = upgrade.refusal(made, version or "", "skip_upgrade_checks (of role kuma: kuma_skip_upgrade_checks)")
        if refusal and not self.params["skip_upgrade_checks"]:
            raise KumaError(refusal)
        for text in (*made["problems"], *made["warnings"]):
            self.module.warn(text)

    def serving(self) -> Serving:
        with tempfile.TemporaryDirectory(dir=self.module.tmpdir) as place:
            maker = Certificates(OpenSSL(self.module), place, int(time.time()))
            if self.params["certificate"]:
                return maker.given(self.params["certificate"], pure.SERVICE_NAMES)
            return maker.kept(
                self.secret(pure.AUTHORITY_SECRET),
                self.secret(pure.SERVING_SECRET),
                pure.SERVICE_NAMES,
                self.params["certificate_days"],
                self.params["certificate_renew_before_days"],
            )

    def secret(self, name: str) -> dict[str, str]:
        found = reading.get(self.cluster, f"/api/v1/namespaces/{pure.NAMESPACE}/secrets/{name}") or {}
        texts = {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}
        self.module.no_log_values.update(text for key, text in texts.items() if key.endswith(".key"))
        return texts

    def chart(self, serving: Serving) -> list[Raw]:
        redirection = self.params["redirection"]
        wanted = {"component": self.params["component"], "files": [pure.FILES[redirection], pure.CRDS]}
        pure.check_version(self.params["component"], self.params["components"])
        artifact = artifact_of(wanted, self.params["components"], "the manifests of Kuma's chart")
        texts = read_texts(self.params["registry"], [artifact], self.module.tmpdir, self.module.warn)
        names = {role: name for role, name in self.params["images"].items() if role != "cni" or redirection != "init"}
        settings = pure.Settings(
            images=pure.images(names, self.params["components"]),
            ca_bundle=serving.ca_bundle,
            certificate=serving.fingerprint,
            **{
                name: self.params[name]
                for name in (
                    "replicas",
                    "autoscaled",
                    "resources",
                    "environment",
                    "node_selector",
                    "tolerations",
                    "injector_failure_policy",
                    "webhook_timeout",
                )
            },
        )
        return pure.patched([body for name, text in texts for body in parse_yaml(text, name)], settings)

    def inject(self) -> None:
        namespaces = self.cluster.request("GET", "/api/v1/namespaces")["items"]
        init = self.params["redirection"] == "init"
        bodies, warnings = pure.injection(namespaces, self.params["namespaces"], INJECTION_MANAGER, init)
        self.labels.apply([Definition(body, "namespaces") for body in bodies])
        for text in warnings:
            self.module.warn(text)

    # -- what it says -------------------------------------------------------------------------------------------

    def tell(self, serving: Serving, problems: list[str]) -> None:
        with_times = OpenSSL(self.module).describe(serving.certificate, "the certificate of the control plane")
        self.facts = {
            "version": "",
            "dataplanes": pure.dataplanes([], ""),
            "not_ready": problems,
            "certificate_days_left": _x509.days_left(with_times, int(time.time())),
        }
        if problems:
            if not self.module.check_mode:
                raise KumaError(f"the control plane is not ready: {'; '.join(problems)}")
            return
        self.facts["version"] = str(self.ask("/").get("version", ""))
        self.facts["dataplanes"] = pure.dataplanes(self.overviews(), self.facts["version"])

    def ask(self, path: str, **query: t.Any) -> dict[str, t.Any]:
        """The control plane's own API, which only reads here, through the API server."""
        answer = self.cluster.request("GET", PROXY + path, query=query)
        return answer if isinstance(answer, dict) else {}

    def overviews(self) -> t.Iterator[Raw]:
        offset: int | None = 0
        while offset is not None:
            page = self.ask("/dataplanes/_overview", size=1000, offset=offset)
            yield from page.get("items") or []
            offset = offset + 1000 if page.get("next") else None

    def webhooks_silent(self) -> list[str]:
        """Why the webhooks do not do what they are for; empty when they do."""
        deadline = time.monotonic() + (0 if self.module.check_mode else ANSWER_SECONDS)
        while True:
            said = self._probe()
            if said is None:
                return []
            if time.monotonic() >= deadline:
                return [said]
            # Nothing can be watched: what is waited for is an answer.
            time.sleep(1)

    def _probe(self) -> str | None:
        path = "/apis/kuma.io/v1alpha1/meshes"
        try:
            self.cluster.request("POST", path, query={"dryRun": "All"}, body=pure.PROBE)
        except ApiError as e:
            return None if pure.DENIED in e.message else f"the webhooks don't answer: {e.message}"
        return "the webhooks let through what they must refuse; is another control plane's configuration left?"

    # -- absent -------------------------------------------------------------------------------------------------

    def take_out(self) -> None:
        """Webhooks first: with the control plane gone they would refuse to let go of everything else."""
        timeout = None if self.module.check_mode else self.params["wait_timeout"]
        self.params["namespaces"] = []
        self.inject()
        estate = Estate(self.engine, OWNER, RECORDS)
        estate.observe()
        hooks = [body for body in estate.owned if body["kind"] in pure.WEBHOOKS]
        self.engine.delete([Definition(body, "the webhooks") for body in hooks], timeout)
        resources = self._engine(self.params["mesh_owner"])
        self.engines.insert(1, resources)
        mesh = Estate(resources, self.params["mesh_owner"], pure.NAMESPACE)
        mesh.observe()
        mesh.plan_removal()
        mesh.prune(timeout)
        mesh.remove_record()
        estate.owned = [body for body in estate.owned if body not in hooks]
        estate.plan_removal()
        estate.prune(timeout)
        estate.remove_record()

    # -- what came of it ----------------------------------------------------------------------------------------

    def result(self) -> dict[str, t.Any]:
        done = [change for engine in self.engines for change in engine.done]
        told = summary(done, self.module.check_mode, self.module._diff)
        del told["objects"]
        told["actions"] = [*(self.made if told["changed"] else []), *told["actions"]]
        return {**told, **self.facts}


def _secrets(serving: Serving) -> list[Raw]:
    kept = {pure.SERVING_SECRET: {"ca.crt": serving.authority, "tls.crt": serving.certificate, "tls.key": serving.key}}
    if serving.authority_keys is not None:
        kept[pure.AUTHORITY_SECRET] = {"ca.crt": serving.authority, "ca.key": serving.authority_keys}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": pure.NAMESPACE},
            "type": "kubernetes.io/tls" if name == pure.SERVING_SECRET else "Opaque",
            "data": {key: base64.b64encode(text.encode()).decode() for key, text in content.items()},
        }
        for name, content in kept.items()
    ]
