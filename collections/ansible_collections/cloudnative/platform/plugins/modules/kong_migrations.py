#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kong_migrations
short_description: Migrate the database of Kong Gateways on hosts, each step at its time
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Finds out whether this host gets into the database and may work on it, before anything is installed or changed.
  - Bootstraps a new database, runs the new migrations of the installed version, and finishes them when the last node
    with the old version is gone.
  - With C(database = off) only the package is looked at.
  - Each step can be repeated. What a run that was killed left undone is found in the database and done by the next one.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._attributes.platform
attributes:
  check_mode:
    support: full
    details:
      - What a version that is not installed yet will migrate can't be told; that it will be asked is said then.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    support: full
    platforms: debian
options:
  config:
    description:
      - Content of C(kong.conf), with C(pg_host), C(pg_password) and the others. Kong's commands are given the same.
    type: str
    required: true
  ca:
    description:
      - Certificate authority of the database's certificate (PEM), in place of the file that O(config) names, which may
        not be on the host yet.
    type: str
  state:
    description:
      - With V(checked) nothing changes. Fails where the database can't be reached or entered, where it is newer than
        the version that is going to run, and where the package can't be installed.
      - With V(up) a new database is bootstrapped, and new migrations of the installed version are run. Nodes with the
        version before go on working.
      - With V(finished) pending migrations are finished if all O(nodes) run the installed version. Otherwise nothing is
        done, and RV(waiting_for) names the nodes that do not.
    type: str
    choices: [checked, up, finished]
    required: true
  package:
    description:
      - Path of the Debian package that is going to be installed on this host. Without it the version stays.
      - Used with O(state=checked), and in check mode.
    type: path
  nodes:
    description:
      - All nodes that work on the database, each with the version that runs there, or an empty text where that is not
        known.
      - Needed with O(state=finished).
    type: dict
    default: {}
  timeout:
    description:
      - Seconds that a command on the database may take, and that one waits for another node's migrations.
    type: int
    default: 60
seealso:
  - module: cloudnative.platform.kong_config
"""

EXAMPLES = r"""
- name: See whether the gateway could be installed here
  cloudnative.platform.kong_migrations:
    state: checked
    config: "{{ kong_conf }}"
    package: /var/cache/kong_3.9.3_amd64.deb

- name: Run the new migrations, the other nodes go on meanwhile
  cloudnative.platform.kong_migrations:
    state: up
    config: "{{ kong_conf }}"

- name: Finish them once no node runs the old version any more
  cloudnative.platform.kong_migrations:
    state: finished
    config: "{{ kong_conf }}"
    nodes:
      gateway1: 3.9.3
      gateway2: 3.9.3
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done, would be done in check mode, or with O(state=checked) is going to be done.
  returned: always
  type: list
  elements: str
  sample: ["run 3 new migrations of Kong 3.9.3 (core: 024_380_to_390)"]
installed:
  description: Version of the package on this host. Empty where there is none.
  returned: success
  type: str
wanted:
  description: Version of O(package), or the installed one.
  returned: success
  type: str
running:
  description: Version of the node that runs on this host. Empty where none answers.
  returned: with O(state=checked)
  type: str
check_mode:
  description:
    - Whether the module only predicted. C(ansible_check_mode) follows the command line alone, and not the C(check_mode)
      of a play or task.
  returned: success
  type: bool
due:
  description: Whether this host has to be given the package or the database its migrations.
  returned: with O(state=checked)
  type: bool
pending:
  description: Names of the migrations that are not finished, by subsystem.
  returned: success
  type: dict
  sample: {core: [024_380_to_390]}
waiting_for:
  description: Nodes that do not run the installed version, so that pending migrations can't be finished.
  returned: with O(state=finished)
  type: list
  elements: str
