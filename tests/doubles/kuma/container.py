# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command of the image: what the chart asks of `kuma-cp`, asked of the double."""

from __future__ import annotations

import os
import sys

from . import main as double


def arguments(environment: dict[str, str]) -> list[str]:
    """Options of the double from the settings of a control plane on Kubernetes."""
    if environment.get("KUMA_ENVIRONMENT") != "kubernetes":
        raise SystemExit("kuma-double: in its image it stands for a control plane on Kubernetes only")
    chosen = ["--host", "0.0.0.0", "--environment", "kubernetes", "--diagnostics-port", "5680", "--https-port", "5682"]
    chosen += ["--admission-port", environment["KUMA_RUNTIME_KUBERNETES_ADMISSION_SERVER_PORT"]]
    chosen += ["--tls-cert", environment["KUMA_GENERAL_TLS_CERT_FILE"]]
    chosen += ["--tls-key", environment["KUMA_GENERAL_TLS_KEY_FILE"]]
    if environment.get("KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN") == "false":
        chosen.append("--no-localhost-admin")
    if environment.get("KUMA_MULTIZONE_ZONE_NAME"):
        chosen += ["--zone", environment["KUMA_MULTIZONE_ZONE_NAME"]]
    return chosen


def main(argv: list[str]) -> int:
    if argv[:1] != ["run"]:
        raise SystemExit(f"kuma-double: knows the command run only, not {' '.join(argv)}")
    print("THIS IS A DOUBLE OF KUMA, NOT KUMA", file=sys.stderr, flush=True)
    return double.main(arguments(dict(os.environ)))
