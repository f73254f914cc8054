# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The double as programs on hosts: kuma-cp on PostgreSQL, kuma-dp with a real Envoy, kumactl. None of them is Kuma."""
