/* What a write still owes its target: its unsolicited data, then the R2Ts that are not answered
 * yet, in the order of arrival.
 *
 * The memory is set aside by the iSCSI layer with the tasks: MaxOutstandingR2T entries each. An R2T
 * leaves its queue when its last Data-Out is queued for sending, and is outstanding until that
 * arrives (RFC 7143 13.17), so that one more than this is one more than was negotiated. */
#ifndef ISKRA_TCP_R2T_H
#define ISKRA_TCP_R2T_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

struct iskra_tcp_conn;
struct iskra_tcp_task;

/* One sequence of Data-Out PDUs. Unsolicited data is a sequence too, that of an R2T which the login
 * implied. */
struct iskra_r2t {
    uint32_t ttt, r2t_sn;         /* ttt: reserved for unsolicited data */
    uint32_t offset, desired_len; /* within the command's data */
    uint64_t lun;                 /* comes back in each Data-Out (RFC 7143 11.7.4, 11.8.5) */
    uint32_t sent_len;            /* of desired_len, queued for sending */
    uint32_t data_sn;             /* of the next Data-Out */
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

/* The sequence that a write is to go on with, or NULL when it owes nothing for now. */
struct iskra_r2t *iskra_tcp_data_out_due(struct iskra_tcp_task *task);

/* A Data-Out of len bytes of the sequence that is due was queued; after its last one the next is
 * due. */
void iskra_tcp_data_out_sent(struct iskra_tcp_task *task, uint32_t len);

/* An R2T has arrived for a write: the rules of RFC 7143 11.8, then the queue. `hdr` is its BHS. */
enum iskra_conn_error iskra_tcp_r2t_rsp(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task,
                                        const uint8_t *hdr);

#endif
