#!/bin/bash
# Stands in for ssh while bench.py takes the measure of fifty hosts on a machine that cannot run fifty. BENCH_SSH says how:
#   record  run the command and keep what it printed as the host's next answer in $BENCH_ANSWERS/<address>/
#   replay  let the host print its next answer instead of running the command. Command, module and answer still cross a
#           connection of the host's own; only the work of the host is not done.
set -u

# Ansible asks first what this ssh can do.
[ $# -gt 2 ] || exec ssh "$@"

address=${*: -2:1}
directory=$BENCH_ANSWERS/$address
number=0
[ ! -e "$directory/count" ] || read -r number <"$directory/count"
number=$((number + 1))

if [ "$BENCH_SSH" = record ]; then
  mkdir -p "$directory"
  echo $number >"$directory/count"
  ssh "$@" >"$directory/$number"
  status=$?
  cat "$directory/$number"
  exit $status
fi

if [ ! -e "$directory/$number" ]; then
  echo "bench_ssh.sh: $address was asked $number times, oftener than the host that was recorded" >&2
  exit 1
fi
echo $number >"$directory/count"
exec ssh "${@:1:$#-1}" "cat >/dev/null; cat /run/bench/$address/$number"
