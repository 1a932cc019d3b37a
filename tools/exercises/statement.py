"""statement: reads an exercise's page, lessonNN_x/exercises/N.M_name.md.

    # 6.1 The two ends of the deque

    build · 60 minutes · 10 points (3 of them for 2 hidden tests)

    **Target.** ...   **Change.** ...   **Preserve.** ...   **Run.** ...
    **Passing means.** ...
    **Calls.** `read`, `write`           (may be left out: C functions that the file may
                                         call beyond those that any file may)
    **Stands on.** 2.1                   (may be left out: other exercises of the lesson
                                         whose modules this one's tests use)
    **Points.**

    | # | points | test | needs | rule | what it asks |
    | --- | --- | --- | --- | --- | --- |
    | 1 | 2 | `test_deque/a_batch_is_the_older_half` | | D2 | ... |
    | 2 | 3 | `explore_deque/last_item under sc` | 1 | D3 | ... |

    <details><summary>Hint 1: a nudge</summary> ... </details>   2: where   3: the shape
    <details><summary>After passing</summary> ... </details>

The page is what a reader reads, and what the tools read: nothing is said twice. A test's
name is PROGRAM/NAME: the cmocka program (test_*.c) or the program of explored cases
(explore_*.c), found in the exercise's folder or the lesson's, and the test in it. In a
kill exercise it is `version/NAME`: one version of the module, see kill.py. A test of no
points guards what already works: others need it.

An experiment's rows are the parts of its sheet of answers (experiment.py), sheet/NAME; the
points for its explanation, which a person gives, stand in the second line alone.

Hidden tests stand in a table of the same form in tools/grading/N.M/hidden.md, numbered
H1, H2; its last column is what a student is told when the test fails.
"""
import glob
import os
import re

from . import ROOT, Problem

KINDS = ("build", "find", "kill", "experiment")
HEAD = re.compile(r"^(\w+) · (\d+) minutes · (\d+) points"
                  r"(?: \((\d+) of them for (?:(\d+) hidden tests?|an explanation that "
                  r"somebody reads)\))?\s*$")
NAME = re.compile(r"([1-8]\.[1-9])_([a-z0-9_]+)\.md$")
PARTS = ("Target", "Change", "Preserve", "Run", "Passing means", "Points")
HINTS = ("a nudge", "where", "the shape")
DETAILS = re.compile(r"<details><summary>(.*?)</summary>\n(.*?)\n</details>", re.S)


class Test:
    """One row of the table: a test, and what it is worth."""

    def __init__(self, number, points, name, needs, rule, asks, hidden=False):
        self.number, self.points, self.needs = number, points, needs
        self.name, self.rule, self.asks, self.hidden = name, rule, asks, hidden
        self.program, _, self.case = name.partition("/")


