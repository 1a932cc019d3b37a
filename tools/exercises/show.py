"""show: a result, for a person at a terminal. Works without colour."""
import glob
import os
import re
import textwrap

from . import ROOT, verdict

WIDTH = 80
OUTPUT_LINES = 40
LAST_LINES = 12  # of these, from the end of a long output


def wrap(text, indent="  "):
    return textwrap.fill(" ".join(text.split()), WIDTH, initial_indent=indent,
                         subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False)


def paragraphs(text):
    """Text of a page, with its paragraphs wrapped; lists, tables and code as they are."""
    out = []
    for piece in re.split(r"(^```.*?^```)", text, flags=re.M | re.S):
        if piece.startswith("```"):
            out.append(piece)
            continue
        for part in re.split(r"\n\n+", piece.strip("\n")):
            if part:
                out.append(part if re.search(r"^ *([-*|>]|\d+\.) ?", part, re.M)
                           else wrap(part, ""))
    return "\n\n".join(out)


def rule_text(rule, exercise):
    """What a rule says: those of common/RULES.md, or on top of a file of the lesson, or of
    an earlier one."""
    path = os.path.join(ROOT, "common/RULES.md")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            found = re.search(r"^\| %s \| (.*?) *\|" % re.escape(rule), file.read(), re.M)
        if found:
            return found[1]
    paths = []
    for lesson in range(exercise.lesson, 0, -1):
        for pattern in ("*.[hc]", "exercises/*.[hc]"):
            paths += sorted(glob.glob(os.path.join(ROOT, "lesson0%d_*" % lesson, pattern)))
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        found = re.search(r"^ \*  +%s  (.*?)(?=^ \*  +[A-Z][0-9]+  |^ \* *$|\*/)"
                          % re.escape(rule), text, re.M | re.S)
        if found:
            return re.sub(r"\n \* *", " ", found[1]).strip()
    return ""


# What cmocka says of every test, and of a group of one.
NOISE = re.compile(r"^\[ +(RUN|OK|FAILED|PASSED|SKIPPED) +\]|^\[[=-]+\]|"
                   r"^\[  ERROR   \] \S+ *$|^ ?\d+ (FAILED|SKIPPED) TEST|"
                   r"^Could not run test: |^ERROR: .* under \w+ breaks: |^common/explore/cases.c:\d+: error")


# An explored case of the student's that found nothing, among others that did.
QUIET = re.compile(r"^\w+ +(sc|tso|pso) +\d+ schedules .* nothing found")


def clean_output(text, exercise=None, number=None):
    """What a test wrote, without what cmocka says of every test; a line that shows an
    explored schedule again becomes the command that a student types."""
    lines = []
    for line in text.split("\n"):
        line = re.sub(r"^\[  ERROR   \] --- (\[   LINE   \] --- )?", "", line.rstrip())
        if NOISE.match(line) or exercise and exercise.kind == "kill" and QUIET.match(line):
            continue
        again = re.match(r"see it again: .*--case (\S+) --replay ('.*')$", line)
        if again and exercise:
            case = " CASE=" + again[1] if exercise.kind == "kill" else ""
            line = "see it again: make ex%s TEST=%s%s REPLAY=%s" % (
                exercise.id, number, case, again[2])
        lines.append(line)
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > OUTPUT_LINES:
        # What a test has against the code is the last that it says.
        cut = len(lines) - OUTPUT_LINES
        lines = lines[:OUTPUT_LINES - LAST_LINES] + ["... %d lines left out ..." % cut] + \
            lines[-LAST_LINES:]
    return lines


# What a compiler says of its own options, and only when it has something else to say.
ABOUT_OPTIONS = re.compile(r"^(At top level:|cc1: note: unrecognized command-line option .*)$")


def compiler_lines(text):
    lines = [line for line in text.rstrip().split("\n") if not ABOUT_OPTIONS.match(line)]
    if len(lines) > OUTPUT_LINES:
        lines = lines[:OUTPUT_LINES] + ["... %d more lines" % (len(lines) - OUTPUT_LINES)]
    return ["    " + line for line in lines]


WORDS = {verdict.PASSED: "passed", verdict.FAILED: "FAILED", verdict.DIED: "DIED",
         verdict.HUNG: "HUNG", verdict.SILENT: "NO VERDICT", verdict.SKIPPED: "skipped",
         verdict.MISSING: "NO VERDICT"}


