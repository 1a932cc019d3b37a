"""junit: one XML file, in the form that CI services read.

There is no specification; this is the common ground that
https://github.com/testmoapp/junitxml describes: testsuites, a testsuite an exercise, a
testcase a test; `failure` where a test failed or there was no file to test, `error` where
it came to no verdict (died, hung, not built), `skipped` where it was blocked by another or
this machine cannot run it. Points are properties.
"""
from xml.etree import ElementTree

from exercises import verdict

from . import told

KINDS = {verdict.PASSED: None, verdict.FAILED: "failure", "not run": "failure",
         "blocked": "skipped", verdict.SKIPPED: "skipped", told.BY_HAND: "skipped"}


def properties(parent, **values):
    element = ElementTree.SubElement(parent, "properties")
    for name, value in values.items():
        ElementTree.SubElement(element, "property", name=name, value=str(value))


def count(element, kinds, seconds):
    element.set("tests", str(len(kinds)))
    for attribute, kind in (("failures", "failure"), ("errors", "error"),
                            ("skipped", "skipped")):
        element.set(attribute, str(kinds.count(kind)))
    element.set("time", "%.3f" % seconds)


def case(suite, one, row):
    element = ElementTree.SubElement(
        suite, "testcase", name=row["title"], classname="exercise." + one["exercise"],
        time="%.3f" % row["seconds"])
    properties(element, points=row["points"], possible=row["possible"],
               status=row["status"])
    kind = KINDS.get(row["status"], "error")
    if kind:
        message = row["detail"] or row["asks"] or row["status"]
        child = ElementTree.SubElement(element, kind, message=message)
        if kind != "skipped":
            child.set("type", row["status"])
        child.text = "\n".join(told.explain(one, row))
    return kind


def other(root, name, kind, seen):
    """A suite of one case, for a submission that could not be graded."""
    suite = ElementTree.SubElement(root, "testsuite", name=name)
    element = ElementTree.SubElement(suite, "testcase", name=name, classname="submission",
                                     time="0.000")
    child = ElementTree.SubElement(element, kind, message=name, type=seen["state"])
    child.text = "\n".join(seen["notes"])
    count(suite, [kind], 0)
    return [kind]


def write(result):
    seen = told.view(result)
    root = ElementTree.Element("testsuites", name=seen["submission"])
    kinds, seconds = [], 0.0
    if seen["state"] == "failed":
        kinds += other(root, "the grader failed: this is not a score", "error", seen)
    elif seen["state"] == "unreadable":
        kinds += other(root, "the submission could not be read", "failure", seen)
    for one in seen["exercises"] if seen["state"] != "failed" else []:
        suite = ElementTree.SubElement(
            root, "testsuite", name="%s %s" % (one["exercise"], one["title"]))
        properties(suite, points=one["points"], possible=one["possible"],
                   hidden_not_run=one["hidden_not_run"], state=one["state"])
        found = [case(suite, one, row) for row in one["tests"]]
        spent = sum(row["seconds"] for row in one["tests"])
        if one["messages"]:
            ElementTree.SubElement(suite, "system-err").text = "\n".join(one["messages"])
        count(suite, found, spent)
        kinds, seconds = kinds + found, seconds + spent
    count(root, kinds, seconds)
    ElementTree.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(
        root, encoding="unicode") + "\n"
