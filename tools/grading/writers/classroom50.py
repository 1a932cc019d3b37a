"""classroom50: result.json for Classroom 50, schema classroom50/result/v1
(https://github.com/foundation50/classroom50, schemas/result-v1.schema.json).

The runner there says in the environment whose submission it is; what it does not say is
filled with words that pass the schema, for a look at the file on one's own machine. Where
the grader itself has failed there is no file: an autograder that ends with a status other
than 0 is recorded by the runner as an error, not as a score.
"""
import json
import os
import time

from . import told


def test(one, row):
    return {"test-name": "%s %s" % (one["exercise"], row["title"]),
            "passed": row["passed"], "score": row["points"], "max-score": row["possible"],
            "status": row["status"],
            "output": "\n".join([] if row["passed"] else told.explain(one, row))}


def write(result, environment=None, now=None):
    seen = told.view(result)
    if seen["state"] == "failed":
        return None
    known = os.environ if environment is None else environment

    def said(*names):
        return told.one_line(next((known[name] for name in names if known.get(name)),
                                  "not-said"))

    tag = said("SUBMISSION_TAG")
    if not tag.startswith("submit/"):
        tag = "submit/" + tag
    kind = known.get("ASSIGNMENT_TYPE", "")
    tests = [test(one, row) for one in seen["exercises"] for row in one["tests"]]
    return json.dumps({
        "schema": "classroom50/result/v1",
        "classroom": said("CLASSROOM"), "assignment": said("ASSIGNMENT"),
        "assignment_type": kind if kind in ("individual", "group", "team")
                           else "individual",
        "owner": said("OWNER", "USERNAME"), "submission": tag,
        "commit": said("COMMIT_URL"), "release": said("RELEASE_URL"),
        "review": said("REVIEW_URL", "COMMIT_URL"),
        "datetime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "score": sum(row["score"] for row in tests),
        "max-score": sum(row["max-score"] for row in tests), "tests": tests},
        indent=1, ensure_ascii=True) + "\n"
