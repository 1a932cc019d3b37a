"""score: runs an exercise's tests on one file, and adds up the points.

The result is a plain dictionary, so that it can be stored, compared and written in any
form (tools/grading/writers.py):

    exercise, title, kind, points, possible, state ("untouched", "refused", "tested")
    hidden_not_run, hidden_points_not_run
    messages    what compiler or screen said
    tests       a list of:  number, name, rule, asks, hidden, points, possible,
                status, detail, output, seconds
"""
import os

from . import ROOT, kill, verdict
from .program import is_explored

CAUGHT = (verdict.FAILED, verdict.DIED, verdict.HUNG)


def new_result(exercise, tests, hidden_run):
    possible = sum(test.points for test in tests)
    return {
        "exercise": exercise.id, "title": exercise.title, "kind": exercise.kind,
        "points": 0, "possible": possible, "state": "tested", "messages": "",
        "hidden_not_run": 0 if hidden_run else exercise.hidden_count,
        "hidden_points_not_run": 0 if hidden_run else exercise.hidden_points,
        "tests": [{
            "number": test.number, "name": test.name, "rule": test.rule, "asks": test.asks,
            "hidden": test.hidden, "points": 0, "possible": test.points,
            "status": "not run", "detail": "", "output": "", "seconds": 0.0}
            for test in tests]}


def refuse(result, said):
    result["state"], result["messages"] = "refused", said
    for row in result["tests"]:
        row["status"], row["detail"] = "not built", "the file was not built"
    return result


def fill(row, test, outcome):
    row["status"], row["detail"] = outcome.status, outcome.detail
    row["output"], row["seconds"] = outcome.output, outcome.seconds
    row["points"] = test.points if outcome.status == verdict.PASSED else 0


class Scorer:
    """Scores files with one builder. runner, seconds: as in verdict.run; `seconds` may be
    a function of exercise and test, which is how the grader scales its limits."""

    def __init__(self, builder, runner=verdict.plain_run, seconds=60, folder=None):
        self.builder, self.runner = builder, runner
        self.seconds = seconds if callable(seconds) else lambda exercise, test: seconds
        self.folder = folder

    def score(self, exercise, source, tests=None, hidden_run=False, only=None):
        """Scores the file `source`. `tests`: None for the public ones. `only`: the number
        of the one test that is asked for; its needs are then nobody's concern."""
        tests = exercise.tests if tests is None else tests
        if only:
            tests = [test for test in tests if test.number == only] or \
                exercise.complain("there is no test %s" % only)
        result = new_result(exercise, tests, hidden_run)
        folder = self.folder or os.path.join(self.builder.work, exercise.id, "student")
        os.makedirs(os.path.join(ROOT, folder), exist_ok=True)
        run = self.score_kill if exercise.kind == "kill" else self.score_tests
        result = run(exercise, source, tests, result, folder, bool(only))
        result["points"] = sum(row["points"] for row in result["tests"])
        return result

    def compile(self, exercise, source, folder, explored, result):
        output = os.path.join(folder, "explored.o" if explored else "plain.o")
        ok, said = self.builder.compile(exercise, source, output, explored)
        if said and said not in result["messages"]:
            result["messages"] += said
        return output if ok else None

    def score_tests(self, exercise, source, tests, result, folder, alone):
        programs = sorted({test.program for test in tests})
        self.builder.prepare(exercise, programs)
        objects, linked = {}, {}
        for explored in sorted({is_explored(name) for name in programs}):
            objects[explored] = self.compile(exercise, source, folder, explored, result)
            if not objects[explored]:
                return refuse(result, result["messages"])
        for name in programs:
            output = os.path.join(folder, name)
            ok, said = self.builder.link(exercise, name, objects[is_explored(name)], output)
            linked[name] = (output, None) if ok else (None, said)
        if all(path is None for path, _ in linked.values()):
            return refuse(result, next(iter(linked.values()))[1])
        passed = set()
        for test, row in zip(tests, result["tests"]):
            blocked = [need for need in test.needs if need not in passed]
            path, said = linked[test.program]
            if blocked and not alone:
                row["status"] = "blocked"
                row["detail"] = "blocked by test %s" % ", ".join(blocked)
            elif not path:
                row["status"], row["output"] = "not built", said
                row["detail"] = "your file does not fit to the test:"
            else:
                outcome = verdict.run(path if os.path.isabs(path)
                                      else os.path.join(ROOT, path), test.case,
                                      self.seconds(exercise, test), self.runner)
                fill(row, test, outcome)
                if row["status"] == verdict.PASSED:
                    passed.add(test.number)
        return result

    # ---- kill

    def score_kill(self, exercise, source, tests, result, folder, alone):
        with open(os.path.join(ROOT, source), encoding="utf-8", errors="replace") as file:
            explored = kill.is_explored(file.read())
        self.builder.prepare(exercise, [], {explored})
        student = self.compile(exercise, source, folder, explored, result)
        if not student:
            return refuse(result, result["messages"])
        correct = [] if alone else self.correct_versions(exercise)
        alarms = self.false_alarms(exercise, student, folder, explored, correct)
        passed = set()
        for test, row in zip(tests, result["tests"]):
            blocked = [need for need in test.needs if need not in passed]
            if alarms:
                row["status"], row["detail"] = "blocked", alarms[0].detail
                row["output"] = alarms[0].output
                continue
            if blocked and not alone:
                row["status"] = "blocked"
                row["detail"] = "blocked by test %s" % ", ".join(blocked)
                continue
            path = kill.patch_of(exercise, test.case, self.builder.hidden)
            outcome = self.try_version(exercise, student, folder, test.case, path, explored)
            caught = outcome.status in CAUGHT
            fill(row, test, verdict.Outcome(
                verdict.PASSED if caught else verdict.FAILED, outcome.output,
                outcome.detail or "your test fails on it" if caught else
                "your test finds nothing wrong with it", outcome.seconds))
            if caught:
                passed.add(test.number)
        # Once more, at the end: not so for a test that goes by the clock or by chance.
        late = self.false_alarms(exercise, student, folder, explored,
                                 correct[:1] if passed else [])
        for row in result["tests"] if late else []:
            row["status"], row["points"], row["output"] = "blocked", 0, late[0].output
            row["detail"] = late[0].detail + " (run once more, after the broken ones)"
        return result

    def try_version(self, exercise, student, folder, name, path, explored):
        module = kill.build(self.builder, exercise, name, path, explored)
        output = os.path.join(folder, "on_" + name)
        ok, said = self.builder.link(exercise, None, student, output, module)
        if not ok:
            return verdict.Outcome(verdict.SILENT, said, said)
        return verdict.run(output if os.path.isabs(output) else os.path.join(ROOT, output),
                           None, self.seconds(exercise, None), self.runner)

    def correct_versions(self, exercise):
        return kill.correct_versions(exercise)

    def false_alarms(self, exercise, student, folder, explored, versions):
        found = []
        for name, path in versions:
            outcome = self.try_version(exercise, student, folder, name, path, explored)
            if outcome.status == verdict.PASSED:
                continue
            outcome.detail = "a false alarm on the correct version \"%s\": %s" % (
                name, {verdict.FAILED: "your test fails there",
                       verdict.HUNG: "your test does not end there",
                       verdict.SKIPPED: "your test runs nothing there",
                       verdict.MISSING: "there is no test in it"}.get(
                           outcome.status, outcome.detail))
            found.append(outcome)
        return found
