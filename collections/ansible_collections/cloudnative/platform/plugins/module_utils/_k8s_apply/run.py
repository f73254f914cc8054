# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One call of k8s_apply, from its options to its result."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import owner
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.changes import (
    UNCHANGED,
    ApplyError,
    Change,
    Planned,
    summary,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.conditions import (
    LIBRARY_ERROR,
    compiled,
    resource_of,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    Definition,
    DefinitionError,
    checked,
    documents_of,
    listed,
    read_files,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.discovery import from_crds
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.engine import Engine
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.pods import Patience
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.prune import Estate
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.secrets import secrets_in
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.wait import Target, Waiter
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_client import ClientError, Cluster, mask_only
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_files import OciFilesError
from ansible_collections.cloudnative.platform.plugins.module_utils._oci_texts import artifact_of, read_texts

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def take_definitions(module: AnsibleModule) -> list[t.Any]:
    """What the option holds. First thing of all, so that every error can say which object and which field it means.

    As a whole it leaves the result; of everything else there, only what is secret in it is masked.
    """
    given = listed(module.params["definitions"])
    module.params["definitions"] = HIDDEN if given else []
    mask_only(module, given, secrets_in(given))
    return given


class Run:
    def __init__(self, module: AnsibleModule, cluster: Cluster, given: list[t.Any]) -> None:
        params = module.params
        self.given = given
        self.module = module
        self.params = params
        self.cluster = cluster
        self.engine = Engine(
            cluster,
            params["field_manager"],
            params["force_conflicts"],
            module.check_mode,
            params["namespace"],
            owned_by=params["owner"],
        )
        self.estate: Estate | None = None
        self.timeout: float | None = params["wait_timeout"] if params["wait"] else None

    def __call__(self) -> None:
        """Ends the module."""
        started = time.monotonic()
        try:
            if self.params["owner"]:
                name = owner.check_name(self.params["owner"])
                self.estate = Estate(self.engine, name, self.params["owner_namespace"])
            if self.params["state"] == "present":
                self.put_in()
            else:
                self.take_out()
        except (ClientError, DefinitionError, OciFilesError, ValueError, OSError) as e:
            self.fail(e)
        self.warn()
        duration = round(time.monotonic() - started, 2)
        self.module.exit_json(requests=self.cluster.requests, duration=duration, **self.result())

    # -- steps --------------------------------------------------------------------------------------------------

    def definitions(self) -> list[Definition]:
        sources = [(f"definitions[{number}]", item) for number, item in enumerate(self.given)]
        documents = documents_of([*sources, *read_files(self.params["src"]), *self.artifacts()])
        self.module.no_log_values.update(secrets_in([body for _source, body in documents]))
        return checked(documents)

    def artifacts(self) -> list[tuple[str, str]]:
        """Manifests out of the platform's registry."""
        if not self.params["artifacts"]:
            return []
        wanted = [
            artifact_of(one, self.params["components"], f"artifacts[{number}]")
            for number, one in enumerate(self.params["artifacts"])
        ]
        return read_texts(self.params["registry"], wanted, self.module.tmpdir, self.module.warn)

    def put_in(self) -> None:
        definitions = self.definitions()
        prune = self.params["prune"]
        if prune and not definitions:
            raise DefinitionError(
                f"there are no definitions, so everything of owner {self.params['owner']} would be pruned; if that is "
                "meant, use state=absent without definitions"
            )
        planned = self.engine.plan(definitions)
        conditions = self.conditions(definitions)
        if self.estate:
            self.estate.observe(planned)
            if prune:
                self.estate.plan_prune(self.params["prune_max"])
            self.estate.open()
        sent = self.send(planned)
        self.wait([*self.engine.targets(sent), *conditions])
        if self.estate:
            if prune:
                self.estate.prune(self.timeout)
            self.estate.close(prune)

    def send(self, planned: list[Planned]) -> list[Change]:
        try:
            return self.engine.send(planned)
        except ClientError as e:
            if not (self.estate and self.estate.withdraw()):
                raise
            # What was told as done is not any more.
            raise ApplyError(e.problems if isinstance(e, ApplyError) else [str(e)], self.engine.done) from e

    def conditions(self, definitions: list[Definition]) -> list[Target]:
        """What the user waits for besides, checked before anything is sent."""
        if self.params["wait_for"] and LIBRARY_ERROR:
            self.module.fail_json(msg=missing_required_lib("jmespath"), exception=LIBRARY_ERROR)
        catalog = {**from_crds(definitions), **self.engine.catalog} if self.params["wait_for"] else {}
        targets: list[Target] = []
        for number, one in enumerate(self.params["wait_for"]):
            source = f"wait_for[{number}]"
            rule = compiled(one["expression"], source)
            resource = resource_of(one["kind"], one["api_version"], catalog, source)
            namespace = (one["namespace"] or self.params["namespace"]) if resource.namespaced else None
            targets.append(Target(resource, one["name"], namespace, rule))
        return targets

    def wait(self, targets: list[Target]) -> None:
        if self.timeout is None or self.module.check_mode:
            return
        patience = Patience(not_scheduled=self.params["unschedulable_timeout"])
        problems = Waiter(self.cluster, patience=patience).wait(targets, self.timeout)
        if problems:
            self.warn()
            self.module.fail_json(msg="; ".join(problems), **self.result())

    def take_out(self) -> None:
        definitions = self.definitions()
        if definitions or not self.estate:
            self.engine.delete(definitions, self.timeout)
            return
        self.estate.observe()
        self.estate.plan_removal()
        self.estate.prune(self.timeout)
        self.estate.remove_record()

    # -- what came of it ----------------------------------------------------------------------------------------

    def result(self) -> dict[str, t.Any]:
        return summary(self.engine.done, self.module.check_mode, self.module._diff)

    def warn(self) -> None:
        warnings = [change.warning for change in self.engine.done if change.warning]
        for text in [*warnings, *(self.estate.warnings if self.estate else [])]:
            self.module.warn(text)

    def fail(self, error: Exception) -> None:
        """Whatever went wrong, what was done before it is told."""
        if not isinstance(error, ApplyError) and any(change.action != UNCHANGED for change in self.engine.done):
            error = ApplyError([str(error)], self.engine.done)
        self.warn()
        self.module.fail_json(msg=str(error), **self.result())
