# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
"""Manifests out of a Helm chart: rendered once, when the bundle is made, so that nothing at a site needs Helm.

What must differ from site to site is no matter of the chart's values; whoever applies the manifests patches it.
"""

from __future__ import annotations

import json
import os
import tarfile
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.common import BundleError
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.process import run
from ansible_collections.cloudnative.platform.plugins.module_utils._bundle.release import Unavailable

KEYS = {"release", "namespace", "values", "crds", "renders"}
CRD = "CustomResourceDefinition"
HOOK = "helm.sh/hook"


def problem(chart: t.Any, files: t.Collection[str]) -> str:
    """Why an entry of the lock can't be rendered; empty when it can. Pure."""
    if not isinstance(chart, dict) or set(chart) - KEYS:
        return f"knows {', '.join(sorted(KEYS))}, got {chart!r}"
    missing = [key for key in ("release", "namespace", "renders") if not chart.get(key)]
    if missing:
        return f"{missing[0]} is missing"
    made = {*chart["renders"], *([chart["crds"]] if "crds" in chart else [])}
    if made != set(files):
        return f"renders and crds make {', '.join(sorted(made))}, files names {', '.join(sorted(files))}"
    return ""


def merged(base: t.Mapping[str, t.Any], more: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Values over values, as Helm lays one file over another. Pure."""
    result = dict(base)
    for key, value in more.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def objects(text: str, origin: str) -> list[dict[str, t.Any]]:
    """What Helm printed, without its hooks: jobs that run kubectl in the cluster for what a role does itself. Pure."""
    import yaml

    try:
        found = [one for one in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if one]
    except yaml.YAMLError as error:
        raise BundleError(f"{origin}: Helm rendered what is no YAML: {error}") from error
    for one in found:
        if not isinstance(one, dict) or not {"apiVersion", "kind", "metadata"} <= set(one):
            raise BundleError(f"{origin}: Helm rendered what is no object: {str(one)[:120]}")
    return [one for one in found if HOOK not in (one["metadata"].get("annotations") or {})]


def text_of(bodies: t.Iterable[dict[str, t.Any]]) -> bytes:
    """The same bytes from the same objects, whatever wrote the YAML. Pure."""
    lines = [json.dumps(body, sort_keys=True, ensure_ascii=False) for body in bodies]
    return "".join(f"---\n{line}\n" for line in lines).encode()


def parts(chart: t.Mapping[str, t.Any], rendered: t.Mapping[str, str], origin: str) -> dict[str, bytes]:
    """{file name: content} from {file name: what Helm printed for it}. Pure."""
    files: dict[str, bytes] = {}
    definitions: dict[str, dict[str, t.Any]] = {}
    for name, text in rendered.items():
        found = objects(text, origin)
        if "crds" in chart:
            definitions.update({one["metadata"]["name"]: one for one in found if one["kind"] == CRD})
            found = [one for one in found if one["kind"] != CRD]
        files[name] = text_of(found)
    if "crds" in chart:
        files[chart["crds"]] = text_of(definitions[name] for name in sorted(definitions))
    return files


def render(helm: str, place: str, chart: t.Mapping[str, t.Any], work: str, log: str) -> dict[str, str]:
    """{file name: path} of the manifests of the chart that lies at `place`."""
    rendered: dict[str, str] = {}
    # Nothing of this machine's own settings, plugins or caches.
    environment = {"PATH": "/usr/bin:/bin", "HOME": work, "HELM_NO_PLUGINS": "1"}
    for name, more in chart["renders"].items():
        values = os.path.join(work, "values.json")
        with open(values, "w", encoding="utf-8") as stream:
            json.dump(merged(chart.get("values") or {}, more or {}), stream)
        command = [helm, "template", chart["release"], place, "--namespace", chart["namespace"]]
        command += ["--include-crds", "--no-hooks", "--values", values]
        rendered[name] = run(command, log, env=environment, cwd=work)
    paths: dict[str, str] = {}
    for name, content in parts(chart, rendered, place).items():
        paths[name] = os.path.join(work, name)
        with open(paths[name], "wb") as target:
            target.write(content)
    return paths


def unpack(archive: str, directory: str, url: str) -> str:
    """A packed chart below a directory; returns where its Chart.yaml lies. Takes files only, and none from outside."""
    found = ""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = os.path.normpath(os.path.join(directory, member.name))
                if not member.isfile() or not path.startswith(directory + os.sep):
                    continue
                os.makedirs(os.path.dirname(path), exist_ok=True)
                stream = tar.extractfile(member)
                with open(path, "wb") as target:
                    target.write(stream.read() if stream else b"")
                if os.path.basename(path) == "Chart.yaml" and (not found or len(path) < len(found)):
                    found = path
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Unavailable(f"{url}: is no readable tar archive: {error}") from error
    if not found:
        raise Unavailable(f"{url}: is no chart, it has no Chart.yaml")
    return os.path.dirname(found)
