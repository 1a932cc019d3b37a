/* symbols: what stands in the source at an address of the program.
 *
 * addr2line, which comes with every compiler, knows file and line; the line itself says
 * what an operation is applied to: the first argument of the call that stands there. */
#include "common/explore/engine.h"

#include <ctype.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SYMBOLS = 1024 };

static struct symbols {
    unsigned count;
    uintptr_t pcs[SYMBOLS];
    struct symbol symbols[SYMBOLS];
    char places[4][96];
    unsigned next_place;
    bool warned;
} * table;

int symbols_map(void)
{
    void *memory = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    table = memory;
    return 0;
}

/* The first object listed is the program itself. */
static int take_bias(struct dl_phdr_info *info, size_t size, void *argument)
{
    (void)size;
    *(uintptr_t *)argument = info->dlpi_addr;
    return 1;
}

/* The argument that begins at `at`, up to its comma or bracket; over a line's end. */
static void copy_argument(const char *at, char *to, size_t size)
{
    size_t n = 0;
    int depth = 0;
    while (isspace((unsigned char)*at))
        at++;
    if (*at == '&')
        at++;
    for (; *at && n + 1 < size; at++) {
        if ((*at == ',' || *at == ')') && depth == 0)
            break;
        depth += (*at == '(' || *at == '[') - (*at == ')' || *at == ']');
        if (!isspace((unsigned char)*at))
            to[n++] = *at;
    }
    to[n] = '\0';
}

static void find_object(const char *text, struct symbol *symbol)
{
    static const char *const calls[] = { "atomic_", "pthread_mutex_", "pthread_cond_",
                                         "futex(" };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const char *call = strstr(text, calls[i]);
        const char *end = strchr(text, '\n');
        if (!call || (end && call > end))
            continue;
        const char *bracket = strchr(call, '(');
        if (bracket)
            copy_argument(bracket + 1, symbol->object, sizeof symbol->object);
        return;
    }
}

static void read_source(const char *path, struct symbol *symbol)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    char text[512];
    size_t n = 0;
    for (int line = 1; n + 100 < sizeof text && line < symbol->line + 3; line++) {
        if (!fgets(text + n, (int)(sizeof text - n), file))
            break;
        if (line >= symbol->line)
            n += strlen(text + n);
    }
    text[n] = '\0';
    fclose(file);
    find_object(text, symbol);
}

static void parse(char *function, char *place, struct symbol *symbol)
{
    function[strcspn(function, "\n")] = '\0';
    snprintf(symbol->function, sizeof symbol->function, "%s", function);
    char *colon = strrchr(place, ':');
    if (!colon)
        return;
    *colon = '\0';
    sscanf(colon + 1, "%d", &symbol->line);
    const char *name = strrchr(place, '/');
    snprintf(symbol->file, sizeof symbol->file, "%s", name ? name + 1 : place);
    read_source(place, symbol);
}

static bool is_known(uintptr_t pc)
{
    for (unsigned i = 0; i < table->count; i++)
        if (table->pcs[i] == pc)
            return true;
    return false;
}

static void look_up(const uintptr_t *pcs, unsigned count)
{
    char command[8192];
    uintptr_t bias = 0;
    dl_iterate_phdr(take_bias, &bias);
    size_t n = (size_t)snprintf(command, sizeof command, "addr2line -f -e /proc/%d/exe",
                                (int)getpid());
    for (unsigned i = 0; i < count; i++)
        n += (size_t)snprintf(command + n, sizeof command - n, " 0x%lx",
                              (unsigned long)(pcs[i] - bias));
    snprintf(command + n, sizeof command - n, " 2>/dev/null");
    FILE *output = popen(command, "r");
    for (unsigned i = 0; i < count; i++) {
        char function[256] = "", place[512] = "";
        struct symbol *symbol = &table->symbols[table->count];
        snprintf(symbol->file, sizeof symbol->file, "?");
        if (output && fgets(function, sizeof function, output) &&
            fgets(place, sizeof place, output))
            parse(function, place, symbol);
        table->pcs[table->count++] = pcs[i];
    }
    int status = output ? pclose(output) : -1;
    if (status != 0 && !table->warned)
        fprintf(stderr,
                "explorer: addr2line cannot be run, so places are shown as \"?\"\n");
    table->warned = table->warned || status != 0;
}

void symbols_prepare(const uintptr_t *pcs, unsigned count)
{
    uintptr_t unknown[256];
    unsigned n = 0;
    bool inside = engine->inside; /* what follows is our own, not the scenario's */
    engine->inside = false;
    for (unsigned i = 0; i < count; i++) {
        if (n == 256 || table->count + n == SYMBOLS)
            break;
        bool listed = is_known(pcs[i]);
        for (unsigned k = 0; k < n && !listed; k++)
            listed = unknown[k] == pcs[i];
        if (!listed)
            unknown[n++] = pcs[i];
    }
    if (n > 0)
        look_up(unknown, n);
    engine->inside = inside;
}

const struct symbol *symbol_of(uintptr_t pc)
{
    static const struct symbol none = { .file = "?" };
    symbols_prepare(&pc, 1);
    for (unsigned i = 0; i < table->count; i++)
        if (table->pcs[i] == pc)
            return &table->symbols[i];
    return &none;
}

const char *symbol_place(uintptr_t pc)
{
    const struct symbol *symbol = symbol_of(pc);
    char *text = table->places[table->next_place++ % 4];
    snprintf(text, sizeof table->places[0], "%s:%d", symbol->file, symbol->line);
    return text;
}
