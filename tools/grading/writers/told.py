"""told: what is written of a result, and to whom.

A result holds text of any origin: a student's file names, what a student's program
printed. `view` makes a copy in which every text can stand in XML 1.0, JSON, YAML and on a
terminal, and in which hidden tests are only what a student is told of them: the number
(H1), passed or failed, and when it failed the sentence that an author wrote for it. Every
writer works on such a copy and on nothing else.
"""
import functools
import os
import re
import types

from exercises import Problem, show, statement, verdict

LONGEST_LINE = 400
BY_HAND = "manual"  # points that a person gives, for an experiment's explanation

# Control characters, what turns the direction of writing around, halves of characters,
# line ends that only some programs take for one, and what is no character at all.
FOREIGN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e"
                     "\u2066-\u2069\ufeff\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")


def picture(match):
    """What is shown in the place of such a character."""
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7f:
        return "\u2421"
    if 0xdc80 <= code <= 0xdcff:  # a byte of a file name that is not UTF-8
        return "\\x%02x" % (code - 0xdc00)
    return "\u2424" if code in (0x2028, 0x2029) else "\ufffd"


def clean(text):
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return FOREIGN.sub(picture, str(text).replace("\r\n", "\n"))


def one_line(text):
    return clean(text).replace("\n", "\u2424").replace("\t", " ")


def short(line):
    return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + " ..."


@functools.lru_cache(maxsize=None)
def exercise_of(number):
    """The exercise; of one that this tree does not hold, as much as is needed here."""
    try:
        return statement.find(number)
    except (Problem, OSError):
        return types.SimpleNamespace(id=number, kind="", lesson_folder=None)


@functools.lru_cache(maxsize=None)
def rule_text(rule, number):
    exercise = exercise_of(number)
    return clean(show.rule_text(rule, exercise)) if exercise.lesson_folder else ""


def view_row(row, exercise, tested, everything):
    hidden = bool(row.get("hidden"))
    secret = hidden and not everything
    status = one_line(row.get("status", "not run"))
    passed = status == verdict.PASSED
    if secret and tested and not passed and status not in ("blocked", "not run"):
        status = verdict.FAILED
    # What a hidden test asks is told when it has failed.
    told = status == verdict.FAILED if secret else tested
    number = one_line(row.get("number", ""))
    title = "%s test %s" % ("hidden" if hidden else "", number)
    if not secret:
        title += ": " + one_line(row.get("name", ""))
    output = []
    if not secret:
        text = clean(row.get("output", ""))
        output = [short(line) for line in show.clean_output(text, exercise, number)]
    return {
        "number": number, "title": title.strip(), "hidden": hidden, "secret": secret,
        "rule": "" if secret else one_line(row.get("rule", "")),
        "asks": one_line(row.get("asks", "")) if told else "",
        "points": row.get("points", 0), "possible": row.get("possible", 0),
        "status": status, "passed": passed, "by_hand": status == BY_HAND,
        "detail": "" if secret else one_line(row.get("detail", "")),
        "output": output, "seconds": float(row.get("seconds", 0.0))}


def view_exercise(result, everything):
    number = one_line(result.get("exercise", "?"))
    exercise = exercise_of(number)
    messages = clean(result.get("messages", "")).split("\n")
    state = one_line(result.get("state", "tested"))
    return {
        "exercise": number, "title": one_line(result.get("title", "")),
        "kind": result.get("kind", ""),
        "points": result.get("points", 0), "possible": result.get("possible", 0),
        "state": state,
        "messages": [short(line) for line in messages[:show.OUTPUT_LINES]]
                    if any(messages) else [],
        "hidden_not_run": result.get("hidden_not_run", 0),
        "hidden_points_not_run": result.get("hidden_points_not_run", 0),
        "tests": [view_row(row, exercise, state == "tested", everything)
                  for row in result.get("tests", [])]}


def view(result, everything=False):
    """`everything`: for instructors, with all that is known of hidden tests."""
    return {
        "submission": one_line(result.get("submission", "")),
        "state": result.get("state", "graded"),
        "notes": [one_line(note) for note in result.get("notes", [])],
        "points": result.get("points", 0), "possible": result.get("possible", 0),
        "exercises": [view_exercise(one, everything)
                      for one in result.get("exercises", [])]}


