"""batch: grades a folder of submissions, unattended.

    batch(folder, out, grade, key=..., jobs=2, formats=["report"], again=False)
    single(path, out, grade, key=..., formats=["report"])       one entry of it
    collect(out)                                                the table of what is there

Each entry of `folder` is one submission. `grade(path)` gives its result (see writers/);
it runs in a process of its own, so that nothing that it does stops the rest. What is there
at the end, or after each submission:

    OUT/NAME/graded.json    the whole result, with the digest of what it depends on
    OUT/NAME/report.txt     and the other forms that were asked for
    OUT/scores.csv          at the end: of all entries of `folder`, sorted

graded.json is written last and appears whole: a run that is killed at any moment is gone
on with by the same command. A submission is not graded again when the digest is the same:
of its content, of the course's tree with tests and grader, of the compiler, and of `key`,
the caller's options. Where the grader itself fails, it is tried once more; then the
submission is marked "failed", has no points, and is tried again by the next run.

`part=(3, 8)` grades the third of eight parts of the folder: several machines can share
OUT, and `collect(OUT)` writes the table when all have ended.

Exit status: 0 every submission has a score (or could not be read, which is one), 1 the
grader failed on some, 130 or 143 interrupted.
"""
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import select
import signal
import stat
import subprocess
import sys
import time
import traceback

from exercises import ROOT, Problem

from . import writers
from .writers import table, told

VERSION = "1"
ATTEMPTS = 2
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
# Of a larger file, this much and its size stand for it.
HASHED_BYTES = 64 << 20


# ---- names and digests

def safe_name(entry):
    """A folder's name for a submission, whatever its own name holds; no two the same."""
    raw = os.fsencode(entry)
    name = "".join(chr(byte) if chr(byte) in SAFE else "%%%02x" % byte for byte in raw)
    if name.startswith("."):
        name = "%2e" + name[1:]
    if len(name) > 120:
        name = name[:100] + "%" + hashlib.sha256(raw).hexdigest()[:16]
    return name


def add(digest, path, name):
    """Adds what lies at `path` to the digest; links are not followed."""
    try:
        found = os.lstat(path)
        kind = stat.S_IFMT(found.st_mode)
        digest.update(b"%d %d " % (kind, len(os.fsencode(name))) + os.fsencode(name))
        if kind == stat.S_IFLNK:
            digest.update(os.fsencode(os.readlink(path)))
        elif kind == stat.S_IFDIR:
            for entry in sorted(os.listdir(path), key=os.fsencode):
                add(digest, os.path.join(path, entry), entry)
            digest.update(b"end")
        elif kind == stat.S_IFREG:
            digest.update(b"%d " % found.st_size)
            with open(path, "rb") as file:
                left = HASHED_BYTES
                while left > 0:
                    piece = file.read(min(left, 1 << 20))
                    if not piece:
                        break
                    digest.update(piece)
                    left -= len(piece)
    except OSError as error:
        digest.update(b"unread %d" % (error.errno or 0))


def content_digest(path):
    digest = hashlib.sha256()
    add(digest, os.path.realpath(path), "")
    return digest.hexdigest()


def tree_digest(root=ROOT):
    """Of all that a score depends on but the submission: course, tests, grader."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(root)):
        if name in ("Makefile", "common", "tools") or name.startswith("lesson0"):
            for folder, folders, files in os.walk(os.path.join(root, name)):
                folders[:] = sorted(one for one in folders if one != "__pycache__")
                for file in sorted(files):
                    path = os.path.join(folder, file)
                    add(digest, path, os.path.relpath(path, root))
            if name == "Makefile":
                add(digest, os.path.join(root, name), name)
    return digest.hexdigest()


def compiler_version(compiler=None):
    try:
        done = subprocess.run([compiler or os.environ.get("CC") or "gcc", "--version"],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.stdout.decode(errors="replace").split("\n")[0]
    except OSError:
        return "none"


def run_key(options, root=ROOT):
    """What two runs must have in common for one to take over the other's results."""
    return hashlib.sha256("\n".join([VERSION, tree_digest(root), compiler_version(),
                                     str(options)]).encode()).hexdigest()


# ---- one submission

def folder_of(out, entry):
    return os.path.join(out, safe_name(entry))


def stored(folder):
    """(digest, result) of a folder of results; (None, None) where there is none."""
    try:
        with open(os.path.join(folder, "graded.json"), encoding="ascii") as file:
            known = json.load(file)
        return known["digest"], known["result"]
    except (OSError, ValueError, KeyError, TypeError):
        return None, None


