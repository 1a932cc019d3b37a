"""box: runs one command so that it can harm nothing, by bubblewrap.

What the command sees: /usr (and /bin, /lib*, which are parts of it), a /proc of its own
processes, a few devices, a /tmp of its own, and what it is given. No network but its own
loopback, nothing of the course, of the submissions or of the people on this machine. All
of it is read-only except /tmp, /dev/shm, and one folder where a compiler writes.

What it gets: so much time, memory, processes, files; whoever takes more is ended. At the
end, or when the grader dies, every process in the box is killed, whatever it did to get
away: they live in a process namespace, and its first process is killed.

Who it is: never root. Where the grader is root, each job slot has a user id of its own
(FIRST_UID + slot), since neither limits nor file permissions hold root. Where it is an
ordinary user, it is that user in a user namespace, without any capability.

A command that the box could not be made for is a Failure: nobody's score.
"""
import os
import platform
import pwd
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from exercises import ROOT, Problem

MIB = 1024 * 1024
FIRST_UID = 64600
UIDS = 256
TICK = 0.025
START_SECONDS = 60
LEAST_LEFT = 128 * MIB  # of the machine's memory: then whatever runs is ended
WITHOUT = "--no-sandbox grades without one, which is for files that you trust"


class Failure(Exception):
    """The grader's own: it says nothing about the student's file."""


class Limits:
    def __init__(self, seconds=10, memory=1024 * MIB, space=4096 * MIB, processes=128,
                 file_size=64 * MIB, files=1024, room=64 * MIB):
        self.seconds, self.memory, self.space = seconds, memory, space
        self.processes, self.file_size = processes, file_size
        self.files, self.room = files, room

    def command(self, outside=0):
        """prlimit runs inside: the count of processes is then of the box alone."""
        limits = ["--nproc=%d" % (self.processes + outside), "--cpu=%d" % (int(self.seconds) + 2),
                  "--fsize=%d" % self.file_size, "--nofile=%d" % self.files, "--core=0"]
        if self.space:
            limits.append("--as=%d" % self.space)
        return ["prlimit", *limits, "--"]


# ---- system calls that no test makes, and by which one reaches other processes, the
# kernel's less used parts, or memory that no process is charged for. The numbers: of
# x86-64, and of everybody else.
REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "pidfd_getfd": (438, 438), "unshare": (272, 97),
    "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "init_module": (175, 105),
    "finit_module": (313, 273), "kexec_load": (246, 104), "syslog": (103, 116),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
}
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1),
            "riscv64": (0xC00000F3, 1)}
NEW_NAMESPACES = 0x7E020000


