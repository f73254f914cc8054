"""Writes the parts of the documentation that repeat what the code says: variables, references of roles and modules.

With --check it writes nothing and fails when something is out of date.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import yaml

import bench_report

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLLECTION = ROOT / "collections" / "ansible_collections" / "cloudnative" / "platform"
NAME = "cloudnative.platform"

VARIABLES = ("<!-- variables: begin (rendered from meta/argument_specs.yml) -->", "<!-- variables: end -->")
CONTENTS = ("<!-- contents: begin (rendered by scripts/render_docs.py) -->", "<!-- contents: end -->")
FIGURES = ("<!-- figures: begin (rendered from bench/results.json) -->", "<!-- figures: end -->")
HEADER = "<!-- Rendered by scripts/render_docs.py; changes are overwritten. -->\n\n"


class Missing(Exception):
    """A place that should be there to write into."""


def plain(text: str | list[str] | None) -> str:
    """Ansible's documentation markup as Markdown, in one line."""
    joined = " ".join(text) if isinstance(text, list) else text or ""
    joined = re.sub(r"\b(?:C|V|O|RV|E)\(((?:[^()\\]|\\.)*)\)", r"`\1`", joined)
    joined = re.sub(r"\bM\(([^)]+)\)", r"`\1`", joined)
    joined = re.sub(r"\bB\(([^)]+)\)", r"**\1**", joined)
    joined = re.sub(r"\bL\(([^,]+),\s*([^)]+)\)", r"[\1](\2)", joined)
    joined = re.sub(r"\bU\(([^)]+)\)", r"<\1>", joined)
    return " ".join(joined.split())


def code(value: t.Any) -> str:
    text = (value.strip() or '""') if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 60 and "\n" not in text else "see `defaults/main.yml`"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def kind(option: dict[str, t.Any]) -> str:
    name = option.get("type", "str")
    return f"list of {option['elements']}" if name == "list" and option.get("elements") else name


def meaning(option: dict[str, t.Any]) -> str:
    text = plain(option.get("description"))
    choices = option.get("choices")
    if choices:
        text += " One of " + ", ".join(f"`{json.dumps(c) if not isinstance(c, str) else c}`" for c in choices) + "."
    return text


def roles() -> dict[str, dict[str, t.Any]]:
    found = {}
    for path in sorted((COLLECTION / "roles").glob("*/meta/argument_specs.yml")):
        found[path.parent.parent.name] = yaml.safe_load(path.read_text())["argument_specs"]["main"]
    return found


def variables(role: str, spec: dict[str, t.Any]) -> str:
    """The table of a role's variables; options of dictionaries follow their variable."""
    defaults_path = COLLECTION / "roles" / role / "defaults" / "main.yml"
    defaults = (yaml.safe_load(defaults_path.read_text()) or {}) if defaults_path.exists() else {}
    rows = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, option in (spec.get("options") or {}).items():
        default = defaults.get(name)
        required = option.get("required") or (isinstance(default, str) and "undef(" in default)
        shown = "required" if required else code(default)
        rows.append(f"| `{name}` | {kind(option)} | {cell(shown)} | {cell(meaning(option))} |")
        for suboption, detail in (option.get("options") or {}).items():
            need = "required" if detail.get("required") else code(detail.get("default")) if "default" in detail else ""
            rows.append(f"| `{name}` → `{suboption}` | {kind(detail)} | {cell(need)} | {cell(meaning(detail))} |")
    return "\n".join(rows) if len(rows) > 2 else "The role has no variables."


def modules() -> dict[str, dict[str, t.Any]]:
    names = sorted(
        f"{NAME}.{path.stem}" for path in (COLLECTION / "plugins" / "modules").glob("*.py") if path.stem != "__init__"
    )
    done = subprocess.run(
        [str(pathlib.Path(sys.executable).parent / "ansible-doc"), "--json", "--type", "module", *names],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=True,
    )
    documents = json.loads(done.stdout)
    unread = [name for name in names if "doc" not in documents.get(name, {})]
    if unread:
        raise Missing(f"ansible-doc cannot read {', '.join(unread)}")
    return {name.rsplit(".", 1)[1]: documents[name] for name in names}


def options(option_map: dict[str, t.Any], prefix: str = "") -> list[str]:
    rows = []
    for name, option in sorted(option_map.items()):
        default = option.get("default")
        need = "required" if option.get("required") else code(default) if default is not None else ""
        rows.append(f"| {prefix}`{name}` | {kind(option)} | {cell(need)} | {cell(meaning(option))} |")
        rows += options(option.get("suboptions") or {}, f"{prefix}`{name}` → ")
    return rows


