# async runtimes from scratch, in C: one Makefile for all eight lessons.
#
# Files are found by name; nothing is listed twice:
#   lessonNN_*/demo_*.c   a program that tells the lesson's story, build/bin/demo_*
#   lessonNN_*/prog_*.c   a program that people use, build/bin/*
#   lessonNN_*/bench_*.c  a benchmark, build/bin/bench_*
#   lessonNN_*/test_*.c   a cmocka test program, build/test/...
#   lessonNN_*/fuzz_*.c   a fuzz target, build/bin/fuzz_*; its inputs: lessonNN_*/corpus/
#   lessonNN_*/explore_*.c   cases whose every order of steps is searched, build/explore/...
#   lessonNN_*/wrong/*.patch   wrong versions of modules, which those searches must find
#   any other .c          part of the lesson's archive, build/lib/lessonNN.a
# Lesson N links the archives of lessons 1..N and of common/, so that a call up the
# staircase fails at link time.
#
# VARIANT= plain | asan | tsan     how it is built (make check uses all of them)
#          fuzz                    for libFuzzer, with CC=clang only; tools/fuzz knows when
#          fast                    to be measured: optimised across files, as the peers of
#                                  lesson 8 are; no hints for valgrind
# CC=      gcc | clang             each compiler has its own folder below build/
# MINE=    1 | "6.1 2.1"           your modules of lessonNN_*/exercises/ in the place of the
#                                  lessons' own: all of them, or those of these exercises
# WERROR=1                         warnings are errors (CI)
# BUILD=   build                   where everything built goes

define HELP
make setup         install what is missing (says what and why); `make setup test` works
make doctor        say what this machine can do, and one remedy for each problem
make lesson1 .. 7  build a lesson, run its demo, then its tests; say what comes next
make lesson8       the lab: every mode, every baseline, every peer that is built; minutes
make which         five questions, one runtime, and what your own lab says about it
make test          every test; the last line is "N passed, N failed"
make check         `test` again under valgrind, ASan+UBSan, TSan and clang, and all below

make peers         build the runtimes that lesson 8 compares ours with, those that can be
make lab           lesson 8's lab in full: an hour; goes on where it was interrupted

make exercises     the exercises, what state yours are in, and what to type next
make ex6.1         test your exercise 6.1: points, what broke, with which input
make hint6.1       a hint for it: again for a clearer one, three in all
make reset6.1      its starter again (yours is kept, in .progress)
make watch EX=6.1  test it each time that you save;  make progress: how far you are
make MINE=1 lesson7   the lesson with your own modules of all exercises up to there in it;
                   MINE="2.1 6.1": with these only
make gradescope LESSON=6 OUT=lesson6.zip   for instructors: an autograder for Gradescope

make explore       every order of steps of the small concurrent cases, and the planted bugs
make explore-deep  the same, and the larger cases: minutes
make explore6 WRONG=deque.NAME   one planted bug of lesson 6, and the schedule that shows it
make explore6 CASE=NAME [MODEL=tso] [REPLAY='...']   one case; one schedule of it;
                   CASE=all: each, for a module that you have changed

make handout LESSON=6 OUT=dir   for instructors: the course up to lesson 6, of which the
                   exercises are starters; no solution, no hidden test (INSTRUCTOR.md)

make arrows        who may include whom
make rules         every rule of common/RULES.md with the tests that keep it
make lint          the few mistakes that no compiler sees
make faults        which call of which module a test makes fail
make snippets      the code and the outputs that the texts quote, against the real ones
make format        clang-format on every .c and .h

make all           build every program, benchmark and test
make soak FOR=60   send random and malformed input to the servers, for so many seconds
make fuzz FOR=60   the same to every parser (libFuzzer with clang, else a driver of ours);
                   TARGET=http_body: to this one only
make compile_commands.json      for editors and language servers
make clean         remove build/

Variables: CC=clang  VARIANT=asan|tsan|fast  WERROR=1  BUILD=folder
endef

.DEFAULT_GOAL := help
SHELL := /bin/bash

ifneq ($(filter setup,$(MAKECMDGOALS)),)
# `make setup test`: a second make does `test`, since what this one has already found out
# about the compiler was true before the installation.
AFTER_SETUP := $(filter-out setup,$(MAKECMDGOALS))
.PHONY: setup $(AFTER_SETUP)
setup:
	@tools/setup $(if $(filter check format,$(AFTER_SETUP))$(findstring clang,$(CC)),--with-check,$(if $(filter peers,$(AFTER_SETUP)),--with-peers,$(if $(WITH),--with-$(WITH))))
	$(if $(AFTER_SETUP),@$(MAKE) --no-print-directory $(AFTER_SETUP))
