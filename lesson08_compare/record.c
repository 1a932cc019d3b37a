/* record: every single run on disk, so that anybody can do other statistics.
 *
 * CSV for spreadsheets, JSON for programs; the JSON also holds the machine. Nothing is
 * left out: runs that do not count are there, with the reason. */
#include "lesson08_compare/lab.h"

#include <errno.h>
#include <stdio.h>

#include "lesson08_compare/json.h"

static void csv(const struct lab *lab, FILE *out)
{
    fprintf(out, "row,contestant,round,tool,per_second,cpu_us,syscalls,p50_us,p99_us,"
                 "p999_us,max_us,fair_min,fair_median,fair_max,load_busy,stolen,others,"
                 "requests,errors,rate,attempts,at_limit,problem\n");
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *r = &lab->runs[i];
        fprintf(out, "%s,%s,%d,%s,%.1f,%.4f,%.4f,%.2f,%.2f,%.2f,%.2f,%.0f,%.0f,%.0f,",
                lab_rows[r->row].name, lab_contestants[r->contestant].name, r->round,
                r->tool ? r->tool : "", r->per_second, r->cpu_us, r->syscalls,
                r->p50_us, r->p99_us, r->p999_us, r->max_us, r->fair_min,
                r->fair_median, r->fair_max);
        fprintf(out, "%.3f,%.3f,%.3f,%.0f,%.0f,%.0f,%d,%d,%s\n", r->load_busy,
                r->stolen, r->others, r->requests, r->errors, r->rate, r->attempts,
                r->at_limit, r->problem ? r->problem : "");
    }
}

static void json_machine(const struct lab *lab, FILE *out)
{
    struct json json;
    const struct machine *m = &lab->machine;
    json_begin(&json, out);
    json_text(&json, "kernel", m->kernel);
    json_text(&json, "cpu", m->cpu);
    json_count(&json, "cpus", (uint64_t)m->cpus);
    json_text(&json, "shared_core", m->server_cpu == m->load_cpu ? "yes" : "no");
    json_text(&json, "compiler", m->compiler);
    json_text(&json, "flags", m->flags);
    json_text(&json, "date", m->date);
    json_count(&json, "rounds", (uint64_t)lab->rounds);
    json_count(&json, "warmup_ms", lab->warmup_ms);
    json_count(&json, "measure_ms", lab->measure_ms);
    json_end(&json);
}

static void json_run(const struct lab_run *r, FILE *out)
{
    struct json json;
    json_begin(&json, out);
    json_text(&json, "row", lab_rows[r->row].name);
    json_text(&json, "contestant", lab_contestants[r->contestant].name);
    json_count(&json, "round", (uint64_t)r->round);
    json_text(&json, "tool", r->tool ? r->tool : "");
    json_real(&json, "per_second", r->per_second);
    json_real(&json, "cpu_us", r->cpu_us);
    json_real(&json, "syscalls", r->syscalls);
    json_real(&json, "p50_us", r->p50_us);
    json_real(&json, "p99_us", r->p99_us);
    json_real(&json, "p999_us", r->p999_us);
    json_real(&json, "max_us", r->max_us);
    json_real(&json, "fair_min", r->fair_min);
    json_real(&json, "fair_median", r->fair_median);
    json_real(&json, "fair_max", r->fair_max);
    json_real(&json, "load_busy", r->load_busy);
    json_real(&json, "stolen", r->stolen);
    json_real(&json, "others", r->others);
    json_real(&json, "requests", r->requests);
    json_real(&json, "errors", r->errors);
    json_real(&json, "rate", r->rate);
    json_count(&json, "attempts", (uint64_t)r->attempts);
    json_text(&json, "at_limit", r->at_limit ? "yes" : "no");
    json_text(&json, "problem", r->problem ? r->problem : "");
    json_end(&json);
}

static void json_all(const struct lab *lab, FILE *out)
{
    fputs("{\"machine\":", out);
    json_machine(lab, out);
    fputs(",\"runs\":[\n", out);
    for (int i = 0; i < lab->run_count; i++) {
        if (i > 0)
            fputc(',', out);
        json_run(&lab->runs[i], out);
    }
    fputs("]}\n", out);
}

static int save(const struct lab *lab, const char *kind,
                void (*print)(const struct lab *lab, FILE *out))
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s.%s", lab->results, lab->machine.stamp, kind);
    FILE *out = fopen(path, "we");
    if (!out)
        return -errno;
    print(lab, out);
    bool ok = !ferror(out);
    if (fclose(out) != 0 || !ok)
        return -EIO;
    printf("every run: %s\n", path);
    return 0;
}

int lab_record(const struct lab *lab)
{
    int err = save(lab, "csv", csv);
    return err < 0 ? err : save(lab, "json", json_all);
}
