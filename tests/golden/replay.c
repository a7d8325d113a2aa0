#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

#define CDB_AT       32u
#define LOGIN_T_NSG3 0x83u /* byte 1 of the final Login Response, CSG aside */

static struct replay *replay_of(struct iskra_tcp_conn *conn)
{
    return iskra_container_of(conn, struct replay, conn);
}

static struct replay_cmd *cmd_of(struct iskra_tcp_task *task)
{
    return iskra_container_of(task, struct replay_cmd, task);
}

/* Tags are used again and again: the first command of that tag that is not complete is meant. */
static struct replay_cmd *cmd_find(struct replay *r, uint32_t itt)
{
    for (unsigned i = 0; i < r->cmd_cnt; i++)
        if (!r->cmds[i].complete && r->cmds[i].task.itt == itt)
            return &r->cmds[i];
    return NULL;
}

static enum iskra_conn_error replay_verify_itt(struct iskra_tcp_conn *conn, uint32_t itt)
{
    (void)conn;
    (void)itt; /* opaque: which are in use is itt_to_ctask's matter */
    return ISKRA_CONN_OK;
}

static struct iskra_tcp_task *replay_itt_to_ctask(struct iskra_tcp_conn *conn, uint32_t itt)
{
    struct replay_cmd *cmd = cmd_find(replay_of(conn), itt);
    return cmd ? &cmd->task : NULL;
}

static void replay_update_cmd_window(struct iskra_tcp_conn *conn, uint32_t exp_cmd_sn,
                                     uint32_t max_cmd_sn)
{
    (void)conn;
    (void)exp_cmd_sn;
    (void)max_cmd_sn;
}

/* What the control plane does after the final Login Response: receive holds until START_CONN. */
static void login_progress(struct replay *r, const uint8_t *hdr)
{
    if ((hdr[1] & LOGIN_T_NSG3) == LOGIN_T_NSG3 && hdr[36] == 0) {
        r->login_over = true;
        iskra_tcp_recv_suspend(&r->conn);
    }
}

static enum iskra_conn_error replay_complete_pdu(struct iskra_tcp_conn *conn, const uint8_t *hdr,
                                                 const uint8_t *data, uint32_t len)
{
    (void)data;
    (void)len;
    struct replay *r = replay_of(conn);
    r->complete_cnt++;
    uint8_t opcode = iskra_bhs_opcode(hdr);
    if (opcode == ISKRA_OP_LOGIN_RSP)
        login_progress(r, hdr);
    if (opcode == ISKRA_OP_SCSI_RSP || opcode == ISKRA_OP_DATA_IN) {
        struct replay_cmd *cmd = cmd_find(r, iskra_bhs_itt(hdr));
        if (!cmd)
            return ISKRA_CONN_BAD_ITT;
        cmd->complete = true;
    }
    return ISKRA_CONN_OK;
}

/* The initiator of the capture answered it: make room. */
static void replay_r2t_queued(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task)
{
    (void)conn;
    task->r2t->queued_cnt = 0;
}

static bool replay_logged_in(struct iskra_tcp_conn *conn)
{
    return replay_of(conn)->login_over;
}

static void replay_task_get(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task)
{
    (void)conn;
    cmd_of(task)->ref_cnt++;
}

static void replay_task_put(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task)
{
    (void)conn;
    cmd_of(task)->ref_cnt--;
}

static void replay_conn_failure(struct iskra_tcp_conn *conn, enum iskra_conn_error error)
{
    (void)error;
    replay_of(conn)->failure_cnt++;
}

static const struct iskra_tcp_ops replay_ops = {
    .verify_itt = replay_verify_itt,
    .itt_to_ctask = replay_itt_to_ctask,
    .update_cmd_window = replay_update_cmd_window,
    .complete_pdu = replay_complete_pdu,
    .r2t_queued = replay_r2t_queued,
    .logged_in = replay_logged_in,
    .task_get = replay_task_get,
    .task_put = replay_task_put,
    .conn_failure = replay_conn_failure,
};

static void *platform_alloc(void *arg, size_t size)
{
    (void)arg;
    return calloc(1, size);
}

static void platform_free(void *arg, void *p)
{
    (void)arg;
    free(p);
}

static void *need(void *p)
{
    if (!p)
        abort();
    return p;
}

/* The disk as the capture's writes leave it, with a mark on every byte that they touched. */
struct disk {
    uint8_t *bytes, *written;
};

static void cdb_decode(struct replay_cmd *cmd, const uint8_t *cdb)
{
    cmd->opcode = cdb[0];
    bool ten = cdb[0] == 0x28 || cdb[0] == 0x2a, sixteen = cdb[0] == 0x88 || cdb[0] == 0x8a;
    if (ten) {
        cmd->lba = iskra_get_be32(cdb + 2);
        cmd->blocks = iskra_get_be16(cdb + 7);
    } else if (sixteen) {
        cmd->lba = iskra_get_be64(cdb + 2);
        cmd->blocks = iskra_get_be32(cdb + 10);
    }
}

