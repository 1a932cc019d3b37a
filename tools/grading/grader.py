"""grader: scores one submission, in a sandbox, so that the score is the submission's own.

    with grader.Grader(exercises, hidden=None, sandbox=True) as one:
        one.ready_all()             now, or each exercise when it is first needed
        result = one.grade(path)    by any number of processes or threads at once

The result: {"submission", "exercises": [as score.py describes them], "points", "possible",
"notes": [sentences], "state": "graded" or "unreadable"}. An exercise may also be "missing"
(no file for it), "untouched" (the starter, as it came) or "not graded".

What is trusted: this tree's tests, headers and Makefile, and nothing of the submission.
They are built once and copied; each submission gets a folder of its own, whose files only
its own compiler's box can write, and which is gone afterwards:

    compile     box: headers, and the folder. No module, no test is there to be included
    look        box: the folder. nm, readelf and objdump for the screen; objcopy, which
                leaves global only what the starter defines, and no constructor
    link        box: the prebuilt objects and archives, and the folder
    each test   box: the linked program, and nothing else

A student's code runs in the last one alone. The limit of time is a multiple of what the
lesson's own solution takes, which is run first: where that does not get all points in the
sandbox, nobody's file is graded.

Whatever goes wrong here (Failure, or any exception) is the grader's own: no score.
"""
import contextlib
import copy
import fcntl
import hashlib
import os
import random
import shutil
import signal
import tempfile
import threading

from exercises import ROOT, Problem, kill, program, score, screen, starter, verdict

from . import box, submission

FLOOR_SECONDS = 10
FACTOR = 20
CALIBRATING = 120  # and for a tree without solutions
TOOL_SECONDS = 60
TOOL_MEMORY = 512 * box.MIB
OUTPUT_LIMIT = 64 * 1024
LOOK_LIMIT = 32 * box.MIB
PREFIX = "grade."
# The versions of a kill exercise can be compiled at home, and then a test need not test: it
# can know them by their bytes. So each is compiled here with flags that are drawn by lot,
# and the reference twice: who calls wrong what is not known raises a false alarm.
OTHERWISE = "reference_compiled_otherwise"
LEVELS = {False: ("-Og", "-O1", "-O2"), True: ("-Og", "-O1")}  # True: explored
BY_LOT = (  # what gcc and clang both take
    "-fno-omit-frame-pointer", "-fstack-protector-all", "-fno-inline", "-fno-reorder-blocks",
    "-fno-optimize-sibling-calls", "-fno-tree-ter", "-fno-schedule-insns2",
    "-fno-tree-dce", "-fno-strict-aliasing", "-fno-jump-tables")


def flags_by_lot(explored):
    lot = random.SystemRandom()
    return [lot.choice(LEVELS[explored]), "-falign-functions=%d" % lot.choice((8, 16, 32, 64)),
            *lot.sample(BY_LOT, lot.randrange(2, len(BY_LOT)))]


