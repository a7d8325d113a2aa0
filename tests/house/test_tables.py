#!/usr/bin/env python3
"""The tables at the end of ARCHITECTURE.md are what the code says.   test_tables.py ROOT PRINTER [--update]"""
import difflib
import os
import subprocess
import sys

import house

BEGIN = "<!-- From here on printed by tools/tables.c; `meson compile tables` writes it anew. -->\n"


def main():
    root, printer = sys.argv[1:3]
    path = os.path.join(root, "ARCHITECTURE.md")
    printed = subprocess.run([printer], stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()
    head, begin, there = house.read(root, "ARCHITECTURE.md").partition(BEGIN)
    if "--update" in sys.argv[3:] and begin:
        with open(path, "w", encoding="utf-8") as f:
            f.write(head + begin + printed)
        return 0
    tap = house.Tap()
    tap.check("architecture_ends_with_the_printed_tables", [] if begin else [f"no line {BEGIN.strip()!r}"])
    tap.check("the_tables_of_architecture_are_those_of_the_code",
              [line for line in difflib.unified_diff(there.splitlines(), printed.splitlines(), "ARCHITECTURE.md", "the code",
                                                     lineterm="", n=0)])
    tap.check("every_table_has_rows", [t.splitlines()[0] for t in printed.split("\n### ")[1:] if t.count("\n|") < 4])
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