def count_line(result):
    """"6 of 10 points: ..."; never "all passed" where hidden tests have not run."""
    rows = result["tests"]
    passed = sum(row["status"] == verdict.PASSED for row in rows)
    possible = result["possible"] + result["hidden_points_not_run"]
    hidden = result["hidden_not_run"]
    kind = "public tests" if hidden else "tests"
    if passed == len(rows):
        tests = "all %d %s passed" % (len(rows), kind)
    else:
        tests = "%d of %d %s passed" % (passed, len(rows), kind)
    if hidden:
        tests += ", %d hidden not run (%d points)" % (hidden,
                                                      result["hidden_points_not_run"])
    return "%d of %d points: %s" % (result["points"], possible, tests)


def result_text(result, exercise, alone=False, folder=None):
    """`folder`: where the programs are, for the line that says how to debug one."""
    lines = ["exercise %s: %s" % (exercise.id, exercise.title), ""]
    if result["state"] == "refused":
        lines += ["%s was not built, so no test ran:" % exercise.source, ""]
        lines += compiler_lines(result["messages"])
        what = "the first error" if "error:" in result["messages"] else "that"
        lines += ["", "  mend %s, then:  make ex%s" % (what, exercise.id)]
        lines += ["", "0 of %d points" % exercise.points]
        return "\n".join(lines)
    if result["messages"]:
        lines += ["the compiler warns:"]
        lines += compiler_lines(result["messages"]) + [""]
    for row in result["tests"]:
        word = WORDS.get(row["status"], row["status"])
        lines.append("  %3s  %-10s %2d/%-2d %s" % (
            row["number"], word, row["points"], row["possible"], row["name"]))
        if word in ("blocked", "skipped") and not row["detail"].startswith("a false alarm"):
            lines.append("                        " + row["detail"])
    bad = [row for row in result["tests"]
           if row["status"] not in (verdict.PASSED, "blocked")] or \
          [row for row in result["tests"] if row["status"] == "blocked"]
    if bad:
        lines += [""] + failure_text(bad[0], exercise, folder)
    elif alone and exercise.kind == "kill":
        # Caught for the right reason, or by luck? That is for the student to see.
        row = result["tests"][0]
        lines += ["", wrap("caught: " + row["detail"])]
        lines += ["    " + line for line in
                  clean_output(row["output"], exercise, row["number"])]
    if not alone:
        lines += ["", count_line(result)]
    return "\n".join(lines)


def false_alarm_text(row, exercise):
    """A kill exercise's test that fails on a correct version: no broken one was tried."""
    lines = ["what to mend first:", wrap(row["detail"]), ""]
    # The schedule is of the correct version, which no TEST= names.
    lines += ["    " + line for line in clean_output(row["output"], exercise)
              if not line.startswith("see it again: ")]
    return lines + ["", "  a hint:                  make hint%s" % exercise.id]


def debugger_line(row, folder):
    """Of a test that crashed or hangs: how to see where. Not of one that is unwritten."""
    crashed = row["status"] in (verdict.DIED, verdict.HUNG) or \
        "Test failed with exception: " in row["output"]
    program, _, case = row["name"].partition("/")
    if not folder or not crashed or not program.startswith("test_") or \
            "CHECK(written) failed" in row["output"]:
        return []
    return ["  in a debugger:           VERDICT_TEST=%s gdb %s/%s" % (case, folder, program)]


def failure_text(row, exercise, folder=None):
    if row["status"] == "blocked" and row["detail"].startswith("a false alarm"):
        return false_alarm_text(row, exercise)
    lines = ["what to mend first: test %s, %s" % (row["number"], row["name"])]
    if row["asks"]:
        lines.append(wrap("it asks: " + row["asks"]))
    if row["rule"]:
        for rule in row["rule"].replace(",", " ").split():
            text = rule_text(rule, exercise)
            lines.append(wrap("rule %s%s" % (rule, ": " + text if text else "")))
    if row["detail"]:
        lines.append(wrap(row["detail"]))
    output = clean_output(row["output"], exercise, row["number"])
    if output:
        lines += [""] + ["    " + line for line in output]
    lines += ["", "  again, this test alone:  make ex%s TEST=%s" % (exercise.id,
                                                                   row["number"]),
              *debugger_line(row, folder),
              "  a hint:                  make hint%s" % exercise.id]
    return lines
