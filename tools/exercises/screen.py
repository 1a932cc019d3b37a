"""screen: what a student's file may contain.

An exercise needs nothing but C, the course's own functions, and a few of the C library.
Whatever else a file brings (inline assembly, a constructor, a function named like one of
the C library's, a call of _exit or fork) would be there to get at the score, and is
refused with a sentence, before anything runs. The same is refused on the student's own
machine, so that nobody learns of it from the grader.

This is a first line, not the only one: see tools/grading/INSTRUCTOR.md.
"""
import re
import subprocess

from . import Problem

SIZE_LIMIT = 256 * 1024

# What any exercise may call beyond the course's own functions.
LIBRARY = re.compile("|".join((
    r"mem(cpy|move|set|cmp|chr)|str(n?len|n?cmp|chr|rchr|str|cpy|ncpy|dup|ndup|spn|cspn|"
    r"tol|toul|toll|toull|error|errorname_np|signal)|isoc99_\w+",
    r"(malloc|calloc|realloc|aligned_alloc|free|qsort|bsearch|abs|labs)",
    r"(printf|fprintf|snprintf|vsnprintf|vfprintf|puts|fputs|fputc|putchar|putc|fflush|"
    r"fwrite|perror|stdout|stderr|abort)",
    r"__(\w+_chk|stack_chk_fail|errno_location|assert_fail|tls_get_addr|"
    r"isoc\w+|ctype_\w+)",
    r"pthread_(self|equal|create|join|detach|mutex_\w+|cond_\w+|condattr_\w+|attr_\w+|"
    r"mutexattr_\w+|barrier_\w+|setname_np)",
    r"sched_yield|clock_gettime|_GLOBAL_OFFSET_TABLE_|_?_sigsetjmp|_?longjmp|siglongjmp",
    r"__(atomic|tsan|ubsan|asan|sync)_\w+|__wrap_\w+",
    # Arithmetic that a compiler has no instruction for: libgcc's, compiler-rt's.
    r"__(popcount|parity|clz|ctz|ffs|bswap|mul|u?div|u?mod|u?divmod)[sdt]i[234]",
)))
# And a kill exercise, whose file is a test program.
TESTING = re.compile(r"_assert_\w+|_fail|_skip|_cmocka_run_group_tests|cmocka_\w+|"
                     r"print_(message|error)|_will_return|_mock|_expect_\w+|_check_\w+")
# What common/explore/redirect.h makes of atomic_init and of memory that a slab recycles,
# and of a thread-local variable's name.
REDIRECTED = re.compile(r"explore_(self|atomic_init|poison|unpoison)")
OF_EACH_THREAD = re.compile(r"_of_each$")
# What nobody may call, although the course's own archives hold it.
NEVER = re.compile(r"__(real|wrap_)_\w+|_?_?exit|fork|vfork|exec\w+|syscall|dl\w+|kill|ptrace")
# How one tells a race detector that a race is none.
ORDERS = re.compile(r"__tsan_(acquire|release)")

SECTIONS = re.compile(r"\.(text|data|rodata|bss|tbss|tdata|debug_\w+|comment|note|eh_frame|"
                      r"rela|symtab|strtab|shstrtab|group|llvm_addrsig|relr)(\.|$)")
DETECTORS_OWN = (".init_array.00099", ".init_array.0", ".init_array.1")  # gcc, clang

# Words that no exercise needs, wherever they stand, and what they would be there for.
WORDS = tuple((re.compile(r"\b(%s)\b" % words), why) for words, why in (
    (r"asm|__asm|__asm__|__REDIRECT\w*|__LDBL_REDIR\w*|__ASMNAME\w*",
     "an exercise needs no assembly"),
    (r"_*no_sanitize\w*|_*no_instrument_function_*",
     "the explorer and the sanitizers would not see that code"),
    (r"__tsan_\w+", "the explorer must see the memory orders that you write"),
    (r"_*section_*|_*optimize_*|_*alias_*|_*weakref_*|_*ifunc_*|_*symver_*|_*naked_*|"
     r"_*(con|de)structor_*|_*patchable_function_entry_*",
     "an attribute of gcc's that an exercise does not need (is it a name of yours? then "
     "choose another)"),
    (r"__DATE__|__TIME__|__TIMESTAMP__", "a result must not depend on the day"),
    (r"_Pragma", "write #pragma, in a line of its own"),
))
PRAGMA = re.compile(r"once|STDC .*|(GCC|clang) diagnostic .*|pack *\(.*\)")
INCLUDE = re.compile(r'<[A-Za-z0-9_/]+\.h>|"(common|lesson0[1-8]_[a-z]+)/[A-Za-z0-9_./]+\.h"')