$(AFTER_SETUP): setup
	@:
else

CC := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
VARIANT ?= plain
ifeq ($(filter plain asan tsan fast fuzz,$(VARIANT)),)
$(error VARIANT is plain, asan, tsan, fast or fuzz, not "$(VARIANT)")
endif

ifeq ($(VARIANT)$(findstring clang,$(notdir $(CC))),fuzz)
$(error VARIANT=fuzz is for libFuzzer, which wants CC=clang; make fuzz finds out by itself)
endif

BUILD ?= build
# What is built with a student's own modules in it has a folder of its own: mine, mine-6.1
EMPTY :=
MINE_FOLDER := $(addprefix /mine,$(patsubst -1,,$(subst $(EMPTY) $(EMPTY),,$(addprefix -,$(MINE)))))
B := $(BUILD)$(if $(MINE),$(or $(MINE_FOLDER),/mine))$(if $(filter-out plain,$(VARIANT)),/$(VARIANT))$(if $(filter-out gcc,$(notdir $(CC))),/$(notdir $(CC)))

# ---- flags: strict C17; what only one compiler knows is probed
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wcast-qual \
	-Wwrite-strings -Wformat=2
probe = $(shell $(CC) -Werror $(1) -E -x c /dev/null >/dev/null 2>&1 && echo $(1))
WARN += $(call probe,-Wjump-misses-init) $(call probe,-Wconditional-uninitialized)
# clang takes an `inline` in a .c file for an inline definition even where the header
# declares the function without it, which makes it an ordinary one (C17 6.7.4).
WARN += $(call probe,-Wno-static-in-inline)
COMMA := ,
# gcc zeroes a struct of a hundred bytes by `rep stos`, which takes 13 ns to start up where
# four vector stores take one; futures are made of such structs. x86 only, hence probed.
ZEROING := $(call probe,-mmemset-strategy=vector_loop:512:noalign$(COMMA)libcall:-1:noalign)
# Across files only with gcc's own archiver; clang would need another linker.
ACROSS := $(if $(findstring gcc,$(notdir $(CC))),$(if $(shell command -v gcc-ar),-flto=auto))
CFLAGS_plain := -O2
CFLAGS_fast := -O2 -DMEMCHECK_NO_HINTS $(ACROSS)
CFLAGS_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
CFLAGS_fuzz := $(CFLAGS_asan) -fsanitize=fuzzer-no-link
CFLAGS_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
SANITIZE := $(filter -fsanitize=%,$(CFLAGS_$(VARIANT)))
# A compiler may turn malloc and memset into calloc, or leave out an allocation that
# nobody uses; the tests that make the n-th allocation fail want them as written.
AS_WRITTEN := $(patsubst %,-fno-builtin-%,malloc calloc realloc aligned_alloc free)
CFLAGS += -std=c17 -D_GNU_SOURCE -g -pthread -I. $(CFLAGS_$(VARIANT)) $(ZEROING) \
	$(AS_WRITTEN) $(WARN) $(if $(WERROR),-Werror)
ifeq ($(VARIANT),fast)
AR := $(if $(ACROSS),gcc-ar,$(AR))
LDFLAGS += -O2 $(ACROSS) $(ZEROING)
endif
LDLIBS := -luring -pthread -lm
# Each of these calls can be made to fail by a test: common/testing/faults_wrap.c. Which
# module makes which of them: common/testing/FAULTS.md, checked by `make faults`.
WRAP := malloc calloc realloc aligned_alloc free mmap munmap \
	pthread_create pthread_mutex_init pthread_cond_init pthread_condattr_init \
	pthread_cond_wait pthread_cond_timedwait pthread_atfork pthread_attr_setstacksize \
	sched_getaffinity sched_setaffinity \
	close eventfd signalfd pipe2 epoll_create1 epoll_ctl epoll_wait epoll_pwait2 poll ppoll \
	read write pread pwrite recv send sys_recv sys_send recvmsg sendmsg \
	socket socketpair bind listen accept4 connect shutdown setsockopt getsockopt \
	getsockname getpeername \
	open openat fcntl fopen fclose fstat stat lstat fsync ftruncate unlink rename \
	__getdelim open_memstream scandir \
	fork waitpid wait4 nanosleep sigwaitinfo sigtimedwait getrlimit setrlimit syscall \
	io_uring_queue_init io_uring_queue_init_params io_uring_register_buf_ring \
	io_uring_register_buffers io_uring_register_files io_uring_register_files_sparse \
	io_uring_register_files_update io_uring_register_ring_fd io_uring_get_events \
	__io_uring_get_cqe __io_uring_sqring_wait io_uring_submit io_uring_submit_and_wait \
	io_uring_submit_and_get_events io_uring_submit_and_wait_timeout io_uring_wait_cqes
