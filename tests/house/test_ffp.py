#!/usr/bin/env python3
"""Which test tries which item of the full feature phase list: a test carries its item's number in its name.   test_ffp.py ROOT"""
import re
import sys

import house

ITEMS = """1.1 2.1 2.2 3.1 3.2 3.3 4.1 5.1 6.1 7.1 8.1 8.2 8.3 9.1 10.1 10.2 11.1.1 11.1.2 11.2.1 11.2.2 11.3 11.4 12.1 12.2 12.3 12.4
13.1 13.2 14.1 14.2 15.1 15.2 15.3 16.1.1 16.1.2 16.2.1 16.2.2 16.2.3 16.2.4 16.3.1 16.4.1 16.4.2 16.4.3 16.4.4 16.4.5 16.4.6 16.5 16.6
17.1 18.1 18.2 18.3 18.4 18.5 19.1 19.2 19.3 19.4.1 19.4.2 19.4.3 19.5 20.1 20.2 20.3 20.4""".split()
# Why an item has no test. One that has a test is shown with it all the same.
WITHOUT = {
    **dict.fromkeys("4.1 10.2 13.1 13.2 16.4.2".split(),
                    "needs ErrorRecoveryLevel 1: 0 is what is offered, so that the connection is the unit of recovery"),
    **dict.fromkeys("7.1 19.5".split(),
                    "needs ErrorRecoveryLevel 2: 0 is what is offered, and tasks are sent again instead of reassigned"),
    "14.2": "needs several connections in a session: MaxConnections=1 is what is offered",
}


def covered(texts):
    """item -> tests that run: a C function that is listed in main, named ffp_ and the item's number, or several with _and_."""
    found = {}
    for path, text in sorted(texts.items()):
        code = house.without_comments(text)
        for name in sorted(house.functions(text)):
            m = re.match(r"ffp_(\d+(?:_\d+)*(?:_and_\d+(?:_\d+)*)*)_[a-z]", name)
            if m and re.search(rf"\b(?:cmocka_unit_test\w*|T)\(\s*{name}\b", code):
                for item in m.group(1).split("_and_"):
                    found.setdefault(item.replace("_", "."), []).append(f"{path}: {name}")
    return found


def self_test():
    text = "static void ffp_1_1_and_16_4_3_a(void **s)\n{\n}\nstatic void ffp_2_1_b(void **s)\n{\n}\nint main(void)\n{\n    T(ffp_1_1_and_16_4_3_a);\n}\n"
    found = covered({"a.c": text})
    return [] if found == {i: ["a.c: ffp_1_1_and_16_4_3_a"] for i in ("1.1", "16.4.3")} else [f"covered: {found}"]


def main():
    root = sys.argv[1]
    tap = house.Tap()
    tap.check("the_reader_of_names_reads_them", self_test())
    found = covered({p: house.read(root, p) for p in house.files(root, ".c") if p.startswith("tests/")})
    for item in ITEMS:
        for test in found.get(item, [WITHOUT.get(item, "NO TEST")]):
            print(f"# report: FFP {item:7} {test}")
    print(f"# report: FFP: {len(found)} of {len(ITEMS)} items have a test")
    tap.check("every_item_has_its_test", [f"no test: {i}" for i in ITEMS if i not in found and i not in WITHOUT])
    tap.check("no_test_names_an_item_that_does_not_exist", [t for i, ts in sorted(found.items()) if i not in ITEMS for t in ts])
    tap.end()


main()
