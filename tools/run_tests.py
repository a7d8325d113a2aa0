#!/usr/bin/env python3
"""Runs `meson test` in a build directory and counts single test cases, which Meson does not.

    tools/run_tests.py BUILD_DIRECTORY [ARGUMENTS OF meson test]

Prints what programs report (lines `# report: ...`; all that a program without TAP prints), every skipped case with its
reason, every failed one with its program, and at the end the one line `N passed, N failed, N skipped`. Exits with 1 if
anything failed or Meson itself did.
"""
import json
import os
import re
import subprocess
import sys

RESULT = re.compile(r"^(not )?ok\b(?:\s+\d+)?\s*(?:-\s*)?([^#]*?)\s*(?:#\s*(\S+)\s*(.*))?$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*skip\S*\s*(.*))?$", re.IGNORECASE)


REPORT = re.compile(r"^# report: (.*)", re.MULTILINE)


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped, self.reports = 0, [], [], []

    def tap(self, program, text):
        """The cases of one TAP stream; returns how many there were."""
        before = self.passed + len(self.failed) + len(self.skipped)
        for line in text.splitlines():
            plan = PLAN.match(line)
            if plan and plan.group(1) == "0":
                self.skipped.append(f"{program}: {plan.group(2) or 'no reason given'}")
            result = RESULT.match(line)
            if not result:
                continue
            failed, name, directive, reason = result.groups()
            if directive and directive.lower().startswith("skip"):
                self.skipped.append(f"{program}: {name}: {reason or 'no reason given'}")
            elif failed:
                self.failed.append(f"{program}: {name}")
            else:
                self.passed += 1
        return self.passed + len(self.failed) + len(self.skipped) - before

    def program(self, log):
        """One line of Meson's testlog.json."""
        name, result = log["name"], log["result"]
        failed_before = len(self.failed)
        cases, stdout = 0, log.get("stdout") or ""
        if re.search(r"^(TAP version|1\.\.\d|(not )?ok\b)", stdout, re.MULTILINE):
            cases = self.tap(name, stdout)
            self.reports += REPORT.findall(stdout)
        else:
            self.reports += stdout.splitlines()
        if result in ("OK", "EXPECTEDFAIL"):
            if not cases:
                self.passed += 1
        elif result == "SKIP":
            if not cases:
                last = ((log.get("stdout") or "").strip().splitlines() or ["no reason given"])[-1]
                self.skipped.append(f"{name}: {last}")
        elif len(self.failed) == failed_before:
            # A crash, a time-out, a bad plan, a report of a sanitizer: no case says so itself.
            self.failed.append(f"{name}: the program ended with {result} (return code {log.get('returncode')})")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build, arguments = sys.argv[1], sys.argv[2:]
    path = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(path):
        os.unlink(path)
    code = subprocess.call(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs"] + arguments)
    count = Count()
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="replace") as logs:
            for line in logs:
                count.program(json.loads(line))
    for line in count.reports:
        print(f"report: {line}")
    for line in count.skipped:
        print(f"skipped: {line}")
    for line in count.failed:
        print(f"failed: {line}")
    if code and not count.failed:
        count.failed.append("meson test")
        print(f"failed: meson test itself ended with {code}")
    print(f"{count.passed} passed, {len(count.failed)} failed, {len(count.skipped)} skipped", flush=True)
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
