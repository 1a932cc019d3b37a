/* progress: the time left, from what was measured.
 *
 * What a run of a row takes is known once one has been made, and runs of a row resemble
 * one another. Rows of which none has been made yet are guessed by their plan; the guess
 * is scaled by how far the guesses for the known rows were off. */
#include "lesson08_compare/progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"

#define PURPOSES 3
#define SECONDS_BETWEEN_LINES 20

static int slot(const struct lab_step *step)
{
    return step->row * PURPOSES + (int)step->purpose;
}

int progress_init(struct progress *progress, const struct lab *lab)
{
    size_t slots = (size_t)lab_row_count * PURPOSES;
    *progress = (struct progress){ .terminal = isatty(STDERR_FILENO) };
    progress->seconds = calloc(slots, sizeof *progress->seconds);
    progress->runs = calloc(slots, sizeof *progress->runs);
    if (!progress->seconds || !progress->runs) {
        progress_finish(progress);
        return -ENOMEM;
    }
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        struct lab_step step = { .row = run->row, .purpose = run->purpose };
        progress_note(progress, &step, run->took_s);
    }
    return 0;
}

void progress_finish(struct progress *progress)
{
    progress_pause(progress);
    free(progress->seconds);
    free(progress->runs);
    *progress = (struct progress){ 0 };
}

void progress_note(struct progress *progress, const struct lab_step *step,
                   double seconds)
{
    progress->seconds[slot(step)] += seconds;
    progress->runs[slot(step)]++;
}

double progress_left(const struct progress *progress, const struct lab *lab)
{
    double known = 0, guessed = 0, off_real = 0, off_guess = 0;
    for (int i = 0; i < lab->step_count; i++) {
        const struct lab_step *step = &lab->steps[i];
        int at = slot(step);
        double guess = lab_expected_seconds(lab, step);
        double mean =
            progress->runs[at] ? progress->seconds[at] / progress->runs[at] : 0;
        if (progress->runs[at]) {
            off_real += mean;
            off_guess += guess;
        }
        if (step->done)
            continue;
        if (progress->runs[at])
            known += mean;
        else
            guessed += guess;
    }
    double scale = off_guess > 0 ? off_real / off_guess : 1;
    return known + guessed * scale;
}

static void print_left(double seconds)
{
    if (seconds < 90)
        fprintf(stderr, "%.0f s left", seconds);
    else if (seconds < 5400)
        fprintf(stderr, "%.0f min left", seconds / 60);
    else
        fprintf(stderr, "%.1f h left", seconds / 3600);
}

void progress_say(struct progress *progress, const struct lab *lab, int step)
{
    const struct lab_step *s = &lab->steps[step];
    uint64_t now = clock_now();
    uint64_t pause =
        progress->terminal ? NS_PER_S / 5 : SECONDS_BETWEEN_LINES * NS_PER_S;
    if (progress->said == 0 && !progress->terminal)
        progress->said = now; /* the plan has just been said */
    if (now < progress->said + pause)
        return;
    progress->said = now;
    if (progress->terminal)
        fprintf(stderr, "\r%79s\r", "");
    fprintf(stderr, "lab: run %d of %d, %s %s, ", step + 1, lab->step_count,
            lab_rows[s->row].name, lab_contestants[s->contestant].name);
    print_left(progress_left(progress, lab));
    if (!progress->terminal)
        fputc('\n', stderr);
    fflush(stderr);
    progress->open = progress->terminal;
}

void progress_pause(struct progress *progress)
{
    if (progress->open)
        fprintf(stderr, "\r%79s\r", "");
    progress->open = false;
}
