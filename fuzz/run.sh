#!/bin/sh
# Runs each fuzzer for a while, which must stay clean, and proves that it looks: with a length check left out (meson option
# planted_bug) it has to find the overflow within the same time.
#
#   fuzz/run.sh [SECONDS] [BUILD_DIRECTORY]     default: 60 build-fuzz
#
# Exit 0: as it should be; 1: a finding, or the planted bug not found; 77: no clang with libFuzzer here.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
build=${2:-build-fuzz}
clang=${CLANG:-clang}

if ! echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n); int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { (void)d; return n > 0 && 0; }' |
    "$clang" -x c -fsanitize=fuzzer,address - -o /dev/null 2>/dev/null; then
    echo "fuzz: skipped: $clang cannot link libFuzzer (Debian: clang, libfuzzer-14-dev, libclang-rt-14-dev)"
    exit 77
fi

compile() { # directory, planted bug
    mkdir -p "$1"
    if ! { [ -f "$1/build.ninja" ] ||
        CC=$clang meson setup "$1" -Dfuzz=true -Dtests=disabled -Dplanted_bug="$2"; } >"$1/compile.out" 2>&1 ||
        ! ninja -C "$1" fuzz/fuzz_recv >"$1/compile.out" 2>&1; then
        cat "$1/compile.out"
        exit 1
    fi
}

run() { # directory, arguments: new inputs go to a corpus of that build
    dir=$1
    mkdir -p "$dir/corpus-recv"
    shift
    "$dir/fuzz/fuzz_recv" -max_total_time="$seconds" -max_len=2048 -print_final_stats=1 \
        -artifact_prefix="$dir/" "$@" "$dir/corpus-recv" fuzz/corpus/recv
}

compile "$build" none
compile "$build-planted" recv_length

if ! run "$build" >"$build/recv.out" 2>&1; then
    tail -60 "$build/recv.out"
    echo "fuzz: recv: a finding; its input is in $build/"
    exit 1
fi
echo "fuzz: recv: clean for $seconds s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/recv.out") inputs"

start=$(date +%s)
rm -rf "$build-planted/corpus-recv"
if run "$build-planted" >"$build-planted/recv.out" 2>&1; then
    echo "fuzz: recv: the planted bug was not found in $seconds s"
    exit 1
fi
if ! grep -q 'heap-buffer-overflow' "$build-planted/recv.out"; then
    tail -60 "$build-planted/recv.out"
    echo "fuzz: recv: the planted build failed, but not by an overflow"
    exit 1
fi
echo "fuzz: recv: the planted bug was found in $(($(date +%s) - start)) s"
