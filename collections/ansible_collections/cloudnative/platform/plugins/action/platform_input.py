# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t
from collections import defaultdict

from ansible.module_utils.basic import missing_required_lib
from ansible.plugins.action import ActionBase

from ansible_collections.cloudnative.platform.plugins.module_utils._input_conflicts import NAMES as JUDGED_TOGETHER
from ansible_collections.cloudnative.platform.plugins.module_utils._input_conflicts import at_hosts
from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import Finding, Rules
from ansible_collections.cloudnative.platform.plugins.module_utils._input_gateway import is_used
from ansible_collections.cloudnative.platform.plugins.module_utils._input_settings import SETTINGS
from ansible_collections.cloudnative.platform.plugins.module_utils._input_specs import (
    YAML_ERROR,
    Catalog,
    SpecError,
    read_roles,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError
from ansible_collections.cloudnative.platform.plugins.module_utils._platform_input import Given, judge, report
from ansible_collections.cloudnative.platform.plugins.plugin_utils import _kong_documents
from ansible_collections.cloudnative.platform.plugins.plugin_utils._input_inventory import Inventory, read_inventory

HOST_SPEC = {
    "name": {"type": "str", "required": True},
    "groups": {"type": "list", "elements": "str", "default": []},
    "address": {"type": "str"},
    "port": {"type": "int"},
    "subnets": {"type": "list", "elements": "str", "default": []},
    "settings": {"type": "dict", "default": {}},
    "facts": {"type": "dict", "default": {}},
}
ARGUMENT_SPEC = {
    "hosts": {"type": "list", "elements": "dict", "options": HOST_SPEC},
    "settings": {"type": "dict", "default": {}},
    "variables": {"type": "list", "elements": "str", "default": []},
    "known_variables": {"type": "list", "elements": "str", "default": []},
    "roles_path": {"type": "path"},
    "supported_versions": {"type": "list", "elements": "str", "default": []},
    "held_version": {"type": "str", "default": ""},
    "specs": {"type": "list", "elements": "path", "default": []},
    "network_plugins": {"type": "list", "elements": "str", "default": ["calico", "flannel", "none"]},
    "architectures": {"type": "list", "elements": "str", "default": ["amd64", "arm64"]},
    "control_plane_group": {"type": "str", "default": "kube_control_plane"},
    "worker_group": {"type": "str", "default": "kube_node"},
    "registry_group": {"type": "str", "default": "registry"},
}


def documents_of_gateways(
    inventory: Inventory, hostvars: t.Mapping[str, t.Any], loader: _kong_documents.Loader
) -> dict[Finding, list[str]]:
    """What is wrong with the files that say what a gateway does. Those that many hosts name are read once."""
    hosts: dict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for name, values in inventory.values.items():
        paths = values.get("kong_configuration_files")
        if isinstance(paths, list) and is_used(values):
            base = hostvars[name].get("inventory_dir") or ""
            hosts[tuple(map(str, paths)), str(base)].append(name)
    findings: dict[Finding, list[str]] = {}
    for (paths, base), names in hosts.items():
        try:
            _kong_documents.read(paths, base, loader)
        except KongError as error:
            remedy = "correct the file or its path; relative paths begin from the inventory's directory"
            findings[Finding("kong_configuration_files", None, str(error), remedy)] = names
    return findings


class ActionModule(ActionBase):
    """Judges the input on the controller. No host is connected to, and no secret is handed to a module."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        try:
            catalog = self._catalog(params["roles_path"], params["specs"])
        except SpecError as error:
            return {**result, "failed": True, "changed": False, "msg": str(error)}
        variables = task_vars or {}
        # Some that are judged are no role's own, as platform_addons.
        wanted = {*catalog.variables, *SETTINGS, *JUDGED_TOGETHER}
        secrets = {name for name, option in catalog.variables.items() if option.holds_secret}
        inventory = read_inventory(variables["groups"], variables["hostvars"], wanted, SETTINGS, secrets)
        rules = Rules(
            control_plane_group=params["control_plane_group"],
            worker_group=params["worker_group"],
            registry_group=params["registry_group"],
            supported_versions=tuple(params["supported_versions"]),
            held_version=params["held_version"],
            network_plugins=tuple(params["network_plugins"]),
            architectures=tuple(params["architectures"]),
            known_variables=frozenset({*catalog.variables, *params["known_variables"]})
            if catalog.roles
            else frozenset(),
            variable_prefixes=catalog.prefixes,
        )
        judgement = judge(
            inventory.hosts if params["hosts"] is None else params["hosts"],
            params["settings"],
            rules,
            {*inventory.names, *params["variables"]},
            catalog,
            Given(inventory.values if catalog.roles else {}, inventory.encrypted, int(time.time())),
        )

        def named(findings: dict[Finding, list[str]]) -> list[Finding]:
            return [at_hosts(finding, hosts, len(inventory.values)) for finding, hosts in findings.items()]

        documents = documents_of_gateways(inventory, variables["hostvars"], self._loader) if catalog.roles else {}
        problems = [*named(inventory.problems), *judgement.problems, *named(documents)]
        unwise = [*named(inventory.warnings), *judgement.warnings]
        result["changed"] = False
        result["problems"] = [finding.as_dict() for finding in problems]
        result["unwise"] = [finding.as_dict() for finding in unwise]
        if unwise:
            result["warnings"] = [finding.sentence() for finding in unwise]
        if problems:
            result.update(failed=True, msg=report(problems, offline=bool(catalog.roles)))
        return result

    def _catalog(self, roles_path: str | None, specs: list[str]) -> Catalog:
        if not roles_path:
            return Catalog()
        if YAML_ERROR is not None:
            raise SpecError(missing_required_lib("PyYAML"))
        return read_roles(roles_path, specs)
