"""starter: makes the starter of a `build` exercise from the lesson's own module.

In the module, marks on lines of their own enclose what the student is to write:

    /* exercise 6.1 { */
        ... the body of a function ...
    /* } exercise 6.1: (deque) the newest task */

becomes in the starter

    /* Yours: the newest task */
    EXERCISE_TODO("6.1", deque);

The parameters in parentheses are those of the function, so that no compiler calls them
unused. A region that ends with a bare `/* } exercise 6.1 */` leaves nothing: helper
functions, that the student may want to cut in another way.

A `kill` starter is made the same way from a solution, tools/grading/N.M/correct_a.c; a
`find` starter is that solution with tools/grading/N.M/planted.patch applied to it. In a
handout, where there are no solutions, tools/exercises/starters/ holds them ready made.
"""
import os
import re
import subprocess
import tempfile

from . import ROOT, Problem

BEGIN = re.compile(r"^( *)/\* exercise ([1-8]\.[1-9]) \{ \*/$")
END = re.compile(r"^ */\* \} exercise ([1-8]\.[1-9])(?:: \((.*?)\) (.*))? \*/$")
INCLUDE = re.compile(r'^#include "common/(\w+)\.h"$')


def solution(exercise):
    """The file that the starter is made from."""
    if exercise.kind == "build":
        return exercise.module
    return exercise.grading_folder + "/correct_a.c"


def regions(exercise):
    """(first line, last line, parameters, text) of each region of the solution, the marks
    included; lines count from 0."""
    lines = read(solution(exercise))
    found, start = [], None
    for number, line in enumerate(lines):
        begin, end = BEGIN.match(line), END.match(line)
        mine = (begin and begin[2] or end and end[1]) == exercise.id
        if not mine:
            continue
        if bool(begin) == (start is not None):
            raise Problem("%s:%d: marks do not pair" % (solution(exercise), number + 1))
        if begin:
            start = number
        else:
            found.append((start, number, end[2], end[3]))
            start = None
    if start is not None or not found:
        raise Problem("%s: no region of exercise %s, or one that does not end"
                      % (solution(exercise), exercise.id))
    return found


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read().split("\n")


def make(exercise):
    """The text of the starter."""
    ready = "tools/exercises/starters/" + os.path.basename(exercise.source)
    if os.path.exists(os.path.join(ROOT, ready)):
        return "\n".join(read(ready))
    if exercise.kind == "experiment":
        return answer_sheet(exercise)
    if exercise.kind == "find":
        return headline(exercise) + "\n" + patched(
            "\n".join(read(solution(exercise))), exercise.grading_folder + "/planted.patch")
    return from_regions(exercise)


def headline(exercise):
    line = "/* Exercise %s: %s. What to do stands in %s. */" % (
        exercise.id, exercise.title, os.path.basename(exercise.page))
    return line if len(line) <= 88 else line.replace(" What to do", "\n * What to do")


def answer_sheet(exercise):
    """The block of the page that begins with ```text answers."""
    found = re.search(r"^```text answers\n(.*?)^```", exercise.text, re.M | re.S)
    if not found:
        exercise.complain("there is no block of answers")
    return found[1]


def without_marks(text):
    return "\n".join(line for line in text.split("\n")
                     if not BEGIN.match(line) and not END.match(line))


def patched(text, patch):
    """The text, without marks, with the patch applied, whatever file the patch names."""
    with open(os.path.join(ROOT, patch), encoding="utf-8") as file:
        named = re.search(r"^\+\+\+ b/(\S+)", file.read(), re.M)
    if not named:
        raise Problem("%s is no patch: it has no line \"+++ b/FILE\"" % patch)
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, named[1])
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as file:
            file.write(without_marks(text))
        # Without a repository around it, git applies a patch to whatever lies here.
        done = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", os.path.join(ROOT, patch)], cwd=folder,
            env=dict(os.environ, GIT_CEILING_DIRECTORIES=os.path.dirname(folder)),
            stdin=subprocess.DEVNULL, capture_output=True, check=False)
        with open(target, encoding="utf-8") as file:
            result = file.read()
    if done.returncode != 0:
        raise Problem("%s does not fit what it changes: %s" % (
            patch, done.stderr.decode(errors="replace").strip()))
    return result


def is_begun(exercise):
    """Whether the student's file is another than the starter. It may hold any bytes; one
    that cannot be read is another one."""
    try:
        with open(os.path.join(ROOT, exercise.source), "rb") as file:
            return file.read() != make(exercise).encode()
    except FileNotFoundError:
        return False
    except OSError:
        return True


def from_regions(exercise):
    lines = read(solution(exercise))
    out = [headline(exercise)]
    at = 0
    for first, last, parameters, text in regions(exercise):
        out += lines[at:first]
        if parameters is None:
            # Nothing stays, nor do two empty lines.
            if out and out[-1] == "" and last + 1 < len(lines) and lines[last + 1] == "":
                last += 1
        else:
            indent = BEGIN.match(lines[first])[1]
            out.append("%s/* Yours: %s */" % (indent, text))
            out.append('%sEXERCISE_TODO("%s"%s);' % (
                indent, exercise.id, ", " + parameters if parameters else ""))
        at = last + 1
    out += lines[at:]
    # Marks of another exercise on the same module are none of this one's business.
    out = [line for line in out if not BEGIN.match(line) and not END.match(line)]
    return "\n".join(with_include(out))


def with_include(lines):
    """common/todo.h, at its place among the course's own headers."""
    wanted = '#include "common/todo.h"'
    if wanted in lines:
        return lines
    common = [i for i, line in enumerate(lines) if INCLUDE.match(line)]
    before = [i for i in common if lines[i] < wanted]
    if before:
        at = before[-1] + 1
    elif common:
        at = common[0]
    else:
        own = [i for i, line in enumerate(lines) if line.startswith("#include")]
        at = own[-1] + 1
        if lines[own[-1]].startswith('#include "lesson') and len(own) > 1 and \
                lines[own[-1] - 1] != "":
            at = own[-1]
            while lines[at - 1].startswith('#include "lesson'):
                at -= 1
        elif not lines[own[-1]].startswith('#include "common'):
            return lines[:at] + ["", wanted] + lines[at:]
    return lines[:at] + [wanted] + lines[at:]
