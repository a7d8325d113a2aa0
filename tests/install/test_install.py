#!/usr/bin/env python3
"""What is installed is enough: `meson install` into an empty directory, then every example built against that with pkg-config alone,
shared and static, and run against the installed program's target.   test_install.py SOURCE BUILD PREFIX"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

SOURCE, BUILD, PREFIX = sys.argv[1:4]
NAME = "iqn.2026-11.io.iskra.test:install"
SIZE = 2 << 20
count = failed = 0


def tell(name, function, *args):
    global count, failed
    count += 1
    try:
        function(*args)
        print("ok %d - %s" % (count, name))
    except (AssertionError, subprocess.SubprocessError, OSError) as e:
        failed += 1
        print("not ok %d - %s" % (count, name))
        for line in str(e).splitlines()[:20]:
            print("# " + line)
    sys.stdout.flush()


def run(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100, check=False, **more)
    assert done.returncode == 0, "%s: exit code %d: %s" % (" ".join(command), done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout


def build_flags():
    """A library with sanitizers in it wants them in the program too."""
    options = json.loads(run("meson", "introspect", "--buildoptions", BUILD))
    sanitize = next((o["value"] for o in options if o["name"] == "b_sanitize"), "none")
    return [] if sanitize == "none" else ["-fsanitize=" + sanitize]


class Installed:
    def __init__(self, root):
        self.root = root
        self.prefix = root + PREFIX
        configs = glob.glob(self.prefix + "/**/pkgconfig/iskra.pc", recursive=True)
        self.config = configs[0] if configs else ""
        self.lib = os.path.dirname(os.path.dirname(self.config))
        self.env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(self.config), PKG_CONFIG_SYSROOT_DIR=root, LD_LIBRARY_PATH=self.lib,
                        ISKRA_INITIATOR_NAME=NAME + "-initiator")

    def flags(self, *asked):
        out = run("pkg-config", *asked, "iskra", env=self.env).decode().split()
        # Directories of other packages are the system's, not below the root.
        return [re.sub(r"^(-[IL])%s(?!%s)" % (re.escape(self.root), re.escape(PREFIX)), r"\1", flag) for flag in out]

    def compile(self, source, program, static, *more):
        libs = self.flags("--static", "--libs") if static else self.flags("--libs")
        if static:
            libs = ["-l:libiskra.a" if lib == "-liskra" else lib for lib in libs]
        run("cc", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-std=c11", *SANITIZE, "-o", program, source, *self.flags("--cflags"), *libs, *more)

    def start_target(self, content):
        self.target = subprocess.Popen([self.prefix + "/bin/iskra", "target", "--listen", "127.0.0.1:0", "--name", NAME, "--file", content,
                                        "--ram", str(SIZE), "--luns", "3"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.env)
        line = self.target.stdout.readline().decode()
        port = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert port, "the target said %r" % line
        self.url = "iscsi://127.0.0.1:%s/%s/" % (port.group(1), NAME)

    def stop_target(self):
        self.target.send_signal(signal.SIGTERM)
        self.target.wait(20)
        self.target.stdout.close()


def everything_is_there(it):
    wanted = ["bin/iskra", "include/iskra/iskra.h", "share/man/man1/iskra.1", "share/man/man3/iskra_open.3", "share/man/man7/iskra.7"]
    wanted += ["include/iskra/" + n for n in os.listdir(SOURCE + "/include/iskra") if n.endswith(".h")]
    missing = [w for w in wanted if not os.path.exists(os.path.join(it.prefix, w))]
    assert not missing, "not installed: " + " ".join(missing)
    for name in ("libiskra.a", "libiskra.so", "libiskra.so.0"):
        assert os.path.exists(os.path.join(it.lib, name)), "no " + name
    assert run("pkg-config", "--modversion", "iskra", env=it.env).decode().strip(), "no version"
    text = run(it.prefix + "/bin/iskra", "--version", env=it.env)
    assert text.startswith(b"iskra"), text


def examples_run(it, content, static):
    with open(content, "rb") as f:
        data = f.read()
    programs = {}
    for name in ("read", "poll_loop", "copy", "libiscsi_shape"):
        programs[name] = os.path.join(it.root, name + ("-static" if static else ""))
        it.compile("%s/examples/%s.c" % (SOURCE, name), programs[name], static)
    needed = run("readelf", "-d", programs["read"]).decode()
    assert ("libiskra.so" in needed) != static, "static: %s, and it needs:\n%s" % (static, needed)

    assert run(programs["read"], it.url + "0", env=it.env) == data[:4096], "read.c read something else"
    told = run(programs["poll_loop"], it.url + "0", env=it.env).decode()
    total, chunk = 0, 65536
    for i in range(0, SIZE, chunk):
        total += sum(b * (j % 251 + 1) for j, b in enumerate(data[i:i + chunk]))
    assert told == "%d bytes, checksum %x\n" % (SIZE, total), told
    told = run(programs["copy"], it.url + "0", it.url + "1", it.url + "2", env=it.env).decode()
    assert told == "%d bytes to 2 LUNs\n" % SIZE, told
    for lun in ("1", "2"):
        assert run(it.prefix + "/bin/iskra", "read", it.url + lun, env=it.env) == data, "LUN %s is no copy" % lun
    told = run(programs["libiscsi_shape"], it.url + "0", env=it.env).decode()
    assert told == "8 blocks of 512 bytes, sum %d\n" % sum(data[:4096]), told


def another_loop_runs_it(it, content):
    with open(content, "rb") as f:
        data = f.read(64 * 512)
    program = os.path.join(it.root, "uv_loop")
    it.compile(SOURCE + "/examples/uv_loop.c", program, False, *run("pkg-config", "--cflags", "--libs", "libuv").decode().split())
    told = run(program, it.url + "0", env=it.env).decode()
    assert told == "64 blocks of 512 bytes, sum %d\n" % sum(data), told
    done = subprocess.run([program, it.url + "9"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=it.env, timeout=60, check=False)
    assert done.returncode == 1 and done.stderr.strip(), "exit code %d, %r" % (done.returncode, done.stderr)


def errors_are_told(it):
    for name, args in (("read", ["9"]), ("poll_loop", ["9"]), ("copy", ["0", "9"]), ("libiscsi_shape", ["9"])):
        done = subprocess.run([os.path.join(it.root, name)] + [it.url + a for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=it.env, timeout=60, check=False)
        assert done.returncode == 1 and done.stderr.strip(), "%s: exit code %d, %r" % (name, done.returncode, done.stderr)


root = tempfile.mkdtemp(prefix="iskra-install-")
try:
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root)
    SANITIZE = build_flags()
    installed = Installed(root)
    tell("program_library_headers_and_manuals_are_installed", everything_is_there, installed)
    content_path = os.path.join(root, "content")
    with open(content_path, "wb") as out:
        out.write(bytes((i * i // 7 + i // 512) % 256 for i in range(SIZE)))
    installed.start_target(content_path)
    try:
        tell("every_example_builds_with_pkg_config_alone_and_runs", examples_run, installed, content_path, False)
        tell("every_example_builds_statically_and_runs", examples_run, installed, content_path, True)
        tell("the_examples_tell_of_errors", errors_are_told, installed)
        if subprocess.run(["pkg-config", "--exists", "libuv"], check=False).returncode == 0:
            tell("a_loop_of_libuv_runs_it_beside_a_timer", another_loop_runs_it, installed, content_path)
        else:
            count += 1
            print("ok %d - a_loop_of_libuv_runs_it_beside_a_timer # SKIP no libuv here" % count)
    finally:
        installed.stop_target()
finally:
    shutil.rmtree(root)
print("1..%d" % count)
sys.exit(1 if failed else 0)