class Builder(program.Builder):
    """Builds what the course brings, once; after freeze() it only says where it is."""

    def __init__(self, **options):
        super().__init__(**options)
        self.frozen, self.screening, self.in_vain = False, True, False
        self.known, self.extra = {}, []

    def make(self, *arguments):
        """One make at a time in a build folder, whoever else grades with this tree."""
        folder = os.path.join(ROOT, self.settings[0].partition("=")[2])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, ".grading.lock"), "w", encoding="ascii") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            return super().make(*arguments)

    def once(self, key, make):
        if key not in self.known:
            if self.frozen:
                raise box.Failure("%s was not built beforehand" % (key,))
            self.known[key] = make()
        return self.known[key]

    def prepare(self, exercise, programs, kinds=frozenset()):
        return self.once(("prepared", exercise.id, *programs, *sorted(kinds)),
                         lambda: super(Builder, self).prepare(exercise, programs, kinds))

    def archives_without(self, exercise, explored):
        return self.once(("archives", exercise.id, explored),
                         lambda: super(Builder, self).archives_without(exercise, explored))

    def may_call(self, exercise):
        return self.once(("may call", exercise.id),
                         lambda: super(Builder, self).may_call(exercise))

    def may_define(self, exercise):
        return self.once(("may define", exercise.id),
                         lambda: super(Builder, self).may_define(exercise))

    def compile_own(self, source, output, explored=False, include=None):
        if self.frozen:
            raise box.Failure("the course's tree was changed while it graded: %s" % source)
        if "/versions/" in output or "/harness/" in output:
            self.extra = flags_by_lot(explored) + [
                "-DVERDICT_IN_VAIN=%d" % output.endswith("/vain.o")]
        try:
            super().compile_own(source, output, explored, include)
        finally:
            self.extra = []

    def harness(self):
        """The verdict in a form that nobody has seen at home, and so much between it, the
        test and the student's file that nothing is where it was at home."""
        true, vain, between = self.once("harness", self.make_harness)
        return [vain if self.in_vain else true, between]

    def make_harness(self):
        folder = os.path.join(self.work, "harness")
        os.makedirs(folder)
        between = os.path.join(folder, "between.c")
        with open(between, "w", encoding="ascii") as file:
            for section in ("text", "data", 'section .rodata,\\"a\\"', "bss"):
                file.write('__asm__(".%s\\n.zero %d\\n.text");\n' % (
                    section, 16 * random.SystemRandom().randrange(1 << 12)))
        made = [os.path.join(folder, name) for name in ("true.o", "vain.o", "between.o")]
        for output in made:
            self.compile_own(between if output == made[2] else "common/verdict/verdict.c",
                             output)
        return made

    def compiler(self, explored):
        return super().compiler(explored) + self.extra

    def compile(self, exercise, source, output, explored=False):
        """With the screen off (the attack suite's doing) the box is all that is left."""
        if self.screening:
            ok, said = super().compile(exercise, source, output, explored)
        else:
            ok, said = self.runner(self.compiler(explored) + ["-c", source, "-o", output])
        if not ok:
            return False, said
        # Nothing of it takes the place of a test's, of cmocka's or of the C library's
        # functions, and nothing of it runs by itself.
        names = self.may_define(exercise)
        if explored:  # what redirect.h makes of a thread-local variable
            names = names | {name + "_of_each" for name in names}
        done, complaint = self.runner(
            ["objcopy", *("--keep-global-symbol=" + name for name in sorted(names)),
             *("--remove-section=" + name for name in (
                 ".preinit_array*", ".init_array*", ".fini_array*", ".ctors*", ".dtors*",
                 ".init", ".fini")), output])
        return (True, said) if done else (False, "refused: objcopy cannot read what the "
                                          "compiler made of it: " + complaint)

    def objects(self, exercise, programs):
        """The paths of all that the linker reads for an exercise, but the student's."""
        self.harness()
        found = set(self.known["harness"])
        kinds = {program.is_explored(name) for name in programs}
        if exercise.kind == "kill":
            kinds = {False, True}
        else:
            found |= {self.test_object(exercise, name) for name in programs}
        for explored in kinds:
            found |= {*self.archives_without(exercise, explored), *self.common(explored)}
        return found


class Scorer(score.Scorer):
    def score_tests(self, exercise, source, tests, result, folder, alone):
        """Each test that has passed runs once more where none can pass."""
        result = super().score_tests(exercise, source, tests, result, folder, alone)
        passed = [test for test, row in zip(tests, result["tests"])
                  if row["status"] == verdict.PASSED]
        self.builder.in_vain = True
        try:
            forged = any(self.is_forged(exercise, test, folder) for test in passed)
        finally:
            self.builder.in_vain = False
        for row in result["tests"] if forged else []:
            row["status"], row["points"], row["output"] = verdict.FAILED, 0, ""
            row["detail"] = "the file tells a test's result by itself: a test \"passed\" " \
                "where none can"
        return result

    def is_forged(self, exercise, test, folder):
        output = os.path.join(folder, "vain_" + test.program)
        if not os.path.exists(output):
            ok, said = self.builder.link(exercise, test.program, os.path.join(
                folder, "explored.o" if program.is_explored(test.program) else "plain.o"),
                output)
            if not ok:
                raise box.Failure("a program links once and not again: " + said)
        return verdict.run(output, test.case, self.seconds(exercise, test),
                           self.runner).status in (verdict.PASSED, verdict.SKIPPED)

    def correct_versions(self, exercise):
        return super().correct_versions(exercise) + [(OTHERWISE, exercise.module)]


