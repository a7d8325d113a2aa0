#!/usr/bin/env python3
"""Which test makes which of the ten acceptance checks: a test carries its check's number in its name.   test_acceptance.py ROOT"""
import re
import sys

import house

CHECKS = {
    1: "a stream of PDUs split at every byte gives the same",
    2: "each refusal of the table of PDUs is one error of the connection",
    3: "a silent command on a live link, and a dead idle link, in time",
    4: "a younger command waits for an older one that moves",
    5: "an answer that races the verdict, in both orders",
    6: "a login in time completes everything; one too late revives",
    7: "a tag of another age is refused",
    8: "a window of one",
    9: "the matrix of writes, byte for byte",
    10: "no Data-Out behind an abort",
}


def main():
    root = sys.argv[1]
    tap = house.Tap()
    found = {}
    for path in house.files(root, ".c"):
        if not path.startswith("tests/"):
            continue
        code = house.without_comments(house.read(root, path))
        for name in sorted(house.functions(code)):
            m = re.match(r"acceptance_(\d+)_[a-z]", name)
            if m and re.search(rf"\b(?:cmocka_unit_test\w*|T)\(\s*{name}\b", code):
                found.setdefault(int(m.group(1)), []).append(f"{path}: {name}")
    for number, what in CHECKS.items():
        for test in found.get(number, ["NO TEST"]):
            print(f"# report: check {number:2} {test}")
    tap.check("every_acceptance_check_has_its_test", [f"no test: {n} ({what})" for n, what in CHECKS.items() if n not in found])
    tap.check("no_test_names_a_check_that_does_not_exist", [t for n, ts in found.items() if n not in CHECKS for t in ts])
    tap.end()


main()