def complete(result, folder, formats, options):
    """Writes the forms that an earlier run was not asked for."""
    missing = [name for name in formats if name not in writers.FORMATS or
               not os.path.exists(os.path.join(folder, writers.FORMATS[name][0]))]
    writers.write_all(result, folder, missing, **options)


def store(result, folder, digest, formats, options):
    """graded.json last: where it is, the rest is too."""
    writers.write_all(result, folder, formats, **options)
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if name.startswith(".") and name.endswith(".new"):  # of a run that was killed
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, name))
    writers.write_file(os.path.join(folder, "graded.json"),
                       json.dumps({"digest": digest, "result": result}, indent=1) + "\n")


def score_of(result):
    seen = told.view(result)
    if seen["state"] != "graded":
        return seen["state"] + ": " + "; ".join(seen["notes"])
    return "%d of %d" % (seen["points"], seen["possible"])


def failed_result(entry, why):
    return {"submission": entry, "exercises": [], "points": 0, "possible": 0,
            "notes": [why], "state": "failed"}


def single(path, out, grade, key="", formats=("report",), again=False, **options):
    """Grades the submission `path` into `out`, as a batch would, unless that has been
    done. 0; where the grader fails twice, that is stored and its exception goes on."""
    entry, key = os.path.basename(os.path.normpath(path)), run_key(key)
    for attempt in range(ATTEMPTS):
        try:
            result = grade_one(path, out, grade, key, formats, again, **options)
            break
        except Problem:
            raise
        except Exception as error:
            if attempt + 1 < ATTEMPTS:
                continue
            why = ("the grader: %s" % (error or type(error).__name__)).split("\n")[0]
            store(failed_result(entry, why), folder_of(out, entry), "", formats, options)
            raise
    say_line("%s: %s" % (told.one_line(entry), score_of(result)))
    return 0


def grade_one(path, out, grade, key, formats, again, **options):
    entry = os.path.basename(os.path.normpath(path))
    folder = folder_of(out, entry)
    digest = hashlib.sha256((key + content_digest(path)).encode()).hexdigest()
    known, result = stored(folder)
    if known == digest and result.get("state") != "failed" and not again:
        complete(result, folder, formats, options)
        return result
    result = dict(grade(path), submission=entry)
    writers.check(result)
    store(result, folder, digest, formats, options)
    return result


# ---- many

class Stopped(BaseException):
    """SIGTERM came to a child."""


def stop(number, _frame):
    signal.signal(number, signal.SIG_IGN)  # once: ending what runs takes a moment
    raise Stopped(number)


class Child:
    """A process that grades one submission into its folder of results."""

    def __init__(self, entry, attempt, work):
        self.entry, self.attempt, self.since = entry, attempt, time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self.said, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.said)
            self.become(parent, writing, work)
        os.close(writing)

    @staticmethod
    def become(parent, writing, work):
        status = 70
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            # It ends through Python's exceptions, so that what it runs is ended too; also
            # when the batch has been killed.
            signal.signal(signal.SIGTERM, stop)
            os.setsid()
            ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
            if os.getppid() == parent:
                work()
                status = 0
        except Stopped:
            status = 75
        except BaseException as error:  # whatever it is, the rest goes on
            text = traceback.format_exc() if not isinstance(error, Problem) else ""
            with contextlib.suppress(OSError):
                os.write(writing, told.clean("%s\n%s" % (error or type(error).__name__, text))
                         .encode()[:32 * 1024])
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def ended(self):
        """None while it runs; then (why it failed or "", all that it said)."""
        pid, code = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        os.set_blocking(self.said, False)
        said = b""
        with contextlib.suppress(OSError):
            said = os.read(self.said, 1 << 16)
        os.close(self.said)
        self.send(signal.SIGKILL, -self.pid)  # what it has left behind in its group
        if code == 0:
            return "", ""
        if os.WIFSIGNALED(code):
            return "the grader was ended by %s" % signal.Signals(os.WTERMSIG(code)).name, ""
        text = said.decode(errors="replace").strip()
        return "the grader: %s" % (text.split("\n")[0] or "it ended with status %d"
                                   % os.WEXITSTATUS(code)), text

    @staticmethod
    def send(number, target):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(target, number)

    def end(self, grace=5):
        """Asks it to end, and ends it when it does not."""
        self.send(signal.SIGTERM, self.pid)
        until = time.monotonic() + grace
        while self.ended() is None:
            if time.monotonic() > until:
                self.send(signal.SIGKILL, self.pid)
            time.sleep(0.02)


