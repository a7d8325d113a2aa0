/* Swarm: each seed draws which kinds of faults there are at all, and how strong, and everything
 * else that is not the same in every world: sizes, options, times. And the faults that strike by
 * the clock. */
#ifndef ISKRA_SIM_FAULTS_H
#define ISKRA_SIM_FAULTS_H

#include <stdio.h>

#include "sim/clock.h"
#include "sim/random.h"

struct sim;

#define SIM_LUN_CNT    3u
#define SIM_DISK_CNT   (2 * SIM_LUN_CNT)
#define SIM_HANDLE_CNT 4u
#define SIM_SPEC_CNT   24u
#define SIM_SPEC_LEN   72u
#define SIM_URL_LEN    600u

enum sim_fault {
    SIM_FAULT_PARTIAL,       /* reads and writes are cut at random */
    SIM_FAULT_DELAY,         /* some bytes come much later */
    SIM_FAULT_HOLD,          /* a receive window is handed out and kept */
    SIM_FAULT_CORRUPT,       /* bits flip, only under digests */
    SIM_FAULT_STALL,         /* a connection is silent for some time */
    SIM_FAULT_RESET,         /* a connection is reset from the middle */
    SIM_FAULT_HALF_CLOSE,    /* the target's direction ends, the other one lives on */
    SIM_FAULT_OUTAGE,        /* the network is away */
    SIM_FAULT_MEMORY,        /* connections are gone, but the target remembers their sessions */
    SIM_FAULT_KILL,          /* the target dies and comes back without its sessions */
    SIM_FAULT_POWER,         /* so does its volatile cache */
    SIM_FAULT_LATE,          /* what a closed connection had sent may arrive much later */
    SIM_FAULT_SILENCE,       /* a command, or its answer, is lost in the target */
    SIM_FAULT_BUSY,          /* BUSY, TASK SET FULL */
    SIM_FAULT_ATTENTION,     /* unit attentions */
    SIM_FAULT_ABORTED,       /* ABORTED COMMAND, TASK ABORTED, not ready yet */
    SIM_FAULT_WINDOW,        /* a small window; MaxCmdSN that goes back */
    SIM_FAULT_TMF_REFUSED,   /* task management is refused */
    SIM_FAULT_TMF_SILENT,    /* or not answered */
    SIM_FAULT_LOGIN_REFUSED, /* for now */
    SIM_FAULT_LOGIN_SILENT,
    SIM_FAULT_TARGET_CLOSE, /* the target closes at some PDU */
    SIM_FAULT_REDIRECT,     /* logins are sent elsewhere, even to another portal group */
    SIM_FAULT_REFUSED,      /* the LUN cannot do a read or a write, for good */
    SIM_FAULT_SWAP,         /* another disk is behind a LUN's number when the target comes back */
    SIM_FAULT_CNT,
};

/* Those after which a request may end with an error: even a mere delay may cost a ping its answer.
 */
#define SIM_FAULTS_THAT_FAIL (~(1u << SIM_FAULT_PARTIAL | 1u << SIM_FAULT_REDIRECT))

extern const char *const sim_fault_names[SIM_FAULT_CNT];

struct sim_plan {
    uint64_t seed;
    uint32_t kinds; /* bit per enum sim_fault */
    bool deaf;      /* many commands and task management functions in a row come to nothing */
    bool moves;     /* between portal groups, as often as can be */

    /* The network. Rates are of 10,000. */
    uint64_t latency_min_ns, latency_max_ns, delay_ns, hold_ns, late_ns, connect_ns;
    unsigned partial, delay, hold, corrupt, late;
    uint32_t pipe_len;
    uint64_t strike_ns; /* mean time between faults by the clock */
    uint64_t away_ns;   /* how long what goes away is away, at most */

    /* The target. */
    unsigned group_cnt; /* portal groups, each a process of its own */
    uint32_t block_len, block_cnt, lun_cnt;
    uint32_t max_recv, first_burst, max_burst, max_r2t, r2t_len, max_data_in, cmd_window;
    bool immediate_data, initial_r2t, separate_status, early_status;
    uint64_t service_ns; /* how long the target thinks, at most */
    unsigned spec_cnt;
    char specs[SIM_SPEC_CNT][SIM_SPEC_LEN];

    /* The initiator and its load. */
    unsigned handle_cnt;
    uint32_t handle_lun[SIM_HANDLE_CNT];
    char urls[SIM_HANDLE_CNT][SIM_URL_LEN];
    unsigned io_cnt, depth, max_blocks, cancel, detach, reopen, raw, flush, fua, zero, compare,
        write, spare;
    uint64_t think_ns; /* at most */
    uint64_t bound_ns; /* everything ends within, once the faults are over */
};

/* Which kind a line of the target's is about ("fault: drop command #3 of connection 2"). */
enum sim_fault sim_fault_of_spec(const char *text);

void sim_plan_draw(struct sim_plan *plan, uint64_t seed);
void sim_plan_print(const struct sim_plan *plan, FILE *to);

static inline bool sim_plan_has(const struct sim_plan *plan, enum sim_fault kind)
{
    return plan->kinds >> kind & 1;
}

/* ---- by the clock ---- */

struct sim_faults {
    struct sim_event strike, outage_end, swap;
    unsigned strike_cnt, swap_cnt;
};

void sim_faults_begin(struct sim *sim);
/* All is well from now on. */
void sim_faults_end(struct sim *sim);
void sim_faults_done(struct sim *sim);

/* Does a fault of this kind happen now? `rate`: of 10,000. It is counted, and noted. */
bool sim_fault_happens(struct sim *sim, enum sim_fault kind, unsigned rate);
void sim_fault_note(struct sim *sim, enum sim_fault kind, uint64_t a, uint64_t b);

#endif
