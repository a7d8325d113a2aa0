/* A command changes hands while it is out: its memory goes back to its caller, somebody else waits
 * for its end (decision 17). */
#include <errno.h>

#include "iscsi/conn.h"
#include "iscsi/session.h"
#include "tcp/detach.h"

bool iskra_cmnd_unsent(const struct iskra_cmnd *cmd)
{
    return cmd->task != NULL && cmd->task->state == ISKRA_TASK_PENDING;
}

static bool lent(const struct iskra_cmnd *cmd)
{
    return cmd->task != NULL && iskra_tcp_is_lent(&cmd->task->conn->tcp, &cmd->task->tcp);
}

int iskra_cmnd_recall(const struct iskra_cmnd *cmd)
{
    if (!lent(cmd))
        return 0;
    struct iskra_sock *sock = cmd->task->conn->sock;
    if (sock != NULL && sock->ops->recall != NULL)
        sock->ops->recall(sock);
    return lent(cmd) ? -EBUSY : 0;
}

/* Refused by queuecommand: it moves no data. */
size_t iskra_cmnd_detach_len(const struct iskra_cmnd *cmd)
{
    const struct iskra_task *task = cmd->task;
    return task == NULL ? 0 : iskra_tcp_detach_len(&task->conn->tcp, &task->tcp);
}

void iskra_cmnd_detach(struct iskra_cmnd *cmd, struct iskra_cmnd *heir, void *memory)
{
    struct iskra_task *task = cmd->task;
    *heir = *cmd;
    heir->iov = NULL;
    heir->iov_cnt = 0;
    iskra_list_init(&heir->link);
    if (task == NULL) { /* refused by queuecommand: its scsi_done is due */
        iskra_list_replace(&cmd->link, &heir->link);
        return;
    }
    cmd->task = NULL;
    task->cmd = heir;
    if (task->state == ISKRA_TASK_RUNNING)
        iskra_list_remove(&task->link); /* Data-Out that it still owed is never sent */
    iskra_tcp_detach(&task->conn->tcp, &task->tcp, memory);
}
