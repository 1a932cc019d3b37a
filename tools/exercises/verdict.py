"""verdict: runs one test in a process of its own and learns what came out.

The program (common/verdict/verdict.c) is handed a descriptor in which a random word lies;
only lines that come back through it and begin with that word count. What the program
prints, and its exit status 0, prove nothing; a status other than 0, a signal, or no word
at all is not a pass.
"""
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time

PASSED, FAILED, SKIPPED, MISSING = "passed", "failed", "skipped", "missing"
DIED, HUNG, SILENT = "died", "hung", "silent"
OUTPUT_LIMIT = 64 * 1024


class Outcome:
    """What came of one run: the status, what was printed, a sentence, seconds."""

    def __init__(self, status, output="", detail="", seconds=0.0):
        self.status, self.output = status, output
        self.detail, self.seconds = detail, seconds


def plain_run(command, environment, descriptor, output, seconds):
    """Without a sandbox: for a student's own machine, and the student's own code.
    Returns the exit status (negative: a signal), or None when the time was up."""
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=output,
        stderr=subprocess.STDOUT, pass_fds=[descriptor], start_new_session=True)
    try:
        return child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()


def read_lines(ours):
    ours.setblocking(False)
    heard = b""
    try:
        while len(heard) < 4096:
            piece = ours.recv(4096)
            if not piece:
                break
            heard += piece
    except BlockingIOError:
        pass
    except ConnectionResetError:
        pass
    return heard.decode("ascii", "replace").splitlines()


def both_ends(file):
    """What a file holds; of much, the beginning and the end, where the error stands."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= OUTPUT_LIMIT:
        return file.read(OUTPUT_LIMIT)
    head = file.read(OUTPUT_LIMIT // 2)
    file.seek(-(OUTPUT_LIMIT // 2), os.SEEK_END)
    return head + b"\n...\n" + file.read(OUTPUT_LIMIT // 2)


def run(program, test=None, seconds=60, runner=plain_run, environment=None):
    """Runs `program`'s one test (None: all of its tests, together)."""
    ours, theirs = socket.socketpair()
    word = secrets.token_hex(16)
    with ours, theirs, tempfile.TemporaryFile() as output:
        ours.sendall(word.encode())
        variables = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8",
                     "CMOCKA_MESSAGE_OUTPUT": "STDOUT", "NO_COLOR": "1",
                     "VERDICT_FD": str(theirs.fileno())}
        if test is not None:
            variables["VERDICT_TEST"] = test
        variables.update(environment or {})
        start = time.monotonic()
        code = runner([program], variables, theirs.fileno(), output, seconds)
        seconds_used = time.monotonic() - start
        theirs.close()
        said = [line.split(" ", 1)[1] for line in read_lines(ours)
                if line.startswith(word + " ")]
        text = both_ends(output).decode("utf-8", "replace")
    return judge(code, said, text, seconds, seconds_used)


def judge(code, said, text, limit, used):
    if code is None:
        return Outcome(HUNG, text, "it was not done after %d s and was ended" % limit, used)
    for status in (MISSING, FAILED):
        if status in said:
            return Outcome(status, text, "", used)
    if code < 0 or code > 128:
        number = -code if code < 0 else code - 128
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "signal %d" % number
        return Outcome(DIED, text, "it died of %s" % name, used)
    if not said:
        return Outcome(SILENT, text, "the program ended with status %d before its test did"
                       % code, used)
    if code != 0:
        return Outcome(DIED, text, "its test ended, and then the program with status %d"
                       % code, used)
    if all(line == PASSED for line in said):
        return Outcome(PASSED, text, "", used)
    return Outcome(SKIPPED, text, "this machine cannot run it", used)
