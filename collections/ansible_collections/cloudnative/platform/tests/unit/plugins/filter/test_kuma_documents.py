# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.cloudnative.platform.plugins.filter.kuma_documents import FilterModule

try:
    from ansible.template import trust_as_template as template
except ImportError:  # before ansible-core 2.19 every text is one
    template = str

DOCUMENTS = FilterModule().filters()["kuma_documents"]
FILES = pathlib.Path(__file__).parents[4] / "roles" / "kuma" / "files" / "mesh"


def test_files_and_directories_become_documents(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yml").write_text("type: MeshRetry\nname: a\n---\ntype: MeshRetry\nname: b\n")
    (tmp_path / "policies" / "c.json").write_text('{"type": "MeshRetry", "name": "c"}')
    (tmp_path / "d.yml").write_text("type: Mesh\nname: d\n")
    found = DOCUMENTS([str(tmp_path / "policies"), str(tmp_path / "d.yml")])
    assert [one["name"] for one in found] == ["a", "b", "c", "d"]


def test_a_home_directory_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.yml").write_text("type: Mesh\nname: a\n")
    assert DOCUMENTS(["~/a.yml"]) == DOCUMENTS(["$HOME/a.yml"]) == [{"type": "Mesh", "name": "a"}]


def test_no_path_is_no_document():
    assert DOCUMENTS([]) == []


@pytest.mark.parametrize(
    "text, message",
    [
        ("type: [", r"a\.yml line 2: not valid YAML"),
        (None, r"a\.yml: can't be read: .*No such file"),
    ],
)
def test_what_can_not_be_read_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "a.yml").write_text(text)
    with pytest.raises(AnsibleFilterError, match=message):
        DOCUMENTS([str(tmp_path / "a.yml")])


@pytest.mark.parametrize("paths", ["a.yml", [{"type": "Mesh"}]])
def test_what_is_no_list_of_paths_is_refused(paths):
    with pytest.raises(AnsibleFilterError, match="expected a list of paths"):
        DOCUMENTS(paths)


def test_templates_of_kuma_are_not_those_of_ansible():
    made = DOCUMENTS([str(FILES / "workload_identity.yml")])
    assert made[0]["spec"]["spiffeID"]["path"] == "/workload/{{ .Workload }}"
    templar = Templar(loader=DataLoader(), variables={"made": made, "all": template("{{ [] + made }}")})
    assert templar.template(template("{{ all }}")) == made


def test_identities_of_hosts_and_pods_differ_in_their_path_alone():
    hosts, pods = DOCUMENTS([str(FILES / "workload_identity.yml"), str(FILES / "identity.yml")])
    assert hosts["spec"]["spiffeID"].pop("path") != pods["spec"]["spiffeID"].pop("path")
    assert hosts == pods
