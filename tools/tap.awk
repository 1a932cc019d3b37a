# tap.awk: reads what one test program wrote and says what happened, one record a line.
#
# cmocka writes TAP to stdout, and the messages of asserts (and of skip_because) to
# stderr, before the result line that they belong to; both streams are in one file here.
# Versions differ in how a skipped test looks:
#     1.1.5 (Debian 12)   not ok 2 # SKIP name
#     1.1.7 (Debian 13)   ok 2 # SKIP name
#     2.0                 ok 2 - name # SKIP
# so a SKIP directive wins over "not ok". What belongs to a failure stands before it on
# stderr, or after it behind "#" (1.1) or in a YAML block (2.0).
#
# in:  -v code=EXIT_STATUS -v limit=SECONDS
# out: count PASSED FAILED SKIPPED
#      fail NAME / text LINE ...      skip NAME<tab>WHY
# Plain awk: mawk, gawk and busybox all do.

function flush_text(   i) {
    for (i = 1; i <= held; i++)
        if (i <= 40)
            print "text " text[i]
    if (held > 40)
        print "text ... " held - 40 " more lines"
    held = 0
}

# A sanitizer speaks up in the middle of a test that then passes; its report is kept.
function keep_report(   i, from) {
    for (i = 1; i <= held && !from; i++)
        if (text[i] ~ /Sanitizer|runtime error:|^==[0-9]+== /)
            from = i
    if (from && reports < 80) {
        report[++reports] = "during " name ":"
        for (i = from; i <= held && reports < 80; i++)
            report[++reports] = text[i]
    }
    held = 0
}

function signal_name(n) {
    return n == 4 ? "SIGILL" : n == 6 ? "SIGABRT" : n == 7 ? "SIGBUS" : \
           n == 8 ? "SIGFPE" : n == 9 ? "SIGKILL" : n == 11 ? "SIGSEGV" : \
           n == 13 ? "SIGPIPE" : n == 15 ? "SIGTERM" : n == 31 ? "SIGSYS" : "signal " n
}

{ sub(/\r$/, "") }

/^1\.\.[0-9]+$/ { planned += substr($0, 4); next }
/^TAP version/ { next }

/^\t?(not )?ok [0-9]+/ {
    line = $0
    sub(/^\t/, "", line)
    bad = sub(/^not /, "", line)
    match(line, /^ok [0-9]+/)
    number = substr(line, 4, RLENGTH - 3) + 0
    name = substr(line, RLENGTH + 1)
    in_failure = 0
    if (match(name, /# [Ss][Kk][Ii][Pp][^ ]*/)) {
        before = substr(name, 1, RSTART - 1)
        after = substr(name, RSTART + RLENGTH)
        name = before ~ /[A-Za-z_]/ ? before : after
        gsub(/^[ -]+|[ ]+$/, "", name)
        skipped++
        # A set-up function that skips says its own name; it spoke last.
        print "skip " name "\t" (name in why ? why[name] : \
            last_why != "" ? last_why : "no reason given")
        held = 0
    } else {
        gsub(/^[ -]+|[ ]+$/, "", name)
        if (bad) {
            failed++
            print "fail " name
            flush_text()
            in_failure = 1
        } else {
            passed++
            keep_report()
        }
    }
    if (number > 0) # 0: setup or teardown of the group
        reported++
    last = name
    last_why = ""
    next
}

/^skipped [A-Za-z0-9_]+: / {
    name = $2
    sub(/:$/, "", name)
    reason = $0
    sub(/^skipped [A-Za-z0-9_]+: /, "", reason)
    why[name] = last_why = reason
    next
}

# The group's own verdict says nothing that its tests did not say.
/^\t?# (not )?ok - / { in_failure = 0; next }

in_failure && /^  ---$/ { in_yaml = 1; next }
in_yaml && /^  \.\.\.$/ { in_yaml = in_failure = 0; next }
in_yaml && /^  severity:/ { next }
in_yaml {
    sub(/^  message: *(\|-)?/, "")
    sub(/^    /, "")
    if ($0 != "")
        print "text " $0
    next
}

in_failure && /^\t?#/ {
    sub(/^\t?# ?/, "")
    print "text " $0
    next
}

{ text[++held] = $0 }

END {
    after = last == "" ? "before its first test reported" : "after " last
    missing = planned > reported ? planned - reported : 0
    if (code == 124 || code == 137) {
        failed += missing ? missing : 1
        print "fail (the program) took longer than " limit " s and was ended, " after
    } else if (code > 128) {
        failed += missing ? missing : 1
        print "fail (the program) died of " signal_name(code - 128) ", " after
    } else if (missing) {
        failed += missing
        print "fail (the program) ended with status " code ", " after
    } else if (planned == 0) {
        failed++
        print "fail (the program) ran no test and ended with status " code
    } else if (code != 0 && failed == 0) {
        failed++
        print "fail (the program) ended with status " code " although each test passed"
    }
    if (code == 0 && failed == 0)
        held = 0 # what a healthy program says after its last test is its own affair
    if (missing)
        print "text " missing " of " planned " tests did not report"
    for (i = 1; code != 0 && i <= reports; i++)
        print "text " report[i]
    flush_text()
    print "count " passed + 0 " " failed + 0 " " skipped + 0
}
