/* lab_testing: a lab for tests, with contestants that are shell scripts.
 *
 * For test programs only. Functions are static, since each test program is one file. */
#ifndef LESSON08_LAB_TESTING_H
#define LESSON08_LAB_TESTING_H

#include "common/testing/testing.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lesson08_compare/lab.h"
#include "lesson08_compare/process.h"

static struct lab lab;
static char said[65536];

/* A lab in a private folder, with room for scripts in bin/ and peers/. */
static inline void lab_testing_fresh(void)
{
    memset(&lab, 0, sizeof lab);
    machine_look(&lab.machine);
    lab.rounds = 3;
    lab.limit_ms = TEST_PATIENCE_S * 1000;
    lab.measure_ms = 20;
    lab.file_bytes = 1 << 20;
    lab.log = lab.runlog = -1;
    snprintf(lab.bin, sizeof lab.bin, "%s", testing_path("bin"));
    snprintf(lab.peers, sizeof lab.peers, "%s", testing_path("peers"));
    snprintf(lab.results, sizeof lab.results, "%s", testing_path("lab"));
    snprintf(lab.folder, sizeof lab.folder, "%s/20260101-000000", lab.results);
    mkdir(lab.bin, 0777);
    mkdir(lab.peers, 0777);
    mkdir(lab.results, 0777);
    mkdir(lab.folder, 0777);
}

/* The fixtures of a test that needs no more than that. */
static inline int lab_testing_begin(void **state)
{
    (void)state;
    lab_testing_fresh();
    return 0;
}

static inline int lab_testing_end(void **state)
{
    (void)state;
    lab_forget(&lab);
    return 0;
}

static inline void lab_testing_script(const char *program, const char *text)
{
    char path[600];
    lab_program_path(&lab, program, path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s", text);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

static inline void lab_testing_no_script(const char *program)
{
    char path[600];
    lab_program_path(&lab, program, path);
    unlink(path);
}

/* What a function prints on stdout. */
static inline const char *lab_testing_said(void (*print)(const struct lab *lab))
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    print(&lab);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(file);
    size_t n = fread(said, 1, sizeof said - 1, file);
    said[n] = '\0';
    fclose(file);
    return said;
}

/* Runs the tests, each between setup and teardown. */
static inline int lab_testing_main(const char *name, const struct CMUnitTest *tests,
                                   size_t count, CMFixtureFunction setup,
                                   CMFixtureFunction teardown)
{
    struct CMUnitTest all[32];
    assert_true(count <= ARRAY_SIZE(all));
    for (size_t i = 0; i < count; i++) {
        all[i] = tests[i];
        all[i].setup_func = setup;
        all[i].teardown_func = teardown;
    }
    return _cmocka_run_group_tests(name, all, count, NULL, NULL);
}

static inline int lab_testing_row(const char *name)
{
    int row = lab_row_named(name);
    assert_true(row >= 0);
    return row;
}

static inline int lab_testing_contestant(const char *name)
{
    int contestant = lab_contestant_named(name);
    assert_true(contestant >= 0);
    return contestant;
}

#endif
