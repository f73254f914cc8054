# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of Kuma that its own comments name and its code does not know: they would be ignored without a word."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNKNOWN = {
    "KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE": "KUMA_API_SERVER_HTTPS_TLS_CA_FILE",
    "KUMA_STORE_POSTGRES_TLS_ROOT_CERT_PATH": "KUMA_STORE_POSTGRES_TLS_CA_PATH",
    "KUMA_DNS_SERVICE_SERVICE_VIP_PORT": "KUMA_DNS_SERVER_SERVICE_VIP_PORT",
}
#: What real servers answered, and this file.
APART = (":!tests/contract/kuma/transcripts", f":!{Path(__file__).relative_to(ROOT)}")


@pytest.mark.parametrize("name", UNKNOWN)
def test_nobody_sets_what_is_not_known(name: str) -> None:
    found = subprocess.run(
        ["git", "grep", "--name-only", "--fixed-strings", name, "--", ".", *APART],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == "", f"{name} is not known to Kuma: write {UNKNOWN[name]}"
    assert found.returncode == 1, found.stderr
