"""The scripts behind the Makefile."""

from __future__ import annotations

import hashlib
import json
import pathlib
import subprocess

import pytest

import check
import lab_report
import render_docs
from lab_run import Failed, Phase

ROOT = pathlib.Path(__file__).parents[2]


def bootstrap_function(call: str, path: pathlib.Path, home: pathlib.Path) -> str:
    script = (ROOT / "scripts/bootstrap").read_text()
    start = script.index('# Prints "VERSION PATH"')
    functions = script[start : script.index("make_venv()")]
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{functions}\n{call}"],
        env={"PATH": f"{path}:/usr/bin:/bin", "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def fake_python(directory: pathlib.Path, name: str, answer: str, code: int = 0) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{answer}\nexit {code}\n")
    (directory / name).chmod(0o755)


def test_bootstrap_takes_the_newest_python_that_runs(tmp_path):
    shims, home = tmp_path / "shims", tmp_path / "home"
    fake_python(shims, "python3.14", "echo 'pyenv: python3.14: command not found' >&2", 127)
    fake_python(shims, "python3.12", "echo '3.12.9 /opt/python3.12'")
    fake_python(home / ".pyenv/versions/3.13.2/bin", "python", "echo '3.13.2 /opt/pyenv/python3.13'")
    fake_python(home / ".pyenv/versions/3.10.1/bin", "python", "true")
    assert bootstrap_function("newest_python", shims, home) == "/opt/pyenv/python3.13"


def test_bootstrap_really_asks_the_interpreter(tmp_path):
    """The machine's own interpreters answer for themselves; none without venv, ensurepip and ssl is named."""
    for line in bootstrap_function("working_pythons", tmp_path, tmp_path).splitlines():
        version, path = line.split(" ", 1)
        assert (3, 11) <= tuple(int(part) for part in version.split(".")[:2]) <= (3, 14)
        subprocess.run([path, "-c", "import venv, ensurepip, ssl"], check=True)


def test_read_hosts(tmp_path):
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("# Hosts\ncp1 ansible_host=10.0.0.1\nw1  ansible_host=10.0.0.2\n\n[a]\ncp1\nw1\n\n[b]\nw1\n")
    assert lab_report.read_hosts(inventory) == {"cp1": ("10.0.0.1", ["a"]), "w1": ("10.0.0.2", ["a", "b"])}


@pytest.fixture
def bundle(tmp_path):
    content = b"#!/bin/true\n"
    digest = hashlib.sha256(content).hexdigest()
    blobs = tmp_path / "bundle/blobs/sha256"
    blobs.mkdir(parents=True)
    (blobs / digest).write_bytes(content)
    components = [
        {
            "name": "kubectl",
            "version": "v9.9.9",
            "origin": "source",
            "licence": "Apache-2.0",
            "files": [{"name": "kubectl", "sha256": digest}],
        }
    ]
    unobtainable = [{"name": "helm", "reason": "get.helm.sh does not answer"}]
    (tmp_path / "bundle/bundle.json").write_text(json.dumps({"components": components, "unobtainable": unobtainable}))
    return tmp_path / "bundle"


def test_tools_are_taken_once(bundle, tmp_path):
    tools = {"kubectl": "kubectl", "helm": "helm"}
    assert lab_report.take_tools(bundle, tools, tmp_path / "bin") == 1
    assert (tmp_path / "bin/kubectl").stat().st_mode & 0o777 == 0o755
    assert lab_report.take_tools(bundle, tools, tmp_path / "bin") == 0
    (tmp_path / "bin/kubectl").unlink()
    assert lab_report.take_tools(bundle, tools, tmp_path / "bin") == 1


def test_a_missing_bundle_is_named(tmp_path):
    with pytest.raises(Failed, match=r"bundle\.json is missing"):
        lab_report.read_bundle(tmp_path)


def test_summary_says_what_runs_where_and_what_is_missing(bundle, tmp_path):
    root = tmp_path
    inventory = tmp_path / ".lab/inventory/hosts.ini"
    inventory.parent.mkdir(parents=True)
    inventory.write_text("cp1 ansible_host=10.0.0.1\n\n[kube_control_plane]\ncp1\n")
    phases = [Phase("bundle", 3.0, 0, []), Phase("platform", 61.2, 4, [("cp1", 17)])]
    verified = tmp_path / ".lab/verify"
    verified.mkdir()
    results = [{"name": "nodes", "status": "ok", "message": "1 node Ready"}]
    (verified / "cluster_verify.json").write_text(json.dumps({"passed": True, "results": results}))
    text = lab_report.summary(root, inventory, bundle, verified, phases, 64.2)
    assert "cp1   10.0.0.1  kube_control_plane  17" in text
    assert "kubectl    v9.9.9   source  Apache-2.0" in text
    assert "platform  61.2     4" in text
    assert "nodes  ok  1 node Ready" in text
    assert "helm: get.helm.sh does not answer" in text


