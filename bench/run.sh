#!/bin/sh
# The benchmark table: floor, canned client and iskra in the same loop, alternating, against the embedded target; medians and the
# ratio to the floor and to the canned client in the same run. Reports; judges nothing.
#
#   bench/run.sh [BUILD_DIR [ROUNDS [SECONDS]]]
set -eu
build=${1:-build}
rounds=${2:-5}
seconds=${3:-0.5}
name=iqn.2026-11.io.iskra:bench
work=$(mktemp -d)
target=
trap 'test -z "$target" || kill "$target" 2>/dev/null || :; rm -rf "$work"' EXIT INT TERM

cpus=$(nproc)
own=0
peer=$((cpus > 1 ? 1 : 0))
taskset -c "$peer" "$build/cli/iskra" target --listen 127.0.0.1:0 --name "$name" --null 1G >"$work/target" &
target=$!
tries=0
until grep -q 'listening on' "$work/target"; do
    tries=$((tries + 1))
    test "$tries" -lt 100 || { echo "bench: the target does not start" >&2; exit 1; }
    sleep 0.05
done
port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$work/target")

echo "target: embedded, --null 1G, pinned to CPU $peer; initiators pinned to CPU $own"
echo "kernel: $(uname -sr); CPU: $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1), $cpus of them"
echo "rounds: $rounds of $seconds s each, alternating; medians"

round() { # bs qd extra
    "$build/bench/bench-floor" --bs "$1" --qd "$2" --time "$seconds" --cpu $own --peer-cpu "$peer" $3
    "$build/bench/bench-canned" --bs "$1" --qd "$2" --time "$seconds" --cpu $own --port "$port" --target "$name" $3
    "$build/bench/bench-iskra" --bs "$1" --qd "$2" --time "$seconds" --cpu $own --port "$port" --target "$name" $3
}

table() {
    awk '
    function median(list, n,   i, j, t, a) {
        n = split(list, a, " ")
        for (i = 2; i <= n; i++) { t = a[i]; for (j = i - 1; j > 0 && a[j] + 0 > t + 0; j--) a[j + 1] = a[j]; a[j + 1] = t }
        return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
    }
    { iops[$1] = iops[$1] " " $8; cpu[$1] = cpu[$1] " " $12; lat[$1] = lat[$1] " " $14
      if ($1 == "floor") { fi = $8; fc = $12 }
      if ($1 == "canned") { ci = $8; cc = $12 }
      if ($1 == "iskra") { rf = rf " " $12 / fc; rc = rc " " $8 / ci } }
    END {
        for (i = 1; i <= split("floor canned iskra", who, " "); i++)
            printf "  %-7s %10.0f IOPS  %8.3f us CPU per I/O  %10.2f us latency\n", who[i], median(iops[who[i]]), median(cpu[who[i]]), median(lat[who[i]])
        printf "  iskra: %.2f x the CPU of the floor, %.2f x the IOPS of the canned client\n", median(rf), median(rc)
    }'
}

for row in "4096 1" "4096 32" "4096 128" "131072 8" "1048576 4"; do
    set -- $row
    echo "read, $1 bytes, QD $2"
    i=0
    while [ "$i" -lt "$rounds" ]; do
        round "$1" "$2" ""
        i=$((i + 1))
    done | table
done