def returns(return_map: dict[str, t.Any]) -> list[str]:
    return [f"| `{name}` | {kind(value)} | {cell(meaning(value))} |" for name, value in return_map.items()]


def role_reference(found: dict[str, dict[str, t.Any]]) -> str:
    parts = [HEADER + "# Roles\n\nEvery role, every variable. The page of a role tells how to use it.\n"]
    for role, spec in found.items():
        page = f"../../collections/ansible_collections/cloudnative/platform/roles/{role}/README.md"
        parts.append(f"## {role}\n\n{plain(spec.get('description'))} ([page]({page}))\n\n{variables(role, spec)}\n")
    return "\n".join(parts)


def module_reference(found: dict[str, dict[str, t.Any]]) -> str:
    parts = [HEADER + "# Modules\n\nExamples: `ansible-doc cloudnative.platform.<module>`.\n"]
    for module, document in found.items():
        doc = document["doc"]
        attributes = doc.get("attributes") or {}
        support = ", ".join(f"{name}: {value.get('support')}" for name, value in sorted(attributes.items()))
        parts.append(f"## {module}\n\n{plain(doc['short_description'])}. {plain(doc['description'])}\n\n{support}\n")
        rows = options(doc.get("options") or {})
        if rows:
            parts.append("\n".join(["| option | type | default | meaning |", "|---|---|---|---|", *rows, ""]))
        back = returns(document.get("return") or {})
        if back:
            parts.append("\n".join(["| returns | type | meaning |", "|---|---|---|", *back, ""]))
    return "\n".join(parts)


def contents(found_roles: dict[str, dict[str, t.Any]], found_modules: dict[str, dict[str, t.Any]], base: str) -> str:
    rows = ["| role | what it does |", "|---|---|"]
    rows += [
        f"| [`{role}`]({base}roles/{role}/README.md) | {cell(plain(spec['short_description']).rstrip('.'))} |"
        for role, spec in found_roles.items()
    ]
    rows += ["", "| module | what it does |", "|---|---|"]
    rows += [
        f"| `{module}` | {cell(plain(document['doc']['short_description']))} |"
        for module, document in found_modules.items()
    ]
    return "\n".join(rows)


def between(path: pathlib.Path, marks: tuple[str, str], text: str) -> str:
    """The file with `text` between the marks."""
    if not path.exists():
        raise Missing(f"{path.relative_to(ROOT)} does not exist")
    return between_text(str(path.relative_to(ROOT)), path.read_text(), marks, text)


def between_text(name: str, content: str, marks: tuple[str, str], text: str) -> str:
    begin, end = content.find(marks[0]), content.find(marks[1])
    if begin < 0 or end < begin:
        raise Missing(f"{name} lacks the lines\n{marks[0]}\n{marks[1]}")
    return f"{content[: begin + len(marks[0])]}\n\n{text}\n\n{content[end:]}"


def render() -> dict[pathlib.Path, str]:
    found_roles, found_modules = roles(), modules()
    files = {
        COLLECTION / "roles" / role / "README.md": between(
            COLLECTION / "roles" / role / "README.md", VARIABLES, variables(role, spec)
        )
        for role, spec in found_roles.items()
    }
    files[ROOT / "docs" / "reference" / "roles.md"] = role_reference(found_roles)
    files[ROOT / "docs" / "reference" / "modules.md"] = module_reference(found_modules)
    for path, base in (
        (ROOT / "README.md", "collections/ansible_collections/cloudnative/platform/"),
        (COLLECTION / "README.md", ""),
    ):
        files[path] = between(path, CONTENTS, contents(found_roles, found_modules, base))
    measured = ROOT / "bench" / "results.json"
    figures = bench_report.readme(json.loads(measured.read_text()) if measured.exists() else None)
    files[ROOT / "README.md"] = between_text("README.md", files[ROOT / "README.md"], FIGURES, figures)
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when something is out of date")
    check = parser.parse_args().check
    try:
        files = render()
    except Missing as exc:
        print(f"render_docs: {exc}", file=sys.stderr)
        return 1
    stale = {path: text for path, text in files.items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        name = str(path.relative_to(ROOT))
        if check:
            old = path.read_text().splitlines() if path.exists() else []
            print("\n".join(difflib.unified_diff(old, text.splitlines(), name, f"{name} (rendered)", lineterm="")))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
    if check and stale:
        print("render_docs: out of date; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
