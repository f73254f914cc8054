# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # How a module reaches the API of a Kuma control plane.
    DOCUMENTATION = r"""
options:
  api_url:
    description:
      - Address of the control plane's API. By default its plain port on loopback, where every caller is administrator
        (unless C(KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN) is off), whatever token it has.
    type: str
    default: http://127.0.0.1:5681
  token:
    description:
      - User token to send. Secrets and tokens need one of an administrator; without it the control plane still lets
        anybody who reaches it write all the rest.
      - Refused for addresses without TLS beyond loopback.
    type: str
  ca_cert:
    description:
      - Path of the certificate authority that the control plane's certificate is checked with; the system's by default.
    type: path
  client_cert:
    description:
      - Path of a client certificate to show to the control plane. It may hold its key as well.
    type: path
  client_key:
    description:
      - Path of the client certificate's key.
    type: path
  validate_certs:
    description:
      - Whether the control plane's certificate is checked.
    type: bool
    default: true
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
"""
