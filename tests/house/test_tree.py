#!/usr/bin/env python3
"""The tree is tidy: sizes, format, paths, and documents that agree with the code.   test_tree.py ROOT"""
import os
import re
import shutil
import subprocess
import sys

import house

LINES_MAX = 450
# A test is a list of scenarios and may be longer, but not endless.
TEST_LINES_MAX = 800
# Directories of some machine; a path of the project is relative, one of the system is /usr, /etc, /dev, /proc, /tmp.
FOREIGN = re.compile(r"(?<![\w.~)}*%-])/(?:root|home|work|tmp/w)(?![\w.-])")


def long_files(root):
    def limit(path):
        return TEST_LINES_MAX if path.startswith("tests/") else LINES_MAX
    return [f"{p}: {n} lines, {limit(p)} are the limit" for p in house.files(root, ".c", ".h")
            if (n := house.read(root, p).count("\n")) > limit(p)]


def foreign_paths(root):
    found = []
    for path in house.files(root):
        for number, line in enumerate(house.read(root, path).splitlines(), 1):
            m = FOREIGN.search(line)
            if m:
                found.append(f"{path}:{number}: {m.group(0)}")
    return found


def clang_format():
    """The layout differs between releases; the one that .clang-format was written for is 14."""
    for name in ("clang-format-14", "clang-format"):
        if shutil.which(name):
            version = subprocess.run([name, "--version"], stdout=subprocess.PIPE, check=True).stdout.decode()
            if re.search(r"version 14\.", version):
                return name
    return None


def check_format(tap, root):
    name = "sources_are_formatted"
    tool = clang_format()
    if not tool:
        tap.skip(name, "no clang-format 14 here (Debian: clang-format)")
        return
    paths = house.files(root, ".c", ".h")
    run = subprocess.run([tool, "--dry-run", "-Werror", "--ferror-limit=1"] + paths, cwd=root, stderr=subprocess.PIPE, check=False)
    problems = sorted(set(re.findall(r"^([^:\n]+):\d+:\d+: ", run.stderr.decode(errors="replace"), re.MULTILINE)))
    if run.returncode and not problems:
        problems = [run.stderr.decode(errors="replace").strip()]
    tap.check(name, [f"{p}: run {tool} -i on it" for p in problems])


def code_block(text, heading):
    """The first C block below a heading of a Markdown text."""
    m = re.search(rf"^#+ {heading}\n.*?^```c\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return m.group(1) if m else ""


def example(root):
    block, source = code_block(house.read(root, "README.md"), "In a program"), house.read(root, "examples/read.c")
    return [] if block and block == source else ["the block of README.md below \"In a program\" is not examples/read.c"]


def trace_steps(root):
    """The call tree of README.md shows steps and layers that exist."""
    known = {(layer, name) for name, layer in re.findall(r'X\(\w+, "(\w+)", "(\w+)"', house.read(root, "include/iskra/trace.h"))}
    shown = re.findall(r"^ +[\d.]+ +[\d.]+  (\w+) +(\w+)", house.read(root, "README.md"), re.MULTILINE)
    return [f"no step {name} of layer {layer}" for layer, name in shown if (layer, name) not in known] or \
        ([] if len(shown) > 10 else ["README.md shows no trace"])


def url_keys(root):
    """Both ways: each key of the code is in README.md's table, and the table has no other."""
    code = re.search(r"keys\[\] = \{(.*?)\n\};", house.read(root, "lib/api/settings.c"), re.DOTALL).group(1)
    known = set(re.findall(r'\{"(\w+)", KIND_', code))
    section = re.search(r"^### Keys\n(.*?)^#", house.read(root, "README.md"), re.MULTILINE | re.DOTALL).group(1)
    told = {key for row in re.findall(r"^\|([^|]*)\|", section, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    return [f"not in README.md: {k}" for k in sorted(known - told)] + [f"not in the code: {k}" for k in sorted(told - known)]


def exit_codes(root):
    code = set(re.findall(r"\bCLI_[A-Z_]+ = (\d+),", house.read(root, "cli/cli.h"))[:11])
    section = re.search(r"^## Exit codes\n(.*?)^#", house.read(root, "README.md"), re.MULTILINE | re.DOTALL).group(1)
    told = set(re.findall(r"^\| (\d+) \|", section, re.MULTILINE))
    return [] if code == told else [f"cli/cli.h has {sorted(code)}, README.md {sorted(told)}"]


def packages(root):
    """CONTRIBUTING.md's table and tools/deps.sh name the same packages."""
    listed = subprocess.run([os.path.join(root, "tools/deps.sh"), "--list"], stdout=subprocess.PIPE, check=True)
    installed = {line.split()[1] for line in listed.stdout.decode().splitlines()}
    section = re.search(r"^## Dependencies\n(.*?)(?:^## |\Z)", house.read(root, "CONTRIBUTING.md"), re.MULTILINE | re.DOTALL).group(1)
    told = {p for row in re.findall(r"^\|[^|]*\|[^|]*\|([^|]*)\|", section, re.MULTILINE) for p in re.findall(r"`([^`]+)`", row)}
    return [f"not in CONTRIBUTING.md: {p}" for p in sorted(installed - told)] + \
           [f"not in tools/deps.sh: {p}" for p in sorted(told - installed)]


def dead_links(root):
    bad = []
    for path in house.files(root, ".md"):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", house.read(root, path)):
            if not os.path.exists(os.path.join(root, os.path.dirname(path), link)):
                bad.append(f"{path}: {link}")
    return bad


def main():
    root = sys.argv[1]
    tap = house.Tap()
    tap.check("no_source_is_too_long", long_files(root))
    tap.check("no_file_names_a_directory_of_some_machine", foreign_paths(root))
    check_format(tap, root)
    tap.check("links_between_documents_lead_somewhere", dead_links(root))
    tap.check("the_example_of_the_readme_is_the_one_that_is_built", example(root))
    tap.check("the_trace_of_the_readme_shows_steps_that_exist", trace_steps(root))
    tap.check("the_readme_lists_the_keys_of_a_url", url_keys(root))
    tap.check("the_readme_lists_the_exit_codes", exit_codes(root))
    tap.check("contributing_lists_the_packages", packages(root))
    tap.end()


main()