class Exercise:
    def __init__(self, page):
        self.page = page
        self.folder = os.path.dirname(page)
        self.lesson_folder = os.path.dirname(self.folder)
        self.id, self.name = NAME.search(page).groups()
        self.lesson = int(self.id[0])
        with open(os.path.join(ROOT, page), encoding="utf-8") as file:
            self.text = file.read()
        lines = self.text.split("\n")
        if not lines[0].startswith("# %s " % self.id):
            self.complain("its first line is not \"# %s TITLE\"" % self.id)
        self.title = lines[0][len(self.id) + 3:]
        head = next(filter(None, map(HEAD.match, lines)), None)
        if not head or head[1] not in KINDS:
            self.complain("no line like \"build · 60 minutes · 10 points\"")
        self.kind, self.minutes = head[1], int(head[2])
        self.points = int(head[3])
        self.hidden_points, self.hidden_count = int(head[4] or 0), int(head[5] or 0)
        self.manual_points = self.hidden_points if self.kind == "experiment" else 0
        self.parts = self.read_parts()
        self.tests = read_table(self.text, self.page, self.kind)
        self.stands_on = re.findall(r"\b[1-8]\.[1-9]\b", self.parts.get("Stands on", ""))
        self.calls = re.findall(r"`(\w+)`", self.parts.get("Calls", ""))
        folded = dict(DETAILS.findall(self.text))
        self.hints = [folded.get("Hint %d: %s" % (i + 1, name), "").strip()
                      for i, name in enumerate(HINTS)]
        self.debrief = folded.get("After passing", "").strip()
        # What the student writes, and for `build` the module whose place it takes.
        self.source = page[:-3] + (".c" if self.kind != "experiment" else ".txt")
        # For `kill`: the module that the student's test is about.
        self.module = "%s/%s.c" % (self.lesson_folder, re.sub("^kill_", "", self.name))

    def complain(self, what):
        raise Problem("%s: %s" % (self.page, what))

    def read_parts(self):
        found = re.split(r"^\*\*([A-Z][A-Za-z ]+)\.\*\*", self.text, flags=re.M)
        parts = dict(zip(found[1::2], (re.split(r"^(?:\||<details>)", text, flags=re.M)[0]
                                       .strip() for text in found[2::2])))
        for name in PARTS:
            if name not in parts:
                self.complain("there is no **%s.**" % name)
        return parts

    def check(self):
        """What only the course's own tests need to know to be right."""
        public = sum(test.points for test in self.tests)
        if public + self.hidden_points != self.points:
            self.complain("its tests are worth %d points and %d hidden; the page says %d"
                          % (public, self.hidden_points, self.points))
        for hint, name in zip(self.hints, HINTS):
            if not hint:
                self.complain("there is no hint \"%s\"" % name)
            if "```" in hint:
                self.complain("the hint \"%s\" holds code" % name)
        if not self.debrief:
            self.complain("there is no \"After passing\"")

    @property
    def grading_folder(self):
        return "tools/grading/" + self.id

    def hidden_tests(self, folder=None):
        """The hidden tests; those of the course, or what an instructor has in `folder`."""
        page = os.path.join(folder or os.path.join(ROOT, "tools/grading"), self.id,
                            "hidden.md")
        if not os.path.exists(page):
            return []
        with open(page, encoding="utf-8") as file:
            tests = read_table(file.read(), page, self.kind, hidden=True)
        if sum(test.points for test in tests) != self.hidden_points or \
                len(tests) != self.hidden_count:
            raise Problem("%s: %d tests of %d points; %s says %d of %d" % (
                page, len(tests), sum(test.points for test in tests), self.page,
                self.hidden_count, self.hidden_points))
        return tests


def read_table(text, page, kind, hidden=False):
    tests = []
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 6 or not re.fullmatch("H[0-9]+" if hidden else "[0-9]+", cells[0]):
            continue
        number, points, name, needs, rule, asks = cells
        name = name.strip("`")
        if "/" not in name or not points.isdigit():
            raise Problem("%s: row %s: a test is PROGRAM/NAME and worth whole points"
                          % (page, number))
        if (kind == "kill") != name.startswith("version/") or \
                (kind == "experiment") != name.startswith("sheet/"):
            raise Problem("%s: row %s: %s in a %s exercise" % (page, number, name, kind))
        needs = needs.replace(",", " ").split()
        known = [test.number for test in tests]
        for need in needs:
            if need not in known and not (hidden and need.isdigit()):
                raise Problem("%s: row %s needs %s, which is not above it"
                              % (page, number, need))
        tests.append(Test(number, int(points), name, needs, rule, asks, hidden))
    if not tests:
        raise Problem("%s: there is no table of tests" % page)
    return tests


def pages():
    return sorted(os.path.relpath(page, ROOT) for page in
                  glob.glob(os.path.join(ROOT, "lesson0?_*/exercises/*.md"))
                  if NAME.search(page))


def all_exercises():
    return [Exercise(page) for page in pages()]


def find(number):
    """The exercise 6.1."""
    for page in pages():
        if NAME.search(page)[1] == number:
            return Exercise(page)
    if number in ("", ".o"):  # "make ex": what make's own rules ask for is ex.o
        raise Problem("which exercise? For example  make ex1.1 ; make exercises lists them")
    if not re.fullmatch(r"\d(\.\d*)?", number):
        raise Problem("an exercise has a number like 1.1, and \"%s\" is none; "
                      "make exercises lists them" % number)
    known = [NAME.search(page)[1] for page in pages()]
    same = [name for name in known if name[0] == number[:1]]
    raise Problem("there is no exercise \"%s\"; there are: %s" % (
        number, " ".join(same or known) or "none"))
