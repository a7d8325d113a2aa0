#!/bin/sh
# What each fuzzer's corpus reaches: a table of fuzzer, file, lines, line coverage. The corpus is the memory of the fuzzer, so a
# file under test that it does not walk through is one where the next run begins from nothing.
#
#   fuzz/coverage.sh [BUILD_DIRECTORY]     default: build-fuzz-cov
#
# FUZZERS in the environment picks some of them, LIMIT is what is asked of each file (default 90 %). Exit 0: all reach it; 1: one
# does not; 77: no clang with libFuzzer, or no llvm-cov, here.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build-fuzz-cov}
clang=${CLANG:-clang}
limit=${LIMIT:-90}
flags='-fprofile-instr-generate -fcoverage-mapping -O0 -g'

# fuzzer  files under test
table='
recv          lib/tcp/recv.c lib/tcp/dissect.c lib/tcp/segment.c lib/tcp/window.c
sense         lib/wire/sense.c
scsi          lib/wire/vpd.c lib/wire/vpd_block.c lib/wire/inquiry.c lib/wire/capacity.c lib/wire/mode.c lib/wire/extent.c
luns          lib/wire/luns.c
keys          lib/control/keys.c lib/control/key_answer.c lib/wire/text.c
login         lib/control/login.c lib/control/login_status.c lib/control/chap.c
chap          lib/control/chap_value.c target/binary.c
discovery     lib/control/discovery.c lib/control/address.c
url           lib/api/url.c lib/api/settings.c
target        target/conn.c target/request.c target/text.c target/tmf.c target/scsi.c target/cdb.c target/data_out.c target/data_in.c target/write.c target/out.c
target_login  target/login.c target/keys.c target/chap.c target/session.c
'
fuzzers=${FUZZERS:-$(echo "$table" | cut -d' ' -f1)}

# A version in the name, as Debian has it, must be the compiler's own: the profile's format changes.
version=$("$clang" -dumpversion 2>/dev/null | cut -d. -f1)
for suffix in "-$version" ''; do
    command -v "llvm-cov$suffix" >/dev/null 2>&1 && command -v "llvm-profdata$suffix" >/dev/null 2>&1 && break
    suffix=none
done
if [ "$suffix" = none ] || ! "$clang" -x c -fsanitize=fuzzer -c - -o /dev/null </dev/null 2>/dev/null; then
    echo "fuzz: coverage: skipped: no clang with libFuzzer, or no llvm-cov (Debian: clang, llvm, libfuzzer-14-dev)"
    exit 77
fi

[ -f "$build/build.ninja" ] ||
    CC=$clang meson setup "$build" -Dfuzz=true -Dtests=disabled -Dc_args="$flags" -Dc_link_args=-fprofile-instr-generate \
        -Dbuildtype=plain -Db_ndebug=false -Db_lundef=false >/dev/null

# Arguments: fuzzer, limit, files; standard input: the export of llvm-cov, which names files by their path at compile time.
rows='
import json, os, sys
fuzzer, limit, files = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
found = {os.path.realpath(f["filename"]): f["summary"]["lines"] for f in json.load(sys.stdin)["data"][0]["files"]}
low = False
for file in files:
    lines = found[os.path.realpath(file)]
    print("%-13s %-30s %6d %8.1f%%" % (fuzzer, file, lines["count"], lines["percent"]))
    low |= lines["percent"] < limit
sys.exit(low)
'
low=0
printf '%-13s %-30s %6s %9s\n' fuzzer file lines covered
for fuzzer in $fuzzers; do
    program=$build/fuzz/fuzz_$fuzzer
    ninja -C "$build" "fuzz/fuzz_$fuzzer" >"$build/$fuzzer.out" || { cat "$build/$fuzzer.out"; exit 1; }
    LLVM_PROFILE_FILE=$build/$fuzzer.profraw "$program" "fuzz/corpus/$fuzzer"/* >"$build/$fuzzer.out" 2>&1 ||
        { tail -20 "$build/$fuzzer.out"; exit 1; }
    "llvm-profdata$suffix" merge "$build/$fuzzer.profraw" -o "$build/$fuzzer.profdata"
    "llvm-cov$suffix" export -summary-only "$program" -instr-profile="$build/$fuzzer.profdata" |
        python3 -c "$rows" "$fuzzer" "$limit" $(echo "$table" | sed -n "s/^$fuzzer  *//p") || low=1
done
[ "$low" -eq 0 ] || { echo "fuzz: coverage: a file is under $limit %"; exit 1; }
