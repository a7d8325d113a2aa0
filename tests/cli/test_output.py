#!/usr/bin/env python3
"""What the program writes: lines, tables, JSON, bytes, and how it ends when nobody wants them. TAP; argument: the program."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

import peers

ISKRA = sys.argv[1]
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class World:
    def __init__(self, target, data):
        self.portal = target.portal
        self.url = "iscsi://%s/%s" % (target.portal, peers.NAME)
        self.data = data


def run(*args, **more):
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("timeout", 30)
    return subprocess.run([ISKRA] + list(args), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)


def equal(got, want, what=""):
    assert got == want, "%s: %r, expected %r" % (what, got, want)


def text(*args):
    done = run(*args)
    equal((done.returncode, done.stderr), (0, b""), " ".join(args))
    return done.stdout.decode()


@test
def version_and_help_are_printed(w):
    assert re.fullmatch(r"iskra \d+\.\d+\.\d+\n", text("--version")), text("--version")
    equal(text("read", "--version"), text("--version"))
    assert "discover" in text("--help"), text("--help")
    equal(text("help", "read"), text("read", "--help"))
    equal(text("help"), text("--help"))
    assert "--offset" in text("help", "read"), text("help", "read")


@test
def every_command_has_help(w):
    for command in re.findall(r"^  ([a-z]+)  ", text("--help"), re.M):
        if command != "help":
            assert text("help", command).startswith("Usage: iskra %s " % command), command


@test
def discover_prints_a_line_as_iscsiadm_does(w):
    equal(text("discover", w.portal), "%s,1 %s\n" % (w.portal, peers.NAME))


@test
def discover_takes_a_url_with_options(w):
    equal(text("discover", "iscsi://%s?header_digest=crc32c" % w.portal), "%s,1 %s\n" % (w.portal, peers.NAME))


@test
def discover_json_has_the_same_facts(w):
    host, port = w.portal.rsplit(":", 1)
    equal(json.loads(text("discover", "--json", w.portal)),
          [{"target": peers.NAME, "address": host, "port": int(port), "tpgt": 1}])


@test
def ls_prints_a_table_under_the_target(w):
    lines = text("ls", w.url).splitlines()
    equal(lines[0], peers.NAME)
    equal(lines[1].split(), ["LUN", "TYPE", "SIZE", "BLOCK", "VENDOR", "PRODUCT", "SERIAL"])
    equal([line.split()[:5] for line in lines[2:]],
          [["0", "disk", "3.0", "MiB", "512"], ["1", "disk", "1.0", "TiB", "512"], ["2", "disk", "1.0", "MiB", "512"]])
    equal(len({line.index("disk") for line in lines[2:]}), 1, "columns of TYPE")


@test
def ls_of_a_portal_finds_the_target_itself(w):
    found = text("ls", w.portal).splitlines()
    equal(found[0], "%s  %s,1" % (peers.NAME, w.portal))
    equal(found[1:], text("ls", w.url).splitlines()[1:])


@test
def ls_json_tells_sizes_in_bytes(w):
    for where in (w.portal, w.url):
        (target,) = json.loads(text("ls", where, "--json"))
        equal(target["target"], peers.NAME)
        equal([(lun["lun"], lun["type"], lun["size"], lun["block_size"]) for lun in target["luns"]],
              [(0, "disk", peers.FILE_LEN, 512), (1, "disk", 1 << 40, 512), (2, "disk", peers.RAM_LEN, 512)])


@test
def info_shows_what_was_negotiated(w):
    for digest, word in (("none", "None"), ("crc32c", "CRC32C")):
        found = text("info", "%s/0?header_digest=%s&data_digest=%s" % (w.url, digest, digest))
        for key in ("HeaderDigest", "DataDigest"):
            assert re.search(r"^ +%s +%s$" % (key, word), found, re.M), found
        assert str(peers.FILE_LEN) in found, found


@test
def info_json_has_lun_session_keys_and_initiator(w):
    env = dict(os.environ, ISKRA_INITIATOR_NAME="iqn.2026-11.io.iskra:tester")
    done = run("info", "--json", w.url + "/0?header_digest=crc32c&initial_r2t=yes", env=env)
    found = json.loads(done.stdout)
    equal(sorted(found), ["initiator", "lun", "negotiated", "session"])
    equal((found["lun"]["size"], found["lun"]["blocks"]), (peers.FILE_LEN, peers.FILE_LEN // 512))
    equal((found["session"]["target"], found["session"]["portal"]), (peers.NAME, w.portal))
    equal((found["negotiated"]["HeaderDigest"], found["negotiated"]["DataDigest"]), ("CRC32C", "None"))
    equal(found["negotiated"]["InitialR2T"], "Yes")
    equal(found["initiator"], {"name": "iqn.2026-11.io.iskra:tester", "name_source": "ISKRA_INITIATOR_NAME"})


@test
def read_without_a_range_is_the_whole_disk(w):
    done = run("read", w.url + "/0")
    equal((done.returncode, done.stderr, len(done.stdout), done.stdout == w.data), (0, b"", len(w.data), True))


@test
def read_with_digests_is_the_same(w):
    done = run("read", w.url + "/0?header_digest=crc32c&data_digest=crc32c")
    equal((done.returncode, len(done.stdout), done.stdout == w.data), (0, len(w.data), True))


@test
def read_gives_any_byte_range(w):
    mib = 1 << 20
    for offset, length in ((0, 1), (511, 2), (1, 510), (512, 512), (513, mib), (mib - 1, 2), (777, 2 * mib + 11),
                           (peers.FILE_LEN - 1, 1), (peers.FILE_LEN - 513, 513)):
        done = run("read", "--offset", str(offset), w.url + "/0", "--length", str(length))
        equal((done.returncode, done.stdout == w.data[offset:offset + length]), (0, True), "%d at %d" % (length, offset))


@test
def read_takes_sizes_with_suffixes(w):
    done = run("read", w.url + "/0", "--offset=1K", "--length=2M")
    equal((done.returncode, done.stdout == w.data[1024:1024 + (2 << 20)]), (0, True))


@test
def read_to_a_file_is_the_disk(w):
    with tempfile.TemporaryFile() as f:
        equal(run("read", w.url + "/0", stdout=f).returncode, 0)
        f.seek(0)
        equal(f.read() == w.data, True)


@test
def read_of_small_requests_is_the_same(w):
    done = run("read", w.url + "/0?max_recv=512&queue_depth=1", "--length", "300K")
    equal((done.returncode, done.stdout == w.data[:300 << 10]), (0, True))


@test
def a_pipe_that_closes_ends_read_quietly(w):
    reader = subprocess.Popen([ISKRA, "read", w.url + "/1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader.stdout.read(100)
    reader.stdout.close()
    err = reader.stderr.read()
    equal((reader.wait(timeout=10), err), (0, b""))


@test
def a_slow_pipe_gets_everything(w):
    reader = subprocess.Popen([ISKRA, "read", w.url + "/0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    got = b""
    while True:
        piece = reader.stdout.read(97773)
        if not piece:
            break
        got += piece
    err = reader.stderr.read()
    equal((reader.wait(timeout=10), err, got == w.data), (0, b"", True))


@test
def a_pipe_that_closes_ends_a_table_quietly(w):
    ls = subprocess.Popen([ISKRA, "ls", w.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ls.stdout.close()
    err = ls.stderr.read()
    equal((ls.wait(timeout=10), err), (0, b""))


@test
def a_full_disk_is_an_error(w):
    for args in (("read", w.url + "/0"), ("ls", w.url), ("--version",)):
        with open("/dev/full", "wb") as full:
            done = run(*args, stdout=full)
        equal(done.returncode, 1, args)
        assert re.fullmatch(r"iskra: .*standard output: No space left on device.*\n", done.stderr.decode()), done.stderr


@test
def a_closed_stdout_is_an_error_and_nothing_else_takes_its_place(w):
    for args in (("read", w.url + "/0"), ("discover", w.portal)):
        done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', ISKRA] + list(args), stderr=subprocess.PIPE, timeout=30)
        equal(done.returncode, 1, args)
        assert b"standard output" in done.stderr, done.stderr


class Skipped(Exception):
    """This machine lacks what the case needs."""


def terminal():
    try:
        return pty.openpty()
    except OSError as e:
        raise Skipped("no terminal to be had here: %s" % e) from e


@test
def read_refuses_to_fill_a_terminal(w):
    master, slave = terminal()
    done = run("read", w.url + "/0", "--length", "1", stdout=slave)
    equal(done.returncode, 2)
    assert b"terminal" in done.stderr, done.stderr
    done = run("read", "-f", w.url + "/0", "--length", "1", stdout=slave)
    equal(done.returncode, 0)
    equal(os.read(master, 10), w.data[:1])
    os.close(master)
    os.close(slave)


@test
def ctrl_c_ends_read_by_that_signal(w):
    reader = subprocess.Popen([ISKRA, "read", w.url + "/1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader.stdout.read(100)  # it is in the middle of it
    reader.send_signal(signal.SIGINT)
    out, err = reader.communicate(timeout=10)
    equal((reader.returncode, err), (-signal.SIGINT, b""))


@test
def progress_is_shown_on_a_terminal_and_taken_away(w):
    master, slave = terminal()
    with open("/dev/null", "wb") as nowhere:
        reader = subprocess.Popen([ISKRA, "read", w.url + "/1"], stdout=nowhere, stderr=slave)
    shown = b""
    while b"s left" not in shown:
        shown += os.read(master, 4096)
    reader.send_signal(signal.SIGTERM)
    equal(reader.wait(timeout=10), -signal.SIGTERM)
    os.close(slave)
    try:
        shown += os.read(master, 65536)
    except OSError:
        pass  # the other end is gone and all was read
    os.close(master)
    assert re.search(rb"\r\[[#.]{40}\] +\d+%  [0-9.]+ [KMGT]iB  [0-9.]+ [KMGT]iB/s  \d+ s left\x1b\[K", shown), shown
    assert shown.endswith(b"\r\x1b[K"), shown


@test
def an_error_has_a_line_of_its_own_where_the_progress_was(w):
    master, slave = terminal()
    writer = subprocess.Popen([ISKRA, "cp", "-", w.url + "/2"], stdin=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown, sent = b"", 0
    while b"/s" not in shown:  # it appears after a second, and moves only when there is something to do
        sent += os.write(writer.stdin.fileno(), bytes(64))
        if select.select([master], [], [], 0.05)[0]:
            shown += os.read(master, 4096)
    writer.stdin.write(bytes(peers.RAM_LEN + 1 - sent))
    writer.stdin.close()
    equal(writer.wait(timeout=10), 2)
    try:
        shown += os.read(master, 65536)
    except OSError:
        pass  # the other end is gone and all was read
    os.close(master)
    assert re.search(rb"/s\x1b\[K\r\x1b\[Kiskra: cp: [^\r]* beyond the end [^\r]*\r\n$", shown), shown


@test
def no_progress_is_shown_to_a_file(w):
    equal(run("read", w.url + "/1", "--length", "64M", stdout=subprocess.DEVNULL).stderr, b"")


@test
def trace_read_goes_down_and_up_through_the_layers(w):
    found = text("trace", w.url + "/0", "read", "--no-times")
    order = ["execute_rq_nowait", "dispatch_cmd", "queuecommand", "xmitworker", "prep_scsi_cmd_pdu", "pdu-out", "data_ready",
             "hdr_dissect opcode 0x25", "complete_task", "scsi_done", "done"]
    at = -1
    for word in order:
        at = found.find(word, at + 1)
        assert at >= 0, "%s is missing or too early in\n%s" % (word, found)


@test
def trace_login_binds_the_connection(w):
    found = text("trace", w.url, "login", "--no-times", "--notes")
    for word in ("bind_conn", "conn_bind", "start_conn", "[F1 F2 F4]"):
        assert word in found, "%s is missing in\n%s" % (word, found)


@test
def a_trace_without_times_is_the_same_every_time(w):
    for subject in (("read",), ("inquiry",), ("read", "--notes")):
        equal(text("trace", w.url + "/0", *subject, "--no-times"), text("trace", w.url + "/0", *subject, "--no-times"))


@test
def trace_json_nests_enter_and_leave(w):
    steps = []
    for record in json.loads(text("trace", w.url + "/0", "read", "--json")):
        equal(record["depth"], len(steps) - (record["kind"] == "leave"))
        if record["kind"] == "enter":
            steps.append(record["step"])
        elif record["kind"] == "leave":
            equal(record["step"], steps.pop())
    equal(steps, [])


@test
def the_target_ends_on_sigterm_and_on_ctrl_c(w):
    for signo in (signal.SIGTERM, signal.SIGINT):
        target = peers.Target(ISKRA, ["--ram", "1M"])
        equal(target.stop(signo), (0, "", ""))


@test
def the_target_ends_while_somebody_reads(w):
    target = peers.Target(ISKRA, ["--null", "1T"])
    url = "iscsi://%s/%s/0?replacement_timeout=0" % (target.portal, peers.NAME)
    reader = subprocess.Popen([ISKRA, "read", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    reader.stdout.read(1 << 20)
    equal(target.stop(), (0, "", ""))
    out, err = reader.communicate(timeout=20)
    assert reader.returncode not in (0, 2) and re.fullmatch(rb"iskra: read: .*\n", err), (reader.returncode, err)


@test
def a_target_with_many_luns_lists_them_all(w):
    with peers.Target(ISKRA, ["--ram", "1M", "--luns", "300", "--block-size", "4096"]) as target:
        (found,) = json.loads(text("ls", "--json", target.portal))
        equal([lun["lun"] for lun in found["luns"]], list(range(300)))
        equal({(lun["size"], lun["block_size"]) for lun in found["luns"]}, {(1 << 20, 4096)})


@test
def an_ipv6_portal_stands_in_brackets(w):
    try:
        target = peers.Target(ISKRA, ["--ram", "1M"], listen="[::1]:0")
    except RuntimeError as why:
        return "no IPv6 here: %s" % str(why)[:80]
    with target:
        assert target.portal.startswith("[::1]:"), target.portal
        equal(text("discover", target.portal), "%s,1 %s\n" % (target.portal, peers.NAME))
        equal(json.loads(text("ls", "--json", target.portal))[0]["luns"][0]["size"], 1 << 20)


@test
def demo_ends_with_ok_and_leaves_nothing_behind(w):
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        done = run("demo", env=dict(os.environ, TMPDIR=folder), timeout=60)
        equal((done.returncode, done.stderr, done.stdout.decode().splitlines()[-1]), (0, b"", "demo: ok"))
        assert time.monotonic() - start < 60
        equal(os.listdir(folder), [])


@test
def demo_json_is_ok(w):
    found = json.loads(text("demo", "--json"))
    equal(found["ok"], True)
    equal([step["step"] for step in found["steps"]], ["target", "discover", "ls", "info", "login", "read", "read+crc", "write",
                                                        "read back", "trace"])
    details = {step["step"]: step["detail"] for step in found["steps"]}
    assert re.fullmatch(r"CHAP mutual \(\S+\), header digest CRC32C, data digest CRC32C", details["login"]), details["login"]
    for step in "write", "read back":
        assert re.match("64.0 MiB, digests crc32c, ", details[step]), details[step]


@test
def demo_fails_with_a_line_when_it_cannot_write(w):
    done = run("demo", env=dict(os.environ, TMPDIR="/nonexistent"))
    equal((done.returncode, done.stdout), (1, b""))
    assert re.fullmatch(rb"iskra: demo: target: .*No such file.*\n", done.stderr), done.stderr


def main():
    has_json = b"built without json-c" not in run("discover", "--json", "").stderr
    failed = 0
    print("1..%d" % (len(TESTS) + 1), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        disk = os.path.join(folder, "disk")
        data = peers.disk_make(disk)
        with peers.Target(ISKRA, ["--file", disk, "--null", "1T", "--ram", "1M"]) as target:
            world = World(target, data)
            for number, function in enumerate(TESTS, 1):
                name, why, skip = function.__name__, "", ""
                if not has_json and ("json" in name or "ipv6" in name or "many_luns" in name):
                    skip = "built without json-c"
                try:
                    skip = skip or function(world) or ""
                except Skipped as e:
                    skip = str(e)
                except (AssertionError, ValueError, KeyError, IndexError, RuntimeError, subprocess.SubprocessError) as e:
                    why = "%s: %s" % (type(e).__name__, e)
                failed += bool(why)
                print("%s %d - %s%s" % ("not ok" if why else "ok", number, name, " # SKIP " + skip if skip else ""), flush=True)
                for line in why.splitlines()[:20]:
                    print("# " + line[:600])
    left = peers.children(os.getpid())
    failed += bool(left)
    print("%s %d - no_process_is_left_behind" % ("not ok" if left else "ok", len(TESTS) + 1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