def system_call_filter(machine=platform.machine()):
    """The BPF program for --seccomp, or None on a machine whose numbers are not known."""
    if machine not in MACHINES:
        return None
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, eperm, enosys = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
    audit, column = MACHINES[machine]
    clone, clone3 = (56, 220)[column], 435
    steps = [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, kill), (load, 0, 0, 0)]
    if column == 0:  # x32: the same calls by other numbers
        steps += [(at_least, 0, 1, 0x40000000), (give, 0, 0, enosys)]
    for numbers in REFUSED.values():
        steps += [(equal, 0, 1, numbers[column]), (give, 0, 0, eperm)]
    # The C library tries clone3, whose flags no filter can see, and then clone.
    steps += [(equal, 0, 1, clone3), (give, 0, 0, enosys),
              (equal, 0, 3, clone), (load, 0, 0, 16), (any_bit, 0, 1, NEW_NAMESPACES),
              (give, 0, 0, eperm), (give, 0, 0, allow)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


# ---- the box

class Box:
    """The box of one job slot."""

    def __init__(self, slot=0, environment=None):
        self.uid = slot_uid(slot) if os.geteuid() == 0 else None
        self.environment = environment or {}
        self.filter = system_call_filter()

    def own(self, path):
        """Gives a folder to the user that the box runs as."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)
        os.chmod(path, 0o700)

    def mounts(self, limits, binds, masks):
        arguments = ["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc",
                     "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent",
                     "--new-session", "--cap-drop", "ALL", "--uid", "65534", "--gid",
                     "65534", "--hostname", "box", "--ro-bind", "/usr", "/usr"]
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.islink("/" + name):
                arguments += ["--symlink", os.readlink("/" + name), "/" + name]
            elif os.path.isdir("/" + name):
                arguments += ["--ro-bind", "/" + name, "/" + name]
        for path in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
                     "/etc/alternatives"):
            arguments += ["--ro-bind-try", path, path]
        arguments += ["--proc", "/proc", "--dev", "/dev"]
        for path in ("/dev/shm", "/tmp"):
            arguments += ["--size", str(limits.room), "--tmpfs", path]
        for path in masks:
            if path.startswith("/usr/") and os.path.isdir(path):
                arguments += ["--size", "4096", "--tmpfs", path, "--remount-ro", path]
        for kind, source, target in binds:
            arguments += [kind, source, target]
        return arguments + ["--remount-ro", "/dev", "--remount-ro", "/"]

    def run(self, command, limits, binds=(), environment=None, output=None,
            descriptors=(), folder="/tmp", masks=(ROOT,)):
        """Runs the command; (its exit status, None), (None, None) when the time was up,
        or (None, why it was ended). `binds`: ("--ro-bind", from, to). `output`: a file."""
        status, told = os.pipe()
        filters = []
        try:
            wrapper = [shutil.which("bwrap") or "bwrap", "--json-status-fd", str(told)]
            if self.filter:
                filters.append(filter_file(self.filter))
                wrapper += ["--seccomp", str(filters[0].fileno())]
            wrapper += self.mounts(limits, binds, masks)
            who = {} if self.uid is None else {
                "user": self.uid, "group": self.uid, "extra_groups": []}
            child = subprocess.Popen(
                [*wrapper, "--chdir", folder, *limits.command(counted_outside(self.uid)),
                 *command],
                env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8",
                     **self.environment, **(environment or {})},
                stdin=subprocess.DEVNULL, stdout=output or subprocess.DEVNULL,
                stderr=subprocess.STDOUT, cwd="/", start_new_session=True,
                pass_fds=[told, *descriptors, *(one.fileno() for one in filters)], **who)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            os.close(status)
            raise Failure("the sandbox did not start: %s" % error) from error
        finally:
            os.close(told)
            for one in filters:
                one.close()
        return Watch(child, status, limits).until_the_end()


def filter_file(program):
    file = tempfile.TemporaryFile()
    file.write(program)
    file.flush()
    file.seek(0)
    return file


def counted_outside(uid):
    """Before Linux 5.14 a limit of processes counts all that its user runs."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if uid is not None or not found or (int(found[1]), int(found[2])) >= (5, 14):
        return 0
    count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat("/proc/" + pid).st_uid == os.geteuid():
                count += len(os.listdir("/proc/%s/task" % pid))
        except OSError:
            pass
    return count


def slot_uid(slot):
    """A user id that belongs to nobody."""
    free = [uid for uid in range(FIRST_UID, FIRST_UID + UIDS) if not is_taken(uid)]
    if slot >= len(free):
        raise Problem("there are %d user ids for jobs, and this is job %d"
                      % (len(free), slot + 1))
    return free[slot]


def is_taken(uid):
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


# ---- while it runs

class Watch:
    """One box, from its start until nothing of it is left."""

    def __init__(self, child, status, limits):
        self.child, self.status, self.limits = child, status, limits
        self.said, self.first, self.why = b"", None, None

    def until_the_end(self):
        timely = False
        try:
            self.find_first(START_SECONDS)
            timely = self.wait(time.monotonic() + self.limits.seconds)
        finally:
            self.end_all()
        if self.why:
            return None, self.why
        if not timely:
            return None, None
        ended = re.search(rb'"exit-code": *(\d+)', self.said)
        if not ended:
            # bubblewrap could not make the box, or somebody ended it.
            raise Failure("the sandbox ended with status %s and ran nothing"
                          % self.child.returncode)
        return int(ended[1]), None

    def wait(self, end):
        """Until the command has ended (True), its time is up, or it takes too much."""
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return False
            if select.select([self.status], [], [], min(TICK, left))[0]:
                piece = os.read(self.status, 4096)
                if not piece:
                    return True
                self.said += piece
            elif self.first is not None:
                taken = memory_of(family(self.first[0]))
                if taken > self.limits.memory:
                    self.why = "it took more than %d MiB of memory and was ended" % (
                        self.limits.memory // MIB)
                    return False
                if memory_left() < LEAST_LEFT:
                    raise Failure("this machine has almost no memory left")

    def find_first(self, seconds):
        """Learns which is the first process of the box: with it all others end. Only
        then the time of the command begins."""
        end = time.monotonic() + seconds
        while self.first is None and time.monotonic() < end:
            if not select.select([self.status], [], [], end - time.monotonic())[0]:
                return
            piece = os.read(self.status, 4096)
            self.said += piece
            found = re.search(rb'"child-pid": *(\d+)\b', self.said)
            if found:
                try:
                    self.first = int(found[1]), os.pidfd_open(int(found[1]))
                except ProcessLookupError:
                    return
            elif not piece:
                return

    def end_all(self):
        try:
            if b"child-pid" not in self.said:
                # Without it, what ends bubblewrap need not end what it has just begun.
                self.find_first(5)
            if self.first is not None:
                try:
                    signal.pidfd_send_signal(self.first[1], signal.SIGKILL)
                except ProcessLookupError:
                    pass
                waiting = select.poll()
                waiting.register(self.first[1], select.POLLIN)
                if not waiting.poll(30000):
                    raise Failure("a process in the sandbox cannot be ended")
        finally:
            if self.first is None:
                self.child.kill()
            self.child.wait()
            os.close(self.status)
            if self.first is not None:
                os.close(self.first[1])


def family(first):
    """A process and all below it. What loses its parent falls to the first."""
    found, at = [first], 0
    while at < len(found):
        pid, at = found[at], at + 1
        try:
            for thread in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/children" % (pid, thread), "rb") as file:
                    found += map(int, file.read().split())
        except OSError:
            pass
    return found


def memory_of(processes):
    """What the processes hold, in bytes: their own pages, and files that live in memory
    alone, mapped or not. Pages that they share count for each."""
    total, files = 0, {}
    for pid in processes:
        try:
            with open("/proc/%d/status" % pid, "rb") as file:
                held = re.findall(rb"^Rss(?:Anon|Shmem):\s*(\d+)", file.read(), re.M)
            total += sum(map(int, held)) * 1024
            for name in os.listdir("/proc/%d/fd" % pid):
                path = "/proc/%d/fd/%s" % (pid, name)
                if os.readlink(path).startswith("/memfd:"):
                    facts = os.stat(path)
                    files[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
        except OSError:
            pass
    return total + sum(files.values())


def memory_left():
    with open("/proc/meminfo", "rb") as file:
        return int(re.search(rb"^MemAvailable:\s*(\d+)", file.read(), re.M)[1]) * 1024


# ---- whether it can be

def why_not():
    """One sentence: why there can be no box here, and what to do; or None."""
    if not sys.platform.startswith("linux"):
        return "the sandbox needs Linux; " + WITHOUT
    if not shutil.which("bwrap"):
        return ("bubblewrap (the program bwrap) is not installed, and without it a "
                "student's code would run with your rights: make setup installs it; " +
                WITHOUT)
    if not shutil.which("prlimit"):
        return ("prlimit, which sets the limits in the sandbox, is not installed: it is in "
                "the package util-linux; " + WITHOUT)
    with tempfile.TemporaryFile() as output:
        try:
            code, why = Box().run(["true"], Limits(seconds=20), output=output)
            if code == 0:
                return None
            said = why or "status %s" % code
        except Failure as failure:
            said = str(failure)
        output.seek(0)
        said = output.read(500).decode(errors="replace").strip() or said
    return "bubblewrap cannot make a sandbox here (%s): %s; %s" % (
        " ".join(said.split()), remedy(said), WITHOUT)


def remedy(said):
    def setting(path):
        try:
            with open("/proc/sys/" + path, encoding="ascii") as file:
                return file.read().strip()
        except OSError:
            return None
    if "nknown option" in said:
        return "it is too old, 0.6 or later is needed"
    if setting("kernel/unprivileged_userns_clone") == "0":
        return "sysctl kernel.unprivileged_userns_clone=1 lets users have namespaces"
    if setting("user/max_user_namespaces") == "0":
        return "sysctl user.max_user_namespaces=10000 lets users have namespaces"
    if setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return ("AppArmor keeps programs from namespaces: sysctl "
                "kernel.apparmor_restrict_unprivileged_userns=0, or a profile for bwrap")
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return ("this is a container, which forbids what a sandbox is made of: start it "
                "with --security-opt seccomp=unconfined --security-opt "
                "systempaths=unconfined, or grade outside of it")
    return "its sentence is all that is known"