def source(text):
    """What is wrong with the text of a file, or None."""
    if len(text) > SIZE_LIMIT:
        return "the file is larger than %d KiB" % (SIZE_LIMIT // 1024)
    if "\0" in text:
        return "the file holds a zero byte"
    if "??" in text and re.search(r"\?\?[=/'()!<>-]", text):
        return "the file holds a trigraph"
    plain = re.sub(r"\\[ \t\f\v\r]*\n", "", text)
    # A comment that never ends goes to the end of the file, and not into quadratic time.
    strings = re.compile(r'/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    code = strings.sub(lambda m: m[0] if m[0][0] in "\"'" else " ", plain)
    blank = strings.sub(" ", plain)
    for number, line in enumerate(code.split("\n"), 1):
        directive = re.match(r"\s*(?:#|%:)\s*(\w*)\s*(.*)", line)
        if not directive:
            continue
        if directive[1] in ("include", "include_next", "import", "embed"):
            if not INCLUDE.fullmatch(directive[2].strip()) or ".." in directive[2]:
                return "#include %s: only system headers, and those of common/ and of " \
                    "the lessons" % directive[2].strip()[:60]
        elif directive[1] in ("line", "ident", "assert") or directive[1].isdigit():
            return "a #%s directive (line %d)" % (directive[1], number)
        elif directive[1] == "pragma" and not PRAGMA.fullmatch(directive[2].strip()):
            return "#pragma %s: only once, STDC, pack, and GCC or clang diagnostic" % \
                directive[2].strip()[:60]
    if re.search(r"##|%:%:", blank):
        return "## in a macro, which the screen cannot look through"
    for words, why in WORDS:
        found = words.search(blank)
        if found:
            return "%s: %s" % (found[0], why)
    return None


def look(command):
    """What nm, readelf or objdump says of an object; None when it cannot read it."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def nm(path, *options, looker=look):
    """(letter, name) of the symbols of an object or archive."""
    said = looker(["nm", "-P", *options, path])
    if said is None:
        raise Problem("nm cannot read %s" % path)
    for line in said.decode(errors="replace").splitlines():
        words = line.split()
        if len(words) >= 2 and not line.endswith(":"):
            yield words[1], words[0]


def defined(path):
    return {name for letter, name in nm(path) if letter.isupper() and letter not in "UN"
            or letter in "VWu"}


def compiled(path, may_define, may_call, is_test=False, explored=False, looker=look):
    """What is wrong with a compiled file, or None. may_define: the global names that its
    starter defines; may_call: names of the course's functions and of the exercise's;
    looker: who runs the tools that look into it (the grader does so in a sandbox)."""
    headers, code = (looker(command + [path]) for command in (
        ["readelf", "-SW"], ["objdump", "-d", "--no-show-raw-insn"]))
    if headers is None or code is None:
        return "the compiler made no object of it that can be read"
    sections = re.findall(r"^\s*\[ *\d+\] (\S+)\s+\S+\s+\S+\s+\S+\s+(\S+) +\S+ +(\S*)",
                          headers.decode(errors="replace"), re.M)
    for name, size, flags in sections:
        name = name[5:] if name.startswith(".rela.") else name
        # The race detector's own constructor, which explored code is compiled with: one
        # pointer, and no more.
        if explored and name in DETECTORS_OWN and (int(size, 16) in (8, 24)):
            continue
        if name == ".note.GNU-stack" and "X" in flags:
            return "a function inside a function whose address is taken: its code would " \
                "stand on the stack"
        if not SECTIONS.match(name):
            return "a section %s, for code that runs by itself or stands in a special " \
                "place" % name
    for letter, name in nm(path, looker=looker):
        if explored:
            if letter == "U" and REDIRECTED.fullmatch(name):
                continue
            name = OF_EACH_THREAD.sub("", name)
        if letter in "iI":
            return "%s is resolved by code of its own (ifunc)" % name
        if letter == "C" or letter.isupper() and letter not in "UN" or letter in "Vu":
            if name not in may_define:
                return "%s is global: only what the header declares may be (make it " \
                    "static)" % name
        elif letter in "UwvU":
            if ORDERS.fullmatch(name):
                return "it calls %s: the explorer must see the memory orders that you " \
                    "write" % name
            if NEVER.fullmatch(name) or not (
                    LIBRARY.fullmatch(name) or name in may_call or
                    is_test and TESTING.fullmatch(name)):
                return "it calls %s, which this exercise does not need" % name
    if re.search(rb"\t(syscall|sysenter|int +\$0x80|svc\b|ecall\b)", code):
        return "it holds a system call instruction"
    return None
