#!/usr/bin/env python3
"""Every fragment of the notes has its tag in the code, its row in NOTES.md, its function.   test_notes.py ROOT"""
import os
import re
import sys

import house

FRAGMENTS = range(1, 47)
REFERENCE = re.compile(r"\bF(\d+)(?:\s*(?:-|\bto\b)\s*F(\d+))?")


def fragments(text):
    found = set()
    for first, last in REFERENCE.findall(text):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def tags(text):
    """Fragments of the tag comments of a C text: `notes F10`, `notes F33, F35`, `notes F12-F17`; from there to the comment's end."""
    found = set()
    for comment in house.comments(text):
        at = re.search(r"\bnotes\s+F\d", comment)
        if at:
            found |= fragments(comment[at.start():])
    return found


def numbers(missing):
    return " ".join(f"F{n}" for n in sorted(missing))


def rows(text):
    """NOTES.md: fragment -> the column "Here"."""
    return {int(m.group(1)): m.group(0).split("|")[4].strip()
            for m in re.finditer(r"^\| F(\d+) \|.*\|$", text, re.MULTILINE) if m.group(0).count("|") >= 6}


def row_problems(root, n, here):
    """`file`: `name`, `name`; `file`: `name`. A name is a function that the file defines, or a struct or enum that it has."""
    problems, path = [], None
    for word in re.findall(r"`([^`]+)`", here):
        if "/" in word and re.search(r"\.[ch]$", word):
            path = word
            if not os.path.isfile(os.path.join(root, path)):
                problems.append(f"F{n}: there is no {path}")
                path = ""
            continue
        if path is None:
            problems.append(f"F{n}: `{word}` stands before any file")
        elif path:
            text = house.read(root, path)
            if word.startswith(("struct ", "enum ")):
                if not re.search(rf"\b{word}\s*\{{", text):
                    problems.append(f"F{n}: {path} does not define {word}")
            elif not house.has_function(house.functions(text), word):
                problems.append(f"F{n}: {path} does not define {word}()")
    if path is None:
        problems.append(f"F{n}: names no file")
    return problems


def steps(text):
    """trace.h: (name, fragments) of each step."""
    return re.findall(r'X\(\w+, "(\w+)", "\w+", "([^"]*)"', text)


def untagged_steps(texts, listed):
    """A step's fragments stand in the file that defines its function, or in the header of the same name."""
    problems = []
    for name, notes in listed:
        found = set()
        for path, text in texts.items():
            if notes and path.endswith(".c") and house.has_function(house.functions(text), name):
                found |= tags(text) | tags(texts.get(path[:-1] + "h", ""))
        if fragments(notes) - found:
            problems.append(f"{name}: no tag {numbers(fragments(notes) - found)} beside its function")
    return problems


def self_test():
    text = ('/* notes F10: one */\n/* notes F33, F35: two\n * F36 */ int x; /* F1 without the word */\n'
            '/* see notes F12-F14, F37 to F39 */ char *s = "notes F46";\n'
            'static int iskra_do_it(int a,\n                       int b)\n{\n    if (a) {\n    }\n}\nint declared(void);\n')
    problems = []
    if tags(text) != {10, 12, 13, 14, 33, 35, 36, 37, 38, 39}:
        problems.append(f"tags: {sorted(tags(text))}")
    if house.functions(text) != {"iskra_do_it"}:
        problems.append(f"functions: {house.functions(text)}")
    if not house.has_function({"iskra_do_it"}, "do_it") or house.has_function({"undo_itt"}, "do_it"):
        problems.append("has_function")
    beside = {"lib/a.c": "/* notes F1 */\nint do_it(void)\n{\n}\n", "lib/a.h": "/* notes F2 */\n", "lib/b.c": "/* notes F3 */\n"}
    if len(untagged_steps(beside, [("do_it", "F1 F2"), ("do_it", "F3"), ("do_it", "")])) != 1:
        problems.append("untagged_steps")
    return problems


def main():
    root = sys.argv[1]
    tap = house.Tap()
    tap.check("the_reader_of_tags_reads_them", self_test())

    texts = {p: house.read(root, p) for p in house.files(root, ".c", ".h") if p.startswith("lib/")}
    tagged = set().union(*(tags(t) for t in texts.values()))
    tap.check("every_fragment_has_a_tag", [f"no tag: F{n}" for n in FRAGMENTS if n not in tagged])
    tap.check("no_tag_names_a_fragment_that_does_not_exist",
              [f"{p}: {numbers(tags(t) - set(FRAGMENTS))}" for p, t in texts.items() if tags(t) - set(FRAGMENTS)])

    table = rows(house.read(root, "NOTES.md"))
    tap.check("every_fragment_has_a_row", [f"no row: F{n}" for n in FRAGMENTS if n not in table])
    tap.check("every_row_names_files_and_functions_that_exist",
              [p for n, here in sorted(table.items()) for p in row_problems(root, n, here)])

    listed = steps(house.read(root, "include/iskra/trace.h"))
    defined = set().union(*(house.functions(t) for t in texts.values()))
    tap.check("every_step_of_the_notes_has_a_function_of_its_name",
              [f"no function {name}() for {notes}" for name, notes in listed if notes and not house.has_function(defined, name)])
    tap.check("every_step_has_its_fragments_tagged_beside_its_function", untagged_steps(texts, listed))
    tap.check("every_step_is_traced_somewhere",
              [f"no ISKRA_STEP of {name}" for name, _ in listed
               if not any(re.search(rf"\b(?:ISKRA_STEP_)?{name.upper()}\b", house.without_comments(t)) for t in texts.values())])
    tap.check("steps_name_only_fragments_that_exist",
              [f"{name}: {notes}" for name, notes in listed if fragments(notes) - set(FRAGMENTS)])
    tap.end()


main()
