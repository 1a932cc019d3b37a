/* record: every single run on disk, so that anybody can do other statistics.
 *
 * CSV for spreadsheets, JSON for programs; the JSON also holds the machine and who
 * competed. Nothing is left out: runs that do not count are there, with the reason. What
 * is not known is empty in the CSV and absent in the JSON. */
#include "lesson08_compare/lab.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lesson08_compare/record_fields.h"

/* A text that may hold commas and quotes. */
static void quoted(FILE *out, const char *text)
{
    fputs(",\"", out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
    fputc('"', out);
}

static void csv_run(const struct lab *lab, const struct lab_run *r, FILE *out)
{
    struct lab_run copy = *r;
    fprintf(out, "%s,%s,%d,%s,%s", lab_rows[r->row].name,
            lab_contestants[r->contestant].name, r->round, lab_purpose_name(r->purpose),
            r->tool);
    for (int i = 0; i < record_field_count; i++) {
        double value = *record_field(&copy, i);
        if (value >= 0)
            fprintf(out, ",%.9g", value);
        else
            fputc(',', out);
    }
    fprintf(out, ",%s,%d,%d,%" PRIu64 ",%" PRIu64, r->counted_by, r->attempts,
            r->at_limit, r->n, r->check);
    quoted(out, lab->offers[r->contestant].version);
    quoted(out, r->problem);
    fputs(",", out);
    for (int i = 0; i < r->extra_count; i++)
        fprintf(out, "%s%s=%.9g", i ? ";" : "", r->extra[i].name, r->extra[i].value);
    fputc('\n', out);
}

static void csv(const struct lab *lab, FILE *out)
{
    fputs("row,contestant,round,purpose,tool", out);
    for (int i = 0; i < record_field_count; i++)
        fprintf(out, ",%s", record_fields[i].name);
    fputs(",counted_by,attempts,at_limit,n,check,version,problem,extra\n", out);
    for (int i = 0; i < lab->run_count; i++)
        csv_run(lab, &lab->runs[i], out);
}

static void json_all(const struct lab *lab, FILE *out)
{
    fputs("{\"lab\":", out);
    record_json_head(lab, out);
    fputs(",\"contestants\":[\n", out);
    for (int c = 0; c < lab_contestant_count; c++) {
        fputs(c > 0 ? "," : "", out);
        record_json_contestant(lab, c, out);
    }
    fputs("],\"runs\":[\n", out);
    for (int i = 0; i < lab->run_count; i++) {
        fputs(i > 0 ? "," : "", out);
        record_json_run(lab, &lab->runs[i], out);
    }
    fputs("]}\n", out);
}

static int save(const struct lab *lab, const char *kind,
                void (*print)(const struct lab *lab, FILE *out))
{
    char path[700];
    snprintf(path, sizeof path, "%s/runs.%s", lab->folder, kind);
    FILE *out = fopen(path, "we");
    if (!out)
        return -errno;
    print(lab, out);
    int err = ferror(out) ? -EIO : 0;
    if (fclose(out) != 0)
        err = -errno; /* tries once more, and knows the reason */
    if (err == 0)
        printf("every run: %s\n", path);
    return err;
}

int lab_record(const struct lab *lab)
{
    int err = save(lab, "csv", csv);
    return err < 0 ? err : save(lab, "json", json_all);
}
