#!/usr/bin/python
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kuma_info
short_description: What a Kuma control plane says of its mesh
version_added: 0.1.0
description:
  - Tells version and mode of a control plane, its zones, its meshes, which dataplanes are there and which are not, when
    their certificates end, whether identities are ready, and what is wrong, in a handful of requests.
extends_documentation_fragment:
  - cloudnative.platform._attributes
  - cloudnative.platform._kuma_api
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  policies:
    description:
      - Whether the policies of each dataplane are asked for. That takes two requests for each dataplane and one for
        each of its inbounds and outbounds.
    type: bool
    default: false
  target_version:
    description:
      - Version of Kuma to which the mesh is to go. With it RV(upgrade) says whether it may.
    type: str
seealso:
  - module: cloudnative.platform.kuma_resources
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
"""

EXAMPLES = r"""
- name: Look at the mesh
  cloudnative.platform.kuma_info:
    api_url: https://mesh.internal:5682
    ca_cert: /etc/ssl/internal-ca.pem
  register: mesh

- name: See which policies each dataplane has
  cloudnative.platform.kuma_info:
    policies: true
  register: mesh

- name: See whether it may be upgraded
  cloudnative.platform.kuma_info:
    api_url: https://mesh.internal:5682
    ca_cert: /etc/ssl/internal-ca.pem
    target_version: 2.14.3
  register: mesh
  failed_when: not mesh.upgrade.allowed
"""

RETURN = r"""
version:
  description: Version of the control plane.
  returned: success
  type: str
  sample: 2.14.3
supported:
  description: Whether this collection knows that version.
  returned: success
  type: bool
mode:
  description: V(zone) or V(global).
  returned: success
  type: str
environment:
  description: V(universal) or V(kubernetes).
  returned: success
  type: str
zone:
  description: Zone of the control plane; empty for a global one.
  returned: success
  type: str
federated:
  description: Whether it belongs to a global control plane.
  returned: success
  type: bool
read_only:
  description: Whether its API was started to read only.
  returned: success
  type: bool
store:
  description: Where it keeps its resources, V(memory), V(postgres) or V(kubernetes).
  returned: success
  type: str
cluster_id:
  description: Id of the control planes that work together; empty in the first seconds.
  returned: success
  type: str
instance_id:
  description: Id of the one that answered.
  returned: success
  type: str
zones:
  description: Zones, with C(name), C(enabled), C(online) and C(version).
  returned: success
  type: list
  elements: dict
meshes:
  description: Meshes, with C(name), C(mesh_services), counts of C(dataplanes) and of C(policies) by kind.
  returned: success
  type: list
  elements: dict
dataplanes:
  description:
    - Dataplanes, with C(mesh), C(name), C(zone), C(workload), C(online), C(version), C(envoy), C(compatible),
      C(certificate_expiry), C(identity), and with O(policies) C(policies).
    - C(policies) has an entry for each policy that the dataplane has, with its C(kind) and C(name), and the C(inbounds)
      and C(outbounds) that it is about; both are empty for one of the whole dataplane. It is null where the control
      plane does not tell, as in a mesh without C(meshServices).
  returned: success
  type: list
  elements: dict
offline:
  description: Dataplanes that are not connected, as mesh/name.
  returned: success
  type: list
  elements: str
without_certificate:
  description: Dataplanes that are connected and have no certificate, in meshes that have an identity.
  returned: success
  type: list
  elements: str
identities:
  description: MeshIdentities, with C(mesh), C(name), C(ready) and the C(conditions) that do not hold.
  returned: success
  type: list
  elements: dict
certificate_expiry:
  description: When the first certificate of a dataplane ends.
  returned: success
  type: str
problems:
  description: What is wrong, in sentences.
  returned: success
  type: list
  elements: str
upgrade:
  description: Whether the mesh may go to O(target_version).
  returned: with O(target_version)
  type: dict
  contains:
    target:
      description: The version that was asked for.
      type: str
    allowed:
      description: Whether there are no problems.
      type: bool
    problems:
      description:
        - What stands against it, in sentences with what to do; a version outside of the supported range, too large a
          step, a step back, data planes or zones too far away, resources that the new version refuses.
      type: list
      elements: str
    warnings:
      description: What to look at, and what Kuma 3.0 removes.
      type: list
      elements: str
    steps:
      description: What to do in which order; nothing when it runs that version, or must not go there.
      type: list
      elements: str
requests:
  description: Number of requests that were sent.
  returned: always
  type: int
"""

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import information
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.options import CONNECTION_SPEC, connected
from ansible_collections.cloudnative.platform.plugins.module_utils._masked_module import MaskedModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    **CONNECTION_SPEC,
    "policies": {"type": "bool", "default": False},
    "target_version": {"type": "str"},
}


def main() -> None:
    module = MaskedModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result: dict[str, t.Any] = {"changed": False}
    try:
        with connected(module.params, result) as control:
            result.update(information.gather(control, module.params["policies"], module.params["target_version"]))
    except KumaError as e:
        module.fail_json(msg=str(e), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
