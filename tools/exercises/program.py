"""program: compiles a student's file and links it with the tests.

Everything but that one file is the course's own, built by the Makefile: the test's object,
the lessons' archives, cmocka. Of the archive that holds the module which the student
writes, a copy without that module is linked, so that nothing of the reference slips in
where a function is missing.
"""
import os
import re
import shutil
import subprocess

from . import ROOT, Problem, screen, starter

TOOL_SECONDS = 120


def tool_run(command, seconds=TOOL_SECONDS):
    """Runs a compiler or linker on a student's file; (ok, what it said)."""
    try:
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=seconds,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except subprocess.TimeoutExpired:
        return False, "%s was not done after %d s" % (command[0], seconds)
    return done.returncode == 0, done.stdout.decode(errors="replace")


class Builder:
    """One build folder. `runner`: who runs compiler and linker on a student's file, and
    `looker` who looks into what they made (the grader does both in a sandbox). `work`:
    where what is made here goes, below ROOT or not. `hidden`: an instructor's own folder
    of hidden tests, N.M/ in it as in tools/grading/; what is not there is the course's.
    Commands run with ROOT as the current folder, so the course's own paths are relative."""

    def __init__(self, build=None, cc=None, work=None, runner=tool_run, hidden=None,
                 looker=screen.look):
        self.settings = ["BUILD=" + (build or os.environ.get("BUILD") or "build"),
                         "CC=" + (cc or os.environ.get("CC") or "gcc")]
        self.runner, self.looker, self.hidden = runner, looker, hidden
        self.facts = self.read_facts()
        self.base = self.facts["B"]
        self.work = work or os.path.join(self.base, "exercises")
        self.symbols = {}
        self.prepared = set()

    def make(self, *arguments):
        return subprocess.run(
            ["make", "--no-print-directory", "-s", "-j%d" % (os.cpu_count() or 1),
             *self.settings, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL,
            capture_output=True, check=False,
            env={k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL",
                                                                  "MFLAGS", "MINE")})

    def read_facts(self):
        done = self.make("facts")
        facts = dict(line.split("=", 1) for line in done.stdout.decode().splitlines()
                     if "=" in line)
        if done.returncode != 0 or "CFLAGS" not in facts:
            raise Problem("make facts failed: " + done.stderr.decode(errors="replace"))
        return facts

    # ---- what the course brings

    def object_of(self, path, explored):
        return "%s/%sobj/%s.o" % (self.base, "explore/" if explored else "", path[:-2])

    def archives(self, lesson, explored):
        folder = self.base + ("/explore/lib" if explored else "/lib")
        return ["%s/lesson0%d.a" % (folder, n) for n in range(lesson, 0, -1)]

    def common(self, explored):
        if explored:
            return [self.base + "/explore/lib/common.a", self.base + "/lib/explore.a"]
        return [self.base + "/lib/testing.a", self.base + "/lib/common.a"]

    def source_of(self, exercise, program):
        """Where the source of a test program is."""
        folders = [exercise.folder, exercise.lesson_folder, exercise.grading_folder]
        if self.hidden:
            folders.insert(2, os.path.join(os.path.abspath(self.hidden), exercise.id))
        for folder in folders:
            if os.path.exists(os.path.join(ROOT, folder, program + ".c")):
                return os.path.join(folder, program + ".c")
        raise Problem("%s: there is no test program %s.c" % (exercise.page, program))

    def prepare(self, exercise, programs, kinds=frozenset()):
        """Lets make build all that the tests of an exercise are linked with, once.
        `kinds`: explored or not, beyond what the programs are."""
        asked = (exercise.id, *programs, *sorted(kinds))
        if asked in self.prepared:
            return
        wanted = {self.object_of("common/verdict/verdict.c", False)}
        # The course's functions are looked up in the ordinary archives.
        wanted |= set(self.archives(exercise.lesson, False)) | set(self.common(False))
        if exercise.kind == "kill":
            wanted.add(self.base + "/lib/explore.a")
        for explored in kinds | {is_explored(name) for name in programs}:
            wanted |= set(self.archives(exercise.lesson, explored))
            wanted |= set(self.common(explored))
        for name in programs:
            if self.is_made_by_make(exercise, name):
                wanted.add(self.object_of(self.source_of(exercise, name), is_explored(name)))
        done = self.make(*sorted(wanted))
        if done.returncode != 0:
            raise Problem("the course itself does not build; first mend this:\n" +
                          done.stderr.decode(errors="replace"))
        for name in programs:
            if not self.is_made_by_make(exercise, name):
                self.compile_test(exercise, name)
        self.prepared.add(asked)

    def is_made_by_make(self, exercise, program):
        """Not so: what lies in an instructor's own folder, and a test that includes the
        module itself, to make its threads pause inside. Here it is linked with it."""
        source = self.source_of(exercise, program)
        if os.path.isabs(source):
            return False
        with open(os.path.join(ROOT, source), encoding="utf-8") as file:
            return '#include "%s"' % exercise.module not in file.read()

    def test_object(self, exercise, program):
        source = self.source_of(exercise, program)
        if self.is_made_by_make(exercise, program):
            return self.object_of(source, is_explored(program))
        return os.path.join(self.work, exercise.id, "tests", program + ".o")

    def compile_test(self, exercise, program):
        """A test's object in which the module's name stands for its header."""
        output = self.test_object(exercise, program)
        source = self.source_of(exercise, program)
        full = os.path.join(ROOT, source)
        if os.path.exists(output) and os.path.getmtime(output) > os.path.getmtime(full):
            return
        folder = os.path.join(self.work, exercise.id, "instead")
        instead = os.path.join(ROOT, folder, exercise.module)
        os.makedirs(os.path.dirname(instead), exist_ok=True)
        with open(instead, "w", encoding="utf-8") as file:
            file.write('#include "%s.h"\n' % exercise.module[:-2])
        self.compile_own(source, output, is_explored(program), folder)

    def compile_own(self, source, output, explored=False, include=None):
        """Compiles a file of the course's (a version of a module, a hidden test)."""
        os.makedirs(os.path.join(ROOT, os.path.dirname(output)), exist_ok=True)
        first, *flags = self.compiler(explored)
        ok, said = tool_run([first, *(["-I" + include] if include else []), *flags,
                             "-c", source, "-o", output])
        if not ok:
            raise Problem("%s does not compile:\n%s" % (source, said))

    def compiler(self, explored):
        return [self.facts["CC"], *self.facts["EXPLORE_CFLAGS" if explored
                                              else "CFLAGS"].split()]

    def archives_without(self, exercise, explored):
        """The lesson's archives, without the module that the exercise is about."""
        archives = self.archives(exercise.lesson, explored)
        if exercise.kind not in ("build", "kill"):
            return archives
        folder = os.path.join(self.work, exercise.id, "explored" if explored else "plain")
        copy = os.path.join(folder, os.path.basename(archives[0]))
        source = os.path.join(ROOT, archives[0])
        if not os.path.exists(copy) or os.path.getmtime(copy) < os.path.getmtime(source):
            os.makedirs(folder, exist_ok=True)
            shutil.copy(source, copy + ".new")
            members = [os.path.basename(exercise.module)[:-2] + ".o",
                       os.path.basename(exercise.source)[:-2] + ".o"]
            subprocess.run([self.facts["AR"], "d", copy + ".new", *members], check=True,
                           capture_output=True)
            os.rename(copy + ".new", copy)
        return [copy, *archives[1:]]

    def may_call(self, exercise):
        """The course's own functions that the student's file may call."""
        names = set(exercise.calls)
        archives = self.archives(exercise.lesson, False) + [self.base + "/lib/common.a"]
        if exercise.kind == "kill":
            archives += [self.base + "/lib/testing.a"]
            archives += [self.base + "/lib/explore.a"]
        for archive in archives:
            path = os.path.join(ROOT, archive)
            if archive not in self.symbols and os.path.exists(path):
                self.symbols[archive] = {name for letter, name in screen.nm(path, "-g")
                                         if letter.isupper() and letter != "U"}
            names |= self.symbols.get(archive, set())
        return names

    def may_define(self, exercise):
        """The global names of the exercise's starter."""
        folder = os.path.join(self.work, exercise.id)
        os.makedirs(folder, exist_ok=True)
        source, output = os.path.join(folder, "starter.c"), os.path.join(folder, "starter.o")
        text = starter.make(exercise)
        try:
            with open(source, encoding="utf-8") as file:
                same = file.read() == text and os.path.exists(output)
        except FileNotFoundError:
            same = False
        if not same:
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            self.compile_own(source, output)
        return screen.defined(output)

    def harness(self):
        """What stands first in each program: the verdict, and what the grader puts between
        it, the test and the student's file."""
        return [self.object_of("common/verdict/verdict.c", False)]

    # ---- what the student brings

    def compile(self, exercise, source, output, explored=False):
        """Screens and compiles a student's file. (ok, what to tell)."""
        with open(os.path.join(ROOT, source), encoding="utf-8", errors="replace") as file:
            wrong = screen.source(file.read())
        if wrong:
            return False, "refused: " + wrong
        # A warning is the student's to see; it never keeps a test from running.
        command = [flag for flag in self.compiler(explored) if flag != "-Werror"]
        ok, said = self.runner(command + ["-c", source, "-o", output])
        if not ok:
            return False, said or "the compiler failed and said nothing"
        wrong = screen.compiled(output, self.may_define(exercise), self.may_call(exercise),
                                exercise.kind == "kill", explored, self.looker)
        if wrong:
            return False, "refused: " + wrong
        return True, said

    def link(self, exercise, program, student, output, module=None):
        """Links one program. `program`: the name of a test program, or None in a kill
        exercise, where the student's object is the program and `module` the version of the
        module under test. (ok, what the linker said)."""
        explored = is_explored(program) if program else module.startswith("explored:")
        objects = [*self.harness()]
        if program:
            objects += [self.test_object(exercise, program), *self.harness()[1:]]
        objects.append(student)
        if module:
            objects.append(module.replace("explored:", ""))
        command = [self.facts["CC"], *self.facts["SANITIZE"].split(), "-pthread",
                   *self.facts["LDFLAGS"].split(), "-o", output, *objects,
                   *self.archives_without(exercise, explored), "-Wl,--start-group",
                   *self.common(explored), "-Wl,--end-group",
                   *self.facts["EXPLORE_WRAP_FLAGS" if explored else "WRAP_FLAGS"].split(),
                   "-Wl,--wrap=_cmocka_run_group_tests", "-Wl,--wrap=_skip",
                   "-lcmocka", *self.facts["LDLIBS"].split()]
        ok, said = self.runner(command)
        if ok:
            return True, ""
        missing = sorted(set(re.findall(r"undefined reference to [`'](\w+)'", said)))
        if missing:
            return False, "not there, although the header declares it: " + ", ".join(missing)
        return False, said


def is_explored(program):
    return program.startswith("explore_")
