"""The figures of the project: what each is, and the bound it has to keep. Pure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    # ends with its unit
    name: str
    text: str
    bound: float | None = None


def _gateway(entities: int, cpu_seconds: float, megabytes: float, ratio: float | None = None) -> tuple[Figure, ...]:
    """Of `kong_config`, next to the same requests and nothing else."""
    name, what = f"gateway_{entities}", f"kong_config, {entities:,} entities"
    took = (
        ("cpu_seconds", "CPU of it"),
        ("peak_megabytes", "memory of it"),
        ("requests", "requests of it"),
    )
    runs = (
        ("write_floor", "the bare writes over ten connections"),
        ("first", "into an empty gateway"),
        ("read_floor", "the bare reads over ten connections"),
        ("unchanged", "nothing to do"),
    )
    bounds = {f"{name}_unchanged_cpu_seconds": cpu_seconds, f"{name}_unchanged_peak_megabytes": megabytes}
    made = [Figure(f"{name}_module_start_seconds", f"{what}: start of the module, nothing asked")]
    for run, text in runs:
        made.append(Figure(f"{name}_{run}_seconds", f"{what}: {text}"))
        for unit, of in took:
            figure = f"{name}_{run}_{unit}"
            made.append(Figure(figure, f"{what}: {of} ({text})", bounds.get(figure)))
    return (
        *made,
        Figure(f"{name}_first_over_floor_ratio", f"{what}: into an empty gateway, start left out ÷ bare writes", ratio),
        Figure(f"{name}_unchanged_beyond_two_floors_seconds", f"{what}: nothing to do, less twice the bare reads", 1),
        Figure(f"{name}_unchanged_beyond_floor_requests", f"{what}: nothing to do, requests beyond the lists", 3),
        Figure(f"{name}_ten_routes_written_requests", f"{what}: writes for ten changed routes", 10),
        Figure(f"{name}_dbless_push_seconds", f"{what}: given to a node without a database"),
        Figure(f"{name}_dbless_unchanged_seconds", f"{what}: the same again"),
        Figure(f"{name}_dbless_unchanged_requests", f"{what}: requests of that", 2),
    )


def _mesh(policies: int) -> tuple[Figure, ...]:
    name, what = f"mesh_{policies}", f"kuma_resources, {policies:,} policies"
    return (
        Figure(f"{name}_create_seconds", f"{what}: into an empty mesh"),
        Figure(f"{name}_read_floor_seconds", f"{what}: the bare reads"),
        Figure(f"{name}_read_floor_requests", f"{what}: requests of that"),
        Figure(f"{name}_unchanged_seconds", f"{what}: nothing to do", 3 * policies / 1000),
        Figure(f"{name}_unchanged_cpu_seconds", f"{what}: CPU of it"),
        Figure(f"{name}_unchanged_peak_megabytes", f"{what}: memory of it"),
        Figure(f"{name}_unchanged_requests", f"{what}: requests of it", 2 + 2 * policies / 1000),
        Figure(f"{name}_one_changed_written_requests", f"{what}: writes for one that changed", 1),
    )


FIGURES = (
    Figure("bundle_full_cache_seconds", "make the bundle again from a full cache", 20),
    Figure("hosts_seconds", "six hosts (registry, three control planes, two workers) up", 40),
    Figure("install_seconds", "install everything on them, an empty registry to begin with", 300),
    Figure("cluster_install_seconds", "the same without filling the registry"),
    Figure("floor_seconds", "the same cluster by a bare kubeadm shell script"),
    Figure("install_over_floor_ratio", "install, registry left out ÷ shell script", 1.5),
    Figure("rerun_seconds", "run again, nothing to do", 40),
    Figure("rerun_changed_tasks", "changed by it", 0),
    Figure("noop_seconds", "a play of one task that does nothing, same hosts (median of three)"),
    Figure("rerun_over_noop_ratio", "run again ÷ one task that does nothing", 25),
    Figure("install_tasks_per_host", "tasks that a host sees at install (most of all hosts)", 25),
    Figure("rerun_tasks_per_host", "tasks that a host sees when run again (most of all hosts)", 15),
    Figure("install_megabytes_per_control_plane", "downloaded by a control plane at install (most of all)"),
    Figure("install_megabytes_per_worker", "downloaded by a worker at install (most of all)"),
    Figure("rerun_bytes_per_host", "downloaded by a host when run again (most of all)", 0),
    Figure("memory_megabytes_registry", "memory of the registry host"),
    Figure("memory_megabytes_control_plane", "memory of a control plane (most of all)"),
    Figure("memory_megabytes_worker", "memory of a worker (most of all)"),
    Figure("fifty_hosts_rerun_seconds", "run again on fifty simulated hosts"),
    Figure("fifty_hosts_cpu_seconds_per_host", "CPU of the controller for each of them", 3),
    Figure("worker_ready_seconds", "add a worker: start of the run until the node is Ready", 40),
    Figure("worker_run_seconds", "add a worker: the whole run"),
    Figure("worker_changed_tasks_elsewhere", "add a worker: changed on the hosts that were there", 4),
    Figure("worker_restarted_containers", "add a worker: containers restarted on the hosts that were there", 0),
    Figure("monitoring_up_seconds", "add storage and monitoring to these hosts, until all targets are up", 180),
    Figure("monitoring_rerun_seconds", "run again with them, nothing to do"),
    Figure("monitoring_rerun_changed_tasks", "changed by it", 0),
    Figure("monitoring_rerun_tasks_per_host", "tasks that a host sees then (most of all hosts)", 25),
    Figure("noop_task_seconds", "a task that does nothing, on the controller"),
    Figure("k8s_apply_create_seconds", "k8s_apply: 200 new objects, one task"),
    Figure("kubernetes_core_create_seconds", "kubernetes.core.k8s: the same in one call"),
    Figure("kubernetes_core_loop_create_seconds", "kubernetes.core.k8s: the same in a loop"),
    Figure("k8s_apply_create_over_kubernetes_core_ratio", "k8s_apply ÷ kubernetes.core.k8s, new objects, one call"),
    Figure(
        "k8s_apply_create_over_kubernetes_core_loop_ratio", "k8s_apply ÷ kubernetes.core.k8s, new objects, a loop", 0.1
    ),
    Figure("k8s_apply_unchanged_seconds", "k8s_apply: the same objects again"),
    Figure("kubernetes_core_unchanged_seconds", "kubernetes.core.k8s: the same objects again, one call"),
    Figure("kubernetes_core_loop_unchanged_seconds", "kubernetes.core.k8s: the same objects again, a loop"),
    Figure("k8s_apply_unchanged_over_kubernetes_core_ratio", "k8s_apply ÷ kubernetes.core.k8s, unchanged, one call"),
    Figure(
        "k8s_apply_unchanged_over_kubernetes_core_loop_ratio", "k8s_apply ÷ kubernetes.core.k8s, unchanged, a loop", 0.1
    ),
    Figure("k8s_apply_peak_megabytes", "memory of k8s_apply with 200 objects", 120),
    Figure("kubernetes_core_peak_megabytes", "memory of kubernetes.core.k8s with them, one call"),
    *_gateway(2000, 0.95, 150, 1.5),
    *_gateway(20000, 6, 400),
    *_mesh(1000),
    *_mesh(10000),
)

BOUNDS = {figure.name: figure.bound for figure in FIGURES if figure.bound is not None}

#: quotients of two figures of the same run, which say more about the project than about the machine
RATIOS = {
    "install_over_floor_ratio": ("cluster_install_seconds", "floor_seconds"),
    "rerun_over_noop_ratio": ("rerun_seconds", "noop_seconds"),
}


def with_ratios(measured: t.Mapping[str, float]) -> dict[str, float]:
    """The figures in the order of FIGURES, ratios of those that are there added."""
    known = dict(measured)
    for name, (upper, lower) in RATIOS.items():
        if upper in known and lower in known:
            known[name] = round(known[upper] / known[lower], 2)
    unknown = set(known) - {figure.name for figure in FIGURES}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}: measured, but not among FIGURES")
    return {figure.name: known[figure.name] for figure in FIGURES if figure.name in known}


def missed(measured: t.Mapping[str, float]) -> list[str]:
    """Figures beyond their bound, as sentences."""
    return [
        f"{name} is {number(value)}, more than {number(BOUNDS[name])}"
        for name, value in measured.items()
        if name in BOUNDS and value > BOUNDS[name]
    ]


def number(value: float) -> str:
    return f"{value:g}"
