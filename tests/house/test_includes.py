#!/usr/bin/env python3
"""Calls go down: prints each #include that goes another way than ARCHITECTURE.md says, and each call to the outside world from
code that is given time and bytes as arguments.   test_includes.py ROOT"""
import os
import re
import sys
import tempfile

import house

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

# What a layer may see beside itself. An entry is a layer, or one file. "base" is what everybody in lib/ and target/ may see.
BASE = {"wire", "root", "include/iskra/codes.h", "include/iskra/error.h", "include/iskra/extent.h", "include/iskra/platform.h", "include/iskra/trace.h"}
LIB_LAYERS = {"root", "wire", "tcp", "iscsi", "scsi", "block", "transport", "control", "api"}
RULES = {
    "root": BASE,
    "wire": BASE,
    "tcp": BASE,
    "iscsi": BASE | {"tcp"},
    "scsi": BASE | {"iscsi", "block"},
    "block": BASE,
    "transport": BASE | {"lib/tcp/port.h"},
    "control": BASE | {"lib/transport/resolve.h"},
    "api": LIB_LAYERS | {"public"},
    "target": BASE | {"lib/transport/loopback.h"},
    "cli": {"public", "target/target.h", "target/portal.h"},
    "public": set(),
    "examples": {"public"},
    # The simulator is a driver from outside, around the whole library as its users see it.
    "sim": BASE | {"public", "lib/transport/transport.h", "lib/tcp/port.h", "target/target.h"},
}
# The class stands between the stack and the control plane: control/event.h is the interface between the two.
EXCEPTIONS = [(re.compile(r"^lib/iscsi/class"), "lib/control/event.h")]

# Headers of the system that only some may use: sockets, descriptors to wait on, names.
OUTSIDE = re.compile(r"^(sys/socket\.h|sys/epoll\.h|sys/timerfd\.h|sys/eventfd\.h|sys/select\.h|poll\.h|netdb\.h"
                     r"|netinet/.*|arpa/inet\.h|sys/un\.h)$")
MAY_USE_OUTSIDE = re.compile(r"^(lib/transport/|lib/api/loop\.c|lib/control/(connect|address|initiator)\.[ch]"
                             r"|include/iskra/platform\.h|target/(portal|address)\.[ch]|cli/|examples/|sim/)")

# libcrypto: CHAP, each end with one of its own.
CRYPTO = re.compile(r"^openssl/")
MAY_USE_CRYPTO = re.compile(r"^(lib/control/|target/chap\.c)")

# What code in lib/ and target/ does not call: clocks, sleeping, printing, signals, ending the process. The platform table does.
CALL = re.compile(r"(?<![\w.>])(clock_gettime|gettimeofday|time|nanosleep|usleep|sleep|rand|random|printf|fprintf|vprintf|vfprintf|puts"
                  r"|fputs|putchar|perror|signal|sigaction|raise|abort|_?exit)\s*\(")
MAY_CALL = {"lib/transport/posix.c": {"clock_gettime"}, "target/portal.c": {"clock_gettime"}}


def bad_calls(root, paths):
    bad = []
    for path in paths:
        text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', house.without_comments(house.read(root, path)))
        for m in CALL.finditer(text):
            if m.group(1) not in MAY_CALL.get(path, ()):
                bad.append(f"{path}:{text.count(chr(10), 0, m.start()) + 1}: calls {m.group(1)}()")
    return bad


def layer_of(path):
    parts = path.split("/")
    if parts[0] == "lib":
        return parts[1] if len(parts) > 2 else "root"
    if parts[0] == "include":
        return "public"
    return parts[0]


