"""What holds for every file of the repository."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import yaml

ROOT = pathlib.Path(__file__).parents[2]
ROLES = "collections/ansible_collections/cloudnative/platform/roles"


def tracked(*patterns: str) -> list[pathlib.Path]:
    """Files in git, and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def lines_with(pattern: str, *paths: str) -> list[str]:
    expression = re.compile(pattern)
    found = []
    for path in tracked(*paths):
        if path == pathlib.Path(__file__) or path.suffix == ".sum":
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if expression.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return found


def test_nothing_is_left_to_do():
    assert lines_with(r"\b(TODO|FIXME|XXX)\b(?!X)", "*.py", "*.yml", "*.md", "*.j2", "Makefile", "scripts", ".ci") == []


def test_no_home_directory_of_a_developer_is_named():
    assert (
        lines_with(r"/work/|/tmp/[a-z]+-?[a-z]*/contract", "*.py", "*.yml", "*.md", "*.j2", "*.ini", "Makefile") == []
    )


def test_no_error_is_ignored():
    assert lines_with(r"^\s*ignore_errors:", "*.yml") == []


def test_versions_of_the_platform_stand_in_the_lock_only():
    """Roles and playbooks take versions from the bundle: one written down twice is wrong after the first upgrade."""
    lock = yaml.safe_load((ROOT / ROLES / "bundle/files/lock.yml").read_text())
    pattern = "|".join(rf"(?<![\w.])v?{re.escape(str(version))}(?![\w.]*\d)" for version in lock["versions"].values())
    places = [f"{ROLES}/*/{part}" for part in ("defaults", "tasks", "templates", "vars", "meta", "handlers")]
    assert lines_with(pattern, "playbooks", "inventories", "molecule", *places) == []


def test_playbooks_are_real_files_that_awx_lists():
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        assert not path.is_symlink()
        plays = yaml.safe_load(path.read_text())
        assert all("hosts" in play or "ansible.builtin.import_playbook" in play for play in plays), path.name
        assert all("vars_prompt" not in play for play in plays), f"{path.name} would wait for a person"


def test_executables_are_marked():
    for path in tracked("scripts", ".ci", "molecule"):
        starts = path.read_bytes()[:2] == b"#!"
        if path.suffix not in (".py", ".sh") and starts:
            assert os.access(path, os.X_OK), path


def test_files_end_with_a_newline():
    texts = tracked("*.py", "*.yml", "*.md", "*.j2", "*.ini", "*.toml", "*.txt", "Makefile")
    assert [str(path) for path in texts if path.stat().st_size and not path.read_bytes().endswith(b"\n")] == []


def test_requirements_are_pinned_once():
    pins = (ROOT / "requirements/constraints.txt").read_text()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in pins.splitlines() if "==" in line}
    for name in ("controller", "test"):
        lines = (ROOT / f"requirements/{name}.txt").read_text().splitlines()
        wanted = [line for line in lines if line and not line.startswith(("#", "-r"))]
        assert [line for line in wanted if not re.fullmatch(r"[A-Za-z-]+", line)] == []
        assert [line for line in wanted if line.lower() not in pinned] == []