class Lock:
    """Keeps two batches out of one folder of results. The kernel gives the lock back when
    its process and that one's children are gone; the file says whose it was."""

    def __init__(self, out, part, say):
        self.path = os.path.join(out, ".lock" if part == (1, 1) else ".lock-%d-%d" % part)
        try:
            os.makedirs(out, exist_ok=True)
            self.file = open(self.path, "a+", encoding="utf-8")
        except OSError as error:
            raise Problem("%s cannot be written to: %s" % (
                told.one_line(out), error.strerror)) from None
        self.file.seek(0)
        before = self.file.read().strip()
        # Children of a batch that was killed have a few seconds to go.
        until = time.monotonic() + (15 if before and not is_alive(before) else 0)
        while True:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    self.file.close()
                    raise Problem("%s is in use by another batch (process %s)" % (
                        told.one_line(out), before or "unknown")) from None
                time.sleep(0.1)
        if before:
            say("taking over from process %s, which has ended without finishing" % before)
        self.file.seek(0)
        self.file.truncate()
        self.file.write("%d\n" % os.getpid())
        self.file.flush()

    def release(self):
        self.file.seek(0)
        self.file.truncate()
        self.file.close()


def is_alive(pid):
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def entries_of(folder, out, say):
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise Problem("%s: %s" % (told.one_line(folder), error.strerror)) from None
    if os.path.realpath(folder) == os.path.realpath(out):
        raise Problem("the results cannot go into the folder of the submissions, %s"
                      % told.one_line(folder))
    left_out = [name for name in names if name.startswith(".") or os.path.realpath(
        os.path.join(folder, name)) == os.path.realpath(out)]
    if left_out:
        say("left out: %s" % " ".join(map(told.one_line, left_out)))
    return [name for name in names if name not in left_out]


class Batch:
    def __init__(self, folder, out, grade, key, jobs, formats, again, limit, part, say,
                 options):
        self.folder, self.out, self.grade, self.key = folder, out, grade, run_key(key)
        self.jobs, self.formats, self.again = max(1, jobs), formats, again
        self.limit, self.say, self.options = limit, say, options
        self.entries = entries_of(folder, out, say)[part[0] - 1::part[1]]
        self.results, self.running = {}, []
        self.stopped = None  # the number of the signal that came

    def work(self, entry):
        return lambda: grade_one(os.path.join(self.folder, entry), self.out, self.grade,
                                 self.key, self.formats, self.again, **self.options)

    def is_done(self, entry):
        """A result of an earlier run is taken over here, without a process."""
        if self.again:
            return False
        digest, result = stored(folder_of(self.out, entry))
        path = os.path.join(self.folder, entry)
        mine = hashlib.sha256((self.key + content_digest(path)).encode()).hexdigest()
        if digest != mine or result.get("state") == "failed":
            return False
        complete(result, folder_of(self.out, entry), self.formats, self.options)
        self.note(entry, result, "as before: ")
        return True

    def note(self, entry, result, prefix=""):
        self.results[entry] = result
        width = len(str(len(self.entries)))
        self.say("[%*d/%d] %s: %s%s" % (width, len(self.results), len(self.entries),
                                        told.one_line(entry), prefix, score_of(result)))

    def start(self, entry, attempt=1):
        self.running.append(Child(entry, attempt, self.work(entry)))

    def finish(self, child, why, said=""):
        """A child has ended; its entry is done, or is to be tried again."""
        self.running.remove(child)
        folder = folder_of(self.out, child.entry)
        result = stored(folder)[1]
        if not why and result is None:
            why = "the grader left no result"
        if not why:
            self.note(child.entry, result)
        elif child.attempt < ATTEMPTS:
            self.say("%s: %s; once more" % (told.one_line(child.entry), why))
            self.start(child.entry, child.attempt + 1)
        else:
            result = failed_result(child.entry, why)
            store(result, folder, "", self.formats, self.options)
            if said:
                writers.write_file(os.path.join(folder, "grader.log"), said + "\n")
            self.note(child.entry, result)

    def look(self):
        for child in list(self.running):
            end = child.ended()
            if end:
                self.finish(child, *end)
            elif time.monotonic() - child.since > self.limit:
                child.end()
                self.finish(child, "the grader was not done after %d s and was ended"
                            % self.limit)

    def run(self, waiting):
        """Until all is done, or a signal came; the pipe `waiting` says that one did."""
        left = list(reversed(self.entries))
        while (left or self.running) and not self.stopped:
            while left and len(self.running) < self.jobs and not self.stopped:
                entry = left.pop()
                if not self.is_done(entry):
                    self.start(entry)
            if self.running:
                select.select([waiting], [], [], 1.0)
                with contextlib.suppress(BlockingIOError):
                    os.read(waiting, 4096)
                self.look()

    def end_children(self):
        for child in self.running:
            child.send(signal.SIGTERM, child.pid)
        for child in self.running:
            child.end()
        self.running = []

    def stop(self, number, _frame):
        self.stopped = number


