/* The tasks of a session, in blocks: session->cmds[].
 *
 * The first block is there from the beginning: the tasks of management, and some of commands, so
 * that with no more memory than that everything goes on, if slower. Further blocks follow when so
 * many commands are out at once, up to cmds_max, and stay: a session that once was busy asks for
 * nothing, one that never was costs little. */
#ifndef ISKRA_ISCSI_TASK_POOL_H
#define ISKRA_ISCSI_TASK_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct iskra_session;
struct iskra_r2t;
struct iskra_task;

#define ISKRA_TASK_BLOCK_SHIFT 5u
#define ISKRA_TASK_BLOCK_CNT   (1u << ISKRA_TASK_BLOCK_SHIFT)

struct iskra_task_block {
    struct iskra_task *tasks; /* ISKRA_TASK_BLOCK_CNT of them, or cmds_max if that is less */
    struct iskra_r2t *r2ts;   /* the entries of their queues; NULL before the first START_CONN */
};

/* The first block, of a session whose cmds_max is set. 0 or -ENOMEM. */
int iskra_task_pool_init(struct iskra_session *s);
void iskra_task_pool_done(struct iskra_session *s);

/* One block more, its tasks behind all others in the pool. False: cmds_max are there, or there is
 * no memory. */
bool iskra_task_pool_grow(struct iskra_session *s);

/* R2T queues for MaxOutstandingR2T as negotiated, for these tasks and those to come; no task may be
 * out. 0 or -ENOMEM. */
int iskra_task_pool_set_r2ts_aside(struct iskra_session *s);

#endif
