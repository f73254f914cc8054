#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kong_config
short_description: The whole configuration of a Kong Gateway in one call
version_added: 0.1.0
description:
  - Makes a Kong Gateway hold what documents in Kong's declarative format say, services, routes, upstreams, targets,
    consumers with all their credentials, plugins, certificates, SNIs, CA certificates, vaults, keys and key sets.
  - With a database it reads everything in parallel, compares, checks every entity that would be written with Kong's own
    schemas, and writes only what differs. Without one it gives each node the same document, where its hash differs.
  - Everything that is wrong with the documents is reported at once, before anything is written.
  - A node without a database that can't be reached or answers with errors fails the run after the others were done. One
    with a database that does so gets no further writes. In both cases the next run does what is missing.
  - Supports Kong Gateway OSS 3.9.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._kong_admin
attributes:
  check_mode:
    support: full
    details:
      - Reads and validates as a real run does.
  diff_mode:
    support: full
    details:
      - Secrets are hidden; that one changes is shown.
  idempotent:
    support: full
options:
  config:
    description:
      - A document, as a mapping or as YAML or JSON text. Entities may be nested or flat, refer to each other by name,
        and need no ids. Its C(_format_version) is V("3.0").
      - Or a list of documents. Never logged; secrets in it are masked in every output.
    type: raw
  config_names:
    description:
      - What messages call the documents in O(config), in their order; the paths of their files, for example.
    type: list
    elements: str
  src:
    description:
      - Paths of documents, in YAML or JSON, on the host where the module runs. A directory stands for the C(*.yml),
        C(*.yaml) and C(*.json) in it.
      - All documents together are one. An entity that stands in two of them is an error.
      - YAML needs PyYAML there, JSON needs nothing.
    type: list
    elements: path
  state:
    description:
      - V(present) makes the gateway hold the documents.
      - V(absent) deletes the entities that the documents name, or without documents all that have O(owner)'s and
        O(select_tags)' tags. Not for a gateway without a database.
      - V(exported) changes nothing and returns what the gateway holds, as a document that, applied again, changes
        nothing. Without a database, of the first node that answers; a warning names those that do not.
      - V(rendered) asks no gateway and writes to O(dest) the bytes that nodes without a database are given, so that a
        new one can be started with them.
    type: str
    choices: [present, absent, exported, rendered]
    default: present
  mode:
    description:
      - Whether the gateway has a database. V(auto) asks it; the others refuse a gateway of the other kind.
    type: str
    choices: [auto, postgres, dbless]
    default: auto
  owner:
    description:
      - Name of whom the documents belong to. Each entity gets the tag C(managed-by=owner). One that has another owner's
        tag already is refused.
    type: str
  select_tags:
    description:
      - Tags that each entity gets in addition. Those of C(_info) in a document are added.
    type: list
    elements: str
  prune:
    description:
      - Whether what has the tags of O(owner) and O(select_tags) and is not in the documents is deleted. Without such
        tags everything that the gateway holds is meant.
      - A gateway without a database is always replaced as a whole.
    type: bool
    default: false
  prune_max:
    description:
      - How many entities one run may delete because the documents do not name them; V(-1) for any number.
    type: int
    default: 20
  validate:
    description:
      - Whether Kong is asked about every entity before the first is written; once about those that differ in nothing
        but plain names, hosts, paths, addresses, tags and numbers within their bounds, which have the same answer.
      - A node without a database checks a document as a whole, so there it matters in check mode only.
    type: bool
    default: true
  dest:
    description:
      - Path of a file, only readable for its owner, that gets the document. The whole export with O(state=exported),
        otherwise the bytes for nodes without a database, once one took them, for C(declarative_config) or a Secret.
    type: path
  ready_only:
    description:
      - Whether pods that are not ready are left out, and that there is none is no error. For the call before the one
        that installs or repairs the gateway, O(state=present) only.
      - Where no pod is ready the document is only kept in O(dest) and O(kubernetes_secret), and no Kong checks it.
    type: bool
    default: false
  kubernetes_secret:
    description:
      - Secret in the namespace of O(kubernetes) that gets the bytes that nodes without a database hold, so that new
        pods load them. Written after at least one node took the document, so it never holds what Kong refuses.
      - Needs the right to read and patch it.
    type: dict
    suboptions:
      name:
        description:
          - Name of the Secret.
        type: str
        required: true
      key:
        description:
          - Key in the Secret, which is the name of the file in a volume. Its ending tells Kong the format.
        type: str
        default: kong.json
  wait_proxy:
    description:
      - Waits, after something was changed, until the proxy answers. Kong's workers take up a change up to five seconds
        later.
    type: dict
    suboptions:
      url:
        description:
          - Address to ask.
        type: str
        required: true
      method:
        description:
          - Method to ask with.
        type: str
        default: GET
      headers:
        description:
          - Headers to ask with, C(Host) for example. Never shown.
        type: dict
      status:
        description:
          - Good answers. Without them every answer is good but the one of Kong for a request without a route.
        type: list
        elements: int
      timeout:
        description:
          - Seconds to wait.
        type: int
        default: 15
      validate_certs:
        description:
          - Whether the proxy's certificate is checked.
        type: bool
        default: true
      ca_cert:
        description:
          - Path of the certificate authority of the proxy's certificate.
        type: path
