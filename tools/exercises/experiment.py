"""experiment: predict, measure, explain. The third part of what an exercise can be.

The student's file is a sheet of answers, N.M_name.txt; its form is the block of the page
that begins with ```text answers:

    predicted NAME:             a number, written before anything runs
    sealed:                     written by `make exN.M`: when, and a digest of the above
    measured NAME:              a number, copied from what was measured
    QUESTION (this, or that):   one of the words in the parentheses
    explanation (at least 60 words):    all that follows, to the end

`make exN.M` runs nothing before each prediction is there. Then it seals them: they are
stored in .progress/, with time and digest, and a line in the sheet says so. Only then it
measures (measure.py), and prints both side by side. A prediction that is wrong costs
nothing, one that is changed afterwards is noticed, and the sealed one counts. Points are
for a sealed prediction, for measured values that are those of the measurement, and for the
questions, whose answers follow from it. The explanation's points are given by a person.

score() judges a sheet without running anything, for the grader: it has the sheet alone and
tools/grading/N.M/answers.json (the answers, and in which range a measured value can be).
What it cannot see: whether the seal is older than the measurement. The digest is of the
predictions and the time, no secret is in it, so who reads this file can make one; and
whether the numbers were measured on the student's machine, or made up within the range.
"""
import hashlib
import json
import os
import re
import time

from . import ROOT, Problem, measure, program, score as scoring, show, starter

SIZE_LIMIT = 64 * 1024
NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
REFUSED = "refused"  # the machine does not do what was to be measured
SEAL = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) ([0-9a-f]{12})")
AGREE = 0.05  # how far a copied number may be from the measured one
PASSED, FAILED, NOT_RUN, MANUAL = "passed", "failed", "not run", "manual"


# ---- the sheet

class Form:
    """What the page's block of answers asks for."""

    def __init__(self, exercise):
        self.predicted, self.measured, self.questions = [], [], {}
        self.words, self.keys = 0, []
        for line in starter.answer_sheet(exercise).split("\n"):
            found = re.fullmatch(r"([a-z][a-z0-9_ ]*?)(?: \((.*)\))?:\s*", line)
            if line.startswith("#") or not line.strip():
                continue
            if not found:
                exercise.complain("its sheet has a line that is no field: %s" % line)
            key, more = found.groups()
            self.keys.append(key)
            kind, _, name = key.partition(" ")
            if kind in ("predicted", "measured") and name:
                getattr(self, kind).append(name)
            elif key == "explanation":
                self.words = int(re.search(r"\d+", more)[0])
            elif key != "sealed":
                self.questions[key] = re.split(r",\s*(?:or\s+)?", more)
        if self.predicted != self.measured or "sealed" not in self.keys or \
                self.keys[-1] != "explanation" or not self.predicted:
            exercise.complain("its sheet lacks a field")


