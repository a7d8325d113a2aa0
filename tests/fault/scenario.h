/* One short life of a LUN, the same each time but for the call that is refused in it: opened,
 * written, flushed, read, its connection lost, read again, reset, pinged, closed; and a look at
 * what else the target has. What must hold whatever was refused is checked on the way. */
#ifndef ISKRA_TESTS_FAULT_SCENARIO_H
#define ISKRA_TESTS_FAULT_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "fault/calls.h"

struct scenario_result {
    unsigned refused_cnt;   /* calls that were refused; 0: there is no n-th */
    unsigned failed_cnt;    /* calls of the public API that failed, or told of failure */
    unsigned io_failed_cnt; /* of these, requests */
    uint64_t took_ns;       /* virtual */
    char first_text[256];   /* the story of the first failure; "" */
    char complaint[1024];   /* what must not have happened; "": all is well */
};

void scenario_run(const struct call_plan *plan, struct scenario_result *ret);

/* The last lines of the log and errors of the last run, to stderr. */
void scenario_print_story(void);

#endif