def test_summary_says_loudly_that_a_double_is_in_use():
    assert lab_report.doubles([{"name": "kubectl"}]) == []
    lines = lab_report.doubles([{"name": "kubectl"}, {"name": "kong-double"}])
    assert "kong-double: in place of the real server there is a test double" in lines[2]
    assert lines[1] == lines[3] == "!" * len(lines[2])


@pytest.mark.parametrize(("ci", "status"), [("true", "failed"), ("", "skipped")])
def test_what_cannot_run_is_a_failure_in_ci_only(monkeypatch, ci, status):
    def cannot() -> int:
        raise check.Skip("no root")

    monkeypatch.setenv("CI", ci)
    result = check.run(check.Part("molecule: lab", cannot))
    assert (result.status, result.note) == (status, "no root")


def test_table_counts_every_part():
    results = [check.Result("a", 1.0, "passed"), check.Result("b", 2.0, "failed", "exit code 2")]
    assert check.table(results, 3).splitlines()[-1] == "1 passed, 1 failed in 3 s"


def two_lanes(monkeypatch, tmp_path, beside: str) -> list[check.Result]:
    """Those of a run of everything, which is one part here; the other lane is a script."""
    script = tmp_path / "beside.py"
    script.write_text(beside)
    monkeypatch.setattr(check, "__file__", str(script))
    groups = {name: [check.Part(name, lambda: 1)] for group in check.BESIDE for name in group if "/" not in name}
    there = {name: [check.Part(name, lambda: 0)] for name in ("bundle", "molecule")}
    monkeypatch.setattr(check, "parts", lambda: {**groups, **there})
    return check.run_all()


def test_all_is_both_lanes(monkeypatch, tmp_path, capsys):
    beside = """
import json, sys
print("told of", *sys.argv[1:-1])
failed = {"seconds": 1.0, "status": "failed", "note": "exit code 1"}
with open(sys.argv[-1].split("=")[1], "w") as file:
    json.dump([{"name": name, **failed} for name in sys.argv[1:-1]], file)
"""
    results = two_lanes(monkeypatch, tmp_path, beside)
    names = [name for group in check.BESIDE for name in group]
    passed = [("bundle", "passed"), ("molecule", "passed")]
    assert [(result.name, result.status) for result in results] == [*((name, "failed") for name in names), *passed]
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("told")]
    assert told == [f"told of {' '.join(group)}" for group in check.BESIDE]


def test_a_lane_that_breaks_off_is_a_failure(monkeypatch, tmp_path):
    first, second, *others = two_lanes(monkeypatch, tmp_path, "raise SystemExit('no room')")
    assert (first.name, first.status, first.note) == ("lint, unit, controllers", "failed", "ended with exit code 1")
    assert (second.name, second.status) == (", ".join(check.BESIDE[1]), "failed")
    assert {other.status for other in others} == {"passed"}


def test_an_unknown_part_is_refused():
    with pytest.raises(SystemExit, match="nonsense is unknown"):
        check.choose("nonsense")


@pytest.mark.parametrize(
    ("markup", "markdown"),
    [
        ("Set O(state=absent) or V(1).", "Set `state=absent` or `1`."),
        (
            "See M(ansible.builtin.copy) and L(the manual,https://x.org/y).",
            "See `ansible.builtin.copy` and [the manual](https://x.org/y).",
        ),
        (["One.", "Two."], "One. Two."),
        (None, ""),
    ],
)
def test_documentation_markup(markup, markdown):
    assert render_docs.plain(markup) == markdown


def test_rendered_text_stands_between_the_marks(tmp_path, monkeypatch):
    monkeypatch.setattr(render_docs, "ROOT", tmp_path)
    path = tmp_path / "README.md"
    path.write_text("top\n<!-- a -->\nold\n<!-- b -->\nbottom\n")
    assert (
        render_docs.between(path, ("<!-- a -->", "<!-- b -->"), "new")
        == "top\n<!-- a -->\n\nnew\n\n<!-- b -->\nbottom\n"
    )
    with pytest.raises(render_docs.Missing, match=r"README\.md lacks the lines"):
        render_docs.between(path, ("<!-- b -->", "<!-- a -->"), "new")
