#!/usr/bin/env python3
"""iskra bench: what it reports, what it refuses, and that --verify finds a disk that lies. TAP; argument: the program."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile

import peers

ISKRA = sys.argv[1]
SIZE = 4 << 20
KEYS = {"iops", "mbps", "lat_us", "cpu_us_per_io", "errors", "mismatches", "bytes_verified", "reconnects", "seconds"}
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def equal(got, want, what=""):
    assert got == want, "%s: %r, expected %r" % (what, got, want)


def serve(*options, listen="127.0.0.1:0"):
    return peers.Target(ISKRA, list(options) or ["--ram", str(SIZE)], listen=listen)


def url(target, keys=""):
    return "iscsi://%s/%s/0%s" % (target.portal, peers.NAME, "?" + keys if keys else "")


def bench(target, *args, keys="", wait=60, polite=False):
    """Politely: whoever else wants a processor has it first, the target above all."""
    return subprocess.run([ISKRA, "bench", url(target, keys), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=wait, preexec_fn=(lambda: os.nice(19)) if polite else None)


def measured(target, *args, code=0, said=b""):
    """The JSON of a run that has to end with this code."""
    done = bench(target, "--json", *args)
    equal((done.returncode, done.stderr), (code, said), "exit code and stderr")
    return json.loads(done.stdout)


def shape(report, whole=True):
    equal(set(report), KEYS | ({"limit"} if whole else set()), "keys")
    equal(set(report["lat_us"]), {"mean", "p50", "p99", "p999"}, "keys of lat_us")
    if whole:
        equal(set(report["limit"]), {"cause", "share", "text"}, "keys of limit")
    latency = report["lat_us"]
    assert latency["p50"] <= latency["p99"] <= latency["p999"], latency
    assert report["iops"] > 0 and report["mbps"] > 0 and latency["mean"] > 0 and report["cpu_us_per_io"] > 0, report


@test
def json_has_the_shape_that_is_promised():
    with serve() as target:
        report = measured(target, "--time", "0.3")
    shape(report)
    equal((report["errors"], report["mismatches"], report["bytes_verified"], report["reconnects"]), (0, 0, 0, 0))
    assert report["seconds"] >= 0.3
    equal(round(report["mbps"] * 1e6 / report["iops"]), 4096, "bytes per I/O")


@test
def a_mix_tells_of_both_directions_and_together():
    with serve() as target:
        report = measured(target, "--rw", "mix", "--time", "1", "--bs", "8k")
    read, write = report.pop("read"), report.pop("write")
    for one in (report, read, write):
        shape(one, whole=one is report)
    assert abs(read["iops"] + write["iops"] - report["iops"]) < 0.01 * report["iops"], (read, write, report)
    assert 0.6 < read["iops"] / report["iops"] < 0.8, "%f are reads" % (read["iops"] / report["iops"])


def sleeps(target):
    """How often it has gone to sleep since its start."""
    with open("/proc/%d/status" % target.process.pid, encoding="utf-8") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M).group(1))


@test
def a_target_told_to_look_busily_does_not_sleep_between_requests():
    with serve("--null", str(SIZE), "--busy-poll", "500000") as target:
        report = measured(target, "--qd", "1", "--time", "0.5")
        requests = report["iops"] * report["seconds"]
        assert sleeps(target) < requests / 10, "%d sleeps, %d requests" % (sleeps(target), requests)


@test
def every_pattern_runs_and_reads_change_nothing():
    with tempfile.NamedTemporaryFile() as disk:
        disk.write(os.urandom(SIZE))
        disk.flush()
        with serve("--file", disk.name) as target:
            for pattern in ("read", "randread", "write", "randwrite"):
                before = open(disk.name, "rb").read()
                report = measured(target, "--rw", pattern, "--time", "0.2", "--qd", "4")
                shape(report)
                equal(open(disk.name, "rb").read() == before, "read" in pattern, pattern + " leaves the disk as it was")


@test
def verify_writes_the_region_and_nothing_else_and_checks_all_of_it():
    with tempfile.NamedTemporaryFile() as disk:
        content = os.urandom(SIZE)
        disk.write(content)
        disk.flush()
        with serve("--file", disk.name) as target:
            report = measured(target, "--verify", "--rw", "randread", "--size", "1M", "--bs", "4k", "--time", "0.2")
        equal((report["errors"], report["mismatches"]), (0, 0))
        read_len = round(report["mbps"] * 1e6 * report["seconds"])
        equal(report["bytes_verified"], read_len + (1 << 20), "what was read, and the region at the end")
        after = open(disk.name, "rb").read()
        equal(after[1 << 20:] == content[1 << 20:], True, "what is behind the region")
        same = [i for i in range(0, 1 << 20, 512) if after[i:i + 512] == content[i:i + 512]]
        equal(same, [], "sectors of the region that were not written")


@test
def verify_takes_every_size_of_block_and_of_region():
    for args in (("--bs", "512", "--size", "2k", "--qd", "64"), ("--bs", "512", "--size", "512"), ("--bs", "3k", "--size", "100k"),
                 ("--bs", "1M", "--qd", "3"), ("--bs", "300k", "--rw", "write"), ("--bs", "4M", "--rw", "read")):
        with serve() as target:
            pattern = () if "--rw" in args else ("--rw", "mix")
            report = measured(target, "--verify", "--time", "0.2", "-q", *args, *pattern)
            equal((report["errors"], report["mismatches"]), (0, 0), str(args))
            assert report["bytes_verified"] > 0


@test
def verify_finds_one_write_that_was_acknowledged_and_forgotten():
    """Each block is checked before it is overwritten, so that it cannot heal unseen."""
    for number, pattern, qd in ((3, "randread", 32), (3, "write", 8), (40, "randwrite", 32), (120, "mix", 1), (120, "write", 32), (150, "randwrite", 2)):
        with serve("-v", "--ram", str(SIZE), "--fault", "lose:command(write)#%d" % number) as target:
            done = bench(target, "--verify", "--rw", pattern, "--bs", "4k", "--qd", str(qd), "--time", "1.5", "--json")
            _, _, told = target.stop()
        assert "fault: lose command #%d" % number in told, "too slow: the fault did not happen"
        equal(done.returncode, 6, "%s: exit code, with %r" % (pattern, done.stderr))
        report = json.loads(done.stdout)
        equal(report["errors"], 0)
        said = done.stderr.decode().splitlines()
        if number > 3:  # a block of the run; while the region is filled 64 of them go at once
            equal((len(said), report["mismatches"]), (1, 1), "one write lost is one difference told")
            match = re.fullmatch(r"iskra: bench: verify: offset (\d+): expected generation (\d+), found generation (\d+)", said[0])
            assert match and int(match.group(1)) % 4096 == 0 and int(match.group(2)) == int(match.group(3)) + 1, said
        else:
            equal((len(said), report["mismatches"], said[-1]), (17, 64, "iskra: bench: verify: further differences are only counted"))


@test
def a_hidden_difference_is_seen_although_nothing_was_overwritten():
    with serve("--ram", str(SIZE), "--fault", "corrupt=data:data-in(read)#20") as target:
        done = bench(target, "--verify", "--rw", "randread", "--time", "0.3")
    equal(done.returncode, 6)
    assert re.fullmatch(r"iskra: bench: verify: offset \d+: expected generation 1, found (its stamp with other bytes behind it|"
                        r"what bench has not written)\n", done.stderr.decode()), done.stderr
    assert b"1 blocks differ" in done.stdout, done.stdout


@test
def an_old_run_with_the_same_seed_is_not_taken_for_this_one():
    with tempfile.NamedTemporaryFile() as disk:
        disk.truncate(SIZE)
        args = ("--verify", "--rw", "read", "--time", "0.1", "--size", "1M", "--seed", "7")
        with serve("--file", disk.name) as target:
            equal(measured(target, *args)["mismatches"], 0)
        with serve("--file", disk.name, "--fault", "lose:command(write)#2") as target:
            done = bench(target, *args)
        equal(done.returncode, 6)
        assert b"of another run" in done.stderr, done.stderr


@test
def the_first_error_ends_the_run_and_is_reported():
    with serve("--ram", str(SIZE), "--fault", "sense=3/11/0:command(read)#50+") as target:
        done = bench(target, "--json", "--time", "30", "--qd", "1")
    equal(done.returncode, 5)
    assert re.fullmatch(r"iskra: bench: [^\n]*MEDIUM ERROR[^\n]*\n", done.stderr.decode()), done.stderr
    report = json.loads(done.stdout)
    equal(report["errors"], 1)
    assert report["iops"] > 0 and report["seconds"] < 20, report


@test
def a_write_protected_lun_is_refused_when_written_and_measured_when_read():
    with serve("--ram", str(SIZE), "--read-only") as target:
        done = bench(target, "--rw", "write", "--time", "0.1")
        equal(done.returncode, 2)
        assert re.fullmatch(rb"iskra: bench: [^\n]*write-protected[^\n]*\n", done.stderr), done.stderr
        equal(measured(target, "--time", "0.1")["errors"], 0)


@test
def depth_is_raised_and_told():
    with serve() as target:
        done = bench(target, "--qd", "256", "--time", "0.2")
        equal((done.returncode, done.stderr), (0, b"iskra: bench: queue_depth=256 for this session, so that --qd 256 fits\n"
                                               b"iskra: bench: cmds_max=512 for this session, so that --qd 256 fits\n"))
        equal(bench(target, "--qd", "256", "--time", "0.2", "-q").stderr, b"")


@test
def the_same_seed_writes_the_same_blocks():
    def blocks(seed):
        with tempfile.NamedTemporaryFile() as disk:
            disk.truncate(SIZE)
            with serve("--file", disk.name, "--fault", "sense=3/c/0:command(write)#50+") as target:
                equal(bench(target, "--rw", "randwrite", "--qd", "1", "--time", "30", "--seed", seed).returncode, 5)
            content = open(disk.name, "rb").read()
        return {i for i in range(0, SIZE, 4096) if any(content[i:i + 4096])}
    first = blocks("1")
    assert 40 < len(first) < 50, len(first)
    equal(blocks("1"), first)
    assert len(blocks("2") & first) < 10, "another seed, the same blocks"


@test
def a_line_per_second_tells_how_it_goes():
    with serve() as target:
        done = bench(target, "--time", "2.5", "--progress")
        lines = done.stderr.decode().splitlines()
        assert lines, "not one"
        for line in lines:
            assert re.fullmatch(r"iskra: bench: run: \d+ s, \d+ IOPS, [\d.]+ MB/s, lat \d+ us \(p50 \d+, p99 \d+\), \d+ in flight, "
                                r"0 reconnects", line), line
        done = bench(target, "--time", "1.5", "--progress", "--json")
        lines = [json.loads(line) for line in done.stderr.decode().splitlines()]
        assert lines and all(0 < line["lat_p50_us"] <= line["lat_p99_us"] for line in lines), lines
        assert lines and all(line["phase"] == "run" and line["session"] == "LOGGED_IN" and line["ios"] > 0 for line in lines), lines
        json.loads(done.stdout)


@test
def the_line_says_what_is_waited_for():
    with serve("--ram", str(SIZE), "--fault", "stall=3500ms:command(read)#20") as target:
        done = bench(target, "--time", "1", "--progress", "--qd", "8")
    equal(done.returncode, 0)
    assert re.search(r"reconnects, \d requests wait, the oldest for [12]\.\d s", done.stderr.decode()), done.stderr


def limit(target, *args, keys="", polite=False):
    """What the report and its JSON say keeps it from being faster; both have to say the same."""
    done = bench(target, "-q", "--json", *args, keys=keys, polite=polite)
    equal((done.returncode, done.stderr), (0, b""), "exit code and stderr")
    found = json.loads(done.stdout)["limit"]
    assert 0 <= found["share"] <= 1 and found["text"], found
    return found


@test
def a_small_command_window_is_what_limits():
    with serve("--null", "1G", "--window", "4", "--fault", "delay=3ms:data-in") as target:
        found = limit(target, "--time", "0.7")
    equal(found["cause"], "window", found)
    assert found["share"] > 0.8 and "it has taken 4 commands, 32 are wanted" in found["text"], found


@test
def late_r2ts_are_what_limits():
    keys = "initial_r2t=yes&immediate_data=no&max_burst=8192&first_burst=4096&max_outstanding_r2t=1"
    with serve("--null", "1G", "--fault", "delay=3ms:r2t") as target:
        found = limit(target, "--time", "0.7", "--rw", "write", "--bs", "64K", "--qd", "4", keys=keys)
    equal(found["cause"], "r2t", found)
    assert found["share"] > 0.8 and "at most 1 of 8192 bytes" in found["text"], found


@test
def a_slow_target_is_what_limits():
    with serve("--null", "1G", "--fault", "delay=5ms:data-in") as target:
        found = limit(target, "--time", "0.7", "--qd", "8")
        said = bench(target, "--time", "0.3", "--qd", "8").stdout.decode()
    equal(found["cause"], "target", found)
    assert found["share"] > 0.5 and "8 in flight" in found["text"], found
    assert re.search(r"^  limit: the target and the way to it: \d+ % of the time was waiting", said, re.M), said


@test
def a_full_core_is_what_limits():
    """Each block is compared here, with what the target need not do: it has answered long before."""
    with serve("--ram", "8M") as target:
        found = limit(target, "--time", "1", "--qd", "32", "--bs", "1M", "--verify", polite=True)
    equal(found["cause"], "core", found)
    assert found["share"] >= 0.9 and "us per I/O" in found["text"], found


@test
def a_histogram_is_drawn_for_who_asks():
    with serve() as target:
        drawn = bench(target, "--time", "0.3", "-v").stdout.decode()
        plain = bench(target, "--time", "0.3").stdout.decode()
    rows = re.findall(r"^ +[\d.]+k? - [\d.]+k? +([\d.]+)% \|(#*)$", drawn, re.M)
    assert rows and abs(sum(float(share) for share, _ in rows) - 100) < 1, drawn
    assert max(len(bar) for _, bar in rows) > 10 and "90th=" in plain and "|" not in plain, drawn + plain


@test
def an_interrupt_reports_what_was_measured():
    with serve() as target:
        process = subprocess.Popen([ISKRA, "bench", url(target), "--time", "60", "--json", "--progress"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stderr.readline()  # it runs
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    equal(process.returncode, -signal.SIGINT)
    report = json.loads(out)
    shape(report)
    assert report["seconds"] < 50, report


class Away:
    """A bench whose target is killed once it measures."""

    def __init__(self, *args, keys=""):
        self.disk = tempfile.NamedTemporaryFile()
        self.disk.truncate(SIZE)
        self.listen = "127.0.0.1:%d" % peers.quiet_port()
        target = self.serve()
        self.process = subprocess.Popen([ISKRA, "bench", url(target, keys), "--progress", *args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said = [self.process.stderr.readline().decode()]  # it runs
        target.stop(signal.SIGKILL)

    def serve(self):
        return serve("--file", self.disk.name, listen=self.listen)

    def hear(self, pattern):
        """Until it has said so."""
        while not re.search(pattern, self.said[-1]):
            line = self.process.stderr.readline().decode()
            assert line, "it has ended: %r" % self.said
            self.said.append(line)

    def end(self):
        out, err = self.process.communicate(timeout=60)
        self.said += err.decode().splitlines()
        return self.process.returncode, out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.disk.close()


@test
def a_target_that_comes_back_is_a_reconnect_and_no_error():
    with Away("--rw", "mix", "--verify", "--time", "3") as bench:
        bench.hear(r", \d+ reconnects, session lost for [\d.]+ s, attempt \d+")
        with bench.serve():
            code, out = bench.end()
    equal(code, 0, bench.said[-1])
    assert b"errors: 0; reconnects: 1\n" in out and b", 0 blocks differ\n" in out, out


@test
def a_target_that_stays_away_is_an_error_with_a_report():
    with Away("--json", "--time", "60", keys="replacement_timeout=1") as bench:
        code, out = bench.end()
    assert code in (1, 4), code
    report = json.loads(out)
    shape(report)
    assert report["errors"] > 0 and report["seconds"] < 50, report
    told = [line for line in bench.said if line.startswith("iskra: bench: ") and "warning" not in line]
    equal(len(told), 1, "lines that tell of the error: %r" % told)


@test
def an_interrupt_does_not_wait_for_a_target_that_is_away():
    with Away("--time", "60") as bench:
        bench.hear("session lost for")
        bench.process.send_signal(signal.SIGINT)
        code, out = bench.end()
    equal(code, -signal.SIGINT)
    assert b"IOPS=" in out, out


@test
def who_writes_holds_the_lock_and_who_reads_does_not():
    with serve() as target, tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o700)
        env = dict(os.environ, XDG_RUNTIME_DIR=directory)

        def run(*args):
            return subprocess.run([ISKRA, "bench", url(target), "--time", "0.1", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=30, env=env)
        holder = subprocess.Popen([ISKRA, "bench", url(target), "--rw", "write", "--time", "60", "--progress"], env=env,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            holder.stderr.readline()
            for args in (("--rw", "write"), ("--rw", "mix"), ("--rw", "randwrite"), ("--verify",)):
                done = run(*args)
                equal((done.returncode, done.stdout), (1, b""), str(args))
                assert b"is being written by process %d; --force" % holder.pid in done.stderr, done.stderr
            equal(run().returncode, 0, "reading")
            equal(run("--rw", "write", "--force").returncode, 0, "--force")
        finally:
            holder.kill()
            holder.communicate()


@test
def what_cannot_be_is_a_usage_error_that_names_it():
    with serve("--ram", str(SIZE), "--block-size", "4096") as target:
        for args, words in ((("--rw", "trim"), "--rw trim: not randread"), (("--bs", "1000"), "--bs 1000: not a multiple of 512"),
                            (("--bs", "17M"), "--bs 17825792"), (("--qd", "0"), "--qd 0"), (("--qd", "257"), "--qd 257"),
                            (("--time", "0"), "--time 0"), (("--time", "x"), "--time 'x'"), (("--size", "1T"), "has 4194304 bytes"),
                            (("--size", "0"), "--size 0"), (("--bs", "512"), "4096 bytes of a block"),
                            (("--bs", "8k", "--size", "4k"), "more than there is"), (("--seed", "-1"), "--seed -1")):
            done = bench(target, *args)
            said = done.stderr.decode()
            equal((done.returncode, done.stdout, said.count("\n")), (2, b"", 1), "%s %s" % (args, said))
            assert words in said, "%s: %r" % (args, said)


@test
def however_short_the_run_the_region_is_read_back_whole():
    with serve() as target:
        report = measured(target, "--verify", "--rw", "randread", "--time", "0.001", "--bs", "512", "--qd", "1")
        equal(report["bytes_verified"], SIZE + round(report["mbps"] * 1e6 * report["seconds"]))


def main():
    print("1..%d" % len(TESTS), flush=True)
    failed = 0
    for number, case in enumerate(TESTS, 1):
        try:
            case()
            print("ok %d - %s" % (number, case.__name__), flush=True)
        except (AssertionError, subprocess.TimeoutExpired, RuntimeError, ValueError) as e:
            failed += 1
            print("not ok %d - %s\n# %s" % (number, case.__name__, str(e).replace("\n", "\n# ")), flush=True)
    return failed > 0


sys.exit(main())