requirements:
  - kubernetes >= 28.1.0 (Python library, with O(kubernetes) only)
  - PyYAML (for documents in YAML only)
seealso:
  - module: cloudnative.platform.kong_info
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Keep the gateway as the repository says, and nothing else of ours in it
  cloudnative.platform.kong_config:
    admin_urls:
      - https://gateway-1.internal:8444
    ca_cert: /etc/ssl/internal-ca.pem
    src:
      - gateway/
    owner: platform
    prune: true

- name: See what that would change
  cloudnative.platform.kong_config:
    src:
      - gateway/
    owner: platform
    prune: true
  check_mode: true
  diff: true

- name: Configure every gateway pod, and wait until the shop is served
  cloudnative.platform.kong_config:
    kubernetes:
      kubeconfig: ~/.kube/config
      namespace: kong
      selector: app.kubernetes.io/name=kong
    config:
      _format_version: "3.0"
      services:
        - name: shop
          url: http://shop.shop.svc:8080
          routes:
            - name: shop
              hosts: [shop.example.com]
          plugins:
            - name: rate-limiting
              config: {minute: 600, policy: local}
    wait_proxy:
      url: http://10.0.0.11:30080/
      headers:
        Host: shop.example.com

- name: Keep a copy of what is there
  cloudnative.platform.kong_config:
    state: exported
    dest: /root/gateway-backup.yml
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, one sentence for each entity that changed.
  returned: always
  type: list
  elements: str
  sample: ["update route shop: hosts, paths", "delete plugin cors of route old (with route old)"]
counts:
  description: Number of entities that were created, updated and deleted.
  returned: when something was compared
  type: dict
  sample: {created: 0, updated: 10, deleted: 0}
mode:
  description: V(postgres) or V(dbless).
  returned: when a gateway was asked
  type: str
version:
  description: Version of the gateway.
  returned: when a gateway was asked
  type: str
  sample: 3.9.3
nodes:
  description: Each node that answers, what it holds, and whether it was given, or would be given, another document.
  returned: without a database
  type: list
  elements: dict
  contains:
    name:
      description: Address, or the pod.
      type: str
    configuration_hash:
      description: Hash that the node reports.
      type: str
    changed:
      description: Whether the hash differed from the document's.
      type: bool
configuration_hash:
  description: Hash of the document, as nodes without a database report it.
  returned: without a database, and with O(state=rendered)
  type: str
config:
  description: The gateway's configuration, with secrets hidden. O(dest) gets it with them.
  returned: with O(state=exported)
  type: dict
requests:
  description: Number of requests that were sent.
  returned: when there is a gateway to ask, which O(state=rendered) does not do
  type: int
duration:
  description: Seconds the call took.
  returned: success
  type: float