WRAP_FLAGS := $(WRAP:%=-Wl$(COMMA)--wrap=%)

# ---- what there is
LESSONS := $(sort $(wildcard lesson[0-9][0-9]_*))
lesson_dir = $(filter lesson0$(1)_%,$(LESSONS))
NUMBERS := 1 2 3 4 5 6 7 8

objects = $(patsubst %.c,$(B)/obj/%.o,$(1))
is_main = $(filter demo_% prog_% bench_% test_% fuzz_% explore_%,$(notdir $(1)))

# A build exercise is called by its number and its module: exercises/6.1_deque.c is written
# by a student for deque.h. "MODULE.c=EXERCISE.c" of each, and those that are taken: what
# MINE asks for, and each whose module is not here (in a handout it is the student's task).
OWN_ALL := $(shell ls -d lesson0?_*/exercises/[1-8].[1-9]_*.c 2>/dev/null | \
	sed -E 's,^(lesson[^/]*)/exercises/[1-8].[1-9]_(.*)$$,\1/\2=&,')
own_module = $(firstword $(subst =, ,$(1)))
own_source = $(lastword $(subst =, ,$(1)))
own_number = $(firstword $(subst _, ,$(notdir $(own_source))))
OWN := $(foreach o,$(OWN_ALL),$(if $(wildcard $(patsubst %.c,%.h,$(call own_module,$(o)))),$(o)))
OWN_TAKEN := $(strip $(foreach o,$(OWN),$(if $(filter 1 $(call own_number,$(o)),$(MINE))$(if \
	$(wildcard $(call own_module,$(o))),,taken),$(o))))
OWN_REPLACED := $(foreach o,$(OWN_TAKEN),$(call own_module,$(o)))
own_of = $(filter $(1)/%,$(foreach o,$(OWN_TAKEN),$(call own_source,$(o))))
# A test that includes a module's .c file then gets the student's one by that name.
ifneq ($(OWN_TAKEN),)
CPPFLAGS += -I$(B)/own
$(foreach o,$(OWN_TAKEN),$(shell mkdir -p $(B)/own/$(dir $(call own_module,$(o))) && \
	echo '#include "$(call own_source,$(o))"' >$(B)/own/$(call own_module,$(o))))
