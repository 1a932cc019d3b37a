"""measure: what the experiments of lesson 8 measure.

Each function returns {name: number}; the names are those of the page's sheet. The numbers
are counts, or so far apart that no neighbour on the machine changes what they say.
"""
import json
import os
import re
import select
import signal
import subprocess
import time

from . import ROOT, Problem, program, starter

PATIENCE_S = 30
REFUSED = "refused"


class Refused(Problem):
    """The machine does not do what is to be measured: that is a result, no failure."""


def take(exercise, builder):
    return {"8.1": syscalls, "8.2": alive, "8.3": stall}[exercise.id](exercise, builder)


def built(builder, *names):
    """Paths of programs of the course, which make brings up to date."""
    paths = ["%s/bin/%s" % (builder.base, name) for name in names]
    done = builder.make(*paths)
    if done.returncode != 0:
        raise Problem("the programs to measure do not build:\n" +
                      done.stderr.decode(errors="replace"))
    return [os.path.join(ROOT, path) for path in paths]


def link(builder, exercise, objects, lesson, output):
    """Links course objects with the archives of lessons 1..lesson."""
    archives = builder.archives(lesson, False) + [builder.base + "/lib/common.a"]
    done = builder.make(*archives, *[path for path in objects
                                     if path.startswith(builder.base + "/obj/")])
    if done.returncode == 0:
        ok, said = program.tool_run(
            [builder.facts["CC"], *builder.facts["SANITIZE"].split(), "-pthread",
             *builder.facts["LDFLAGS"].split(), "-o", output, *objects, *archives,
             *builder.facts["LDLIBS"].split()])
    else:
        ok, said = False, done.stderr.decode(errors="replace")
    if not ok:
        raise Problem("the program for exercise %s does not build:\n%s" % (exercise.id,
                                                                         said))
    return os.path.join(ROOT, output)


def folder_of(builder, exercise):
    folder = os.path.join(builder.work, exercise.id)
    os.makedirs(os.path.join(ROOT, folder), exist_ok=True)
    return folder


def last_json(command, what):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=PATIENCE_S, check=False)
        line = done.stdout.decode(errors="replace").strip().split("\n")[-1]
        if done.returncode == 0:
            return json.loads(line)
    except (subprocess.TimeoutExpired, ValueError):
        raise Problem("%s did not come to a result" % what) from None
    raise Problem("%s failed: %s" % (what, done.stderr.decode(errors="replace").strip()))


class Server:
    """A server of the lab, for the length of a with statement."""

    def __init__(self, path):
        self.path, self.name = path, os.path.basename(path)

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.path, "--stats"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        ready = select.select([self.process.stdout], [], [], PATIENCE_S)[0]
        line = self.process.stdout.readline().decode() if ready else ""
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            self.__exit__()
            kind = Refused if "this machine refuses" in self.said else Problem
            raise kind("%s does not start: %s" % (
                self.name, self.said or "it said nothing"))
        self.port = found[1]
        return self

    def __exit__(self, *_):
        """Ends it; what it printed until then is in `output`."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            output, said = self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            output, said = self.process.communicate()
        self.output = output.decode(errors="replace")
        self.said = said.decode(errors="replace").strip()


# ---- 8.1

def calls_a_request(server_path, load, connections):
    print("    %s, %d connection%s" % (os.path.basename(server_path), connections,
                                       "s" * (connections > 1)), flush=True)
    with Server(server_path) as server:
        last_json([load, "--port", server.port, "--connections", str(connections),
                   "--warmup", "0", "--requests", "20000"], "the load generator")
    found = re.search(r"requests=(\d+) syscalls=(\d+)", server.output)
    if not found or not int(found[1]):
        raise Problem("%s did not say what it had done" % server.name)
    return round(int(found[2]) / int(found[1]), 2)


def syscalls(exercise, builder):
    epoll, ring, load = built(builder, "base_epoll", "base_uring", "load")
    folder = folder_of(builder, exercise)
    text = "\n".join(starter.read("lesson08_compare/base_epoll.c"))
    source = os.path.join(folder, "base_epoll.c")
    with open(os.path.join(ROOT, source), "w", encoding="utf-8") as file:
        file.write(starter.patched(
            text, exercise.folder + "/8.1_versions/without_the_rule.patch"))
    changed = source[:-2] + ".o"
    builder.compile_own(source, changed)
    without = link(builder, exercise, [
        builder.object_of("lesson08_compare/prog_base_epoll.c", False), changed], 8,
        os.path.join(folder, "base_epoll_without_the_rule"))
    numbers = {"epoll_64": calls_a_request(epoll, load, 64),
               "epoll_64_without_the_rule": calls_a_request(without, load, 64)}
    for name, connections in (("uring_64", 64), ("uring_1", 1)):
        try:
            numbers[name] = calls_a_request(ring, load, connections)
        except Refused as problem:
            print("    refused: %s" % problem)
            numbers[name] = REFUSED
    return numbers


# ---- 8.2

def alive(exercise, builder):
    folder = folder_of(builder, exercise)
    output = os.path.join(folder, "alive")
    builder.compile_own(exercise.folder + "/alive.c", output + ".o")
    path = link(builder, exercise, [output + ".o"], 2, output)

    numbers = {}
    for order in ("oldest", "newest"):
        print("    alive 12 %s" % order, flush=True)
        said = last_json([path, "12", order], "alive")
        numbers["alive_" + order] = said["most_alive"]
        numbers["polls_" + order] = said["polls"]
    return numbers


# ---- 8.3

STALL_AFTER_S, STALL_S, RUN_MS = 0.8, 0.5, 2000


def with_stall(server, load, *options):
    """Two seconds of load, in the middle of which the server stands still."""
    process = subprocess.Popen(
        [load, "--port", server.port, "--connections", "1", "--warmup", "100",
         "--duration", str(RUN_MS), *options], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(STALL_AFTER_S)
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(STALL_S)
    server.process.send_signal(signal.SIGCONT)
    try:
        output, said = process.communicate(timeout=PATIENCE_S)
        return json.loads(output)
    except (subprocess.TimeoutExpired, ValueError):
        process.kill()
        process.communicate()
        raise Problem("the load generator did not come to a result") from None


def stall(exercise, builder):
    epoll, load = built(builder, "base_epoll", "load")
    with Server(epoll) as server:
        print("    closed loop, one connection, the server stands still for half a second",
              flush=True)
        closed = with_stall(server, load)
        print("    open loop, 1000 requests a second, the same", flush=True)
        opened = with_stall(server, load, "--rate", "1000")
    return {"closed_p99_us": round(closed["p99_ns"] / 1e3),
            "closed_max_us": round(closed["max_ns"] / 1e3),
            "open_p99_us": round(opened["p99_ns"] / 1e3)}
