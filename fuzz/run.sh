#!/bin/sh
# Runs each fuzzer for a while, which must stay clean, and proves that it looks: with a length check left out (meson option
# planted_bug) it has to find the overflow within the same time.
#
#   fuzz/run.sh [SECONDS] [BUILD_DIRECTORY]     default: 60 build-fuzz; SECONDS is for each fuzzer
#
# FUZZERS in the environment picks some of them. Exit 0: as it should be; 1: a finding, or a planted bug not found; 77: no
# clang with libFuzzer here.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
build=${2:-build-fuzz}
clang=${CLANG:-clang}
fuzzers=${FUZZERS:-recv sense scsi luns keys login discovery url}
flags='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1 -g'

if ! echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n); int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { (void)d; return n > 0 && 0; }' |
    "$clang" -x c -fsanitize=fuzzer,address - -o /dev/null 2>/dev/null; then
    echo "fuzz: skipped: $clang cannot link libFuzzer (Debian: clang, libfuzzer-14-dev, libclang-rt-14-dev)"
    exit 77
fi

setup() { # directory, planted bug
    if [ -f "$1/build.ninja" ]; then
        meson configure "$1" -Dplanted_bug="$2" -Dc_args="$flags" -Dbuildtype=plain -Db_ndebug=false
    else
        CC=$clang meson setup "$1" -Dfuzz=true -Dtests=disabled -Dplanted_bug="$2" -Dc_args="$flags" \
            -Dbuildtype=plain -Db_ndebug=false -Db_lundef=false
    fi
}

compile() { # directory, planted bug, fuzzer
    mkdir -p "$1"
    if ! setup "$1" "$2" >"$1/compile.out" 2>&1 || ! ninja -C "$1" "fuzz/fuzz_$3" >"$1/compile.out" 2>&1; then
        cat "$1/compile.out"
        exit 1
    fi
}

run() { # directory, fuzzer: new inputs go to a corpus of that build
    mkdir -p "$1/corpus-$2"
    "$1/fuzz/fuzz_$2" -max_total_time="$seconds" -max_len=2048 -print_final_stats=1 \
        -artifact_prefix="$1/" "$1/corpus-$2" "fuzz/corpus/$2" >"$1/$2.out" 2>&1
}

failed() { # fuzzer, what, directory
    tail -60 "$3/$1.out"
    echo "fuzz: $1: $2"
    exit 1
}

for fuzzer in $fuzzers; do
    compile "$build" none "$fuzzer"
    run "$build" "$fuzzer" || failed "$fuzzer" "a finding; its input is in $build/" "$build"
    echo "fuzz: $fuzzer: clean for $seconds s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$fuzzer.out") inputs"
done

for fuzzer in $fuzzers; do
    compile "$build-planted" "${fuzzer}_length" "$fuzzer"
    rm -rf "$build-planted/corpus-$fuzzer"
    start=$(date +%s)
    if run "$build-planted" "$fuzzer"; then
        echo "fuzz: $fuzzer: the planted bug was not found in $seconds s"
        exit 1
    fi
    grep -Eq '(heap|stack)-buffer-overflow' "$build-planted/$fuzzer.out" ||
        failed "$fuzzer" "the planted build failed, but not by an overflow" "$build-planted"
    echo "fuzz: $fuzzer: the planted bug was found in $(($(date +%s) - start)) s"
done
