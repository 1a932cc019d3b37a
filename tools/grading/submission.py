"""submission: takes from what a student handed in the files that the exercises ask for.

A submission is a folder, a .zip, or a .tar, .tar.gz, .tar.bz2 or .tar.xz (the content
decides, not the name), or the one file of one exercise. For the exercise whose file is
lesson06_worksteal/exercises/6.1_deque.c it is

    ANYTHING/lesson06_worksteal/exercises/6.1_deque.c     or, where there is none,
    ANYTHING/6.1_deque.c

in it. Two such files that are not the same: neither is taken. Nothing else is looked at,
and folders whose name begins with a dot, __MACOSX and build/ not at all.

Nothing is ever extracted: a file's bytes go into memory, and what is written later has
the exercise's name. Whatever is no plain file (links of both kinds, devices), has an
absolute name, `..` or no valid name, is too large, encrypted or damaged, counts as not
there, and a note says so.
"""
import bz2
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib

FILE_LIMIT = 256 * 1024
ARCHIVE_LIMIT = 64 * 1024 * 1024
UNPACKED_LIMIT = 128 * 1024 * 1024  # of a tar, which is read from its beginning
MEMBERS_LIMIT = 20000
NOTES_LIMIT = 30
SKIPPED_FOLDERS = ("__MACOSX", "build")


class Unreadable(Exception):
    """One sentence about the whole submission."""


