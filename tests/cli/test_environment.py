#!/usr/bin/env python3
"""What the program does in odd places: descriptors that are closed or full, readers that went away, homes that are not there. TAP; argument: the program."""

import json
import os
import re
import subprocess
import sys
import tempfile

import peers
import scripted

ISKRA = sys.argv[1]
TESTS = []
SYSTEM_NAME = "/etc/iscsi/initiatorname.iscsi"


class Skipped(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def run(*args, unset=(), **more):
    env = {name: value for name, value in os.environ.items() if not name.startswith("LIBISCSI_") and name not in unset}
    env.update(more.pop("env", {}))
    more.setdefault("stdin", subprocess.DEVNULL)
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([ISKRA] + list(args), stderr=more.pop("stderr", subprocess.PIPE), timeout=30, env=env, **more)


def shell(words, *args):
    """The program by a shell, which can close descriptors: "$@" is the command line."""
    return subprocess.run(["sh", "-c", words, "sh", ISKRA] + list(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30)


def equal(got, want, what=""):
    assert got == want, "%s: %r, expected %r" % (what, got, want)


def fails(done, code, pattern, what=""):
    equal(done.returncode, code, what)
    err = done.stderr.decode()
    assert err.count("\n") == 1 and re.fullmatch(pattern, err.rstrip("\n")), "%s: %r" % (what, err)


class World:
    def __init__(self, target, folder):
        self.portal, self.folder = target.portal, folder
        self.url = "iscsi://%s/%s" % (target.portal, peers.NAME)
        self.commands = [["discover", self.portal], ["discover", "--json", self.portal], ["ls", self.url], ["ls", "--json", self.portal],
                         ["info", self.url + "/0"], ["info", "--json", self.url + "/0"], ["read", self.url + "/0"],
                         ["trace", self.url + "/0", "read"], ["trace", "--json", self.url, "login"], ["--help"], ["help", "read"],
                         ["--version"]]


# ---- descriptors

@test
def a_full_stdout_is_an_error_of_every_command(w):
    with open("/dev/full", "wb") as full:
        for command in w.commands:
            fails(run(*command, stdout=full), 1, "iskra: .*standard output: No space left on device.*", command)


@test
def a_closed_stdout_is_an_error_of_every_command(w):
    for command in w.commands:
        fails(shell('exec "$@" >&-', *command), 1, "iskra: .*standard output: Bad file descriptor.*", command)


@test
def a_target_that_cannot_say_where_it_listens_ends(w):
    with open("/dev/full", "wb") as full:
        fails(run("target", "--listen", "127.0.0.1:0", "--ram", "1M", stdout=full), 1, "iskra: target: standard output: .*")
    fails(shell('exec "$@" >&-', "target", "--listen", "127.0.0.1:0", "--ram", "1M"), 1, "iskra: target: standard output: .*")


@test
def a_reader_that_went_away_ends_every_command_quietly(w):
    for command in w.commands:
        reading, writing = os.pipe()
        os.close(reading)
        done = run(*command, stdout=writing)
        os.close(writing)
        equal((done.returncode, done.stderr), (0, b""), command)


@test
def a_closed_stderr_changes_no_exit_code_and_gets_into_nothing_else(w):
    for words in ('exec "$@" 2>&-', 'exec "$@" 2>/dev/full'):
        equal((shell(words, "info", "iscsi://").returncode, shell(words, "info", "iscsi://").stdout), (2, b""))
        done = shell(words, "info", "--json", w.url + "/0")
        equal(done.returncode, 0)
        equal(json.loads(done.stdout)["lun"]["lun"], 0)


@test
def a_closed_stdin_hurts_nobody_but_write(w):
    for command in w.commands:
        done = shell('exec "$@" <&-', *command)
        equal((done.returncode, done.stderr), (0, b""), command)
    fails(shell('exec "$@" <&-', "write", w.url + "/1"), 1, "iskra: write: standard input: Bad file descriptor.*")


@test
def all_descriptors_closed_is_survived(w):
    equal(shell('exec "$@" <&- >&- 2>&-', "ls", w.portal).returncode, 1)
    equal(shell('exec "$@" <&- >&- 2>&-', "info", "iscsi://").returncode, 2)


@test
def a_folder_is_no_input(w):
    folder = os.open(w.folder, os.O_RDONLY)
    fails(run("write", w.url + "/1", stdin=folder), 1, "iskra: write: standard input: Is a directory.*")
    os.close(folder)


@test
def too_few_descriptors_are_an_error(w):
    for limit in range(4, 9):
        done = shell("ulimit -n %d; exec \"$@\"" % limit, "info", w.url + "/0")
        if done.returncode:
            fails(done, 4 if b"no connection" in done.stderr else 1, "iskra: info: .*Too many open files.*", limit)


# ---- the command line

@test
def two_dashes_end_the_options(w):
    plain = run("discover", w.portal).stdout
    for words in (["--", "discover", w.portal], ["discover", "--", w.portal], ["discover", w.portal, "--"],
                  ["--", "discover", "--", w.portal]):
        done = run(*words)
        equal((done.returncode, done.stdout), (0, plain), words)
    fails(run("discover", "--", "--json"), 4, "iskra: discover: .*--json.*")
    fails(run("--", "--version"), 2, "iskra: no command '--version'; .*")
    fails(run("discover", "--", w.portal, "--json"), 2, "iskra: discover: '--json' is one argument too many; .*")


@test
def an_error_leaves_no_json_behind(w):
    for command in (["discover", "127.0.0.1:1"], ["ls", "127.0.0.1:1"], ["ls", "iscsi://127.0.0.1:1/iqn.x"], ["info", w.url + "/99"],
                    ["trace", "iscsi://127.0.0.1:1/iqn.x", "login"], ["info", "iscsi://"]):
        done = run(command[0], "--json", *command[1:])
        equal(done.stderr.count(b"\n"), 1, command)
        assert done.returncode and (command[0] == "trace" or done.stdout == b""), (command, done)
        json.loads(done.stdout or b"{}")


@test
def no_language_and_no_colour_change_anything(w):
    plain = run("ls", w.portal).stdout
    for env in ({"LANG": "C", "LC_ALL": "C"}, {"LC_ALL": "de_DE.UTF-8"}, {"LC_ALL": "nowhere"}, {"NO_COLOR": "1"}, {"TERM": "dumb"},
                {"TERM": ""}, {"POSIXLY_CORRECT": "1"}, {"COLUMNS": "1"}):
        done = run("ls", w.portal, env=env)
        equal((done.returncode, done.stdout, done.stderr), (0, plain, b""), env)
    done = run("info", w.url + "/0?login_timeout=2.5", env={"LC_ALL": "de_DE.UTF-8"})
    equal(done.returncode, 0, "a decimal point")


@test
def an_empty_environment_is_enough(w):
    done = subprocess.run(["env", "-i", ISKRA, "ls", w.portal], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    equal((done.returncode, done.stderr), (0, b""))


# ---- the initiator's name

def named(w, **env):
    """Name and source that `info` shows, without ISKRA_INITIATOR_NAME."""
    if os.path.exists(SYSTEM_NAME):
        raise Skipped("this machine has " + SYSTEM_NAME)
    done = run("info", "--json", w.url + "/0", env={k: v for k, v in env.items() if v is not None},
               unset=["ISKRA_INITIATOR_NAME", "HOME", "XDG_STATE_HOME"])
    equal((done.returncode, done.stderr), (0, b""), env)
    found = json.loads(done.stdout)["initiator"]
    assert re.fullmatch(r"iqn\.2026-11\.io\.iskra:[0-9a-f]{12}", found["name"]), found
    return found["name"], found["name_source"]


@test
def a_name_is_made_once_and_kept(w):
    with tempfile.TemporaryDirectory() as home:
        first = named(w, HOME=home)
        equal(first[1], home + "/.local/state/iskra/initiatorname.iscsi")
        equal(named(w, HOME=home), first)
        equal(os.stat(first[1]).st_mode & 0o777, 0o600)
        equal(os.listdir(os.path.dirname(first[1])), ["initiatorname.iscsi"])
        other = named(w, HOME=home, XDG_STATE_HOME=home + "/state")
        equal(other[1], home + "/state/iskra/initiatorname.iscsi")


@test
def without_a_place_to_keep_it_there_is_a_name_for_the_call(w):
    with tempfile.TemporaryDirectory() as home:
        taken = os.path.join(home, "file")
        with open(taken, "w"):
            pass
        for env in ({}, {"HOME": ""}, {"HOME": "relative"}, {"HOME": "/proc/nowhere"}, {"HOME": "/dev/null"}, {"HOME": taken},
                    {"HOME": "/" + 5000 * "x"}, {"XDG_STATE_HOME": "/proc/1/nowhere"}):
            name, source = named(w, **env)
            equal(source, "generated", env)
            assert named(w, **env)[0] != name, "the same name twice: " + name


@test
def a_kept_name_that_is_none_is_refused_with_its_file(w):
    if os.path.exists(SYSTEM_NAME):
        raise Skipped("this machine has " + SYSTEM_NAME)
    with tempfile.TemporaryDirectory() as state:
        path = os.path.join(state, "iskra", "initiatorname.iscsi")
        os.mkdir(os.path.dirname(path))
        for content in ("InitiatorName=foo\n", "InitiatorName=\n", "InitiatorName=iqn.a/b\n", "InitiatorName=iqn." + 400 * "x" + "\n"):
            with open(path, "w") as f:
                f.write(content)
            done = run("discover", w.portal, env={"XDG_STATE_HOME": state}, unset=["ISKRA_INITIATOR_NAME"])
            fails(done, 2, "iskra: discover: .*initiatorname.iscsi.*", content)


# ---- portals and secrets

@test
def ls_passes_over_portals_where_nobody_answers(w):
    with peers.Script({}) as live:
        silent = peers.Port("silent")
        live.hooks["text"] = lambda peer, header, _: peer.pdu(
            scripted.TEXT_RSP, itt=int.from_bytes(header[16:20], "big"),
            data=b"TargetName=%s\0TargetAddress=127.0.0.1:1,1\0TargetAddress=%s,2\0TargetAddress=%s,3\0"
            % (scripted.NAME, silent.portal.encode(), live.portal.encode()))
        done = run("ls", "%s?login_timeout=1" % live.portal)
        equal((done.returncode, done.stderr), (0, b""))
        lines = done.stdout.decode().splitlines()
        equal(lines[0], "%s  127.0.0.1:1,1  %s,2  %s,3" % (scripted.NAME.decode(), silent.portal, live.portal))
        equal(lines[2].split()[:2], ["0", "disk"])


@test
def no_secret_is_told_however_much_is(w):
    with tempfile.TemporaryDirectory() as folder:
        secret = "a-password-nobody-shows"
        path = os.path.join(folder, "secret")
        with open(path, "w") as f:
            f.write(secret)
        with peers.Target(ISKRA, ["--ram", "1M", "--user", "us", "--password-file", path]) as target:
            for where in ("us@%s?password_file=%s" % (target.portal, path), "us:%s@%s" % (secret, target.portal),
                          "us%%%s@%s" % (secret, target.portal)):
                for command in (["discover"], ["ls"], ["ls", "--json"]):
                    done = run("--debug", *command, where, env={"LIBISCSI_DEBUG": "10"})
                    equal(done.returncode, 0, where)
                    assert secret.encode() not in done.stdout + done.stderr, command


def main():
    print("1..%d" % len(TESTS), flush=True)
    failed = 0
    with tempfile.TemporaryDirectory() as folder, peers.Target(ISKRA, ["--ram", "1M", "--null", "1M"]) as target:
        world = World(target, folder)
        for number, function in enumerate(TESTS, 1):
            result, skip = "ok", ""
            try:
                function(world)
            except Skipped as reason:
                skip = " # SKIP %s" % reason
            except Exception as why:
                result = "not ok"
                failed += 1
                print("# %s: %s" % (type(why).__name__, str(why)[:600].replace("\n", " ")))
            print("%s %d - %s%s" % (result, number, function.__name__, skip), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
