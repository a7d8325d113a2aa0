#!/usr/bin/env python3
"""Saved seeds of the simulator, one case each, and, with a time, fresh ones.   test_sim.py ISKRA-SIM SEEDS.TXT [SECONDS]"""
import subprocess
import sys

SIM, SEEDS = sys.argv[1:3]
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else 0
count = failed = 0


def run(name, *options, limit):
    """One case; what the simulator says of a failure is told, its seed first of all."""
    global count, failed
    count += 1
    try:
        done = subprocess.run([SIM, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit, check=False)
        code, out = done.returncode, done.stdout.decode(errors="replace").splitlines()
    except subprocess.TimeoutExpired:
        code, out = -1, ["no end within %d s" % limit]
    failed += code != 0
    print("%s %d - %s" % ("ok" if code == 0 else "not ok", count, name), flush=True)
    for line in out if code != 0 else out[-1:]:
        print("# " + line)


def saved():
    with open(SEEDS, encoding="utf-8") as f:
        for line in f:
            line = line.split("#")[0].split()
            if line:
                yield line[0]


if SECONDS:
    run("fresh_seeds_for_%d_s" % SECONDS, "--from", "random", "--time", str(SECONDS), "--jobs", "2", limit=SECONDS + 120)
else:
    for seed in saved():
        run("seed_" + seed, "--seed", seed, limit=60)
print("1..%d" % count)
sys.exit(1 if failed else 0)
