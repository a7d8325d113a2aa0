/* R2Ts a target has sent for one write and that are not answered yet, in the order of arrival.
 *
 * The memory is set aside by the iSCSI layer with the tasks: twice MaxOutstandingR2T entries each,
 * because a target may send the next R2T while the last Data-Out of one is still in the socket. One
 * more than that, and the target has exceeded what was negotiated. */
#ifndef ISKRA_TCP_R2T_H
#define ISKRA_TCP_R2T_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

struct iskra_tcp_conn;
struct iskra_tcp_task;

#define ISKRA_R2T_POOL_LEN(max_outstanding_r2t) (2u * (max_outstanding_r2t))

struct iskra_r2t {
    uint32_t ttt, r2t_sn;
    uint32_t offset, desired_len; /* within the command's data */
    uint64_t lun;                 /* comes back in each Data-Out (RFC 7143 11.7.4) */
};

struct iskra_r2t_queue {
    struct iskra_r2t *entries; /* entry_cnt of them, whoever allocated the task frees them */
    uint32_t entry_cnt;
    uint32_t first, queued_cnt;
};

/* An empty queue over entry_cnt entries; also how a task's queue is emptied for its next command.
 */
void iskra_r2t_queue_init(struct iskra_r2t_queue *q, struct iskra_r2t *entries, uint32_t entry_cnt);

/* Appends; false when the pool is empty. */
bool iskra_r2t_queue_put(struct iskra_r2t_queue *q, const struct iskra_r2t *r2t);

/* An R2T has arrived for a write: the rules of RFC 7143 11.8, then the queue. `hdr` is its BHS. */
enum iskra_conn_error iskra_tcp_r2t_rsp(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task,
                                        const uint8_t *hdr);

#endif
