#!/usr/bin/env python3
"""Counts the instructions that a request costs in lib/, by layer, and compares them with what is on record.

    guard.py LOAD TABLE --source DIR [--update] [--profile N]

LOAD (load.c) runs under callgrind, which counts only in between what the simulated world does. Copying and checksums are other
libraries' work, and wire/crc32c.c is no more than the way there: neither is counted. Without valgrind, or with another compiler
than the record's, nothing can be judged: it is skipped, and says so.
"""
import argparse
import collections
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOLERANCE = 0.02
WORLD = "sim_clock_run_next"
NOT_COUNTED = ("wire/crc32c.c",)
LAYERS = ("api", "block", "scsi", "iscsi", "tcp", "wire", "root")


def callgrind_costs(lines):
    """(trigger, {(file, function): self cost}) of one dump. Costs of calls are the callee's."""
    names, costs, trigger = {}, collections.Counter(), ""
    file = function = ""
    called = False

    def name_of(kind, text):
        m = re.match(r"\((\d+)\)(?: (.*))?$", text)
        if not m:
            return text
        if m.group(2) is not None:
            names[kind, m.group(1)] = m.group(2)
        return names.get((kind, m.group(1)), "?")

    for line in lines:
        line = line.rstrip("\n")
        m = re.match(r"(fl|fi|fe|fn|cfn|cfi|cfl|ob|cob)=(.*)$", line)
        if m:
            key, text = m.groups()
            if key in ("fl", "fi", "fe"):
                file = name_of("file", text)
            elif key == "fn":
                function = name_of("function", text)
            elif key == "cfn":
                name_of("function", text)
            elif key in ("cfi", "cfl"):
                name_of("file", text)
        elif line.startswith("desc: Trigger:"):
            trigger = line.split(":")[-1].strip()
        elif line.startswith("calls="):
            called = True
        elif re.match(r"[+\-*\d]\S* \d+$", line):
            if not called:
                costs[file, function] += int(line.split()[1])
            called = False
    return trigger, costs


def in_lib(file, source):
    """The path below lib/, or None."""
    lib = os.path.join(os.path.realpath(source), "lib") + os.sep
    path = os.path.realpath(file)
    below = path[len(lib):] if path.startswith(lib) else None
    return None if below in NOT_COUNTED else below


def by_layer(costs, source, request_cnt):
    layers = collections.Counter()
    for (file, _), cost in costs.items():
        path = in_lib(file, source)
        if path is not None:
            layers[path.split(os.sep)[0] if os.sep in path else "root"] += cost
    return {layer: cost / request_cnt for layer, cost in layers.items()}


def record_read(text):
    """(compiler, {case: {layer: instructions}})"""
    built, table, columns = "", {}, []
    for line in text.splitlines():
        if line.startswith("# built:"):
            built = line.split(":", 1)[1].strip()
        elif line.startswith("case"):
            columns = line.split()[2:]
        elif line and not line.startswith("#"):
            case, _, *values = line.split()
            table[case] = dict(zip(columns, map(float, values)))
    return built, table


def record_write(built, table):
    lines = [
        "# Instructions in lib/ for one request, by layer; copies and checksums are not counted. `make guard` counts anew,",
        "# `make guard GUARD=--update` writes this file: a rise belongs into the commit that brings it, with its reason.",
        "# built: " + built,
        "%-22s %6s " % ("case", "total") + " ".join("%6s" % layer for layer in LAYERS),
    ]
    for case, layers in table.items():
        lines.append("%-22s %6.0f " % (case, sum(layers.values())) + " ".join("%6.0f" % layers.get(l, 0) for l in LAYERS))
    return "\n".join(lines) + "\n"


def judge(case, now, then):
    """None, or what is wrong, in one line."""
    if then is None:
        return "%s is not on record: make guard GUARD=--update" % case
    total, was = sum(now.values()), sum(then.values())
    change = total / was - 1
    if abs(change) <= TOLERANCE:
        return None
    layer = max(LAYERS, key=lambda l: abs(now.get(l, 0) - then.get(l, 0)))
    text = "%s: %.0f instructions, on record are %.0f: %+.1f %%, most of it in %s (%.0f -> %.0f); " % (
        case, total, was, 100 * change, layer, then.get(layer, 0), now.get(layer, 0))
    if change > 0:
        return text + "if there is a reason, make guard GUARD=--update and give it in the commit"
    return text + "make guard GUARD=--update, or the next rise will not be seen"


def count(load):
    """Which compiler it was, and [(case, requests, costs)] in the order of the cases."""
    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--quiet", "--toggle-collect=" + WORLD, "--callgrind-out-file=" + work + "/out", load],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=280, check=False)
        if done.returncode != 0:
            sys.exit("guard: %s under valgrind: exit code %d: %s" % (load, done.returncode, done.stderr.strip()[-500:]))
        dumps = {}
        for path in glob.glob(work + "/out*"):
            with open(path, encoding="utf-8", errors="replace") as dump:
                trigger, costs = callgrind_costs(dump)
            dumps[trigger] = costs
    cases = [m.groups() for m in re.finditer(r"^([a-z]+-\S+) (\d+)$", done.stdout, re.M)]
    built = re.search(r"^built: (.*)$", done.stdout, re.M).group(1)
    return built, [(case, int(cnt), dumps[case]) for case, cnt in cases]


def profile(counted, source, top):
    for case, cnt, costs in counted:
        print("# %s: the %d most costly functions" % (case, top))
        functions = collections.Counter()
        for (file, function), cost in costs.items():
            if in_lib(file, source) is not None:
                functions[function] += cost
        for function, cost in functions.most_common(top):
            print("# %8.1f  %s" % (cost / cnt, function))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("load")
    parser.add_argument("table")
    parser.add_argument("--source", required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--profile", type=int, default=0)
    arg = parser.parse_args()
    if not shutil.which("valgrind"):
        print("1..0 # SKIP valgrind is not there")
        return 0
    built, counted = count(arg.load)
    table = {case: by_layer(costs, arg.source, cnt) for case, cnt, costs in counted}
    if arg.profile:
        profile(counted, arg.source, arg.profile)
    new = record_write(built, table)
    for line in new.splitlines():
        print("# " + line)
    if arg.update:
        with open(arg.table, "w", encoding="utf-8") as out:
            out.write(new)
        print("1..0 # SKIP %s is written" % os.path.basename(arg.table))
        return 0
    with open(arg.table, encoding="utf-8") as record:
        then_built, then = record_read(record.read())
    if built != then_built:
        print("1..0 # SKIP on record is %s, this is %s: nothing to compare with" % (then_built, built))
        return 0
    bad_cnt = 0
    print("1..%d" % len(table))
    for number, (case, layers) in enumerate(table.items(), 1):
        wrong = judge(case, layers, then.get(case))
        print("%s %d - %s" % ("not ok" if wrong else "ok", number, wrong or "%s: %.0f" % (case, sum(layers.values()))))
        bad_cnt += wrong is not None
    return 1 if bad_cnt else 0


if __name__ == "__main__":
    sys.exit(main())
