"""writers: one result, in every form that somebody reads.

The result of one submission, as the grader returns it:

    submission   its name          state   "graded", "unreadable" (a score: 0), or
    points                                 "failed": the grader itself; never a score
    possible                       notes   sentences
    exercises    results as tools/exercises/score.py describes them

report       report.txt     for the student; of hidden tests the authors' sentences only
instructor   instructor.txt everything, hidden tests included
gradescope   results.json
junit        junit.xml
classroom50  result.json
tap          results.tap
csv          scores.csv     one row a submission

    write_all(result, "out", ["report", "junit"])   ->  {"report": "out/report.txt", ...}

A file appears whole or not at all. Of a result of the state "failed", gradescope and
classroom50 write no file and remove an older one: these forms can hold nothing but a
score.
"""
import contextlib
import os

from exercises import Problem

from . import classroom50, gradescope, junit, report, table, tap, told

FORMATS = {
    "report": ("report.txt", report.write),
    "instructor": ("instructor.txt", lambda result: report.write(result, everything=True)),
    "gradescope": ("results.json", gradescope.write),
    "junit": ("junit.xml", junit.write),
    "classroom50": ("result.json", classroom50.write),
    "tap": ("results.tap", tap.write),
    "csv": ("scores.csv", lambda result: table.write([result])),
}
check = told.check


def write_file(path, text):
    """The whole file, or the old one and a Problem of one sentence."""
    new = os.path.join(os.path.dirname(path) or ".",
                       ".%s.%d.new" % (os.path.basename(path), os.getpid()))
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(new, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        raise Problem("%s could not be written: %s" % (
            told.one_line(path), error.strerror or error)) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(new)


def write_all(result, folder, formats=("report",), **options):
    """`options`: for gradescope, hidden_visibility."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise Problem("there is no form \"%s\"; there are: %s" % (
            told.one_line(unknown[0]), " ".join(FORMATS)))
    check(result)
    written = {}
    for name in formats:
        path = os.path.join(folder, FORMATS[name][0])
        text = FORMATS[name][1](result, **(options if name == "gradescope" else {}))
        if text is None:
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            continue
        write_file(path, text)
        written[name] = path
    return written