class Submission:
    """files: {exercise id: bytes}. notes: sentences. unreadable: a sentence, or None."""

    def __init__(self, path, exercises):
        self.name = os.path.basename(os.path.abspath(path))
        self.files, self.notes, self.unreadable = {}, [], None
        self.left_out = 0
        self.wanted = {os.path.basename(one.source): one for one in exercises}
        self.found = {}  # {exercise id: {rank: {name: bytes}}}
        try:
            self.read(path)
            self.choose()
        except Unreadable as why:
            self.files, self.unreadable = {}, str(why)
        except OSError as error:
            self.files, self.unreadable = {}, "it cannot be read: %s" % error.strerror
        if self.left_out:
            self.notes.append("and %d more notes like these" % self.left_out)

    def note(self, sentence):
        if len(self.notes) < NOTES_LIMIT:
            self.notes.append(sentence)
        else:
            self.left_out += 1

    # ---- names

    def wants(self, name):
        """(exercise, rank) of a member's name, or None; notes what is wrong with it."""
        parts = name.replace("\\", "/").split("/")
        exercise = self.wanted.get(parts[-1])
        if exercise is None:
            return None
        if any(part.startswith(".") and part not in (".", "..") or part in SKIPPED_FOLDERS
               for part in parts[:-1]):
            return None
        wrong = None
        if ".." in parts:
            wrong = "its name holds .."
        elif name.startswith(("/", "\\")) or name[1:2] == ":":
            wrong = "its name is an absolute path"
        elif "\0" in name or any(0xD800 <= ord(c) <= 0xDFFF for c in name):
            wrong = "its name is no valid UTF-8"
        if wrong:
            self.note("%s was not taken: %s" % (shown(name), wrong))
            return None
        folder = os.path.dirname(exercise.source).split("/")
        full = [part for part in parts[:-1] if part != "."][-len(folder):] == folder
        return exercise, 0 if full else 1

    def refuse(self, name, why):
        self.note("%s was not taken: %s" % (shown(name), why))

    def keep(self, exercise, rank, name, content):
        if len(content) > FILE_LIMIT:
            return self.refuse(name, "it is larger than %d KiB" % (FILE_LIMIT // 1024))
        ranks = self.found.setdefault(exercise.id, ({}, {}))
        if name in ranks[rank] and ranks[rank][name] != content:
            name += " (again)"
        ranks[rank][name] = content
        return None

    def choose(self):
        for number, ranks in self.found.items():
            candidates = ranks[0] or ranks[1]
            names = sorted(candidates)
            if len(set(candidates.values())) > 1:
                self.note("exercise %s: there are different files for it, and none was "
                          "taken: %s" % (number, ", ".join(map(shown, names[:4]))))
                continue
            self.files[number] = candidates[names[0]]

    # ---- the kinds of submissions

    def read(self, path):
        if os.path.isdir(path):
            return self.read_folder(path)
        if not os.path.isfile(path):
            raise Unreadable("it is neither a folder nor a file")
        with open(path, "rb") as file:
            head = file.read(6)
            size = os.fstat(file.fileno()).st_size
            file.seek(0)
            wanted = self.wants(os.path.basename(path))
            if wanted and head[:2] != b"PK":
                self.keep(*wanted, os.path.basename(path), file.read(FILE_LIMIT + 1))
                return None
            if size > ARCHIVE_LIMIT:
                raise Unreadable("it is larger than %d MiB" % (ARCHIVE_LIMIT >> 20))
            try:
                if head[:4] == b"PK\3\4" or head[:4] == b"PK\5\6":
                    return self.read_zip(file)
                return self.read_tar(Unpacked(file, head))
            except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
                    EOFError, ValueError, NotImplementedError, RuntimeError,
                    struct.error, OverflowError, MemoryError) as error:
                raise Unreadable("it is no readable zip or tar archive (%s)" % (
                    str(error) or type(error).__name__)) from error

    def read_folder(self, root):
        count = 0
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith(".")
                                and name not in SKIPPED_FOLDERS)
            count += len(files) + len(folders)
            if count > MEMBERS_LIMIT:
                raise Unreadable("it holds more than %d files" % MEMBERS_LIMIT)
            for file in sorted(files + folders):
                path = os.path.join(folder, file)
                name = os.path.relpath(path, root)
                wanted = self.wants(name)
                if wanted:
                    self.read_plain(path, name, wanted)

    def read_plain(self, path, name, wanted):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK |
                                 os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            link = os.path.islink(path)
            return self.refuse(name, "it is a symbolic link" if link
                               else "it cannot be opened")
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            os.close(descriptor)
            return self.refuse(name, "it is no plain file")
        with open(descriptor, "rb") as file:
            if facts.st_nlink > 1:
                return self.refuse(name, "it is a hard link: the file has another name")
            return self.keep(*wanted, name, file.read(FILE_LIMIT + 1))

    def read_zip(self, file):
        refuse_large_directory(file)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS_LIMIT:
                raise Unreadable("it holds more than %d files" % MEMBERS_LIMIT)
            for member in members:
                wanted = self.wants(member.filename)
                if not wanted:
                    continue
                kind = stat.S_IFMT(member.external_attr >> 16)
                if kind == stat.S_IFLNK:
                    self.refuse(member.filename, "it is a symbolic link")
                elif member.is_dir() or kind not in (0, stat.S_IFREG):
                    self.refuse(member.filename, "it is no plain file")
                elif member.flag_bits & 1:
                    self.refuse(member.filename, "it is encrypted")
                elif member.file_size > FILE_LIMIT:
                    self.refuse(member.filename,
                                "it is larger than %d KiB" % (FILE_LIMIT // 1024))
                else:
                    self.read_member(archive, member, wanted)

    def read_member(self, archive, member, wanted):
        try:
            with archive.open(member) as opened:
                # What the directory says of a size need not be true.
                content = opened.read(FILE_LIMIT + 1)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError,
                NotImplementedError, RuntimeError, OSError, struct.error) as error:
            return self.refuse(member.filename, "it is damaged (%s)" % error)
        return self.keep(*wanted, member.filename, content)

    def read_tar(self, stream):
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for count, member in enumerate(archive):
                if count > MEMBERS_LIMIT:
                    raise Unreadable("it holds more than %d files" % MEMBERS_LIMIT)
                archive.members = []  # or tarfile keeps them all
                wanted = self.wants(member.name)
                if not wanted:
                    continue
                if member.issym():
                    self.refuse(member.name, "it is a symbolic link")
                elif member.islnk():
                    self.refuse(member.name, "it is a hard link")
                elif not member.isreg():
                    self.refuse(member.name, "it is no plain file")
                elif member.size > FILE_LIMIT:
                    self.refuse(member.name,
                                "it is larger than %d KiB" % (FILE_LIMIT // 1024))
                else:
                    self.keep(*wanted, member.name,
                              archive.extractfile(member).read(FILE_LIMIT + 1))


def shown(name):
    """A member's name, for a note: short, in one line, printable."""
    name = name.encode("utf-8", "backslashreplace").decode()
    name = "".join(c if c.isprintable() else "\\x%02x" % ord(c) for c in name)
    return '"%s"' % (name if len(name) <= 100 else name[:50] + "..." + name[-45:])


def refuse_large_directory(file):
    """A zip's list of members is read as a whole: how long it is stands at the end."""
    file.seek(0, os.SEEK_END)
    size = file.tell()
    file.seek(max(0, size - 65557))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise Unreadable("it is no readable zip archive (it has no end)")
    count, length = struct.unpack("<HI", tail[at + 10:at + 16])
    if count > MEMBERS_LIMIT or length > MEMBERS_LIMIT * 200:
        raise Unreadable("it holds more than %d files" % MEMBERS_LIMIT)
    file.seek(0)


class Unpacked(io.RawIOBase):
    """What is compressed in a file, bit by bit, and not more than UNPACKED_LIMIT of it."""

    def __init__(self, file, head):
        super().__init__()
        self.file, self.given, self.unpacker, self.rest = file, 0, None, b""
        if head[:2] == b"\x1f\x8b":
            self.unpacker = zlib.decompressobj(31)
        elif head[:3] == b"BZh":
            self.unpacker = bz2.BZ2Decompressor()
        elif head == b"\xfd7zXZ\0":
            self.unpacker = lzma.LZMADecompressor(memlimit=UNPACKED_LIMIT)

    def read(self, size=-1):
        parts, wanted = [], size if size >= 0 else UNPACKED_LIMIT
        while wanted > 0:
            piece = self.piece(min(wanted, 65536))
            if not piece:
                break
            parts.append(piece)
            wanted -= len(piece)
            self.given += len(piece)
            if self.given > UNPACKED_LIMIT:
                raise Unreadable("it holds more than %d MiB, unpacked"
                                 % (UNPACKED_LIMIT >> 20))
        return b"".join(parts)

    def piece(self, most):
        if self.unpacker is None:
            return self.file.read(most)
        while not self.unpacker.eof:
            if isinstance(self.unpacker, (bz2.BZ2Decompressor, lzma.LZMADecompressor)):
                more = self.file.read(65536) if self.unpacker.needs_input else b""
                if not more and self.unpacker.needs_input:
                    return b""
                piece = self.unpacker.decompress(more, most)
            else:
                more = self.unpacker.unconsumed_tail or self.file.read(65536)
                if not more:
                    return b""
                piece = self.unpacker.decompress(more, most)
            if piece:
                return piece
        return b""
