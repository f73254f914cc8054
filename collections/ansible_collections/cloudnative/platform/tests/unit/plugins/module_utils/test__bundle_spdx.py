# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle import spdx

TEXTS = {
    "Apache-2.0": "                              Apache License\n                        Version 2.0, January 2004",
    "MIT": "Permission is hereby granted, free of\ncharge, to any person",
    "BSD-3-Clause": "Redistribution and use in source and binary forms\n used to endorse or promote\n products derived",
    "BSD-2-Clause": "Redistribution and use in source and binary forms, with or without",
    "ISC": "Permission to use, copy, modify, and/or distribute this software for any purpose",
    "MPL-2.0": "Mozilla Public License Version 2.0",
    "NOASSERTION": "All rights reserved.",
}


@pytest.mark.parametrize(("licence", "text"), TEXTS.items())
def test_licences_are_known_by_their_words(licence: str, text: str) -> None:
    assert spdx.licence_of_text(text) == licence


def test_the_licence_of_a_module_is_read_in_the_module_cache(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "github.com" / "!burnt!sushi" / "toml@v1.0.0"
    directory.mkdir(parents=True)
    (directory / "COPYING").write_text(TEXTS["MIT"])
    assert spdx.licence_of_module(str(tmp_path), "github.com/BurntSushi/toml", "v1.0.0") == "MIT"
    assert spdx.licence_of_module(str(tmp_path), "github.com/BurntSushi/toml", "v2.0.0") == "NOASSERTION"


def component(name: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "name": name,
        "version": "v1",
        "licence": "MIT",
        "kind": "image",
        "ref": f"x/{name}:v1",
        "digest": "sha256:" + "0" * 64,
        "platform": "linux/amd64",
        "origin": "source",
        **more,
    }


MODULE = {"path": "github.com/BurntSushi/toml", "version": "v1.0.0", "sum": "h1:x=", "licence": "MIT"}
PACKAGE = {"name": "libc6", "version": "2.36-9+deb12u14"}


def bill() -> dict[str, t.Any]:
    files = [{"name": "tool", "sha256": "1" * 64, "size": 1, "mode": "0755"}]
    components = [component("image"), component("files", kind="files", files=files)]
    made = {name: {"modules": [MODULE], "debian_packages": [PACKAGE], "url": ""} for name in ("image", "files")}
    return spdx.document(components, made, dict.fromkeys(made, "https://example.com"), "2026-01-02", "bookworm")


def test_the_bill_names_every_part_once() -> None:
    packages = {package["name"]: package for package in bill()["packages"]}
    assert sorted(packages) == ["files", "github.com/BurntSushi/toml", "image", "libc6", "tool"]
    assert len(bill()["packages"]) == 5
    assert packages["tool"]["checksums"] == [{"algorithm": "SHA256", "checksumValue": "1" * 64}]
    assert packages["libc6"]["externalRefs"][0]["referenceLocator"] == (
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?distro=bookworm"
    )
    assert packages["github.com/BurntSushi/toml"]["downloadLocation"].endswith("/!burnt!sushi/toml/@v/v1.0.0.zip")
    for package in packages.values():
        assert {"SPDXID", "versionInfo", "licenseDeclared", "downloadLocation"} <= set(package)
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", package["SPDXID"])


@pytest.mark.parametrize(
    ("source", "kind", "target"),
    [
        ("DOCUMENT", "DESCRIBES", "image"),
        ("DOCUMENT", "DESCRIBES", "files"),
        ("files", "CONTAINS", "tool"),
        ("image", "CONTAINS", "libc6"),
        ("files", "STATIC_LINK", "libc6"),
        ("image", "STATIC_LINK", "github.com/BurntSushi/toml"),
    ],
)
def test_the_bill_says_how_parts_belong_together(source: str, kind: str, target: str) -> None:
    document = bill()
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    names["SPDXRef-DOCUMENT"] = "DOCUMENT"
    relations = {
        (names[entry["spdxElementId"]], entry["relationshipType"], names[entry["relatedSpdxElement"]])
        for entry in document["relationships"]
    }
    assert (source, kind, target) in relations


def test_the_bill_depends_on_nothing_but_its_content() -> None:
    assert bill() == bill()
    assert bill()["creationInfo"]["created"] == "2026-01-02T00:00:00Z"
