# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # How a module reaches the Admin API of a Kong Gateway.
    DOCUMENTATION = r"""
options:
  admin_urls:
    description:
      - Addresses of the Admin APIs of all nodes of one gateway. With a database the first that answers is used;
        without one each node is configured.
      - C(http://127.0.0.1:8001) when neither this nor O(kubernetes) is given.
    type: list
    elements: str
    aliases: [admin_url]
  kubernetes:
    description:
      - Reaches the Admin API of pods, which listens on their loopback only, by port forwarding through the Kubernetes
        API. Needs the right to list these pods and to forward their ports, and the C(kubernetes) Python library.
      - The options of the connection are those of kubernetes.core, and can be given by the same environment variables.
    type: dict
    suboptions:
      namespace:
        description:
          - Namespace of the pods.
        type: str
        required: true
      selector:
        description:
          - Label selector of the pods, for example V(app.kubernetes.io/name=kong). All that run are nodes.
        type: str
        required: true
      port:
        description:
          - Port of the Admin API inside of the pods.
        type: int
        default: 8001
      scheme:
        description:
          - Whether the Admin API speaks TLS.
        type: str
        choices: [http, https]
        default: http
      kubeconfig:
        description:
          - Path of a kubeconfig file, or the kubeconfig itself as a dictionary.
        type: raw
      context:
        description:
          - Context of the kubeconfig; its current one by default.
        type: str
      host:
        description:
          - URL of the API server; wins over the one in the kubeconfig.
        type: str
      api_key:
        description:
          - Bearer token.
        type: str
      ca_cert:
        description:
          - Path of the certificate authority of the Kubernetes API.
        type: path
        aliases: [ssl_ca_cert]
      client_cert:
        description:
          - Path of a client certificate for the Kubernetes API.
        type: path
        aliases: [cert_file]
      client_key:
        description:
          - Path of that certificate's key.
        type: path
        aliases: [key_file]
      validate_certs:
        description:
          - Whether the certificate of the Kubernetes API is checked.
        type: bool
        aliases: [verify_ssl]
  ca_cert:
    description:
      - Path of the certificate authority that the Admin API's certificate is checked with; the system's by default.
    type: path
  client_cert:
    description:
      - Path of a client certificate to show to the Admin API. It may hold its key as well.
    type: path
  client_key:
    description:
      - Path of the client certificate's key.
    type: path
  validate_certs:
    description:
      - Whether the Admin API's certificate is checked.
    type: bool
    default: true
  headers:
    description:
      - Headers to send with every request, for example the key of a route in front of the Admin API.
      - Never shown.
    type: dict
  timeout:
    description:
      - Seconds to wait for one answer.
    type: int
    default: 30
  parallel:
    description:
      - Number of requests at a time, each on a connection that stays open.
    type: int
    default: 10
  cache_dir:
    description:
      - Directory in which the schemas of a Kong are kept, by its version and its plugins. They are read anew when a
        field is not known. An empty string keeps nothing.
    type: path
    default: ~/.cache/cloudnative-platform/kong
"""
