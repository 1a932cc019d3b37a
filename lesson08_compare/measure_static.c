/* measure_static: what a runtime is before it runs.
 *
 * Compiling and counting lines is a shell's work (tools/weigh), which prints one line of
 * JSON. It may take minutes and is done once. */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson08_compare/command.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/lab.h"
#include "lesson08_compare/process.h"

#define WEIGH_PATIENCE (1800 * NS_PER_S)

static void take(struct lab_run *run, const char *line)
{
    struct lab_number number;
    const char *at = line;
    while (run->extra_count < LAB_EXTRAS &&
           (at = json_next_number(at, number.name, sizeof number.name, &number.value)))
        run->extra[run->extra_count++] = number;
}

bool lab_measure_static(struct lab *lab, struct lab_run *run)
{
    struct command command;
    struct process process;
    char line[1024];
    command_begin(&command, lab->weigh);
    command_word(&command, lab_contestants[run->contestant].product);
    command_word(&command, lab->results);
    snprintf(run->tool, sizeof run->tool, "weigh");
    int err = process_start(&process, command.argv, PROCESS_ANY_CPU, lab->log);
    if (err == 0) {
        err = process_read_line(&process, line, sizeof line,
                                clock_now() + WEIGH_PATIENCE);
        process_stop(&process, err < 0 ? SIGTERM : 0, clock_now() + 10 * NS_PER_S);
    }
    if (err == 0 && !json_get_text(line, "problem", run->problem, sizeof run->problem))
        take(run, line);
    if (err < 0)
        snprintf(lab->note, sizeof lab->note, "cannot be weighed: %s", errtext(err));
    return err == 0;
}
