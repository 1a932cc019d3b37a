"""report: a result for a reader, as plain text.

For a student: each exercise's points, what the compiler said, the first test to mend with
its rule, what was expected and what came; of hidden tests the authors' sentences. For an
instructor (everything=True): all tests that did not pass, hidden ones in full.
"""
from exercises import show

from . import told


def total_line(seen):
    not_run = sum(one["hidden_points_not_run"] for one in seen["exercises"])
    line = "%d of %d points" % (seen["points"], seen["possible"] + not_run)
    if not_run:
        line += " (hidden tests worth %d points have not run)" % not_run
    by_hand = sum(map(told.by_hand, seen["exercises"]))
    if by_hand:
        line += " (%d points are yet to be given by hand)" % by_hand
    return line


def head(seen):
    lines = ["submission %s" % seen["submission"], ""]
    if seen["state"] == "failed":
        lines += ["THE GRADER FAILED. This is not a score; it is to be graded again."]
    elif seen["state"] == "unreadable":
        lines += ["The submission could not be read: " + total_line(seen)]
    else:
        lines += [total_line(seen)]
    return lines + ["  note: " + note for note in seen["notes"]] + [""]


def row_line(row):
    word = "by hand" if row["by_hand"] else show.WORDS.get(row["status"], row["status"])
    name = row["title"].partition(": ")[2] or "(hidden)"
    line = "  %3s  %-10s %2d/%-2d %s" % (row["number"], word, row["points"],
                                        row["possible"], name)
    if row["status"] in ("blocked", "skipped") and row["detail"]:
        line += "\n                        " + row["detail"]
    return line


def exercise_lines(one, everything):
    lines = ["exercise %s: %s" % (one["exercise"], one["title"])]
    lines += ["%d of %d points: %s" % (
        one["points"], one["possible"] + one["hidden_points_not_run"], told.counts(one)), ""]
    if told.state_sentence(one):
        lines += [told.state_sentence(one), ""]
    if one["messages"]:
        if one["state"] == "tested":
            lines += ["the compiler warns:"]
        lines += ["    " + line for line in one["messages"]] + [""]
    if one["state"] != "tested":
        return lines
    lines += [row_line(row) for row in one["tests"]]
    bad = [row for row in one["tests"] if not row["passed"] and not row["by_hand"]]
    if not everything:
        first = told.first_to_mend(one)
        bad = ([first] if first else []) + [row for row in bad
                                            if row["secret"] and row["asks"]]
    for row in bad:
        lines += ["", row["title"]] + told.explain(one, row)
    if not everything and bad and not bad[0]["secret"] and one["kind"] != "experiment":
        lines += ["", "  again, this test alone:  make ex%s TEST=%s" % (
            one["exercise"], bad[0]["number"])]
    return lines + [""]


def write(result, everything=False):
    seen = told.view(result, everything)
    lines = head(seen)
    for one in seen["exercises"]:
        lines += ["-" * show.WIDTH] + exercise_lines(one, everything)
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"