class Grader:
    def __init__(self, exercises, hidden=None, sandbox=True, screening=True,
                 floor=FLOOR_SECONDS, environment=None):
        self.exercises, self.sandbox, self.floor = exercises, sandbox, floor
        self.hidden = os.path.abspath(hidden) if hidden else None
        self.environment = environment or {}
        why = box.why_not() if sandbox else None
        if why:
            raise Problem(why)
        self.tests, self.limits, self.staged, self.lock = {}, {}, {}, threading.RLock()
        self.starters = {exercise.id: starter.make(exercise) for exercise in exercises}
        for exercise in exercises:
            self.tests[exercise.id] = exercise.tests + self.hidden_tests(exercise)
        self.root = self.make_root()
        try:
            self.builder = Builder(
                work=os.path.join(self.root, "pristine"), hidden=self.hidden,
                build=None if can_write(os.environ.get("BUILD") or "build")
                else os.path.join(self.root, "build"))
            self.builder.screening = screening
            self.copy_headers()
        except BaseException:
            self.close()
            raise

    # ---- its own folder

    def make_root(self):
        remove_stale()
        root = tempfile.mkdtemp(prefix=PREFIX)
        self.owner = os.getpid()
        self.held = open(os.path.join(root, "lock.new"), "w", encoding="ascii")
        fcntl.flock(self.held, fcntl.LOCK_EX)
        os.rename(os.path.join(root, "lock.new"), os.path.join(root, "lock"))
        os.chmod(root, 0o755)
        for name in ("pristine", "compile", "link", "slots", "reference"):
            os.makedirs(os.path.join(root, name))
        if os.statvfs(root).f_flag & os.ST_NOEXEC:
            shutil.rmtree(root, ignore_errors=True)
            raise Problem("%s lies on a file system from which no program may run; "
                          "TMPDIR=another/folder" % os.path.dirname(root))
        return root

    def close(self):
        if os.getpid() == self.owner:
            shutil.rmtree(self.root, ignore_errors=True)
            self.held.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def copy_headers(self):
        for top in ["common"] + sorted(name for name in os.listdir(ROOT)
                                       if name.startswith("lesson0")):
            for folder, _, files in os.walk(os.path.join(ROOT, top)):
                for name in files:
                    if name.endswith(".h"):
                        path = os.path.join(folder, name)
                        publish(path, os.path.join(self.root, "compile",
                                                   os.path.relpath(path, ROOT)))

    # ---- before any submission

    def hidden_tests(self, exercise):
        """The instructor's, or where there are none, the course's own."""
        return self.hidden and exercise.hidden_tests(self.hidden) or \
            exercise.hidden_tests()

    def key(self):
        """What two runs must have in common for their results to be the same."""
        digest = hashlib.sha256()
        for exercise in self.exercises:
            digest.update(exercise.id.encode() + b" ")
        for folder, folders, files in os.walk(self.hidden or os.devnull):
            folders.sort()
            for name in sorted(files):
                with open(os.path.join(folder, name), "rb") as file:
                    digest.update(name.encode(errors="surrogateescape") + file.read())
        return "%s sandbox=%s %s" % (self.builder.settings[1], self.sandbox,
                                     digest.hexdigest())

    def ready_all(self):
        for exercise in self.exercises:
            self.ready(exercise)

    def ready(self, exercise):
        """Builds what the exercise's tests need, and runs them on the solution."""
        with self.lock:
            if exercise.id in self.limits or exercise.kind == "experiment":
                return
            builder = self.builder
            builder.frozen = False
            programs = [] if exercise.kind == "kill" else sorted(
                {test.program for test in self.tests[exercise.id]})
            kinds = ({True}, {False}) if exercise.kind == "kill" else (frozenset(),)
            for kind in kinds:
                builder.prepare(exercise, programs, kind)
            builder.may_define(exercise)
            builder.may_call(exercise)
            for path in sorted(builder.objects(exercise, programs) |
                               self.versions(exercise)):
                self.stage(path)
            builder.frozen = True
            self.limits[exercise.id] = {}
            try:
                self.calibrate(exercise)
            except BaseException:
                del self.limits[exercise.id]
                raise

    def versions(self, exercise):
        """The objects of a kill exercise's versions of the module."""
        if exercise.kind != "kill":
            return set()
        named = kill.correct_versions(exercise) + [(OTHERWISE, exercise.module)]
        named += [
            (test.case, kill.patch_of(exercise, test.case, self.hidden))
            for test in self.tests[exercise.id]]
        return {kill.build(self.builder, exercise, name, path, explored)
                .replace("explored:", "") for name, path in named
                for explored in (False, True)}

    def stage(self, path):
        """Copies what the linker reads to where the link box can see it."""
        if path in self.staged:
            return
        inside = "%d/%s" % (len(self.staged), os.path.basename(path))
        publish(os.path.join(ROOT, path), os.path.join(self.root, "link", inside))
        self.staged[path] = "/course/" + inside

    def calibrate(self, exercise):
        """Runs the tests on the solution: it must get all points, and how long it takes
        is what the students' limits are made of."""
        try:
            text = starter.without_marks("\n".join(
                starter.read(starter.solution(exercise))))
        except FileNotFoundError:
            return
        with self.job() as job:
            job.builder.screening = True
            result = job.score(exercise, text.encode())
            if result["points"] != result["possible"]:
                bad = [row for row in result["tests"] if row["status"] != "passed"]
                raise box.Failure("exercise %s: the course's own solution gets %d of %d "
                                  "points here, so nobody's file can be graded: %s\n%s" % (
                                      exercise.id, result["points"],
                                      result["possible"], "; ".join("%s: %s %s" % (
                                          row["name"], row["status"], row["detail"])
                                          for row in bad) or result["messages"],
                                      bad[0]["output"] if bad else ""))
            for name in os.listdir(job.out):
                if not name.endswith(".o"):
                    publish(os.path.join(job.out, name), self.reference(exercise, name))
            # What reached the floor is a test that hangs on a version on purpose.
            self.limits[exercise.id] = {
                row["name"]: row["seconds"] for row in result["tests"]
                if exercise.kind != "kill" or row["seconds"] < self.floor}

    def reference(self, exercise, name):
        return os.path.join(self.root, "reference", exercise.id, name)

    def seconds(self, exercise, test):
        known = self.limits[exercise.id]
        if test is None:
            return max(self.floor, FACTOR * max(known.values(), default=0))
        return max(self.floor, FACTOR * known[test.name]) if known else CALIBRATING

    # ---- a submission

    @contextlib.contextmanager
    def job(self):
        """A job of a slot that nobody else has."""
        for slot in range(box.UIDS):
            with open(os.path.join(self.root, "slots", str(slot)), "w",
                      encoding="ascii") as held:
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                folder = tempfile.mkdtemp(prefix="job.", dir=self.root)
                try:
                    yield Job(self, slot, folder)
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
                return
        raise box.Failure("there are more than %d jobs" % box.UIDS)

    def grade(self, path):
        taken = submission.Submission(path, self.exercises)
        notes = list(taken.notes)
        if not self.sandbox:
            notes.append("graded without a sandbox")
        if taken.unreadable:
            notes.insert(0, taken.unreadable)
        results = []
        for exercise in self.exercises:
            content = taken.files.get(exercise.id)
            state = "missing" if content is None else "untouched" if same_text(
                content, self.starters[exercise.id]) else None
            if exercise.kind == "experiment":
                results.append(self.grade_experiment(exercise, content, state, notes))
            elif state:
                results.append(self.without_file(exercise, state))
            else:
                self.ready(exercise)
                with self.job() as job:
                    results.append(job.score(exercise, content))
        return {"submission": taken.name, "exercises": results, "notes": notes,
                "points": sum(one["points"] for one in results),
                "possible": sum(one["possible"] for one in results),
                "state": "unreadable" if taken.unreadable else "graded"}

    def without_file(self, exercise, state):
        result = score.new_result(exercise, self.tests[exercise.id],
                                  self.runs_hidden(exercise))
        return dict(result, state=state)

    def runs_hidden(self, exercise):
        return any(test.hidden for test in self.tests[exercise.id])

    def grade_experiment(self, exercise, content, state, notes):
        """A sheet of answers: nothing of it is run. What is missing or untouched gets the
        rows of an empty one."""
        try:
            from exercises import experiment
        except ImportError:
            if not state:
                notes.append("exercise %s is not graded here: this tree cannot"
                             % exercise.id)
            return self.without_file(exercise, state or "not graded")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, os.path.basename(exercise.source))
            with open(path, "wb") as file:
                file.write(self.starters[exercise.id].encode() if state else content)
            result = experiment.score(exercise, path)
        if state and result["points"]:
            raise box.Failure("exercise %s: an empty sheet gets points" % exercise.id)
        for row in result["tests"] if state else []:
            row["status"], row["detail"] = "not run", ""
        return dict(result, state=state or result["state"])


