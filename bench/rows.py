"""The rows of the benchmark: what is done, who does it, what is compared with what, and the goals."""

EVERY = ["floor", "canned", "libiscsi", "iskra"]


class Row:
    """One row.

    goals: (figure, of whom, against whom, limit): "cpu" and "lat" are at most the limit, "iops" at least; None: no goal, but
    shown. A name "a/b" is a's figure relative to b's. variants: a client's name in the row -> (program, more arguments).
    memory: KiB that an idle session of iskra may take, and how many sessions there are."""

    def __init__(self, name, text, args, clients, goals=(), backend="null", variants=None, memory=None):
        self.name, self.text, self.args, self.clients, self.goals, self.backend = name, text, args, clients, goals, backend
        self.variants = variants or {}
        self.memory = memory

    def writes(self):
        return "--write" in self.args

    def command(self, client):
        program, more = self.variants.get(client, (client, []))
        return program, self.args + more


def work(op, size, qd, *more):
    """A client's arguments."""
    length = int(size[:-1]) << {"k": 10, "m": 20}[size[-1]]
    return ["--bs", str(length), "--qd", str(qd)] + (["--write"] if op == "write" else []) + list(more)


def spelt(size):
    return size[:-1] + {"k": " KiB", "m": " MiB"}[size[-1]]


def depth_rows(op):
    for qd in (1, 32, 128, 1024):
        goals = [("cpu", "libiscsi", "floor", None), ("cpu", "iskra", "floor", 1.5 if qd == 32 else None)]
        if qd == 1:
            goals = [("lat", "libiscsi", "canned", None), ("lat", "iskra", "canned", 1.10)]
        if qd == 32:
            goals += [("cpu", "iskra", "libiscsi", 0.25)]
        if qd in (32, 128):
            goals += [("iops", "iskra", "canned", 0.85), ("iops", "iskra", "libiscsi", 3.0)]
        yield Row("%s-4k-qd%d" % (op, qd), "4 KiB random %s, QD %d" % (op, qd), work(op, "4k", qd), EVERY, goals)
    yield Row("%s-4k-depth" % op, "4 KiB random %s, QD 1024 against QD 32, each relative to the floor" % op, work(op, "4k", 32),
              ["floor-32", "floor-1024", "iskra-32", "iskra-1024"], [("cpu", "iskra-1024/floor-1024", "iskra-32/floor-32", 1.2)],
              variants={"%s-%s" % (p, qd): (p, ["--qd", qd]) for p in ("floor", "iskra") for qd in ("32", "1024")})


def large_rows(op):
    for size, qd in (("128k", 8), ("1m", 4), ("1m", 8), ("128k", 4)):
        yield Row("%s-%s-qd%d" % (op, size, qd), "%s %s, QD %d" % (spelt(size), op, qd), work(op, size, qd), EVERY,
                  [("cpu", "libiscsi", "floor", None), ("cpu", "iskra", "floor", 1.1 if size == "128k" and qd == 8 else None),
                   ("iops", "iskra", "canned", None)])


def digest_rows(op):
    clients = [c + d for c in EVERY[1:] for d in ("", "-digests")]
    for size, qd in (("4k", 32), ("128k", 8)):
        yield Row("%s-%s-digests" % (op, size), "%s %s, QD %d, digests on against off (libiscsi: of headers only)" % (
            spelt(size), op, qd), work(op, size, qd), clients,
            [("cpu", c + "-digests", c, 1.15 if c == "iskra" and size == "128k" else None) for c in EVERY[1:]],
            variants={c + "-digests": (c, ["--digests"]) for c in EVERY[1:]})


def spin_row(op):
    return Row("%s-4k-qd1-spin" % op, "4 KiB random %s, QD 1, all initiators spinning" % op, work(op, "4k", 1, "--spin"), EVERY,
               [("lat", "libiscsi", "canned", None), ("lat", "iskra", "canned", 1.10)])


def session_row(sessions):
    many = {"%s-%d" % (p, sessions): (p, ["--sessions", str(sessions)]) for p in ("floor", "canned", "iskra")}
    floor, canned, iskra = many
    return Row("sessions-%d" % sessions, "4 KiB random read, QD 1024 in all, in %d sessions and in one" % sessions,
               work("read", "4k", 1024), [floor, canned, iskra, "iskra"],
               [("cpu", iskra, floor, None), ("cpu", iskra, "iskra", None), ("iops", iskra, canned, None)], variants=many,
               memory=(iskra, sessions, 64 if sessions == 1000 else None))


def target_rows(backend):
    for op in ("read", "write"):
        for qd in (32, 128):
            yield Row("target-%s-%s-qd%d" % (backend, op, qd), "the target itself, --%s: 4 KiB %s, QD %d" % (backend, op, qd),
                      work(op, "4k", qd), ["floor", "canned"],
                      [("iops", "canned", "floor", 0.8)], backend=backend)


def rows():
    table = []
    for op in ("read", "write"):
        table += list(depth_rows(op)) + list(large_rows(op))
    for op in ("read", "write"):
        table += list(digest_rows(op)) + [spin_row(op)]
    table += [session_row(n) for n in (8, 64, 1000)]
    for backend in ("null", "ram"):
        table += list(target_rows(backend))
    return table
