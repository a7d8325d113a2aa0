#!/usr/bin/env python3
"""What others build on: the exported symbols, the headers alone, the layout of the structs, the numbers of the enums; and that each
function is called by a test.   test_abi.py SOURCE LIBISKRA.SO CC CXX [--update]"""
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE, LIBRARY, CC, CXX = sys.argv[1:5]
UPDATE = "--update" in sys.argv[5:]
GOLDEN = os.path.join(SOURCE, "tests", "abi", "layout.txt")
INCLUDE = os.path.join(SOURCE, "include")
HEADERS = sorted(n for n in os.listdir(os.path.join(INCLUDE, "iskra")) if n.endswith(".h"))
count = failed = 0


def tell(name, complaints, skip=""):
    global count, failed
    count += 1
    failed += bool(complaints)
    print("%s %d - %s%s" % ("not ok" if complaints else "ok", count, name, " # SKIP " + skip if skip else ""))
    for line in complaints:
        print("# " + line)


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as f:
        return f.read()


def bare(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def public_functions():
    found = set()
    for header in HEADERS:
        found |= set(re.findall(r"ISKRA_PUBLIC[^;(]*?(iskra_\w+)\(", bare(read("include", "iskra", header))))
    return found


def symbols():
    mapped = set(re.findall(r"^ +(iskra_\w+);", read("lib", "iskra.map"), re.M))
    out = run("nm", "-D", "--defined-only", LIBRARY)[1]
    # The sanitizers and the version node itself are no symbols of ours.
    exported = {name.split("@")[0] for kind, name in re.findall(r"^[0-9a-f]+ (\w) (\S+)$", out, re.M) if kind != "A"}
    exported = {name for name in exported if not name.startswith(("__", "_"))}
    public = public_functions()
    return (["exported, not in lib/iskra.map: " + n for n in sorted(exported - mapped)] +
            ["in lib/iskra.map, not exported: " + n for n in sorted(mapped - exported)] +
            ["declared public, not in lib/iskra.map: " + n for n in sorted(public - mapped)] +
            ["in lib/iskra.map, not declared public: " + n for n in sorted(mapped - public)] or
            ([] if len(mapped) > 40 else ["only %d symbols" % len(mapped)]))


def planted():
    """Bugs that are planted for tests (lib/planted.h) leave no trace here."""
    code, out = run("nm", LIBRARY)
    return ["nm: " + out] if code else [line for line in out.splitlines() if "planted" in line.lower()]


def alone(compiler, suffix, standard):
    bad = []
    with tempfile.TemporaryDirectory() as tmp:
        for header in HEADERS:
            path = os.path.join(tmp, "one" + suffix)
            with open(path, "w", encoding="utf-8") as f:
                f.write("#include <iskra/%s>\n#include <iskra/%s>\nint main(%s) { return 0; }\n" %
                        (header, header, "void" if suffix == ".c" else ""))
            code, out = run(compiler, "-std=" + standard, "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", INCLUDE, path)
            if code:
                bad.append("%s: %s" % (header, out.strip().splitlines()[0]))
    return bad


def structs():
    """name -> fields, of each struct that the headers define."""
    found = {}
    for header in HEADERS:
        text = bare(read("include", "iskra", header))
        for name, body in re.findall(r"struct (iskra_\w+) \{\n(.*?)\n\};", text, re.S):
            body = re.sub(r"union \{.*?\}", "int", body, flags=re.S)
            fields = []
            for declaration in body.split(";"):
                pointer = re.search(r"\(\*(\w+)\)\(", declaration)
                if pointer:
                    fields.append(pointer.group(1))
                elif declaration.strip():
                    fields += [re.search(r"(\w+)\s*(?:\[[^\]]*\])*\s*$", part).group(1) for part in declaration.split(",")]
            found[name] = fields
    return found


def enumerators():
    found = []
    for header in HEADERS:
        for body in re.findall(r"enum iskra_\w+ \{(.*?)\}", bare(read("include", "iskra", header)), re.S):
            found += re.findall(r"\b(ISKRA_\w+) =", body)
    return found


def layout():
    lines = ["#include <stddef.h>", "#include <stdio.h>"] + ["#include <iskra/%s>" % h for h in HEADERS] + ["int main(void) {"]
    for name, fields in sorted(structs().items()):
        lines.append('printf("struct %s: %%zu bytes\\n", sizeof(struct %s));' % (name, name))
        for field in fields:
            lines.append('printf("    %%zu %s, %%zu bytes\\n", offsetof(struct %s, %s), sizeof(((struct %s *)0)->%s));' %
                         (field, name, field, name, field))
    for name in enumerators():
        lines.append('printf("%s = %%ld\\n", (long)%s);' % (name, name))
    lines += ["return 0;", "}"]
    with tempfile.TemporaryDirectory() as tmp:
        source, program = os.path.join(tmp, "layout.c"), os.path.join(tmp, "layout")
        with open(source, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        code, out = run(CC, "-std=c11", "-I", INCLUDE, "-o", program, source)
        return None if code else run(program)[1], out


def layout_stands():
    if platform.machine() not in ("x86_64", "aarch64"):
        return [] # the golden file is that of LP64
    now, story = layout()
    if now is None:
        return story.splitlines()[:5]
    if UPDATE:
        with open(GOLDEN, "w", encoding="utf-8") as f:
            f.write(now)
    then = read("tests", "abi", "layout.txt")
    gone = [line for line in then.splitlines() if line not in now.splitlines()]
    new = [line for line in now.splitlines() if line not in then.splitlines()]
    if now == then:
        return []
    return (["no longer so: " + line.strip() for line in gone] + ["new: " + line.strip() for line in new] +
            ["Programs that were built before rely on tests/abi/layout.txt. A struct may grow into its reserved room, or at its end if",
             "it carries its size; nothing may move. If the change is meant, say so in CHANGELOG.md and run",
             "tests/abi/test_abi.py SOURCE LIBISKRA.SO CC CXX --update"])


def called():
    """Each public function is called by a test, or by an example, which tests/install runs."""
    text = ""
    for top in ("tests", "examples"):
        for directory, _, names in os.walk(os.path.join(SOURCE, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    text += bare(read(os.path.relpath(directory, SOURCE), name))
    return [name + "() is called by no test" for name in sorted(public_functions()) if not re.search(r"\b%s\s*\(" % name, text)]


def main():
    tell("exported_symbols_are_those_of_the_map_and_of_the_headers", symbols())
    tell("no_planted_bug_is_in_the_library", planted())
    for compiler, suffix, standard in ((CC, ".c", "c11"), (CXX, ".cc", "c++11"), (CXX, ".cc", "c++17")):
        name = "each_header_stands_alone_as_" + standard.replace("+", "p")
        if shutil.which(compiler):
            tell(name, alone(compiler, suffix, standard))
        else:
            tell(name, [], "no %s here" % compiler)
    tell("structs_and_numbers_are_where_they_were", layout_stands())
    tell("every_public_function_is_called_by_a_test", called())
    print("1..%d" % count)
    return 1 if failed else 0


sys.exit(main())
