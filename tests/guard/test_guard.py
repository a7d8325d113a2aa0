#!/usr/bin/env python3
"""The guard's reading and judging, on numbers made up here."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import guard  # noqa: E402

DUMP = """\
version: 1
desc: Trigger: Client Request: read-4k-qd1
events: Ir
fl=(1) /s/lib/tcp/recv.c
fn=(1) recv
10 100
+2 50
fi=(2) /s/lib/list.h
16 30
fe=(1)
13 20
cfn=(2) memcpy
calls=5 0
14 4000
15 1
fl=(3) /s/lib/wire/crc32c.c
fn=(3) crc
1 999
fl=(4) /s/target/conn.c
fn=(4) answer
1 5000
""".splitlines()


class Reading(unittest.TestCase):
    def test_self_costs_go_to_the_file_that_the_line_is_in_and_calls_to_nobody(self):
        trigger, costs = guard.callgrind_costs(DUMP)
        self.assertEqual(trigger, "read-4k-qd1")
        self.assertEqual(costs["/s/lib/tcp/recv.c", "recv"], 171)
        self.assertEqual(costs["/s/lib/list.h", "recv"], 30)

    def test_only_the_library_counts_and_checksums_do_not(self):
        _, costs = guard.callgrind_costs(DUMP)
        self.assertEqual(guard.by_layer(costs, "/s", 1), {"tcp": 171, "root": 30})
        self.assertEqual(guard.by_layer(costs, "/s", 2), {"tcp": 85.5, "root": 15})

    def test_a_record_is_read_as_it_was_written(self):
        table = {"read-4k-qd1": {"tcp": 100, "api": 20}, "write-4k-qd1": {"scsi": 7}}
        built, again = guard.record_read(guard.record_write("gcc 1.2 x86_64", table))
        self.assertEqual(built, "gcc 1.2 x86_64")
        self.assertEqual(again["read-4k-qd1"]["tcp"], 100)
        self.assertEqual(sum(again["write-4k-qd1"].values()), 7)


class Judging(unittest.TestCase):
    then = {"tcp": 1000, "scsi": 1000}

    def test_two_percent_are_tolerated_in_both_directions(self):
        self.assertIsNone(guard.judge("c", {"tcp": 1039, "scsi": 1000}, self.then))
        self.assertIsNone(guard.judge("c", {"tcp": 1000, "scsi": 961}, self.then))

    def test_a_rise_fails_and_names_the_layer(self):
        text = guard.judge("c", {"tcp": 1000, "scsi": 1050}, self.then)
        self.assertIn("+2.5 %", text)
        self.assertIn("scsi (1000 -> 1050)", text)
        self.assertIn("reason", text)
        self.assertNotIn("\n", text)

    def test_a_fall_asks_for_a_new_record(self):
        text = guard.judge("c", {"tcp": 900, "scsi": 1000}, self.then)
        self.assertIn("-5.0 %", text)
        self.assertIn("--update", text)

    def test_a_case_without_a_record_fails(self):
        self.assertIn("not on record", guard.judge("c", {"tcp": 1}, None))


class TapResult(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.number = self.testsRun

    def addSuccess(self, test):
        print("ok %d - %s" % (self.number, test.id()))

    def addFailure(self, test, err):
        print("not ok %d - %s\n# %s" % (self.number, test.id(), self._exc_info_to_string(err, test).replace("\n", "\n# ")))

    addError = addFailure


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    print("1..%d" % suite.countTestCases())
    suite.run(TapResult())