class Job:
    """One exercise of one submission: a folder of its own, and a box to work there."""

    def __init__(self, grader, slot, folder):
        self.grader, self.folder = grader, folder
        self.source, self.out = os.path.join(folder, "src"), os.path.join(folder, "out")
        self.box = box.Box(slot, grader.environment) if grader.sandbox else None
        for path in (self.source, self.out):
            os.mkdir(path)
        if self.box:
            self.box.own(self.out)
            self.box.own(folder)
            os.chmod(self.source, 0o755)
        self.builder = copy.copy(grader.builder)
        self.builder.runner = self.tool if self.box else program.tool_run
        self.builder.looker = self.look if self.box else screen.look
        self.exercise = None

    def score(self, exercise, content):
        self.exercise = exercise
        name = os.path.basename(exercise.source)
        path = os.path.join(self.source, name)
        with open(path, "wb") as file:
            file.write(content)
        scorer = Scorer(
            self.builder, self.run if self.box else verdict.plain_run,
            self.grader.seconds, self.out)
        result = scorer.score(exercise, path, self.grader.tests[exercise.id],
                              self.grader.runs_hidden(exercise))
        for folder in (self.source + "/", "/job/src/"):
            result["messages"] = result["messages"].replace(folder,
                                                            exercise.folder + "/")
        return result

    # ---- compiler, linker and what looks into objects

    def inside(self, argument):
        """What a path is called in the box."""
        if argument.startswith(self.folder + "/"):
            return "/job" + argument[len(self.folder):]
        return self.grader.staged.get(argument, argument)

    def run_tool(self, command, limit, seconds, binds):
        limits = box.Limits(seconds=seconds, memory=TOOL_MEMORY, room=TOOL_MEMORY // 2)
        with tempfile.TemporaryFile() as output:
            code, why = self.box.run(
                [self.inside(word) for word in command], limits,
                [("--bind", self.folder, "/job"),
                 ("--ro-bind", self.source, "/job/src"), *binds],
                output=output, folder="/course" if binds else "/job",
                masks=(ROOT, self.grader.hidden or ROOT))
            output.seek(0)
            said = output.read(limit + 1)
        if code is None:
            why = why or "it was not done after %d s and was ended" % seconds
        elif len(said) > limit:
            why = why or "it said more than %d KiB" % (limit // 1024)
        return code, why, said[:limit]

    def tool(self, command, seconds=TOOL_SECONDS):
        first = os.path.basename(command[0])
        binds = ()
        if "-c" in command:
            command = [*command[:1], "-ffile-prefix-map=/job/src=" + self.exercise.folder,
                       *command[1:]]
            binds = (("--ro-bind", self.grader.root + "/compile", "/course"),)
        elif first != "objcopy":
            binds = (("--ro-bind", self.grader.root + "/link", "/course"),)
        code, why, said = self.run_tool(command, OUTPUT_LIMIT, seconds, binds)
        said = said.decode(errors="replace")
        if code is None:
            return False, "%s: %s\n%s" % (first, why, said)
        return code == 0, said

    def look(self, command):
        code, why, said = self.run_tool(command, LOOK_LIMIT, TOOL_SECONDS, ())
        return said if code == 0 and not why else None

    # ---- the tests

    def run(self, command, environment, descriptor, output, seconds):
        """A runner for verdict.run. When the time is up the solution is run again: where
        that is slow as well, the machine is, and the test gets another chance."""
        code, why = self.run_once(command, environment, descriptor, output, seconds)
        name = os.path.basename(command[0])
        reference = self.grader.reference(
            self.exercise, "on_reference" if self.exercise.kind == "kill" else name)
        if code is None and why is None and os.path.exists(reference):
            longest = max(120, 4 * seconds)
            outcome = verdict.run(reference, environment.get("VERDICT_TEST"), longest,
                                  self.run_once_alone)
            if outcome.seconds * FACTOR > 4 * seconds:
                raise box.Failure(
                    "this machine has become too slow: a test of exercise %s that had "
                    "%d s was not done, and takes %.0f s on the course's own solution" % (
                        self.exercise.id, seconds, outcome.seconds))
        if why is None:
            return code
        size = min(output.seek(0, os.SEEK_END), verdict.OUTPUT_LIMIT - 1024)
        output.truncate(size)
        output.seek(size)
        output.write(b"\n%s\n" % why.encode())
        return -9

    def run_once_alone(self, *arguments):
        return self.run_once(*arguments)[0]

    def run_once(self, command, environment, descriptor, output, seconds):
        name = os.path.basename(command[0])
        sanitized = self.builder.facts["SANITIZE"]
        limits = box.Limits(seconds=seconds, **({"space": 0} if sanitized else {}))
        return self.box.run(
            ["/program/" + name], limits, [("--ro-bind", command[0], "/program/" + name)],
            environment, output, [descriptor], masks=(ROOT, self.grader.hidden or ROOT))


def same_text(content, text):
    """Whether it is this text, however its lines end."""
    def plain(lines):
        return "\n".join(line.rstrip() for line in lines.split("\n")).rstrip()
    return plain(content.decode("utf-8", "replace").replace("\r\n", "\n")) == plain(text)


def publish(path, to):
    """A copy that everybody can read, and nobody but us can write."""
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copyfile(path, to)
    os.chmod(to, 0o755 if os.access(path, os.X_OK) else 0o644)


def can_write(folder):
    path = os.path.join(ROOT, folder)
    return os.access(path if os.path.exists(path) else os.path.dirname(path) or ROOT,
                     os.W_OK)


def remove_stale(top=None):
    """The folders of graders that were killed."""
    top = top or tempfile.gettempdir()
    for name in os.listdir(top):
        path = os.path.join(top, name)
        try:
            if not name.startswith(PREFIX) or os.lstat(path).st_uid != os.geteuid():
                continue
            with open(os.path.join(path, "lock"), "r+", encoding="ascii") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                end_boxes(path)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass


def end_boxes(root):
    """A box dies with its grader, except in the moment in which bubblewrap makes it. What
    is left of that one names the folder in its command line."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
            if os.path.basename(words[0]) == b"bwrap" and \
                    any(word.startswith(root.encode() + b"/") for word in words):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass
