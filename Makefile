# A thin front: each target installs what it lacks (tools/deps.sh), sets up its build directory and goes on. Meson does the work.
#
#   make demo        build, and show iskra at work against a target of its own
#   make test        all tests under ASan and UBSan, in build-test/
#   make build       the program alone: build/iskra
#   make check-all   test, tsan, and the long ones: fuzzers and such
#   make tsan        the tests with several threads, under ThreadSanitizer, in build-tsan/
#   make guard       instructions that a request costs, by layer and function; GUARD=--update puts them on record
#   make bench       figures: floor, canned client, libiscsi, iskra, taking turns; BENCH="--quick", BENCH=--help
#   make install     after make build; DESTDIR= and PREFIX= are honoured
#   make fuzz        the fuzzers, SECONDS= each (default 60)
#   make clean       away with all build directories

PREFIX ?= /usr/local
SECONDS ?= 60
.DEFAULT_GOAL := build
.PHONY: demo test check-all tsan guard build bench install fuzz clean build-test bench-deps

demo: build
	build/iskra demo

GUARD ?= --profile 25

build:
	@tools/deps.sh build
	@test -f build/build.ninja || meson setup build -Dtests=disabled -Db_lto=true --prefix=$(PREFIX)
	@meson compile -C build
	@ln -sf cli/iskra build/iskra

build-test:
	@tools/deps.sh build test
	@test -f build-test/build.ninja || meson setup build-test \
		-Dtests=enabled -Dbuildtype=debug -Db_sanitize=address,undefined -Db_lundef=false
	@meson compile -C build-test

test: build-test
	@tools/run_tests.py build-test --no-suite long

check-all: build-test tsan
	@tools/deps.sh build test fuzz
	@tools/run_tests.py build-test --timeout-multiplier 2

tsan:
	@tools/deps.sh build test
	@test -f build-tsan/build.ninja || meson setup build-tsan \
		-Dtests=enabled -Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false
	@ninja -C build-tsan tests/stack/stack_test_threads tests/stack/stack_test_own_thread \
		tests/unit/api/api_test_mailbox
	@tools/run_tests.py build-tsan --suite threads

guard:
	@tools/deps.sh build test
	@test -f build-guard/build.ninja || CC=gcc meson setup build-guard -Dtests=enabled -Ddebug=true
	@ninja -C build-guard tests/guard/guard-load
	@tests/guard/guard.py build-guard/tests/guard/guard-load tests/guard/instructions.txt --source . $(GUARD)

fuzz:
	@tools/deps.sh build fuzz
	@fuzz/run.sh $(SECONDS)

bench-deps:
	@tools/deps.sh build bench

bench: bench-deps build
	@bench/run.py $(BENCH)

install: build
	@$(if $(filter file default undefined,$(origin PREFIX)),true,meson configure build -Dprefix=$(PREFIX) && meson compile -C build)
	meson install -C build --no-rebuild

clean:
	rm -rf build build-*