/* Byte position of its data on the disk, or REPLAY_DISK_LEN if it has none there. */
static size_t cmd_place(const struct replay_cmd *cmd)
{
    if (cmd->blocks == 0)
        return REPLAY_DISK_LEN;
    uint64_t at = cmd->lba * (cmd->task.transfer_len / cmd->blocks);
    return at + cmd->task.transfer_len <= REPLAY_DISK_LEN ? (size_t)at : REPLAY_DISK_LEN;
}

static void cmd_put_data(const struct replay_cmd *cmd, struct disk *disk, uint32_t offset,
                         const uint8_t *data, uint32_t len)
{
    size_t at = cmd_place(cmd);
    if (cmd->task.dir != ISKRA_DIR_WRITE || at == REPLAY_DISK_LEN)
        return;
    memcpy(disk->bytes + at + offset, data, len);
    memset(disk->written + at + offset, 1, len);
}

static void cmd_add(struct replay *r, const uint8_t *bhs, struct disk *disk)
{
    if (r->cmd_cnt == r->cmd_cap) {
        r->cmd_cap = r->cmd_cap * 2 + 64;
        r->cmds = need(realloc(r->cmds, r->cmd_cap * sizeof(*r->cmds)));
    }
    struct replay_cmd *cmd = &r->cmds[r->cmd_cnt++];
    struct iskra_pdu_scsi_cmd pdu;
    iskra_scsi_cmd_decode(bhs, &pdu);
    *cmd = (struct replay_cmd){0};
    cmd->task.itt = pdu.itt;
    cmd->task.transfer_len = pdu.edtl;
    cmd->task.dir = pdu.read ? ISKRA_DIR_READ : pdu.write ? ISKRA_DIR_WRITE : ISKRA_DIR_NONE;
    cdb_decode(cmd, bhs + CDB_AT);
    cmd->memory = need(malloc(pdu.edtl + 1));
    size_t at = cmd_place(cmd);
    cmd->carried = memset(need(malloc(pdu.edtl + 1)), 0xee, pdu.edtl);
    if (cmd->task.dir == ISKRA_DIR_READ && at != REPLAY_DISK_LEN) {
        cmd->disk = memcpy(need(malloc(pdu.edtl)), disk->bytes + at, pdu.edtl);
        cmd->written = memcpy(need(malloc(pdu.edtl)), disk->written + at, pdu.edtl);
    }
}

/* The last command of that tag so far. */
static struct replay_cmd *cmd_last(struct replay *r, uint32_t itt)
{
    for (unsigned i = r->cmd_cnt; i-- > 0;)
        if (r->cmds[i].task.itt == itt)
            return &r->cmds[i];
    abort();
}

/* Steps through a stream; the PDU's data is at *ret_data, *at moves to the next. */
static const uint8_t *pdu_next(const struct replay *r, struct replay_bytes stream, size_t *at,
                               const uint8_t **ret_data)
{
    if (*at == stream.len)
        return NULL;
    const uint8_t *bhs = stream.bytes + *at;
    uint8_t opcode = iskra_bhs_opcode(bhs);
    bool login = opcode == ISKRA_OP_LOGIN || opcode == ISKRA_OP_LOGIN_RSP;
    size_t digest_len = r->digests && !login ? ISKRA_DIGEST_LEN : 0;
    size_t data_at = *at + ISKRA_BHS_LEN + iskra_bhs_ahs_len(bhs) + digest_len;
    uint32_t data_len = iskra_bhs_data_len(bhs);
    size_t end = data_at + data_len + iskra_pad_len(data_len) + (data_len > 0 ? digest_len : 0);
    if (end > stream.len)
        abort(); /* the stream is not what we take it for */
    *ret_data = stream.bytes + data_at;
    *at = end;
    return bhs;
}

static void initiator_read(struct replay *r, struct replay_bytes stream, struct disk *disk)
{
    size_t at = 0;
    const uint8_t *bhs, *data;
    while ((bhs = pdu_next(r, stream, &at, &data)) != NULL) {
        uint32_t data_len = iskra_bhs_data_len(bhs);
        if (iskra_bhs_opcode(bhs) == ISKRA_OP_SCSI_CMD) {
            cmd_add(r, bhs, disk);
            cmd_put_data(&r->cmds[r->cmd_cnt - 1], disk, 0, data, data_len);
        } else if (iskra_bhs_opcode(bhs) == ISKRA_OP_DATA_OUT) {
            cmd_put_data(cmd_last(r, iskra_bhs_itt(bhs)), disk, iskra_get_be32(bhs + 40), data,
                         data_len);
        }
    }
}