def check(result):
    """Whether a result adds up; one that does not is no score. Raises Problem."""
    def add_up(what, parts, whole):
        for key in ("points", "possible"):
            numbers = [part.get(key) for part in parts] + [whole.get(key)]
            if any(type(number) is not int or number < 0 for number in numbers):
                raise Problem("%s: its %s are no whole numbers: %r" % (what, key, numbers))
            if sum(numbers[:-1]) != numbers[-1]:
                raise Problem("%s: its %s do not add up: %r" % (what, key, numbers))
        for part in [*parts, whole]:
            if part["points"] > part["possible"]:
                raise Problem("%s: %d of %d points" % (what, part["points"],
                                                       part["possible"]))

    if result.get("state") == "failed":
        return
    if result.get("state") not in ("graded", "unreadable"):
        raise Problem("a result of the state %r" % (result.get("state"),))
    if result["state"] == "graded" or result.get("exercises"):
        add_up("the submission", result.get("exercises", []), result)
    elif result.get("points") != 0:
        raise Problem("an unreadable submission with points: %r" % (result.get("points"),))
    for one in result.get("exercises", []):
        if one.get("tests"):
            add_up("exercise %s" % one.get("exercise"), one["tests"], one)


def counts(exercise, hidden=None):
    """"5 of 7 tests passed"; never "all" of what has not all run. `hidden`: True or False:
    of these tests only."""
    rows = [row for row in exercise["tests"]
            if hidden in (None, row["hidden"]) and not row["by_hand"]]
    passed = sum(row["passed"] for row in rows)
    kind = "tests"
    if hidden is not None:
        kind = "hidden tests" if hidden else "public tests"
    elif exercise["hidden_not_run"]:
        kind = "public tests"
    if not rows:
        return "no %s" % kind
    text = "%s of %d %s passed" % (passed, len(rows), kind)
    if passed == len(rows):
        text = "all %d %s passed" % (len(rows), kind)
    if exercise["hidden_not_run"] and hidden is None:
        text += ", %d hidden not run (%d points)" % (exercise["hidden_not_run"],
                                                     exercise["hidden_points_not_run"])
    if by_hand(exercise):
        text += ", %d points are given by hand" % by_hand(exercise)
    return text


def by_hand(exercise):
    """The points that a person has yet to give."""
    return sum(row["possible"] for row in exercise["tests"] if row["by_hand"])


def source_of(exercise):
    """How the student's file is called; "" for an exercise that this tree does not hold."""
    return os.path.basename(getattr(exercise_of(exercise["exercise"]), "source", ""))


def state_sentence(exercise):
    """What is to be said of an exercise before its tests; "" when they ran."""
    return {"tested": "", "untouched": "this is the starter, as it came",
            "missing": "there was no file for it: it is called %s" % source_of(exercise)
                       if source_of(exercise) else "there was no file for it",
            "refused": "the file was not built, so no test ran:"}.get(
                exercise["state"], exercise["state"])


def explain(exercise, row):
    """The lines about a test that did not pass, as tools/exercise shows them."""
    if exercise["state"] != "tested":
        return [state_sentence(exercise).rstrip(":")]
    if row["secret"]:
        return [show.wrap(row["asks"])] if row["asks"] else []
    lines = [show.wrap("it asks: " + row["asks"])] if row["asks"] else []
    for rule in row["rule"].replace(",", " ").split():
        text = rule_text(rule, exercise["exercise"])
        lines.append(show.wrap("rule %s%s" % (rule, ": " + text if text else "")))
    if row["detail"]:
        lines.append(show.wrap(row["detail"]))
    if row["output"]:
        lines += [""] + ["    " + line for line in row["output"]]
    return lines


def first_to_mend(exercise):
    """The test to look at first: what failed before what is blocked by it."""
    bad = [row for row in exercise["tests"]
           if not row["passed"] and not row["secret"] and not row["by_hand"]]
    return next((row for row in bad if row["status"] != "blocked"), bad[0] if bad else None)
