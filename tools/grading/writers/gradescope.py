"""gradescope: results.json, as https://gradescope-autograders.readthedocs.io/en/latest/specs/
describes it.

The score is the sum of the tests' scores, and is said once more at the top. Hidden tests
are rows that students see when `hidden_visibility` says so: "after_due_date" unless told
otherwise ("hidden", "after_published", "visible"). Gradescope shows a student no total
while some row is hidden from him, so the text at the top counts public tests only.

Where the grader itself has failed there is no file at all: the form has no other way of
saying "no score". Gradescope then shows the submission as one whose autograder failed.
"""
import json

from . import told

VISIBILITY = ("hidden", "after_due_date", "after_published", "visible")


def test(one, row, hidden_visibility):
    output = [] if row["passed"] else told.explain(one, row)
    if row["by_hand"]:
        output = ["these points are given by hand"] + output
    tags = ["exercise " + one["exercise"]] + row["rule"].replace(",", " ").split()
    return {
        "score": row["points"], "max_score": row["possible"],
        "status": "passed" if row["passed"] else "failed",
        "name": "%s %s" % (one["exercise"], row["title"]), "name_format": "text",
        "number": "%s.%s" % (one["exercise"], row["number"]),
        "output": "\n".join([] if row["passed"] else [row["status"]] + output),
        "output_format": "text", "tags": tags,
        "visibility": hidden_visibility if row["hidden"] else "visible"}


def top(seen):
    lines = []
    if seen["state"] == "unreadable":
        lines += ["The submission could not be read."]
    lines += seen["notes"]
    for one in seen["exercises"]:
        lines += ["", "exercise %s: %s" % (one["exercise"], one["title"])]
        if one["hidden_not_run"]:
            lines += [told.counts(one)]
        else:
            lines += [told.counts(one, hidden=False)]
            if any(row["hidden"] for row in one["tests"]):
                lines[-1] += "; hidden tests are rows of their own"
        if told.state_sentence(one):
            lines += [told.state_sentence(one)]
        elif one["messages"]:
            lines += ["the compiler warns:"]
        lines += ["    " + line for line in one["messages"]]
    return "\n".join(lines).strip()


def write(result, hidden_visibility="after_due_date"):
    seen = told.view(result)
    if seen["state"] == "failed":
        return None
    tests = [test(one, row, hidden_visibility)
             for one in seen["exercises"] for row in one["tests"]]
    seconds = sum(row["seconds"] for one in seen["exercises"] for row in one["tests"])
    return json.dumps({
        "score": sum(row["score"] for row in tests),
        "execution_time": round(seconds), "output": top(seen), "output_format": "text",
        "test_output_format": "text", "test_name_format": "text",
        "visibility": "visible", "stdout_visibility": "hidden", "tests": tests},
        indent=1, ensure_ascii=True) + "\n"