endif
layer_sources = $(foreach f,$(filter-out $(OWN_REPLACED),$(wildcard $(1)/*.c)),$(if \
	$(call is_main,$(f)),,$(f))) $(call own_of,$(1))

COMMON_LIB := $(B)/lib/common.a
TESTING_LIB := $(B)/lib/testing.a
FUZZING_LIB := $(B)/lib/fuzzing.a
# Who calls a fuzz target: libFuzzer, which brings its own main, or our driver.
FUZZ_WITH := $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer,$(FUZZING_LIB))
$(COMMON_LIB): $(call objects,$(call layer_sources,common))
$(TESTING_LIB): $(call objects,$(wildcard common/testing/*.c))
$(FUZZING_LIB): $(call objects,$(wildcard common/fuzzing/*.c))
VERDICT := $(call objects,common/verdict/verdict.c)
archives = $(foreach n,$(1),$(B)/lib/lesson0$(n).a)
# "8 7 ... 1": lessons from the given one down, the order in which a linker wants them.
below_1 := 1
below_2 := 2 $(below_1)
below_3 := 3 $(below_2)
below_4 := 4 $(below_3)
below_5 := 5 $(below_4)
below_6 := 6 $(below_5)
below_7 := 7 $(below_6)
below_8 := 8 $(below_7)

# ---- how it is built
ifeq ($(shell command -v $(firstword $(CC)) 2>/dev/null),)
NO_COMPILER = echo "there is no $(firstword $(CC)) here: run make setup" >&2; exit 1;
endif

# What everything was built with; when that changes, everything is built again.
BUILT_WITH = $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS) $(WRAP) $(EXPLORE_CFLAGS)
$(B)/built_with: FORCE
	@mkdir -p $(@D)
	@echo '$(BUILT_WITH)' | cmp -s - $@ || echo '$(BUILT_WITH)' >$@
.PHONY: FORCE

$(B)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/obj/%.o: %.c $(B)/built_with
	@$(NO_COMPILER) mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# program(source, output, archives): one linked program, with the fault wrappers in tests.
define program
$(2): $(call objects,$(1)) $(3) $(if $(findstring /test_,$(2)),$(TESTING_LIB)) $(COMMON_LIB) \
		$(if $(findstring /fuzz_,$(2)),$(filter %.a,$(FUZZ_WITH)))
	@mkdir -p $$(@D)
	@$$(CC) $$(SANITIZE) -pthread $$(LDFLAGS) -o $$@ $(call objects,$(1)) $(3) \
		$(if $(findstring /fuzz_,$(2)),$(FUZZ_WITH)) \
		$(if $(findstring /test_,$(2)),-Wl$$(COMMA)--start-group $(TESTING_LIB) $(COMMON_LIB) \
		-Wl$$(COMMA)--end-group $$(WRAP_FLAGS) -lcmocka,$(COMMON_LIB)) $$(LDLIBS)
endef

# lesson(N): the names of its programs, the rules that link them, and `make lessonN`.
define lesson
DIR_$(1) := $(call lesson_dir,$(1))
DEMOS_$(1) := $$(patsubst $$(DIR_$(1))/%.c,$(B)/bin/%,$$(wildcard $$(DIR_$(1))/demo_*.c))
PROGS_$(1) := $$(patsubst $$(DIR_$(1))/prog_%.c,$(B)/bin/%,$$(wildcard $$(DIR_$(1))/prog_*.c))
BENCHES_$(1) := $$(patsubst $$(DIR_$(1))/%.c,$(B)/bin/%,$$(wildcard $$(DIR_$(1))/bench_*.c))
TESTS_$(1) := $$(patsubst $$(DIR_$(1))/%.c,$(B)/test/$$(DIR_$(1))/%,$$(wildcard $$(DIR_$(1))/test_*.c))
$(B)/lib/lesson0$(1).a: $$(call objects,$$(call layer_sources,$$(DIR_$(1))))
FUZZERS += $$(patsubst $$(DIR_$(1))/%.c,$(B)/bin/%,$$(wildcard $$(DIR_$(1))/fuzz_*.c))
$$(foreach f,$$(wildcard $$(DIR_$(1))/demo_*.c $$(DIR_$(1))/bench_*.c $$(DIR_$(1))/fuzz_*.c),\
	$$(eval $$(call program,$$(f),$(B)/bin/$$(notdir $$(f:.c=)),$$(call archives,$$(below_$(1))))))
$$(foreach f,$$(wildcard $$(DIR_$(1))/prog_*.c),\
	$$(eval $$(call program,$$(f),$(B)/bin/$$(patsubst prog_%.c,%,$$(notdir $$(f))),$$(call archives,$$(below_$(1))))))
$$(foreach f,$$(wildcard $$(DIR_$(1))/test_*.c),\
	$$(eval $$(call program,$$(f),$(B)/test/$$(f:.c=),$$(call archives,$$(below_$(1))))))
ALL += $$(DEMOS_$(1)) $$(PROGS_$(1)) $$(BENCHES_$(1)) $$(TESTS_$(1))
ALL_TESTS += $$(TESTS_$(1))
.PHONY: lesson$(1) lesson0$(1) build-lesson$(1)
build-lesson$(1): $$(DEMOS_$(1)) $$(PROGS_$(1)) $$(BENCHES_$(1)) $$(TESTS_$(1))
	@:
lesson$(1):
	$$(if $$(MINE),@tools/exercise mine $(1) $$(MINE))
	+@$$(PARALLEL) build-lesson$(1) $$(if $$(filter 8,$(1)),all && $$(BUILD_COMPETITORS))
	@tools/lesson $(1) "$$(B)" "$$(DEMOS_$(1))" "$$(TESTS_$(1))"
lesson0$(1): lesson$(1)
endef

ALL :=
FUZZERS :=
COMMON_TESTS := $(patsubst common/%.c,$(B)/test/common/%,$(wildcard common/test_*.c))
ALL_TESTS := $(COMMON_TESTS)
$(foreach f,$(wildcard common/test_*.c),$(eval $(call program,$(f),$(B)/test/$(f:.c=),)))
$(foreach n,$(NUMBERS),$(eval $(call lesson,$(n))))

# ---- the explorer (common/explore/explore.h)
# Explored code is compiled with the race detector's calls in it, and linked with our
# engine in the place of the detector's library; the engine itself is compiled as usual.
ifneq ($(VARIANT),plain)
ifneq ($(filter explore%,$(MAKECMDGOALS)),)
$(error explored code is built in a way of its own: leave VARIANT=$(VARIANT) out)
endif
endif
EXPLORE_LIB := $(B)/lib/explore.a
$(EXPLORE_LIB): $(call objects,$(wildcard common/explore/*.c))
# What gcc has to say of fences in instrumented code.
NO_TSAN_WARNING := $(call probe,-Wno-tsan)
EXPLORE_CFLAGS = -std=c17 -D_GNU_SOURCE -g -pthread -I. -O1 -fsanitize=thread \
	-include common/explore/redirect.h $(AS_WRITTEN) $(WARN) $(NO_TSAN_WARNING) \
	$(if $(WERROR),-Werror)
EXPLORE_REFUSED := sem_wait sem_trywait sem_timedwait thrd_create mtx_lock nanosleep \
	clock_nanosleep usleep sleep fork exit _exit \
	$(addprefix pthread_,once cancel mutex_timedlock cond_clockwait rwlock_rdlock \
	rwlock_wrlock rwlock_tryrdlock rwlock_trywrlock barrier_wait spin_lock spin_trylock \
	setspecific getspecific exit)
EXPLORE_WRAP := malloc calloc realloc aligned_alloc free mmap munmap memcpy memmove memset \
	abort check_failed syscall eventfd read write close clock_gettime sched_yield \
	$(addprefix pthread_,create join detach self setname_np mutex_init mutex_destroy \
	mutex_lock mutex_trylock mutex_unlock cond_init cond_destroy cond_wait cond_timedwait \
	cond_signal cond_broadcast) $(EXPLORE_REFUSED)
EXPLORE_LINK = -Wl$(COMMA)--start-group $(B)/explore/lib/common.a $(EXPLORE_LIB) \
	-Wl$(COMMA)--end-group $(EXPLORE_WRAP:%=-Wl$(COMMA)--wrap=%) -lcmocka $(LDLIBS)
explored = $(patsubst %.c,$(B)/explore/obj/%.o,$(1))

$(B)/explore/obj/%.o: %.c $(B)/built_with
	@$(NO_COMPILER) mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(EXPLORE_CFLAGS) -MMD -MP -c $< -o $@

$(B)/explore/lib/common.a: $(call explored,$(call layer_sources,common))
$(foreach n,$(NUMBERS),$(eval $(B)/explore/lib/lesson0$(n).a: \
	$(call explored,$(call layer_sources,$(call lesson_dir,$(n))))))
$(B)/explore/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	@$(AR) rcs $@ $^

# What a program of lesson N is linked with, in this order.
explored_archives = $(patsubst %,$(B)/explore/lib/lesson0%.a,$(below_$(1)))

# explore_program(source, number of the lesson, if any)
define explore_program
$(B)/explore/$(1:.c=): $(call explored,$(1)) $(call explored_archives,$(2)) \
		$(B)/explore/lib/common.a $(EXPLORE_LIB)
	@mkdir -p $$(@D)
	@$$(CC) -pthread -o $$@ $(call explored,$(1)) $(call explored_archives,$(2)) $$(EXPLORE_LINK)
EXPLORE_ALL += $(B)/explore/$(1:.c=)
endef

# wrong_version(patch, number of the lesson): one module replaced by its patched self.
define wrong_version
$(B)/explore/$(1:.patch=): $(1) tools/wrong_version \
		$(call explored_archives,$(2)) $(B)/explore/lib/common.a $(EXPLORE_LIB) \
		$(call explored,$(wildcard $(call lesson_dir,$(2))/explore_*.c))
	@CC="$$(CC)" FLAGS="$$(EXPLORE_CFLAGS)" OBJECTS=$(B)/explore/obj \
		LINK="$(call explored_archives,$(2)) $$(EXPLORE_LINK)" tools/wrong_version $(1) $$@
EXPLORE_ALL += $(B)/explore/$(1:.patch=)
endef

EXPLORE_ALL :=
$(foreach f,$(wildcard common/explore_*.c),$(eval $(call explore_program,$(f),)))
$(foreach n,$(NUMBERS),\
	$(foreach f,$(wildcard $(call lesson_dir,$(n))/explore_*.c),\
		$(eval $(call explore_program,$(f),$(n))))\
	$(foreach f,$(wildcard $(call lesson_dir,$(n))/wrong/*.patch),\
		$(eval $(call wrong_version,$(f),$(n)))))

# `make explore6`: lesson 6 only; with CASE or WRONG one of them, and what is seen there.
# Like TARGET, not taken from the environment; tools/explore finds there what was typed.
CASE :=
WRONG :=
MODEL :=
REPLAY :=
LESSON :=
.PHONY: explore explore-deep explore-build $(NUMBERS:%=explore%)
# With CASE the wrong versions are left out: their patches do not fit a module that somebody
# is changing.
EXPLORE_LESSON = $(if $(LESSON),$(filter $(B)/explore/lesson0$(LESSON)_%,$(EXPLORE_ALL)),\
	$(EXPLORE_ALL))
EXPLORE_WANTED = $(if $(WRONG),$(filter %/wrong/$(notdir $(WRONG:.patch=)),$(EXPLORE_LESSON)),\
	$(if $(CASE),$(foreach p,$(EXPLORE_LESSON),$(if $(findstring /wrong/,$(p)),,$(p))),\
	$(EXPLORE_LESSON)))
explore-build: $(EXPLORE_WANTED)
	@:
explore explore-deep:
	+@$(PARALLEL) explore-build
	@tools/explore $(if $(filter explore-deep,$@),--deep) $(B)/explore
	@$(if $(CASE)$(WRONG),,BUILD="$(B)" tools/snippets build/explore)
$(NUMBERS:%=explore%): explore%:
	+@$(PARALLEL) explore-build LESSON=$*
	@tools/explore --lesson $* $(B)/explore

-include $(shell find $(B)/obj $(B)/explore/obj -name '*.d' 2>/dev/null)

# ---- exercises
# tools/exercise and tools/grade build a student's file and link it themselves; everything
# else they let this file build. What they have to know for it:
.PHONY: facts
facts:
	@printf '%s\n' 'CC=$(CC)' 'B=$(B)' 'CFLAGS=$(CPPFLAGS) $(CFLAGS)' 'LDFLAGS=$(LDFLAGS)' \
		'SANITIZE=$(SANITIZE)' 'LDLIBS=$(LDLIBS)' 'WRAP_FLAGS=$(WRAP_FLAGS)' \
		'EXPLORE_CFLAGS=$(CPPFLAGS) $(EXPLORE_CFLAGS)' 'AR=$(AR)' \
		'EXPLORE_WRAP_FLAGS=$(EXPLORE_WRAP:%=-Wl$(COMMA)--wrap=%)' 'OWN=$(OWN)' \
		'OWN_TAKEN=$(OWN_TAKEN)'

# An autograder for Gradescope: make gradescope LESSON=6 OUT=lesson6.zip
.PHONY: gradescope
OUT :=
gradescope:
	@$(if $(and $(LESSON),$(OUT)),tools/grading/gradescope pack $(LESSON) "$(OUT)",\
		echo "make gradescope LESSON=6 OUT=lesson6.zip" >&2; exit 2)

.PHONY: exercises progress watch
TEST :=
EX :=
exercises progress watch:
	@BUILD="$(BUILD)" CC="$(CC)" tools/exercise $@ $(EX)
ex%:
	@BUILD="$(BUILD)" CC="$(CC)" TEST="$(TEST)" CASE="$(CASE)" REPLAY="$(REPLAY)" \
		tools/exercise run $*
hint%:
	@tools/exercise hint $*
reset%:
	@tools/exercise reset $*

# For instructors: tools/grading/INSTRUCTOR.md.
OUT :=
.PHONY: handout
handout:
	@tools/grading/handout --lesson "$(LESSON)" --out "$(OUT)"

# ---- what people type
# These print a story, so they run one after the other; what they need is built by a
# second make on every CPU.
ifneq ($(filter lesson% test check explore%,$(filter-out explore-build,$(MAKECMDGOALS))),)
.NOTPARALLEL:
endif
CPUS := $(shell nproc 2>/dev/null || echo 1)
PARALLEL = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(CPUS))
# What the lab measures of ours is built as the peers are: optimised across files.
FAST := $(BUILD)/fast$(if $(filter-out gcc,$(notdir $(CC))),/$(notdir $(CC)))
COMPETITORS := work limits load echo hello httpd base_epoll base_uring base_threads
BUILD_COMPETITORS = $(PARALLEL) VARIANT=fast competitors
.PHONY: competitors
competitors: $(COMPETITORS:%=$(B)/bin/%)
	@:

# Where tests find the programs that they run: $COURSE_BIN/httpd.
export COURSE_BIN := $(B)/bin

.PHONY: help doctor all peers test check arrows rules lint faults snippets format soak clean lab which fuzz
help:
	$(info $(HELP))
	@:

all: $(ALL) $(COMMON_TESTS)
	@:

# The peers of lesson 8, in whatever language: never part of `all`.
peers:
	@CC="$(CC)" BUILD="$(BUILD)" PEER_CFLAGS="$(CFLAGS)" tools/peers

test:
	+@$(PARALLEL) all
	@tools/run_tests --jobs 2 --base $(B)/test/ $(ALL_TESTS)

# The names of the test programs, for tools that run them their own way.
.PHONY: list-tests
list-tests:
	@printf '%s\n' $(ALL_TESTS)

check:
	@tools/check

doctor:
	@CC="$(CC)" BUILD="$(BUILD)" tools/doctor

arrows rules lint:
	@tools/$@

faults: $(COMMON_LIB) $(call archives,$(NUMBERS))
	@WRAP="$(WRAP)" tools/faults $^

snippets: $(BUILD)/tools/probe_kernel
	+@$(PARALLEL) all
	@BUILD="$(B)" tools/snippets

format:
	@tools/format

# Small helpers of the tools themselves: $(BUILD)/tools/without_uring EPERM make lesson3
$(BUILD)/tools/%: tools/%.c
	@$(NO_COMPILER) mkdir -p $(@D)
	@$(CC) -std=c17 -D_GNU_SOURCE -O1 -I. $(WARN) $(if $(WERROR),-Werror) -o $@ \
		$(filter %.c,$^) -luring
$(BUILD)/tools/without_uring: common/testing/forbid.c common/testing/forbid.h

# LAB="--rounds 15 --only 'spawn *'" makes another plan of it.
LAB ?=
.PHONY: lab
lab:
	+@$(PARALLEL) all && $(BUILD_COMPETITORS)
	@BUILD="$(B)" $(B)/bin/lab --bin $(FAST)/bin --full --resume --weigh tools/weigh $(LAB)

# ANSWERS=any,small,network,average,linux asks nothing.
ANSWERS ?=
which:
	+@$(PARALLEL) $(B)/bin/lab
	@$(B)/bin/lab --which $(if $(ANSWERS),--answers '$(ANSWERS)')

FOR ?= 60
soak:
	+@$(PARALLEL) all
	@if [ -x $(B)/bin/soak ]; then $(B)/bin/soak --seconds $(FOR); \
	else echo "soak: there is no program for it yet (lessonNN_*/prog_soak.c)"; fi

TARGET :=
fuzz:
	@BUILD="$(BUILD)" tools/fuzz --seconds $(FOR) $(TARGET)

# The fuzz targets as they are, without running them.
.PHONY: fuzzers
fuzzers: $(FUZZERS)
	@:

# One entry a source file; a language server reads nothing else.
SOURCES := $(wildcard common/*.c common/testing/*.c common/fuzzing/*.c \
	common/explore/*.c common/verdict/*.c $(LESSONS:%=%/*.c))
.PHONY: compile_commands.json
compile_commands.json:
	@{ echo '['; first=1; for f in $(SOURCES); do \
		[ $$first ] || echo ','; first=; \
		printf '{ "directory": "%s", "file": "%s", "command": "%s" }' \
			"$(CURDIR)" "$$f" "$(CC) $(CFLAGS) -c $$f"; \
	done; echo; echo ']'; } > $@
	@echo "$@: $(words $(SOURCES)) files"

clean:
	@rm -rf $(BUILD) compile_commands.json

endif
