# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""The bill of materials of a bundle, as SPDX 2.3 JSON."""

from __future__ import annotations

import os
import re
import typing as t
from urllib.parse import quote

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import canonical, sha256_bytes

UNKNOWN = "NOASSERTION"
LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "LICENSE-APACHE-2.0.txt", "LICENSE.MIT")
# Words that only the text of that licence has, the more special licence first.
LICENCE_WORDS = (
    ("MPL-2.0", "mozilla public license"),
    ("Apache-2.0", "apache license"),
    ("ISC", "permission to use, copy, modify, and/or distribute this software for any"),
    ("ISC", "permission to use, copy, modify, and distribute this software for any"),
    ("MIT", "permission is hereby granted, free of charge"),
    ("BSD-3-Clause", "endorse or promote products derived"),
    ("BSD-2-Clause", "redistribution and use in source and binary forms"),
    ("Unlicense", "this is free and unencumbered software"),
)


def licence_of_text(text: str) -> str:
    words = re.sub(r"\s+", " ", text).lower()
    return next((name for name, phrase in LICENCE_WORDS if phrase in words), UNKNOWN)


def escaped(module: str) -> str:
    """The module's path as the module cache spells it: capitals as !lower."""
    return re.sub(r"[A-Z]", lambda match: "!" + match.group(0).lower(), module)


def licence_of_module(cache: str, path: str, version: str) -> str:
    directory = os.path.join(cache, f"{escaped(path)}@{escaped(version)}")
    for name in LICENCE_FILES:
        try:
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as stream:
                return licence_of_text(stream.read(200000))
        except OSError:
            continue
    return UNKNOWN


def _identifier(kind: str, *words: str) -> str:
    text = "-".join(words)
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", text)
    # Different names may become one when signs are replaced; a part of the sum keeps them apart.
    return f"SPDXRef-{kind}-{readable}-{sha256_bytes(text.encode())[:8]}"


def _package(identifier: str, name: str, version: str, licence: str, location: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "SPDXID": identifier,
        "name": name,
        "versionInfo": version,
        "downloadLocation": location,
        "filesAnalyzed": False,
        "licenseDeclared": licence,
        "licenseConcluded": UNKNOWN,
        "copyrightText": UNKNOWN,
        **more,
    }


def _purl(kind: str, name: str, version: str, suffix: str = "") -> list[dict[str, str]]:
    locator = f"pkg:{kind}/{quote(name, safe='/')}@{quote(version, safe='')}{suffix}"
    return [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator}]


def document(
    components: list[dict[str, t.Any]], made: dict[str, dict[str, t.Any]], homes: dict[str, str], date: str, suite: str
) -> dict[str, t.Any]:
    """`components` as in bundle.json, `made` the record of each, which names modules and packages."""
    packages: dict[str, dict[str, t.Any]] = {}
    relations: set[tuple[str, str, str]] = set()
    for component in components:
        record = made[component["name"]]
        identifier = _identifier("Component", component["name"])
        sums = [{"algorithm": "SHA256", "checksumValue": component["digest"].partition(":")[2]}]
        location = record["url"] if record["url"].startswith("http") else homes[component["name"]]
        packages[identifier] = _package(
            identifier,
            component["name"],
            component["version"],
            component["licence"],
            location,
            checksums=sums,
            homepage=homes[component["name"]],
            primaryPackagePurpose="CONTAINER" if component["kind"] == "image" else "APPLICATION",
            comment=f"{component['ref']} for {component['platform']}, from {component['origin']}; the checksum is that "
            "of the OCI manifest",
        )
        relations.add(("SPDXRef-DOCUMENT", "DESCRIBES", identifier))
        for entry in component.get("files", []):
            part = _identifier("File", component["name"], entry["name"])
            packages[part] = _package(
                part,
                entry["name"],
                component["version"],
                component["licence"],
                location,
                checksums=[{"algorithm": "SHA256", "checksumValue": entry["sha256"]}],
                primaryPackagePurpose="FILE",
            )
            relations.add((identifier, "CONTAINS", part))
        for module in record["modules"]:
            part = _identifier("Go", module["path"], module["version"])
            where = f"https://proxy.golang.org/{escaped(module['path'])}/@v/{escaped(module['version'])}.zip"
            packages[part] = _package(
                part,
                module["path"],
                module["version"],
                module["licence"],
                where,
                primaryPackagePurpose="LIBRARY",
                externalRefs=_purl("golang", module["path"], module["version"]),
                # go.sum's own kind of sum: over the files of the module, not over an archive.
                **({"comment": f"go.sum {module['sum']}"} if module["sum"] else {}),
            )
            relations.add((identifier, "STATIC_LINK", part))
        for package in record["debian_packages"]:
            part = _identifier("Debian", package["name"], package["version"])
            packages[part] = _package(
                part,
                package["name"],
                package["version"],
                UNKNOWN,
                f"https://packages.debian.org/{suite}/{package['name']}",
                primaryPackagePurpose="LIBRARY",
                externalRefs=_purl("deb", f"debian/{package['name']}", package["version"], f"?distro={suite}"),
            )
            relations.add((identifier, "CONTAINS" if component["kind"] == "image" else "STATIC_LINK", part))
    listed = [packages[key] for key in sorted(packages)]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "cloudnative.platform bundle",
        "documentNamespace": f"https://cloudnative.platform/spdx/{sha256_bytes(canonical(listed))}",
        "creationInfo": {
            # The day the lock was made: the same bundle has the same bill, whenever it is built.
            "created": f"{date}T00:00:00Z",
            "creators": ["Tool: cloudnative.platform-bundle"],
        },
        "packages": listed,
        "relationships": [
            {"spdxElementId": source, "relationshipType": kind, "relatedSpdxElement": target}
            for source, kind, target in sorted(relations)
        ],
    }
