"""What the tests of the house share: the tracked files, C text without its comments, and TAP."""
import os
import re
import subprocess
import sys


def files(root, *suffixes):
    """Tracked paths below root, or all outside build directories where there is no git."""
    git = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         check=False) if os.path.exists(os.path.join(root, ".git")) else None
    if git and git.returncode == 0 and git.stdout:
        paths = git.stdout.decode().split("\0")
    else:
        paths = []
        for directory, names, plain in os.walk(root):
            names[:] = [n for n in names if n != ".git" and not re.match(r"build(-|$)", n)]
            paths += [os.path.relpath(os.path.join(directory, n), root) for n in plain]
    return sorted(p for p in paths if p.endswith(suffixes or "") and os.path.isfile(os.path.join(root, p)))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def comments(text):
    return [m.group(0) for m in COMMENT.finditer(text) if m.group(0)[0] == "/"]


def without_comments(text):
    def blank(m):
        return m.group(0) if m.group(0)[0] == '"' else re.sub(r"[^\n]", " ", m.group(0))
    return COMMENT.sub(blank, text)


DEFINITION = re.compile(r"^[A-Za-z_][\w \t*\n]*?\b(\w+)\(([^;{}]*)\)\s*\{", re.MULTILINE)


def functions(text):
    """Names of the functions that a C text defines."""
    return {m.group(1) for m in DEFINITION.finditer(without_comments(text))} - {"if", "while", "for", "switch"}


def has_function(names, wanted):
    """The prefix that keeps a name apart from other libraries does not count, nor that a work item's function ends in _fn."""
    return any(n == wanted or n.endswith("_" + wanted) for name in names for n in (name, name.removesuffix("_fn")))


class Tap:
    def __init__(self):
        self.cnt, self.failed = 0, 0

    def check(self, name, problems):
        """One case: passes if the list of problems is empty, else prints each."""
        self.cnt += 1
        self.failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {self.cnt} - {name}")
        for problem in problems:
            print(f"# {problem}")

    def skip(self, name, reason):
        self.cnt += 1
        print(f"ok {self.cnt} - {name} # SKIP {reason}")

    def end(self):
        print(f"1..{self.cnt}")
        sys.exit(1 if self.failed else 0)
