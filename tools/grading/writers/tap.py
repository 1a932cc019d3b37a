"""tap: TAP 14, https://testanything.org/tap-version-14-specification.html

A test point a test, with a YAML block of what is known. In the block a text is a
double-quoted scalar; what a program printed is a literal block scalar, each of its lines
behind "> ", so that nothing in it can end the block, and no line of it begins with a space
(which YAML would count). A blocked test is "not ok": it gave no points.
"""
import json

from exercises import verdict

from . import told


def escape(text):
    return text.replace("\\", "\\\\").replace("#", "\\#")


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def block(pairs):
    """The YAML block; a list of lines is a sequence."""
    lines = ["  ---"]
    for key, value in pairs:
        if isinstance(value, list):
            lines.append("  %s: |" % key)
            lines += ["    > " + line for line in value]
        else:
            lines.append("  %s: %s" % (key, value if isinstance(value, int)
                                       else quoted(value)))
    return lines + ["  ..."]


def point(number, one, row):
    line = "%s %d - %s" % ("ok" if row["passed"] else "not ok", number,
                           escape("%s %s" % (one["exercise"], row["title"])))
    if row["status"] == verdict.SKIPPED:
        line += " # SKIP " + escape(row["detail"] or "not run here")
    if row["by_hand"]:
        line += " # SKIP these points are given by hand"
    pairs = [("exercise", one["exercise"]), ("points", row["points"]),
             ("possible", row["possible"]), ("status", row["status"])]
    if not row["passed"]:
        pairs += [(key, row[key]) for key in ("rule", "asks", "detail", "output")
                  if row[key]]
    return [line] + block(pairs)


def write(result):
    seen = told.view(result)
    lines = ["TAP version 14"]
    reason = escape("; ".join(seen["notes"]) or "no reason given")
    if seen["state"] == "failed":
        lines += ["1..1", "not ok 1 - the submission was graded",
                  "Bail out! The grader failed, this is not a score: " + reason]
        return "\n".join(lines) + "\n"
    first, body = 1, []
    if seen["state"] == "unreadable":
        body += ["not ok 1 - the submission could be read"]
        body += block([("notes", seen["notes"])] if seen["notes"] else [])
        first = 2
    for one in seen["exercises"]:
        body += ["# " + "exercise %s: %d of %d points, %s" % (
            one["exercise"], one["points"], one["possible"], told.counts(one))]
        body += ["#   | " + line for line in one["messages"]]
        for row in one["tests"]:
            body += point(first, one, row)
            first += 1
    plan = "1..%d" % (first - 1)
    lines += [plan if first > 1 else plan + " # there are no tests"]
    return "\n".join(lines + body) + "\n"
