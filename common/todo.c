#include "common/todo.h"

#include "common/check.h"

void exercise_todo(const char *file, int line, const char *function,
                   const char *exercise, ...)
{
    check_failed(file, line, "written",
                 "%s is not written yet: it is yours, exercise %s", function, exercise);
}
