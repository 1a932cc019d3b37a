"""watch: says which exercise files were saved, as they are.

By inotify, through the C library; where that is not to be had (a network folder, a limit
reached, another system) by looking at the files twice a second. An editor may write into
a file or put another one in its place, so the folders are watched, and what counts is
that a file's content is another than before.
"""
import ctypes
import hashlib
import os
import select
import struct
import time

from . import ROOT

CLOSE_WRITE, MOVED_TO, NONBLOCK, CLOEXEC = 0x8, 0x80, 0o4000, 0o2000000
POLL_SECONDS = 0.5
SETTLE_SECONDS = 0.1  # several files saved at once are one change


def content(path):
    try:
        with open(os.path.join(ROOT, path), "rb") as file:
            return hashlib.sha256(file.read()).digest()
    except OSError:
        return None


class Watch:
    """`paths`: files, relative to ROOT. `why_polling`: None, or why inotify is not used."""

    def __init__(self, paths, use_inotify=True):
        self.seen = {path: content(path) for path in paths}
        self.descriptor, self.why_polling = None, "not asked for"
        if use_inotify:
            self.start_inotify({os.path.dirname(path) for path in paths})

    def start_inotify(self, folders):
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            descriptor = libc.inotify_init1(NONBLOCK | CLOEXEC)
        except (OSError, AttributeError) as error:
            self.why_polling = str(error)
            return
        if descriptor < 0:
            self.why_polling = os.strerror(ctypes.get_errno())
            return
        for folder in folders:
            path = os.fsencode(os.path.join(ROOT, folder))
            if libc.inotify_add_watch(descriptor, path, CLOSE_WRITE | MOVED_TO) < 0:
                self.why_polling = os.strerror(ctypes.get_errno())
                os.close(descriptor)
                return
        self.descriptor, self.why_polling = descriptor, None

    def close(self):
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def changed(self):
        """The files whose content is another than when they were last looked at."""
        now = {path: content(path) for path in self.seen}
        # A file that is away for a moment is being replaced.
        found = [path for path in now if now[path] not in (None, self.seen[path])]
        self.seen.update((path, now[path]) for path in found)
        return found

    def wait(self, seconds=None):
        """Waits until files have changed, at most `seconds`; returns their names."""
        give_up = None if seconds is None else time.monotonic() + seconds
        while True:
            found = self.changed()
            if found or give_up is not None and time.monotonic() >= give_up:
                return found
            left = None if give_up is None else max(0.0, give_up - time.monotonic())
            if self.descriptor is None:
                time.sleep(POLL_SECONDS if left is None else min(left, POLL_SECONDS))
                continue
            if select.select([self.descriptor], [], [], left)[0]:
                self.drain()
                time.sleep(SETTLE_SECONDS)

    def drain(self):
        """Events say only that there is something to look at, so their content is not
        needed; that of an overflowing queue would not be there either."""
        try:
            while len(os.read(self.descriptor, 65536)) >= struct.calcsize("iIII"):
                pass
        except BlockingIOError:
            pass
