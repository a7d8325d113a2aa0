#!/usr/bin/env python3
"""Each planted bug is found by the simulator's oracle, which says what it has seen; without the bug the same seed is clean. The search
begins at the seed that the table gives, with "search" at seed 0, and may take 1,000 seeds.
test_planted.py ISKRA-SIM-PLANTED PLANTED.TXT [search]"""
import re
import subprocess
import sys

SIM, TABLE = sys.argv[1:3]
FROM_0 = sys.argv[3:] == ["search"]
SEEDS = 1000
LIMIT_S = 600
count = failed = 0


def tell(name, complaint, note=""):
    global count, failed
    count += 1
    failed += bool(complaint)
    print("%s %d - %s" % ("not ok" if complaint else "ok", count, name), flush=True)
    for line in (complaint or note).splitlines():
        print("# " + line)


def run(*options):
    """Exit code and, of a failure, its seed and what was said."""
    try:
        done = subprocess.run([SIM, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return -1, None, "no end within %d s" % LIMIT_S
    failures = re.findall(r"^FAILED: seed (\d+): (.*)$", done.stdout.decode(errors="replace"), re.M)
    return (done.returncode, int(failures[0][0]), failures[0][1]) if failures else (done.returncode, None, "all as it should be")


def bugs():
    with open(TABLE, encoding="utf-8") as f:
        return [line.split(None, 2) for line in f if line.strip() and not line.startswith("#")]


def table_is_whole():
    listed = subprocess.run([SIM, "--plant", "list"], stdout=subprocess.PIPE, check=True).stdout.decode()
    known, tried = {line.split()[0] for line in listed.splitlines()}, {word for word, _, _ in bugs()}
    return "\n".join(["%s is in one list only" % word for word in sorted(known ^ tried)])


def search(word, begin, rule):
    """The seed and what was said. A bug may also kill the process, or be told by another rule; that does not count, nor does it
    end the search."""
    seed, others = begin, 0
    while seed < begin + SEEDS:
        code, found, said = run("--plant", word, "--from", str(seed), "--seeds", str(begin + SEEDS - seed))
        if code != 1 or found is None:
            return None, said if code else "not found in %d seeds from %d on" % (SEEDS, begin)
        if re.search(rule, said):
            return found, "%d seeds: %s%s" % (found - begin + 1, said, "; %d others said something else" % others if others else "")
        seed, others = found + 1, others + 1
    return None, "not found in %d seeds from %d on; %d others said something else" % (SEEDS, begin, others)


def without(seed):
    code, _, said = run("--seed", str(seed))
    return "" if code == 0 else "exit %d, %s" % (code, said)


def main():
    tell("every_planted_bug_is_tried", table_is_whole())
    for word, seed, rule in bugs():
        found, said = search(word, 0 if FROM_0 else int(seed), rule.strip())
        tell("%s_is_found_within_%d_seeds" % (word, SEEDS), said if found is None else "", said)
        tell("its_seed_is_clean_without_%s" % word, without(found) if found is not None else "there is none")
    print("1..%d" % count)
    return 1 if failed else 0


sys.exit(main())
