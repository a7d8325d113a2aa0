"""Test Anything Protocol, as the programs of this directory print it."""


class Tap:
    def __init__(self, plan):
        self.count = 0
        self.failed = 0
        print("1..%d" % plan, flush=True)

    def check(self, ok, name, detail=""):
        self.count += 1
        self.failed += not ok
        print("%s %d - %s" % ("ok" if ok else "not ok", self.count, name), flush=True)
        if not ok:
            for line in str(detail).splitlines():
                print("# " + line)