"""

import functools
import time
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import mask_only
from ansible_collections.cloudnative.platform.plugins.module_utils._kong import (
    database_mode,
    dbless_mode,
    masks,
    run,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.options import (
    CONNECTION_SPEC,
    cache_dir,
    mask_kubeconfig,
    nodes,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.reading import DBLESS, POSTGRES, Schemas
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    **CONNECTION_SPEC,
    "config": {"type": "raw", "no_log": True},
    "config_names": {"type": "list", "elements": "str"},
    "src": {"type": "list", "elements": "path"},
    "state": {"type": "str", "choices": ["present", "absent", "exported", "rendered"], "default": "present"},
    "mode": {"type": "str", "choices": ["auto", "postgres", "dbless"], "default": "auto"},
    "owner": {"type": "str"},
    "select_tags": {"type": "list", "elements": "str"},
    "prune": {"type": "bool", "default": False},
    "prune_max": {"type": "int", "default": 20},
    "validate": {"type": "bool", "default": True},
    "dest": {"type": "path"},
    "ready_only": {"type": "bool", "default": False},
    "kubernetes_secret": {
        "type": "dict",
        "no_log": False,
        "options": {
            "name": {"type": "str", "required": True},
            "key": {"type": "str", "default": "kong.json", "no_log": False},
        },
    },
    "wait_proxy": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "method": {"type": "str", "default": "GET"},
            "headers": {"type": "dict", "no_log": True},
            "status": {"type": "list", "elements": "int"},
            "timeout": {"type": "int", "default": 15},
            "validate_certs": {"type": "bool", "default": True},
            "ca_cert": {"type": "path"},
        },
    },
}


def carry_out(module: MaskedModule, wish: run.Wish, outcome: run.Outcome) -> None:
    params = module.params
    if wish.state == "rendered":
        if not params["dest"]:
            raise KongError("state=rendered needs dest: the document holds secrets, so it is not returned")
        run.store(dbless_mode.rendered(wish, outcome), wish, outcome)
        return
    admins = nodes(params)
    if not admins:
        dbless_mode.before_the_first_pod(wish, outcome)
        return
    with run.closing(admins, outcome):
        found, down = run.reachable(admins, outcome)
        admin, about = found[0]
        outcome.facts.update(mode=about.mode, version=about.version)
        if params["mode"] not in ("auto", about.mode):
            other = {POSTGRES: "has a database", DBLESS: "has no database, its Admin API is read-only"}[about.mode]
            raise KongError(f"mode is {params['mode']}, but Kong at {admin.name} {other}")
        schemas = functools.partial(Schemas, directory=cache_dir(params))
        if about.mode == DBLESS:
            dbless_mode.carry_out(found, down, schemas, wish, outcome)
        else:
            outcome.warnings += down
            database_mode.carry_out(admin, about, schemas(admin, about), wish, outcome)
    if params["wait_proxy"] and outcome.changed and not module.check_mode:
        # Only here: what it needs takes as long to load as all the rest of this module.
        from ansible_collections.cloudnative.platform.plugins.module_utils._kong import proxy

        proxy.wait(params["wait_proxy"])


def warn(module: MaskedModule, outcome: run.Outcome) -> None:
    for warning in dict.fromkeys(outcome.warnings):
        module.warn(warning)


def main() -> None:
    module = MaskedModule(
        argument_spec=ARGUMENT_SPEC,
        mutually_exclusive=[("admin_urls", "kubernetes")],
        required_by={"kubernetes_secret": "kubernetes"},
        supports_check_mode=True,
    )
    started = time.monotonic()
    outcome = run.Outcome()
    config = module.params["config"]
    try:
        mask_kubeconfig(module)
        sources = run.sources(module.params)
        # What is secret in the documents is masked, and nothing else of them: "http" is no secret.
        mask_only(module, config, masks.of_sources([content for _origin, content in sources]))
        module.params["config"] = None if config is None else "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
        wish = run.Wish(module.params, sources, module.check_mode, module._diff)
        mask_only(module, config, wish.secrets())
        carry_out(module, wish, outcome)
    except KongError as e:
        warn(module, outcome)
        module.fail_json(msg=str(e), **outcome.as_dict())
    warn(module, outcome)
    module.exit_json(duration=round(time.monotonic() - started, 2), **outcome.as_dict())


if __name__ == "__main__":
    main()
