"""exercises: what tools/exercise (for students) and tools/grade (for instructors) share.

statement   reads an exercise's page: what to do, its tests, its points, its hints
starter     makes a starter from a module's marked regions
screen      what a student's file may contain
program     compiles it and links it with the tests
verdict     runs one test in a process of its own and learns what came out
kill        the versions of a module that a student's test is tried on
experiment  predict, measure, explain: a sheet of answers, its seal, its score
measure     what the experiments measure
score       tests, points, what is blocked by what: the result
show        the result, for a person

Python 3.9 or later, its own library alone.
"""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Problem(Exception):
    """Something that the person at the keyboard can mend: one clear sentence."""