def resolve(root, path, name):
    """Where the compiler would find it inside the tree; None: a header of the system or a generated one."""
    for directory in (os.path.dirname(path), "lib", "include", "."):
        candidate = os.path.normpath(os.path.join(directory, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def bad_includes(root, paths):
    bad = []
    for path in paths:
        layer = layer_of(path)
        if layer not in RULES:
            continue
        text = house.without_comments(house.read(root, path))
        for m in INCLUDE.finditer(text):
            where = f"{path}:{text.count(chr(10), 0, m.start()) + 1}"
            quote, name = m.groups()
            target = resolve(root, path, name) if quote == '"' or name.startswith("iskra/") else None
            if target is None:
                if OUTSIDE.match(name) and not MAY_USE_OUTSIDE.match(path):
                    bad.append(f"{where}: includes <{name}>; {layer} touches no socket")
                if CRYPTO.match(name) and not MAY_USE_CRYPTO.match(path):
                    bad.append(f"{where}: includes <{name}>; that is CHAP's")
                continue
            seen = layer_of(target)
            if seen == layer or seen in RULES[layer] or target in RULES[layer]:
                continue
            if any(p.match(path) and target == t for p, t in EXCEPTIONS):
                continue
            bad.append(f"{where}: {layer} includes {target}")
    return bad


def planted():
    """A tree in which every second include is wrong; returns what is amiss with the findings."""
    tree = {
        "lib/error.h": "", "lib/wire/bhs.h": "", "lib/tcp/port.h": "", "lib/tcp/recv.h": "", "lib/iscsi/task.h": "",
        "lib/control/event.h": "", "lib/control/login.h": "", "include/iskra/error.h": "", "include/iskra/iskra.h": "",
        "target/target.h": "", "target/conn.h": "", "cli/cli.h": "",
        "lib/tcp/good.c": '#include "error.h"\n#include "wire/bhs.h"\n#include <iskra/error.h>\n/* #include "iscsi/task.h" */\n',
        "lib/tcp/bad.c": '#include "recv.h"\n#  include "../iscsi/task.h"\n',
        "lib/wire/bad.c": '#include "bhs.h"\n#include "tcp/recv.h"\n#include <sys/socket.h>\n',
        "lib/iscsi/class.c": '#include "control/event.h"\n#include "control/login.h"\n',
        "lib/iscsi/task.c": '#include "tcp/recv.h"\n#include "control/event.h"\n',
        "lib/transport/bad.c": '#include "tcp/port.h"\n#include "tcp/recv.h"\n#include <sys/epoll.h>\n#include <openssl/evp.h>\n',
        "lib/block/bad.c": '#include <iskra/iskra.h>\n',
        "target/bad.c": '#include "target/target.h"\n#include "tcp/recv.h"\n',
        "cli/bad.c": '#include "cli.h"\n#include <iskra/iskra.h>\n#include "target/target.h"\n#include "error.h"\n'
                     '#include "target/conn.h"\n',
        "target/chap.c": "#include <openssl/evp.h>\n",
        "lib/api/good.c": '#include "iscsi/task.h"\n#include "control/login.h"\n#include <iskra/iskra.h>\n',
    }
    expected = ["cli/bad.c:4", "cli/bad.c:5", "lib/block/bad.c:1", "lib/iscsi/class.c:2", "lib/iscsi/task.c:2",
                "lib/tcp/bad.c:2", "lib/transport/bad.c:2", "lib/transport/bad.c:4", "lib/wire/bad.c:2", "lib/wire/bad.c:3", "target/bad.c:2"]
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        found = sorted(":".join(b.split(":")[:2]) for b in bad_includes(root, house.files(root, ".c", ".h")))
        calls = {"lib/a.c": 'x->time(1);\nplatform.exit(2);\n/* sleep(1) */ f("printf(");\nmtime(3);\nusleep (1);\n', "lib/b.c": "int x;\n"}
        for path, text in calls.items():
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        called = bad_calls(root, sorted(calls))
    return ([] if found == expected else [f"found {found}", f"expected {expected}"]) + \
        ([] if called == ["lib/a.c:5: calls usleep()"] else [f"calls: {called}"])


def main():
    root = sys.argv[1]
    tap = house.Tap()
    tap.check("what_is_planted_wrong_is_found_and_what_is_right_is_not", planted())
    paths = house.files(root, ".c", ".h")
    tap.check("there_are_sources_to_look_at", [] if len(paths) > 100 else [f"only {len(paths)} files below {root}"])
    for layer in RULES:
        own = [p for p in paths if layer_of(p) == layer]
        tap.check(f"{layer}_includes_only_what_it_may", bad_includes(root, own))
    tap.check("the_library_and_the_target_read_no_clock_do_not_sleep_and_do_not_print",
              bad_calls(root, [p for p in paths if p.startswith(("lib/", "target/"))]))
    tap.end()


main()
