"""table: scores.csv, one row a submission (RFC 4180, UTF-8), sorted by name.

submission, a column an exercise, total, possible, state, notes. Where the grader failed
the points are empty, not 0. A cell that a spreadsheet would take for a formula gets a
quotation mark in front.
"""
import csv
import io

from . import told

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20\t\r"


def harmless(text):
    text = told.one_line(text)
    return "'" + text if text.lstrip()[:1] in tuple(FORMULA) else text


def order(number):
    """6.2 before 6.10."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part)
            for part in number.split(".")]


def exercises_of(results):
    return sorted({told.one_line(one.get("exercise", "?"))
                   for result in results for one in result.get("exercises", [])}, key=order)


def notes_of(seen):
    notes = list(seen["notes"])
    for one in seen["exercises"]:
        if one["state"] != "tested" and seen["state"] != "unreadable":
            notes.append("%s %s" % (one["exercise"], one["state"]))
        if told.by_hand(one):
            notes.append("%s: %d points by hand" % (one["exercise"], told.by_hand(one)))
    hidden = sum(one["hidden_not_run"] for one in seen["exercises"])
    if hidden:
        notes.append("%d hidden tests not run" % hidden)
    return "; ".join(notes)


def row(result, numbers):
    seen = told.view(result)
    scored = seen["state"] != "failed"
    points = {}
    for one in seen["exercises"]:
        points[one["exercise"]] = points.get(one["exercise"], 0) + one["points"]
    return [harmless(result.get("submission", ""))] + [
        points.get(number, "") if scored else "" for number in numbers] + [
        seen["points"] if scored else "", seen["possible"] if scored else "",
        seen["state"], harmless(notes_of(seen))]


def write(results):
    results = sorted(results, key=lambda one: str(one.get("submission", "")))
    numbers = exercises_of(results)
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["submission"] + [harmless(number) for number in numbers] +
                    ["total", "possible", "state", "notes"])
    for result in results:
        writer.writerow(row(result, numbers))
    return file.getvalue()