"""

import contextlib
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils import _kong_migrations as planning
from ansible_collections.cloudnative.platform.plugins.module_utils._host_lock import HostLockError, lock_for
from ansible_collections.cloudnative.platform.plugins.module_utils._kong_migrations_io import (
    Database,
    Host,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    "config": {"type": "str", "required": True, "no_log": True},
    "ca": {"type": "str"},
    "state": {"type": "str", "choices": ["checked", "up", "finished"], "required": True},
    "package": {"type": "path"},
    "nodes": {"type": "dict", "default": {}},
    "timeout": {"type": "int", "default": 60},
}


def checked(host: Host, database: Database, package: str | None) -> dict[str, t.Any]:
    schema = database.schema()
    installed = host.installed()
    wanted = host.package(package) if package else installed
    if wanted is None:
        raise planning.MigrationError("Kong is not installed on this host, and no package is given")
    planning.check(schema, wanted, database.name)
    actions = []
    if wanted != installed:
        host.check_installable(str(package))
        actions.append(f"install Kong {wanted}" + (f" ({installed} is installed)" if installed else ""))
        if database.is_used and schema is None:
            actions.append(f"bootstrap the database {database.name}")
        elif database.is_used:
            actions.append(f"run migrations of Kong {wanted}, if it has new ones for the database {database.name}")
    elif database.is_used:
        status = host.status()
        planning.check_known(schema, status, wanted, database.name)
        step = planning.plan_up(status, wanted)
        actions += [step.text] if step.command else []
    return {
        "installed": installed or "",
        "wanted": wanted,
        "running": host.running() or "",
        "actions": actions,
        "due": bool(actions),
        "pending": dict(schema.pending) if schema else {},
    }


def migrated(module: AnsibleModule, host: Host, database: Database) -> dict[str, t.Any]:
    params = module.params
    installed = host.installed()
    package = params["package"]
    if module.check_mode and package and host.package(package) != installed:
        # What is going to run is not here yet, so it can't be asked.
        predicted = checked(host, database, package)
        return {**predicted, "changed": True}
    if installed is None:
        raise planning.MigrationError("Kong is not installed on this host")
    result: dict[str, t.Any] = {"installed": installed, "wanted": installed, "actions": [], "pending": {}}
    if params["state"] == "finished":
        result["waiting_for"] = []
    if not database.is_used:
        return result
    schema = database.schema()
    planning.check(schema, installed, database.name)
    status = host.status()
    planning.check_known(schema, status, installed, database.name)
    if params["state"] == "up":
        step = planning.plan_up(status, installed)
    else:
        step = planning.plan_finish(status, installed, params["nodes"])
        result["waiting_for"] = list(step.waiting_for)
    result["pending"] = dict(status.pending)
    if not step.command:
        return result
    result.update(changed=True, actions=[step.text])
    if not module.check_mode:
        host.migrate(step.command, params["timeout"])
        after = host.status()
        if after.needs_bootstrap or after.new or (step.command == "finish" and after.pending):
            left = planning.listed(after.new or after.pending) or "everything"
            raise planning.MigrationError(f"kong migrations {step.command} ended well and left {left} undone")
        result["pending"] = dict(after.pending)
    return result


@contextlib.contextmanager
def authority(module: AnsibleModule) -> t.Iterator[str]:
    """The settings, with the given certificate authority in a file of this call."""
    config, ca = module.params["config"], module.params["ca"]
    if not ca:
        yield config
        return
    with tempfile.NamedTemporaryFile("w", dir=module.tmpdir, suffix=".pem", encoding="utf-8") as file:
        file.write(ca)
        file.flush()
        yield planning.with_authority(config, file.name)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    settings = planning.parse_settings(params["config"])
    # Kong names it in no message; should it ever, it is masked.
    module.no_log_values.update(filter(None, [settings.get("pg_password")]))
    try:
        with lock_for(module), authority(module) as config:
            database = Database(planning.parse_settings(config), min(params["timeout"], 10))
            host = Host(module, config)
            if params["state"] == "checked":
                result = checked(host, database, params["package"])
            else:
                result = migrated(module, host, database)
    except (planning.MigrationError, HostLockError) as e:
        module.fail_json(msg=str(e))
    if result.get("waiting_for"):
        nodes = ", ".join(result["waiting_for"])
        module.warn(
            f"migrations of Kong {result['installed']} are not finished before {nodes} run it too; until then no other "
            "version can be installed"
        )
    module.exit_json(**{"changed": False, "check_mode": module.check_mode, **result})


if __name__ == "__main__":
    main()
