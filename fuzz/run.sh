#!/bin/sh
# Runs each fuzzer for a while, which must stay clean, and proves that it looks: with a length check left out (meson option
# planted_bug) it has to find the overflow within the same time. At last, that the corpora reach what they are for.
#
#   fuzz/run.sh [SECONDS] [BUILD_DIRECTORY]     default: 60 build-fuzz; SECONDS is for each fuzzer
#
# FUZZERS in the environment picks some of them; JOBS is how many run at a time (default 2). Exit 0: as it should be; 1: a finding,
# a planted bug not found, or a corpus that reaches too little; 77: no clang with libFuzzer here.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
build=${2:-build-fuzz}
clang=${CLANG:-clang}
jobs=${JOBS:-2}
fuzzers=${FUZZERS:-recv sense scsi luns keys login chap discovery url target target_login}
flags='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1 -g'
start=$(date +%s)

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

compile() { # directory, planted bug, ninja's targets
    mkdir -p "$1"
    directory=$1
    bug=$2
    shift 2
    if ! setup "$directory" "$bug" >"$directory/compile.out" 2>&1 || ! ninja -C "$directory" "$@" >"$directory/compile.out" 2>&1; then
        cat "$directory/compile.out"
        exit 1
    fi
}

run() { # directory, fuzzer, program: new inputs go to a corpus of that build
    mkdir -p "$1/corpus-$2"
    case $2 in
    keys | login | discovery | target | target_login) words=-dict=fuzz/text.dict ;;
    url) words=-dict=fuzz/url.dict ;;
    *) words= ;;
    esac
    "$3" -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 ${words:+"$words"} \
        -artifact_prefix="$1/$2-" "$1/corpus-$2" "fuzz/corpus/$2" >"$1/$2.out" 2>&1
}

failed() { # fuzzer, what, directory
    tail -60 "$3/$1.out"
    echo "fuzz: $1: $2"
    exit 1
}

run_clean() { # fuzzer
    run "$build" "$1" "$build/fuzz/fuzz_$1" || failed "$1" "a finding; its input is in $build/" "$build"
    echo "fuzz: $1: clean for $seconds s, $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$1.out") inputs"
}

run_planted() { # fuzzer
    directory=$build-planted
    rm -rf "$directory/corpus-$1"
    begin=$(date +%s)
    if run "$directory" "$1" "$directory/planted_$1"; then
        echo "fuzz: $1: the planted bug was not found in $seconds s"
        exit 1
    fi
    # A copy that runs from one block of memory into the next is told as one of overlapping ranges.
    grep -Eq '(heap|stack)-buffer-overflow|memcpy-param-overlap' "$directory/$1.out" ||
        failed "$1" "the planted build failed, but not by an overflow" "$directory"
    echo "fuzz: $1: the planted bug was found in $(($(date +%s) - begin)) s"
}

each() { # what to run for each fuzzer, `jobs` of them at a time; false: one failed
    ok=true
    waiting=
    count=0
    for fuzzer in $fuzzers; do
        "$1" "$fuzzer" &
        waiting="$waiting $!"
        count=$((count + 1))
        if [ "$count" -eq "$jobs" ]; then
            # shellcheck disable=SC2086  # the first word of the list
            set -- "$1" $waiting
            wait "$2" || ok=false
            waiting=${waiting# "$2"}
            count=$((count - 1))
        fi
    done
    for pid in $waiting; do
        wait "$pid" || ok=false
    done
    $ok
}

# shellcheck disable=SC2046  # one word per program
compile "$build" none $(for fuzzer in $fuzzers; do echo "fuzz/fuzz_$fuzzer"; done)
for fuzzer in $fuzzers; do # each bug is a build of its own, since another one may stand in its way
    compile "$build-planted" "${fuzzer}_length" "fuzz/fuzz_$fuzzer"
    cp "$build-planted/fuzz/fuzz_$fuzzer" "$build-planted/planted_$fuzzer"
done
each run_clean
each run_planted
FUZZERS=$fuzzers fuzz/coverage.sh "$build-cov" || [ $? -eq 77 ]
echo "fuzz: all as it should be, $(($(date +%s) - start)) s"