static void target_read(struct replay *r, struct replay_bytes stream)
{
    size_t at = 0;
    const uint8_t *bhs, *data;
    while ((bhs = pdu_next(r, stream, &at, &data)) != NULL) {
        uint8_t opcode = iskra_bhs_opcode(bhs);
        if (opcode != ISKRA_OP_DATA_IN && opcode != ISKRA_OP_SCSI_RSP)
            continue;
        struct replay_cmd *cmd = cmd_find(r, iskra_bhs_itt(bhs));
        uint32_t offset = iskra_get_be32(bhs + 40), data_len = iskra_bhs_data_len(bhs);
        if (!cmd)
            abort();
        if (opcode == ISKRA_OP_DATA_IN) {
            if ((uint64_t)offset + data_len > cmd->task.transfer_len)
                abort();
            memcpy(cmd->carried + offset, data, data_len);
        }
        cmd->complete = opcode == ISKRA_OP_SCSI_RSP || (bhs[1] & 1);
    }
}

void replay_init(struct replay *r, struct replay_bytes initiator, struct replay_bytes target,
                 bool digests)
{
    memset(r, 0, sizeof(*r));
    r->digests = digests;
    r->pf = (struct iskra_platform){
        .size = sizeof(r->pf), .alloc = platform_alloc, .free = platform_free};
    struct disk disk = {need(calloc(1, REPLAY_DISK_LEN)), need(calloc(1, REPLAY_DISK_LEN))};
    initiator_read(r, initiator, &disk);
    free(disk.bytes);
    free(disk.written);
    target_read(r, target);
    if (iskra_trace_init(&r->trace, &r->pf, FAKE_RECORD_CNT) != 0 ||
        iskra_tcp_conn_init(&r->conn, &replay_ops, &r->pf, &r->trace, 1, 4) != 0)
        abort();
}

void replay_done(struct replay *r)
{
    iskra_tcp_conn_done(&r->conn);
    iskra_trace_done(&r->trace);
    for (unsigned i = 0; i < r->cmd_cnt; i++) {
        free(r->cmds[i].memory);
        free(r->cmds[i].carried);
        free(r->cmds[i].disk);
        free(r->cmds[i].written);
    }
    free(r->cmds);
}

/* In four entries of uneven length, one of them empty. */
static void cmd_restart(struct replay_cmd *cmd)
{
    uint32_t len = cmd->task.transfer_len, third = len / 3;
    cmd->iov[0] = (struct iovec){cmd->memory, third};
    cmd->iov[1] = (struct iovec){cmd->memory + third, 0};
    cmd->iov[2] = (struct iovec){cmd->memory + third, third};
    cmd->iov[3] = (struct iovec){cmd->memory + 2 * third, len - 2 * third};
    memset(cmd->memory, 0xee, len);
    iskra_sg_cursor_init(&cmd->task.sg, cmd->iov, REPLAY_IOV_CNT, 0);
    iskra_r2t_queue_init(&cmd->r2ts, cmd->r2t_memory, REPLAY_R2T_CNT);
    cmd->task.r2t = cmd->task.dir == ISKRA_DIR_WRITE ? &cmd->r2ts : NULL;
    cmd->task.running = true;
    cmd->task.exp_data_sn = cmd->task.recv_len = 0;
    cmd->task.asked_len = 0;
    cmd->complete = false;
}

/* START_CONN: what was negotiated comes into force, and receive goes on. */
static int start_conn(struct replay *r)
{
    struct iskra_tcp_in *in = &r->conn.in;
    in->exact = false;
    in->hdr_digest = in->data_digest = r->digests;
    in->max_recv_data_len = 256 * 1024;
    return iskra_tcp_recv_resume(&r->conn);
}

int replay_run(struct replay *r, const uint8_t *bytes, size_t len, struct chunks chunks)
{
    for (unsigned i = 0; i < r->cmd_cnt; i++)
        cmd_restart(&r->cmds[i]);
    iskra_tcp_conn_reset(&r->conn);
    r->conn.port.ops->bound(&r->conn.port);
    r->conn.in.exact = true;
    r->login_over = false;
    r->failure_cnt = r->complete_cnt = 0;
    r->trace.head = 0;
    size_t at = 0;
    for (;;) {
        size_t used;
        int rc = port_feed(&r->conn.port, r->staging, sizeof(r->staging), bytes + at, len - at,
                           &chunks, &used);
        at += used;
        if (rc != -EAGAIN)
            return rc != 0 || at == len ? rc : -ENODATA;
        rc = start_conn(r);
        if (rc != 0)
            return rc;
    }
}

bool replay_memory_matches(const struct replay *r)
{
    for (unsigned i = 0; i < r->cmd_cnt; i++) {
        const struct replay_cmd *cmd = &r->cmds[i];
        if (memcmp(cmd->memory, cmd->carried, cmd->task.transfer_len) != 0)
            return false;
    }
    return true;
}

void replay_compare_with_disk(const struct replay *r, size_t *ret_same_len, size_t *ret_other_len)
{
    size_t same_len = 0, other_len = 0;
    for (unsigned i = 0; i < r->cmd_cnt; i++) {
        const struct replay_cmd *cmd = &r->cmds[i];
        for (uint32_t at = 0; cmd->disk && at < cmd->task.transfer_len; at++) {
            if (!cmd->written[at])
                continue;
            if (cmd->memory[at] == cmd->disk[at])
                same_len++;
            else
                other_len++;
        }
    }
    *ret_same_len = same_len;
    *ret_other_len = other_len;
}
