/* fuzz: the line that a contestant's program prints is a result, or none.
 *
 * What is taken has to be numbers that can be divided and compared. The row, of which the
 * right answer depends, is chosen by the input. */
#include "common/fuzzing/fuzz.h"

#include <math.h>

#include "lesson08_compare/measure_program.h"
#include "lesson08_compare/record_fields.h"

static void must_be_well(struct lab_run *run)
{
    CHECK(run->ops >= 1, "%g operations", run->ops);
    for (int i = 0; i < record_field_count; i++)
        CHECK(isfinite(*record_field(run, i)), "%s is %g", record_fields[i].name,
              *record_field(run, i));
    CHECK(run->extra_count >= 0 && run->extra_count <= LAB_EXTRAS, "%d numbers more",
          run->extra_count);
    for (int i = 0; i < run->extra_count; i++) {
        const struct lab_number *extra = &run->extra[i];
        CHECK(memchr(extra->name, '\0', sizeof extra->name), "a name without end");
        CHECK(isfinite(extra->value), "%s is %g", extra->name, extra->value);
        CHECK(strcmp(extra->name, "wall_ns") != 0, "a column is a number more");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lab lab;
    char *line = fuzz_text(data, size);
    int row;
    for (row = 0; lab_rows[row].kind != LAB_PROGRAM; row++)
        continue;
    row += (int)fuzz_choose(data, size, 4, 0);
    lab.file_bytes = 1 << 20;
    struct lab_step step = { .row = row };
    struct lab_run run = lab_run_blank(&step);
    run.n = 1000;
    if (program_take(&lab, &run, line))
        must_be_well(&run);
    free(line);
    return 0;
}
