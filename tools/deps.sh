#!/bin/sh
# Installs the Debian packages that a group of targets needs and that are not there yet; silent when nothing is missing.
#
#   tools/deps.sh GROUP...      groups: build, test, fuzz, bench
#   tools/deps.sh --list        the whole table
#
# As root it uses apt-get; otherwise sudo, if it works without asking or there is a terminal to ask on; otherwise it prints the
# line to run and fails. Where there is no apt it prints the needs and goes on if the essential ones are met.
set -eu

# group  package              the feature that needs it
table='
build    gcc                  compiler (any C11 compiler does)
build    libc6-dev            C library
build    meson                building
build    ninja-build          building
build    pkg-config           finding libraries
build    python3              meson itself; the tools in tools/ and tests/
build    libisal-dev          CRC32C: header and data digests
build    libssl-dev           CHAP: hashes, comparing in constant time
build    libjson-c-dev        --json output (optional feature json)
build    liburing-dev         the io_uring driver of the loop (optional feature io_uring)
test     libcmocka-dev        unit, golden, stack and target tests
test     libpcap-dev          reading captures in tests (optional feature pcap)
test     libuv1-dev           the example with a loop of libuv (optional feature uv)
test     tgt                  a foreign target in the interop tests
test     libiscsi-bin         foreign initiators against the embedded target
test     qemu-utils           the same: qemu-img
test     qemu-block-extra     the iSCSI driver of qemu-img
test     clang                second compiler
test     mandoc               checking the man pages
test     clang-format         checking the layout of the sources
test     valgrind             counting the instructions of a request
fuzz     clang                fuzzers
fuzz     libclang-rt-14-dev   fuzzers: sanitizer runtime
fuzz     libfuzzer-14-dev     fuzzers: libFuzzer
fuzz     llvm                 fuzzers: line coverage of their corpora
bench    util-linux           taskset: each side of a measurement on a CPU of its own
bench    libiscsi-dev         the client on libiscsi
bench    gnuplot-nox          the plot: latency against IOPS
'

usage() {
    echo "usage: tools/deps.sh build|test|fuzz|bench... | --list" >&2
    exit 2
}

[ $# -gt 0 ] || usage
if [ "$1" = --list ]; then
    echo "$table" | sed '/^$/d'
    exit 0
fi
for group; do
    case $group in build | test | fuzz | bench) ;; *) usage ;; esac
done

needs() { # lines "group package feature" of the groups asked for
    echo "$table" | while read -r group package feature; do
        case " $wanted " in *" $group "*) [ -z "$package" ] || echo "$package $feature" ;; esac
    done
}
wanted=$*

if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-query >/dev/null 2>&1; then
    unmet=
    for tool in cc meson ninja pkg-config python3; do
        command -v "$tool" >/dev/null 2>&1 || unmet="$unmet $tool"
    done
    pkg-config --exists libisal 2>/dev/null || unmet="$unmet libisal"
    pkg-config --exists libcrypto 2>/dev/null || unmet="$unmet libcrypto"
    [ -n "$unmet" ] || exit 0
    echo "There is no apt on this system. What is needed, by Debian's package names:" >&2
    needs | sed 's/ /: /; s/^/    /' >&2
    echo "Missing and essential:$unmet" >&2
    exit 1
fi

packages=$(needs | cut -d' ' -f1 | sort -u)
# shellcheck disable=SC2086  # one word per package
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $packages 2>/dev/null | sed -n 's/^installed //p')
missing=
for package in $packages; do
    case "
$installed
" in *"
$package
"*) ;; *) missing="$missing $package" ;; esac
done
[ -n "$missing" ] || exit 0

echo "Missing packages, and what needs them:" >&2
for package in $missing; do
    needs | sed -n "s/^$package /    $package: /p" >&2
done

install='apt-get install -y --no-install-recommends'
if [ "$(id -u)" = 0 ]; then
    root=
elif sudo -n true 2>/dev/null; then
    root='sudo -n'
elif command -v sudo >/dev/null 2>&1 && [ -t 0 ] && [ -t 2 ]; then
    root=sudo
else
    echo "Run this as root, then try again:" >&2
    echo "    apt-get update && $install$missing" >&2
    exit 1
fi
options='-q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120'
# shellcheck disable=SC2086
{
    $root apt-get $options update </dev/null
    $root env DEBIAN_FRONTEND=noninteractive $install $options -o Dpkg::Use-Pty=0 $missing </dev/null
} >&2
