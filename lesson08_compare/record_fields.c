/* record_fields: a table of offsets, so that writing and reading a run cannot drift
 * apart: a column that is written is read again under the same name. */
#include "lesson08_compare/record_fields.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "common/container.h"
#include "lesson08_compare/json.h"

#define FIELD(member)                                                                  \
    {                                                                                  \
#member, offsetof(struct lab_run, member)                                      \
    }

const struct record_field record_fields[] = {
    FIELD(ops),          FIELD(wall_ns), FIELD(cpu_ns),    FIELD(per_second),
    FIELD(cpu_us),       FIELD(user_us), FIELD(sys_us),    FIELD(syscalls),
    FIELD(instructions), FIELD(bytes),   FIELD(p50_us),    FIELD(p99_us),
    FIELD(p999_us),      FIELD(max_us),  FIELD(fair_min),  FIELD(fair_median),
    FIELD(fair_max),     FIELD(stolen),  FIELD(load_busy), FIELD(others),
    FIELD(errors),       FIELD(rate),    FIELD(took_s),
};
const int record_field_count = (int)ARRAY_SIZE(record_fields);

double *record_field(struct lab_run *run, int field)
{
    return (double *)(void *)((char *)run + record_fields[field].offset);
}

/* ---- what identifies a lab */

static void mix_text(uint64_t *hash, const char *text)
{
    for (; *text; text++) /* FNV-1a */
        *hash = (*hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    *hash = (*hash ^ 0xff) * UINT64_C(1099511628211);
}

static void mix_number(uint64_t *hash, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, number);
    mix_text(hash, text);
}

static void mix_program(const struct lab *lab, uint64_t *hash, const char *program)
{
    char path[600];
    struct stat is;
    lab_program_path(lab, program, path);
    mix_text(hash, program);
    if (stat(path, &is) < 0)
        return;
    mix_number(hash, (uint64_t)is.st_size);
    mix_number(hash, (uint64_t)is.st_mtim.tv_sec);
    mix_number(hash, (uint64_t)is.st_mtim.tv_nsec);
}

static uint64_t plan_of(const struct lab *lab)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    mix_number(&hash, lab->full);
    mix_number(&hash, lab->has_wrk);
    mix_number(&hash, (uint64_t)lab->rounds);
    mix_number(&hash, lab->warmup_ms);
    mix_number(&hash, lab->measure_ms);
    mix_number(&hash, lab->file_bytes);
    for (int i = 0; i < lab->step_count; i++) {
        const struct lab_step *step = &lab->steps[i];
        mix_text(&hash, lab_rows[step->row].name);
        mix_text(&hash, lab_contestants[step->contestant].name);
        mix_number(&hash, (uint64_t)step->round);
        mix_text(&hash, lab_purpose_name(step->purpose));
    }
    return hash;
}

struct record_key record_key(const struct lab *lab)
{
    static const char *const ours[] = { "load", "echo", "hello", "httpd" };
    struct record_key key = { plan_of(lab), UINT64_C(14695981039346656037),
                              UINT64_C(14695981039346656037) };
    const struct machine *m = &lab->machine;
    mix_text(&key.machine, m->kernel);
    mix_text(&key.machine, m->cpu);
    mix_number(&key.machine, (uint64_t)m->server_cpu);
    mix_number(&key.machine, (uint64_t)m->load_cpu);
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        mix_program(lab, &key.programs, ours[i]);
    for (int c = 0; c < lab_contestant_count; c++) {
        if (lab_contestants[c].server)
            mix_program(lab, &key.programs, lab_contestants[c].server);
        if (lab_contestants[c].program)
            mix_program(lab, &key.programs, lab_contestants[c].program);
    }
    return key;
}

/* ---- one thing, one line */

static void hex(struct json *json, const char *key, uint64_t value)
{
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, value);
    json_text(json, key, text);
}

void record_json_head(const struct lab *lab, FILE *out)
{
    struct json json;
    const struct machine *m = &lab->machine;
    struct record_key key = record_key(lab);
    json_begin(&json, out);
    json_text(&json, "type", "lab");
    json_count(&json, "format", 1);
    json_text(&json, "kernel", m->kernel);
    json_text(&json, "cpu", m->cpu);
    json_count(&json, "cpus", (uint64_t)m->cpus);
    json_count(&json, "server_cpu", m->server_cpu < 0 ? 0 : (uint64_t)m->server_cpu);
    json_count(&json, "load_cpu", m->load_cpu < 0 ? 0 : (uint64_t)m->load_cpu);
    json_text(&json, "shared_core", m->server_cpu == m->load_cpu ? "yes" : "no");
    json_text(&json, "compiler", m->compiler);
    json_text(&json, "flags", m->flags);
    json_text(&json, "tools", m->tools);
    json_text(&json, "allocator", m->allocator);
    json_text(&json, "date", m->date);
    json_text(&json, "stamp", m->stamp);
    json_text(&json, "form", lab->full ? "full" : "short");
    json_text(&json, "only", lab->only ? lab->only : "");
    json_text(&json, "wrk", lab->has_wrk ? "yes" : "no");
    json_count(&json, "rounds", (uint64_t)lab->rounds);
    json_count(&json, "warmup_ms", lab->warmup_ms);
    json_count(&json, "measure_ms", lab->measure_ms);
    json_count(&json, "steps", (uint64_t)lab->step_count);
    hex(&json, "plan", key.plan);
    hex(&json, "machine", key.machine);
    hex(&json, "programs", key.programs);
    json_end(&json);
}

void record_json_contestant(const struct lab *lab, int contestant, FILE *out)
{
    static const char *const kinds[] = { "cell", "baseline", "peer", "limit" };
    const struct lab_contestant *c = &lab_contestants[contestant];
    const struct lab_offer *offer = &lab->offers[contestant];
    struct json json;
    json_begin(&json, out);
    json_text(&json, "type", "contestant");
    json_text(&json, "name", c->name);
    json_text(&json, "kind", kinds[c->kind]);
    json_text(&json, "program",
              c->program  ? c->program
              : c->server ? c->server
                          : c->web);
    json_text(&json, "version", offer->version);
    json_text(&json, "problem", offer->problem);
    json_text(&json, "workloads", offer->workloads);
    json_end(&json);
}

void record_json_run(const struct lab *lab, const struct lab_run *run, FILE *out)
{
    struct json json;
    struct lab_run copy = *run;
    json_begin(&json, out);
    json_text(&json, "type", "run");
    json_text(&json, "row", lab_rows[run->row].name);
    json_text(&json, "contestant", lab_contestants[run->contestant].name);
    json_text(&json, "version", lab->offers[run->contestant].version);
    json_text(&json, "purpose", lab_purpose_name(run->purpose));
    json_count(&json, "round", (uint64_t)run->round);
    json_text(&json, "tool", run->tool);
    json_count(&json, "n", run->n);
    json_count(&json, "check", run->check);
    for (int i = 0; i < record_field_count; i++)
        if (*record_field(&copy, i) >= 0) /* not known: not there */
            json_real(&json, record_fields[i].name, *record_field(&copy, i));
    json_text(&json, "counted_by", run->counted_by);
    json_count(&json, "attempts", (uint64_t)run->attempts);
    json_text(&json, "at_limit", run->at_limit ? "yes" : "no");
    json_text(&json, "problem", run->problem);
    for (int i = 0; i < run->extra_count; i++) {
        char name[40];
        snprintf(name, sizeof name, "x_%s", run->extra[i].name);
        json_real(&json, name, run->extra[i].value);
    }
    json_end(&json);
}
