#!/usr/bin/python

# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: api_endpoint_probe
short_description: Prove that the Kubernetes API answers at an address as seen from this host
version_added: 0.1.0
author:
  - cloudnative.platform maintainers (@cloudnative-platform)
description:
  - Asks a health endpoint of the API server from the host, over a connection of its own for every request, until it has
    answered several times in a row or the time is over.
  - Does not fail when there is no answer, it returns RV(answered), so that one report can speak about all hosts.
extends_documentation_fragment:
  - cloudnative.platform._attributes
attributes:
  check_mode:
    support: full
    details:
      - This module does not modify anything.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  url:
    description: URL that must answer with status 200.
    type: str
    default: https://127.0.0.1:8443/readyz
  ca_cert:
    description: Path of the certificate of the CA that signed the endpoint's certificate.
    type: path
    default: /etc/kubernetes/pki/ca.crt
  successes:
    description: Answers in a row that are wanted.
    type: int
    default: 3
  within:
    description: Seconds after which to give up.
    type: float
    default: 15
  timeout:
    description: Seconds that one request may take.
    type: float
    default: 2
seealso:
  - module: cloudnative.platform.apiserver_pause
  - module: cloudnative.platform.cluster_verify
"""

EXAMPLES = r"""
- name: Ask the API through the endpoint of this host
  cloudnative.platform.api_endpoint_probe:
    url: https://127.0.0.1:8443/readyz
  register: endpoint
"""

RETURN = r"""
answered:
  description: Whether the endpoint answered steadily.
  returned: success
  type: bool
url:
  description: What was asked.
  returned: success
  type: str
seconds:
  description: Seconds until it began to answer steadily, or until the module gave up.
  returned: success
  type: float
requests:
  description: Number of requests.
  returned: success
  type: int
failures:
  description: Number of requests without a good answer.
  returned: success
  type: int
error:
  description: What was wrong with the last request that failed, empty when the endpoint answers.
  returned: success
  type: str
"""

import http.client
import os
import ssl
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cloudnative.platform.plugins.module_utils._endpoint_probe import until_steady


def ask(url: str, context: ssl.SSLContext, timeout: float) -> str:
    """One request over a new connection, so that a load balancer chooses anew; no proxy of the environment is used."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port or 443, timeout=timeout, context=context)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return "" if response.status == 200 else f"answers with status {response.status}"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {error or type(error).__name__}"
    finally:
        connection.close()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "default": "https://127.0.0.1:8443/readyz"},
            "ca_cert": {"type": "path", "default": "/etc/kubernetes/pki/ca.crt"},
            "successes": {"type": "int", "default": 3},
            "within": {"type": "float", "default": 15},
            "timeout": {"type": "float", "default": 2},
        },
        supports_check_mode=True,
    )
    params = module.params
    if urlsplit(params["url"]).scheme != "https":
        module.fail_json(msg=f"url: {params['url']} is not an https URL")
    if params["successes"] < 1:
        module.fail_json(msg=f"successes: {params['successes']} is less than one")
    if not os.path.isfile(params["ca_cert"]):
        module.fail_json(msg=f"ca_cert: {params['ca_cert']} does not exist; is this host a node of the cluster?")
    try:
        context = ssl.create_default_context(cafile=params["ca_cert"])
    except (OSError, ssl.SSLError) as error:
        module.fail_json(msg=f"ca_cert: {params['ca_cert']} is not a certificate in PEM: {error}")
    outcome = until_steady(
        lambda: ask(params["url"], context, params["timeout"]), params["successes"], params["within"]
    )
    module.exit_json(
        changed=False,
        url=params["url"],
        answered=outcome.answered,
        seconds=round(outcome.seconds, 3),
        requests=outcome.requests,
        failures=outcome.failures,
        error=outcome.error,
    )


if __name__ == "__main__":
    main()
