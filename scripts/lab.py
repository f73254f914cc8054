"""Brings the platform up on hosts on this machine, and takes it away again: `make up`, `make down`, `make clean`."""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import sys
import time

import lab_report
from lab_run import Failed, Phase, play

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAB = ROOT / ".lab"
PROFILES = ROOT / "inventories" / "lab" / "profiles"
CACHE = pathlib.Path.home() / ".cache" / "cloudnative-platform"
BUNDLE = CACHE / "bundle"

# What `up` leaves in .lab; `down` removes these and nothing else. Inventory and key are the lab role's own.
KUBECONFIG = LAB / "kubeconfig"
PROFILE = LAB / "profile"
BIN = LAB / "bin"
LOGS = LAB / "logs"
VERIFY = LAB / "verify"
INVENTORY = LAB / "inventory" / "hosts.ini"
TOOLS = {"kubectl": "kubectl", "helm": "helm"}


def lab_variables() -> dict[str, object]:
    return {
        "lab_inventory_path": str(LAB / "inventory"),
        "lab_key_path": str(LAB / "ssh" / "id_ed25519"),
    }


def check_profile(profile: str) -> None:
    """A smaller profile would take hosts away from a running cluster: that is never what a second `up` means."""
    known = sorted(path.stem for path in PROFILES.glob("*.yml"))
    if profile not in known:
        raise Failed(f"PROFILE={profile} is unknown; choose one of: {', '.join(known)}")
    if PROFILE.exists() and PROFILE.read_text().strip() != profile:
        running = PROFILE.read_text().strip()
        raise Failed(f"the lab was made with PROFILE={running}; run `make down` first, or `make up PROFILE={running}`")


def bundle(extra: list[str]) -> Phase:
    LOGS.mkdir(parents=True, exist_ok=True)
    variables = {"bundle_path": str(BUNDLE), "bundle_cache_path": str(CACHE)}
    return play("bundle", "build_bundle.yml", LOGS, variables, extra, progress="bundle_progress_path")


def up(profile: str, extra: list[str]) -> list[Phase]:
    check_profile(profile)
    LOGS.mkdir(parents=True, exist_ok=True)
    phases = [bundle(extra)]
    PROFILE.write_text(f"{profile}\n")
    hosts = {**lab_variables(), "lab_timeout": 180}
    phases.append(
        play(
            "hosts",
            "make_lab.yml",
            LOGS,
            hosts,
            ["--extra-vars", f"@{PROFILES / profile}.yml", *extra],
            progress="lab_progress_file",
        )
    )
    inventory = ["--inventory", str(INVENTORY)]
    phases.append(play("platform", "site.yml", LOGS, {"bundle_path": str(BUNDLE)}, [*inventory, *extra]))
    started = time.monotonic()
    changed = lab_report.take_tools(BUNDLE, TOOLS, BIN)
    phases.append(Phase("tools", time.monotonic() - started, changed, []))
    phases.append(play("kubeconfig", "fetch_kubeconfig.yml", LOGS, {"kubeconfig_path": str(KUBECONFIG)}, inventory))
    report = {"verify_report_path": str(VERIFY), "verify_kubeconfig": str(KUBECONFIG)}
    phases.append(play("verify", "verify.yml", LOGS, report, [*inventory, *extra]))
    return phases


def down(remove_image: bool) -> list[Phase]:
    LOGS.mkdir(parents=True, exist_ok=True)
    variables = {**lab_variables(), "lab_state": "absent", "lab_remove_image": remove_image}
    phases = [play("remove hosts", "make_lab.yml", LOGS, variables, [])]
    for path in (KUBECONFIG, PROFILE):
        path.unlink(missing_ok=True)
    for path in (BIN, VERIFY, LOGS):
        shutil.rmtree(path, ignore_errors=True)
    if LAB.exists() and not any(LAB.iterdir()):
        LAB.rmdir()
    return phases


def clean() -> list[Phase]:
    phases = down(remove_image=True)
    started = time.monotonic()
    if CACHE.exists():
        shutil.rmtree(CACHE)
    phases.append(Phase(f"remove {CACHE}", time.monotonic() - started, 0, []))
    return phases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    parser_up = commands.add_parser("up", help="make bundle, hosts and platform; verify them")
    parser_up.add_argument("--profile", default="small", help="which hosts: small or ha")
    parser_up.add_argument("extra", nargs="*", help="further arguments for every ansible-playbook, after --")
    commands.add_parser("bundle", help="make the bundle only")
    commands.add_parser("down", help="remove the hosts and what `up` left in .lab")
    commands.add_parser("clean", help="remove the bundle and all caches too")
    arguments = parser.parse_args()
    try:
        if os.geteuid() != 0:
            raise Failed("lab hosts are privileged containers: run this as root")
        if arguments.command == "up":
            started = time.monotonic()
            phases = up(arguments.profile, arguments.extra)
            print(lab_report.summary(ROOT, INVENTORY, BUNDLE, VERIFY, phases, time.monotonic() - started))
        elif arguments.command == "bundle":
            bundle([])
        elif arguments.command == "down":
            down(remove_image=False)
        else:
            clean()
    except Failed as exc:
        print(f"\nlab: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nlab: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
