/* Blocks of tasks, with the entries of their R2T queues. */
#include "iscsi/task_pool.h"

#include <errno.h>
#include <stdbool.h>

#include <iskra/platform.h>

#include "iscsi/session.h"

_Static_assert(ISKRA_CMDS_MIN % ISKRA_TASK_BLOCK_CNT == 0, "cmds_max is a number of blocks");
_Static_assert(ISKRA_TASK_BLOCK_CNT > ISKRA_MGMT_CMDS_MAX, "one block is enough to go on with");

static uint32_t block_cnt(const struct iskra_session *s)
{
    return s->cmd_cnt / ISKRA_TASK_BLOCK_CNT;
}

static void block_free(const struct iskra_session *s, struct iskra_task_block *block)
{
    const struct iskra_platform *pf = s->round->pf;
    pf->free(pf->arg, block->tasks);
    pf->free(pf->arg, block->r2ts);
    *block = (struct iskra_task_block){0};
}

static struct iskra_r2t *r2ts_alloc(const struct iskra_session *s, uint32_t per_task)
{
    const struct iskra_platform *pf = s->round->pf;
    size_t cnt = (size_t)ISKRA_TASK_BLOCK_CNT * per_task;
    return pf->alloc(pf->arg, cnt * sizeof(struct iskra_r2t));
}

/* An empty queue for each task. A negotiation that asks for fewer than there is memory for gets
 * what it asks for: one R2T more than that is an error of the target. */
static void r2ts_deal(const struct iskra_session *s, struct iskra_task_block *block)
{
    for (uint32_t i = 0; i < ISKRA_TASK_BLOCK_CNT; i++)
        iskra_r2t_queue_init(&block->tasks[i].r2ts, block->r2ts + (size_t)i * s->r2ts_per_task,
                             s->params.max_outstanding_r2t);
}

static bool block_alloc(const struct iskra_session *s, struct iskra_task_block *block)
{
    const struct iskra_platform *pf = s->round->pf;
    block->tasks = pf->alloc(pf->arg, ISKRA_TASK_BLOCK_CNT * sizeof(*block->tasks));
    block->r2ts = s->r2ts_per_task > 0 ? r2ts_alloc(s, s->r2ts_per_task) : NULL;
    if (block->tasks != NULL && (block->r2ts != NULL || s->r2ts_per_task == 0))
        return true;
    block_free(s, block);
    return false;
}

/* One block more, its tasks behind all others in the pool. */
static int grow(struct iskra_session *s)
{
    struct iskra_task_block *block = &s->cmds[block_cnt(s)];
    if (!block_alloc(s, block))
        return -ENOMEM;
    if (block->r2ts != NULL)
        r2ts_deal(s, block);
    for (uint32_t i = 0; i < ISKRA_TASK_BLOCK_CNT; i++) {
        struct iskra_task *task = &block->tasks[i];
        task->index = s->cmd_cnt++;
        task->session = s;
        iskra_list_push_back(&s->pool, &task->link);
    }
    s->scsi_cmds_room = s->cmd_cnt - ISKRA_MGMT_CMDS_MAX;
    return 0;
}

int iskra_task_pool_set_aside(struct iskra_session *s, uint32_t cmnd_cnt)
{
    int rc = 0;
    while (rc == 0 && s->cmd_cnt < s->cmds_max && (s->cmd_cnt == 0 || s->scsi_cmds_room < cmnd_cnt))
        rc = grow(s);
    return rc;
}

int iskra_task_pool_init(struct iskra_session *s)
{
    const struct iskra_platform *pf = s->round->pf;
    iskra_list_init(&s->pool);
    s->cmds = pf->alloc(pf->arg, s->cmds_max / ISKRA_TASK_BLOCK_CNT * sizeof(*s->cmds));
    return s->cmds != NULL ? 0 : -ENOMEM;
}

void iskra_task_pool_done(struct iskra_session *s)
{
    for (uint32_t i = 0; i < block_cnt(s); i++)
        block_free(s, &s->cmds[i]);
    s->round->pf->free(s->round->pf->arg, s->cmds);
    s->cmds = NULL;
    s->cmd_cnt = 0;
}

/* A block that got more before the memory ran out keeps it: the others decide how many are used. */
static int r2ts_enlarge(struct iskra_session *s, uint32_t per_task)
{
    for (uint32_t i = 0; i < block_cnt(s); i++) {
        struct iskra_r2t *r2ts = r2ts_alloc(s, per_task);
        if (r2ts == NULL)
            return -ENOMEM;
        s->round->pf->free(s->round->pf->arg, s->cmds[i].r2ts);
        s->cmds[i].r2ts = r2ts;
    }
    s->r2ts_per_task = per_task;
    return 0;
}

int iskra_task_pool_set_r2ts_aside(struct iskra_session *s)
{
    if (s->params.max_outstanding_r2t > s->r2ts_per_task) {
        int rc = r2ts_enlarge(s, s->params.max_outstanding_r2t);
        if (rc != 0)
            return rc;
    }
    for (uint32_t i = 0; i < block_cnt(s); i++)
        r2ts_deal(s, &s->cmds[i]);
    return 0;
}
