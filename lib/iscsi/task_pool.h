/* The tasks of a session, in blocks: session->cmds[].
 *
 * There are those of management from the beginning and those that the queue depth asks for; whoever
 * opens further devices sets more aside, up to cmds_max, and what is there stays. So what a session
 * costs follows from the depths that are used, and nothing is allocated between submit and done. */
#ifndef ISKRA_ISCSI_TASK_POOL_H
#define ISKRA_ISCSI_TASK_POOL_H

#include <stdint.h>

struct iskra_session;
struct iskra_r2t;
struct iskra_task;

#define ISKRA_TASK_BLOCK_SHIFT 4u
#define ISKRA_TASK_BLOCK_CNT   (1u << ISKRA_TASK_BLOCK_SHIFT)

struct iskra_task_block {
    struct iskra_task *tasks; /* ISKRA_TASK_BLOCK_CNT of them */
    struct iskra_r2t *r2ts;   /* the entries of their queues; NULL before the first START_CONN */
};

/* An empty one, of a session whose cmds_max is set. 0 or -ENOMEM. */
int iskra_task_pool_init(struct iskra_session *s);
void iskra_task_pool_done(struct iskra_session *s);

/* Tasks for so many commands at once, or for as many as there can be, and those of management. 0 or
 * -ENOMEM: there are as many as there was memory for, and commands share them. */
int iskra_task_pool_set_aside(struct iskra_session *s, uint32_t cmnd_cnt);

/* R2T queues for MaxOutstandingR2T as negotiated, for these tasks and those to come; no task may be
 * out. 0 or -ENOMEM. */
int iskra_task_pool_set_r2ts_aside(struct iskra_session *s);

#endif