def percent_bar(results):
    """How the scores lie, in tenths."""
    shares = [result["points"] / result["possible"] for result in results
              if result["possible"]]
    if not shares:
        return []
    bins = [0] * 11
    for share in shares:
        bins[min(10, int(share * 10))] += 1
    most = max(bins)
    names = ["%3d-%d %%" % (tenth * 10, tenth * 10 + 9) for tenth in range(10)] + ["100 %"]
    return ["  %10s %4d %s" % (name, count, "#" * -(-count * 40 // most))
            for name, count in zip(names, bins) if count]


def summary(results, say, seconds=None):
    """The closing lines; True when the grader failed nowhere."""
    states = [result["state"] for result in results]
    failed = [result for result in results if result["state"] == "failed"]
    say("")
    for line in percent_bar([one for one in results if one["state"] == "graded"]):
        say(line)
    for word in ("unreadable", "failed"):
        names = [told.one_line(one["submission"]) for one in results
                 if one["state"] == word]
        if names:
            say("%s: %s" % (word, " ".join(names)))
    say("%d graded, %d unreadable, %d failed%s" % (
        states.count("graded"), states.count("unreadable"), len(failed),
        "" if seconds is None else " in %.0f s" % seconds))
    if failed:
        say("failed: the grader itself failed there. That is no score; the same command "
            "tries these again.")
    return not failed


def write_scores(out, results):
    path = os.path.join(out, "scores.csv")
    writers.write_file(path, table.write(results))
    return path


def collect(out, say=print):
    """OUT/scores.csv of all results that lie in OUT, however they came there."""
    try:
        folders = sorted(os.listdir(out))
    except OSError as error:
        raise Problem("%s: %s" % (told.one_line(out), error.strerror)) from None
    results = []
    for name in folders:
        result = stored(os.path.join(out, name))[1]
        if result is not None:
            results.append(result)
        elif os.path.isdir(os.path.join(out, name)):
            say("%s: no result in it (not finished?)" % told.one_line(name))
    if not results:
        raise Problem("there are no results in %s" % told.one_line(out))
    fine = summary(results, say)
    say("scores: %s" % told.one_line(write_scores(out, results)))
    return 0 if fine else 1


def say_line(text):
    print(told.clean(text), flush=True)


def batch(folder, out, grade, key="", jobs=2, formats=("report",), again=False, limit=3600,
          part=(1, 1), say=say_line, **options):
    """See above. `limit`: seconds for one submission, all its exercises together.
    `options`: for the writers."""
    if not 1 <= part[0] <= part[1]:
        raise Problem("there is no part %d of %d" % tuple(part))
    lock = Lock(out, tuple(part), say)
    began = time.monotonic()
    try:
        work = Batch(folder, out, grade, key, jobs, formats, again, limit, part, say,
                     options)
        with signals_to(work) as waiting:
            work.run(waiting)
            work.end_children()
        if work.stopped:
            say("interrupted: %d of %d are done; the same command goes on from here" % (
                len(work.results), len(work.entries)))
            return 128 + work.stopped
        results = [work.results[entry] for entry in work.entries]
        path = write_scores(out, results) if part[1] == 1 else None
    finally:
        lock.release()
    fine = summary(results, say, time.monotonic() - began)
    say("scores: %s" % told.one_line(path) if path else "part %d of %d: --collect writes "
        "the table when all parts are there" % tuple(part))
    return 0 if fine else 1


@contextlib.contextmanager
def signals_to(work):
    """Gives SIGINT and SIGTERM to `work`; yields a descriptor from which something can be
    read when one of them, or the end of a child, has come."""
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    before = {number: signal.signal(number, work.stop)
              for number in (signal.SIGINT, signal.SIGTERM)}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        work.end_children()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        os.close(reading)
        os.close(writing)