class Sheet:
    """A filled-in sheet: the text behind each colon."""

    def __init__(self, exercise, source):
        self.form = Form(exercise)
        self.name = os.path.basename(exercise.source)
        self.path = os.path.join(ROOT, source)
        self.text = self.read(exercise)
        self.value, self.line = {}, {}
        explanation = None
        for number, line in enumerate(self.text.split("\n"), 1):
            if line.lstrip().startswith("#"):
                continue
            if explanation is not None:
                explanation.append(line)
            elif line.strip():
                key = self.take(number, line)
                if key == "explanation":
                    explanation = [self.value[key]]
        for key in self.form.keys:
            if key not in self.value:
                raise Problem("%s: the line \"%s:\" is gone; put it back, or make reset%s "
                              "brings the empty sheet" % (self.name, key, exercise.id))
        self.value["explanation"] = " ".join(explanation)

    def read(self, exercise):
        again = "make reset%s brings the empty sheet (yours is kept)" % exercise.id
        try:
            if os.path.exists(self.path) and not os.path.isfile(self.path):
                raise OSError(0, "it is no ordinary file")
            with open(self.path, "rb") as file:
                data = file.read(SIZE_LIMIT + 1)
        except OSError as error:
            raise Problem("%s cannot be read: %s; %s" % (
                self.name, error.strerror, again)) from None
        if len(data) > SIZE_LIMIT:
            raise Problem("%s is larger than %d KiB, which no sheet of answers is; %s" % (
                self.name, SIZE_LIMIT // 1024, again))
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise Problem("%s is not a text (UTF-8); %s" % (self.name, again))
        return text.replace("\r\n", "\n")

    def take(self, number, line):
        left, colon, right = line.partition(":")
        key = " ".join(re.sub(r"\(.*?\)", "", left).split())
        if not colon or key not in self.form.keys:
            raise Problem("%s, line %d: \"%s\" is no field of this sheet; there are: %s" % (
                self.name, number, line.strip()[:40], ", ".join(self.form.keys)))
        if key in self.value:
            raise Problem("%s: \"%s\" stands in line %d and again in line %d; leave one"
                          % (self.name, key, self.line[key], number))
        self.value[key], self.line[key] = right.strip(), number
        return key

    def number(self, key, may_be_refused=False):
        """The number behind a colon; None: nothing is there."""
        text = self.value[key]
        if not text:
            return None
        if may_be_refused and text == REFUSED:
            return REFUSED
        if not NUMBER.fullmatch(text):
            raise Problem("%s, line %d: %s: \"%s\" is no number; write it like 8191 or "
                          "2.07, without a unit" % (self.name, self.line[key], key,
                                                    text[:40]))
        return float(text)

    def predictions(self):
        return {name: self.number("predicted " + name) for name in self.form.predicted}

    def measurements(self):
        return {name: self.number("measured " + name, True) for name in self.form.measured}

    def explained(self):
        return len(self.value["explanation"].split())

    def write(self, key, value):
        """Puts a value behind a colon, and changes nothing else."""
        lines = self.text.split("\n")
        at = self.line[key] - 1
        lines[at] = "%s: %s" % (lines[at].partition(":")[0], value)
        self.text, self.value[key] = "\n".join(lines), value
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(self.text)
        os.replace(self.path + ".new", self.path)


# ---- the seal

def digest(exercise, predicted, when):
    said = "\n".join([exercise.id, when] + ["%s=%.12g" % (name, predicted[name])
                                            for name in sorted(predicted)])
    return hashlib.sha256(said.encode()).hexdigest()


def make_seal(exercise, predicted, when):
    return "%s %s" % (when, digest(exercise, predicted, when)[:12])


def seal_fault(exercise, sheet):
    """What is wrong with the seal of a sheet, by itself; None: it fits."""
    seal = SEAL.fullmatch(sheet.value["sealed"])
    predicted = sheet.predictions()
    if not sheet.value["sealed"]:
        return "there is no seal: the prediction was not made before the run"
    if not seal:
        return "the line \"sealed:\" is not one that make ex%s wrote" % exercise.id
    if None in predicted.values() or \
            make_seal(exercise, predicted, seal[1]) != sheet.value["sealed"]:
        return "the predictions are not those that were sealed on %s" % seal[1]
    return None


# ---- the score

def read_key(exercise, folder=None):
    """The answers, as the grader knows them; {} in a handout, which has none."""
    path = os.path.join(folder or os.path.join(ROOT, "tools/grading"), exercise.id,
                        "answers.json")
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def measured_fault(sheet, key, measured):
    """What is wrong with the values that were copied into the sheet, or None."""
    for name, value in sheet.measurements().items():
        if value is None:
            return "\"measured %s:\" is empty" % name
        if measured is not None:
            known = measured[name]
            if value == known or REFUSED not in (value, known) and \
                    abs(value - known) <= AGREE * known:
                continue
            return "measured %s: you wrote %s, the measurement says %s" % (
                name, shown(value), shown(known))
        if value == REFUSED:
            if name in key.get("may_be_refused", []):
                continue
            return "measured %s: no machine refuses this" % name
        low, high = key.get("plausible", {}).get(name, (0, float("inf")))
        if not low <= value <= high:
            return "measured %s: %s lies outside of what any machine gives, %s to %s" % (
                name, shown(value), shown(low), shown(high))
    values = sheet.measurements()
    for less, more in key.get("order", []) if measured is None else []:
        if REFUSED not in (values[less], values[more]) and values[less] >= values[more]:
            return "measured %s is not below measured %s, which no machine gives" % (
                less, more)
    return None


def question_fault(sheet, name, key):
    choices = sheet.form.questions[name]
    said = sheet.value[name]
    if not said:
        return "not answered"
    if said not in choices:
        return "\"%s\" is none of: %s" % (said[:40], ", ".join(choices))
    return None if said == key["answers"][name] else \
        "\"%s\" is not what the measurement says" % said


def score(exercise, source, measured=None, sealed=None, key_folder=None):
    """Scores the sheet `source` and runs nothing. `measured`: what was measured, and
    `sealed`: that the seal is known to be right (on the student's machine both lie in
    .progress/); without them the sheet's own word is taken as far as answers.json bears it
    out. The result has score.new_result's form; beside it `manual_points`: what a person
    gives for the explanation, a row with the status "manual" and no points; and `complete`:
    nothing is left to do."""
    result = scoring.new_result(exercise, exercise.tests, True)
    result["manual_points"], result["complete"] = exercise.manual_points, False
    result["possible"] += exercise.manual_points
    result["tests"].append({
        "number": "R", "name": "sheet/explanation", "rule": "", "hidden": False,
        "asks": "the explanation, for whoever reads it", "points": 0,
        "possible": exercise.manual_points, "status": MANUAL, "detail": "", "output": "",
        "seconds": 0.0})
    try:
        sheet = Sheet(exercise, source)
        judge(exercise, sheet, result, read_key(exercise, key_folder), measured, sealed)
    except Problem as problem:
        scoring.refuse(result, str(problem))
        result["points"] = 0
        for row in result["tests"]:
            row["points"] = 0
    return result


def fault_of(exercise, sheet, part, key, measured, sealed):
    """What is wrong with one part of a sheet, or None."""
    try:
        if part == "sealed":
            return None if sealed else seal_fault(exercise, sheet)
        if part == "measured":
            return measured_fault(sheet, key, measured)
        return question_fault(sheet, part, key)
    except Problem as problem:  # a number that is none
        return str(problem)


def judge(exercise, sheet, result, key, measured, sealed):
    if sheet.text == starter.make(exercise):
        result["state"] = "untouched"
    passed = set()
    for test, row in zip(exercise.tests, result["tests"]):
        blocked = [need for need in test.needs if need not in passed]
        if blocked:
            row["status"], row["detail"] = "blocked", "blocked by part " + \
                ", ".join(blocked)
            continue
        if test.case in sheet.form.questions and not key:
            row["status"], row["detail"] = NOT_RUN, "whoever grades knows the answer"
            result["hidden_not_run"] += 1
            result["hidden_points_not_run"] += test.points
            continue
        fault = fault_of(exercise, sheet, test.case, key, measured, sealed)
        row["status"], row["detail"] = FAILED if fault else PASSED, fault or ""
        if not fault:
            passed.add(test.number)
            row["points"] = test.points
    words = sheet.explained()
    result["complete"] = words >= sheet.form.words and all(
        row["status"] in (PASSED, NOT_RUN) for row in result["tests"][:-1])
    result["tests"][-1]["detail"] = "for a human: %d words%s" % (
        words, "" if words >= sheet.form.words else
        ", where at least %d are asked" % sheet.form.words)
    result["points"] = sum(row["points"] for row in result["tests"])


# ---- make exN.M

def shown(value):
    if value is None or value == REFUSED:
        return value or "-"
    return "%.10g" % value


class Store:
    """.progress/N.M.prediction.json: what was predicted, when, and what was measured."""

    def __init__(self, exercise, folder):
        self.folder = folder
        self.path = os.path.join(folder, exercise.id + ".prediction.json")
        try:
            with open(self.path, encoding="utf-8") as file:
                self.known = json.load(file)
            if not isinstance(self.known["predicted"], dict):
                raise ValueError
        except FileNotFoundError:
            self.known = {}
        except (ValueError, KeyError, TypeError):
            raise Problem("%s is damaged; remove it, and predict anew" % os.path.relpath(
                self.path, ROOT)) from None

    def keep(self, **facts):
        self.known.update(facts)
        os.makedirs(self.folder, exist_ok=True)
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.known, file)
        os.replace(self.path + ".new", self.path)


def ask(exercise, sheet, missing):
    """What there is to predict, when it is not there yet."""
    print("exercise %s: %s\n" % (exercise.id, exercise.title))
    print("Predict first; nothing runs before that. %s says what will be measured.\n"
          "Write a number behind each of these lines of %s:\n" % (
              exercise.page, exercise.source))
    for name in missing:
        print("    line %3d   predicted %s:" % (sheet.line["predicted " + name], name))
    print("\nA prediction that is wrong costs nothing: what you learn is the difference. "
          "It is\nsealed before the measurement, and the sealed one counts. Then:  "
          "make ex%s" % exercise.id)


def sealed_prediction(exercise, sheet, store):
    """The prediction that counts, or None when there is none yet; it says what it did."""
    predicted = sheet.predictions()
    if store.known:
        return compare_with_seal(exercise, sheet, store, predicted)
    if sheet.value["sealed"]:
        fault = seal_fault(exercise, sheet)
        if fault:
            raise Problem("%s: %s, and nothing is known of another seal here; empty the "
                          "line \"sealed:\" to seal what stands there now" % (sheet.name,
                                                                            fault))
        store.keep(predicted=predicted, seal=sheet.value["sealed"])
        return predicted
    missing = [name for name in predicted if predicted[name] is None]
    if missing:
        ask(exercise, sheet, missing)
        return None
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    seal = make_seal(exercise, predicted, when)
    store.keep(predicted=predicted, seal=seal, digest=digest(exercise, predicted, when))
    sheet.write("sealed", seal)
    print("sealed: your prediction is stored, and %s says so.\n" % sheet.name)
    return predicted


def compare_with_seal(exercise, sheet, store, predicted):
    known, seal = store.known["predicted"], store.known["seal"]
    if set(known) != set(predicted):
        raise Problem("%s is of another form of this exercise; remove it, and predict anew"
                      % os.path.relpath(store.path, ROOT))
    changed = [name for name in known if predicted[name] != known[name]]
    if changed and not any(predicted.values()) and not sheet.value["sealed"]:
        sheet.write("sealed", seal)
        for name in known:
            sheet.write("predicted " + name, shown(known[name]))
        print("You predicted on %s; that prediction counts, and was put into %s.\n" % (
            seal.split(" ")[0], sheet.name))
        return known
    if changed:
        print("The prediction was changed after it was sealed (%s). The sealed one counts. "
              "\nWrite it back: a sheet whose seal does not fit gets no points." %
              seal.split(" ")[0])
        for name in changed:
            print("    predicted %s: %s" % (name, shown(known[name])))
        print()
    if sheet.value["sealed"] != seal:
        sheet.write("sealed", seal)
        print("The line \"sealed:\" of %s was written again.\n" % sheet.name)
    return known


def run(exercise, folder, take=None):
    """`make exN.M`. folder: .progress. take: who measures, for tests of this file. Returns
    the result, or None when nothing was run because nothing was predicted."""
    sheet = Sheet(exercise, exercise.source)
    store = Store(exercise, folder)
    predicted = sealed_prediction(exercise, sheet, store)
    if predicted is None:
        return None
    if "measured" not in store.known or os.environ.get("AGAIN"):
        print("measuring, which takes less than a minute:", flush=True)
        store.keep(measured=take() if take else
                   measure.take(exercise, program.Builder()))
        print()
    measured = store.known["measured"]
    table(exercise, sheet, predicted, measured)
    result = score(exercise, exercise.source, measured,
                   sheet.predictions() == predicted)
    report(exercise, sheet, result)
    return result


def table(exercise, sheet, predicted, measured):
    width = max(map(len, sheet.form.predicted)) + 2
    print("  %-*s %12s %12s" % (width, "", "predicted", "measured"))
    for name in sheet.form.predicted:
        print("  %-*s %12s %12s" % (width, name, shown(predicted[name]),
                                    shown(measured[name])))
    print("\n(a prediction that is wrong costs nothing; AGAIN=1 make ex%s measures again)\n"
          % exercise.id)


def report(exercise, sheet, result):
    for row in result["tests"]:
        print("  %3s  %-8s %2s/%-2d %s%s" % (
            row["number"], row["status"], "" if row["status"] == MANUAL else row["points"],
            row["possible"], row["name"].partition("/")[2],
            ": " + row["detail"] if row["detail"] else ""))
    possible = result["possible"] - result["manual_points"]
    print("\n%d of %d points; %d more are for whoever reads your explanation" % (
        result["points"], possible, result["manual_points"]))
    if result["complete"]:
        print("\n" + exercise.debrief)
        return
    left = [row["name"].partition("/")[2] for row in result["tests"]
            if row["status"] in (FAILED, "blocked")]
    if sheet.explained() < sheet.form.words:
        left.append("why prediction and measurement differ, or do not (explanation)")
    print(show.wrap("left to do in %s: %s" % (exercise.source, ", ".join(left)), ""))
    print("a hint: make hint%s" % exercise.id)
