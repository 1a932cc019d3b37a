"""kill: the versions of a module that a student's test is tried on.

A kill exercise is called N.M_kill_MODULE; the student's file is a test program (cmocka, or
explored cases: whichever header it includes) for MODULE.h. It is linked with one version
of the module after the other:

    reference            the lesson's own
    correct_*.c          in N.M_versions/: as right as the reference, made in another way;
                         or where the hidden ones are, for a test that knows these by name
    NAME.patch           in N.M_versions/: a broken one; lines "Rule:" and "Why:" on top
    NAME.patch           in tools/grading/N.M/versions/: one that the student has not seen

Of a correct version the test must say nothing; each false alarm costs all points. A
broken version is caught when the test fails, dies or hangs on it.
"""
import glob
import os
import re

from . import ROOT, starter

EXPLORED = re.compile(r'^\s*#\s*include\s*"[^"]*explore', re.M)


def is_explored(text):
    return bool(EXPLORED.search(text))


def versions_folder(exercise):
    return "%s/%s_versions" % (exercise.folder, exercise.id)


def correct_versions(exercise):
    """(name, path) of the versions on which a test must stay quiet."""
    found = [path for folder in (versions_folder(exercise),
                                 exercise.grading_folder + "/versions")
             for path in sorted(glob.glob(os.path.join(ROOT, folder, "correct_*.c")))]
    return [("reference", exercise.module)] + [
        (os.path.basename(path)[:-2], os.path.relpath(path, ROOT)) for path in found]


def patch_of(exercise, name, hidden=None):
    """`hidden`: an instructor's own folder of hidden tests, or None."""
    folders = [versions_folder(exercise), exercise.grading_folder + "/versions"]
    if hidden:
        folders.insert(1, os.path.join(os.path.abspath(hidden), exercise.id, "versions"))
    for folder in folders:
        path = "%s/%s.patch" % (folder, name)
        if os.path.exists(os.path.join(ROOT, path)):
            return path
    exercise.complain("there is no version %s.patch" % name)


def build(builder, exercise, name, path, explored):
    """The object of a version; it is made once."""
    folder = os.path.join(builder.work, exercise.id, "versions",
                          "explored" if explored else "plain")
    output = os.path.join(folder, name + ".o")
    inputs = [os.path.join(ROOT, exercise.module), os.path.join(ROOT, path)]
    newest = max(map(os.path.getmtime, inputs))
    if not os.path.exists(output) or os.path.getmtime(output) < newest:
        source = path
        if path.endswith(".patch"):
            os.makedirs(folder, exist_ok=True)
            source = os.path.join(folder, name + ".c")
            with open(os.path.join(ROOT, exercise.module), encoding="utf-8") as file:
                text = file.read()
            with open(source, "w", encoding="utf-8") as file:
                file.write(starter.patched(text, path))
        builder.compile_own(source, output, explored)
    return ("explored:" if explored else "") + output
