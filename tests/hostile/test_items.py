#!/usr/bin/env python3
"""Every item of items.tsv has a test, and every row of inputs.tsv an item. Prints which tests try which item. TAP; argument: tests/."""

import fnmatch
import os
import re
import sys

TESTS = sys.argv[1]


def table(name, columns):
    with open(os.path.join(TESTS, "hostile", name), encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                fields = line.rstrip("\n").split("\t")
                if len(fields) != columns:
                    raise SystemExit("%s: %d columns, expected %d: %s" % (name, len(fields), columns, line))
                yield fields


def c_tests(path):
    """The tests that a C file runs."""
    with open(os.path.join(TESTS, path), encoding="utf-8") as f:
        return re.findall(r"\b(?:T|TEST|cmocka_unit_test\w*)\((\w+)[,)]", f.read())


def main():
    numbers = {row[2]: row[0] for row in table("inputs.tsv", 5)}
    items = list(table("items.tsv", 3))
    tried, failed = set(), 0
    print("1..%d" % (len(items) + 1))
    for count, (item, words, patterns) in enumerate(items, 1):
        found, lost = [], []
        for pattern in patterns.split(" "):
            path, _, name = pattern.rpartition(":")
            hits = fnmatch.filter(c_tests(path) if path else numbers, name)
            found += hits if path else sorted(numbers[hit] for hit in hits)
            tried.update(hits)
            lost += [] if hits else [pattern]
        failed += bool(lost)
        print("%s %d - %s %s" % ("not ok" if lost else "ok", count, item, words))
        print("# %d: %s" % (len(found), " ".join(found)))
        for pattern in lost:
            print("# no test: %s" % pattern)
    without = sorted(set(numbers) - tried)
    print("%s %d - every input belongs to an item" % ("not ok" if without else "ok", len(items) + 1))
    for name in without:
        print("# no item: %s" % name)
    return 1 if failed or without else 0


if __name__ == "__main__":
    sys.exit(main())
