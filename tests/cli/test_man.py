#!/usr/bin/env python3
"""The manual pages: clean for mandoc, and complete. TAP; arguments: the program, the source tree."""

import glob
import os
import re
import shutil
import subprocess
import sys

ISKRA, SOURCE = sys.argv[1], sys.argv[2]


def read(path):
    with open(path) as f:
        return f.read()


def main():
    pages = sorted(glob.glob(os.path.join(SOURCE, "man", "*.[137]")))
    count, failed = 0, 0

    def tell(name, complaints, skip=""):
        nonlocal count, failed
        count += 1
        failed += bool(complaints)
        print("%s %d - %s%s" % ("not ok" if complaints else "ok", count, name, " # SKIP " + skip if skip else ""))
        for line in complaints:
            print("# " + line)

    print("1..%d" % (len(pages) + 4))
    for page in pages:
        name = os.path.basename(page).replace(".", "_") + "_is_clean_for_mandoc"
        if not shutil.which("mandoc"):
            tell(name, [], "no mandoc here")
            continue
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        tell(name, done.stdout.decode().splitlines() or (["exit code %d" % done.returncode] if done.returncode else []))

    manual = read(os.path.join(SOURCE, "man", "iskra.1"))
    words = set(re.findall(r"[A-Za-z0-9_-]+", manual))
    commands = re.findall(r"^  ([a-z]+)  ", subprocess.run([ISKRA, "--help"], stdout=subprocess.PIPE).stdout.decode(), re.M)
    missing = []
    for command in commands:
        if ".Cm " + command not in manual:
            missing.append("command " + command)
        text = subprocess.run([ISKRA, "help", command], stdout=subprocess.PIPE).stdout.decode()
        for option in re.findall(r"^ .{5}--([a-z0-9-]+)", text, re.M):
            if "-" + option not in words:
                missing.append("iskra %s --%s" % (command, option))
    tell("every_command_and_option_is_in_the_manual", missing)

    keys = re.findall(r'^    \{"([a-z0-9_]+)", KIND_', read(os.path.join(SOURCE, "lib", "api", "settings.c")), re.M)
    tell("every_key_of_a_URL_is_in_the_manual", ["key " + key for key in keys if key not in words] or ([] if keys else ["no key found"]))

    library = "".join(read(page) for page in pages if page.endswith(".3"))
    public = []
    for header in glob.glob(os.path.join(SOURCE, "include", "iskra", "*.h")):
        public += re.findall(r"ISKRA_PUBLIC[^;(]*?(iskra_[a-z0-9_]+)\(", read(header))
    tell("every_public_function_has_a_page", ["%s()" % f for f in public if not re.search(r"\b%s\b" % f, library)] or
         ([] if public else ["no function found"]))

    listed = read(os.path.join(SOURCE, "man", "meson.build"))
    tell("every_page_is_installed", [os.path.basename(page) for page in pages if "'%s'" % os.path.basename(page) not in listed])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
