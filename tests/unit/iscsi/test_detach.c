/* Commands that change hands at every stage: the memory of the first owner is freed at once and
 * never touched again (ASan says so), the connection goes on as if nothing had happened. */
#include <errno.h>
#include <stdlib.h>

#include "write_rig.h"

static struct rig_cmd *read_new(struct rig *r, uint32_t len)
{
    struct rig_cmd *cmd = malloc(sizeof(*cmd));
    rig_cmd_init(r, cmd, ISKRA_DIR_READ, len);
    return cmd;
}

struct heir {
    struct rig_cmd cmd; /* first; only its counts and cmnd */
    void *memory;
    size_t len;
};

static void detach(struct rig *r, struct rig_cmd *cmd, struct heir *heir)
{
    memset(heir, 0, sizeof(*heir));
    heir->len = iskra_cmnd_detach_len(&cmd->cmnd);
    heir->memory = malloc(heir->len + 1);
    heir->cmd.rig = r;
    iskra_cmnd_detach(&cmd->cmnd, &heir->cmd.cmnd, heir->memory);
    heir->cmd.cmnd.cdb = heir->cmd.cdb;
    heir->cmd.cmnd.error = &heir->cmd.error;
    assert_null(cmd->cmnd.task);
    free(cmd);
}

static void heir_end(struct rig *r, struct heir *heir)
{
    rig_run(r);
    assert_int_equal(heir->cmd.done_cnt, 1);
    free(heir->memory);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static struct rig *read_rig(bool data_digest)
{
    struct rig *r = rig_new(32);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_EXP_STATSN, RIG_STAT_SN), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_MAX_RECV_DLENGTH, 262144), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_DATADGST_EN, data_digest), 0);
    assert_int_equal(rig_start(r), 0);
    iskra_window_update(&rig_session(r)->window, RIG_CMD_SN, RIG_CMD_SN + 31);
    return r;
}

static uint8_t bytes[128 * 1024];

/* The bytes of a whole read, in so many PDUs, the last with GOOD. */
static size_t read_stream(struct rig *r, uint32_t itt, uint32_t len, uint32_t pdu_cnt, uint8_t *dst,
                          bool digest)
{
    size_t at = 0;
    uint32_t part = len / pdu_cnt, offset = 0;
    for (uint32_t sn = 0; sn < pdu_cnt; sn++) {
        bool last = sn == pdu_cnt - 1;
        uint32_t n = last ? len - offset : part;
        struct iskra_pdu_data_in pdu = rig_data_in(r, itt, sn, offset);
        uint8_t hdr[ISKRA_BHS_LEN];
        pdu.final = last;
        pdu.status_present = last;
        iskra_data_in_encode(&pdu, hdr);
        at += rig_pdu_put(dst + at, hdr, bytes + offset, n, false, digest);
        offset += n;
    }
    return at;
}

static int fill(void **state)
{
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
    return 0;
}

/* Cut anywhere, in pieces of any size, with the memory gone at the cut. */
static void a_read_is_detached_at_every_byte(void **state)
{
    static uint8_t stream[RIG_IN_LEN];
    const uint32_t len = 450; /* its thirds need padding */
    for (int digest = 0; digest <= 1; digest++) {
        size_t total = 1;
        for (size_t cut = 0; cut < total; cut++) {
            struct rig *r = read_rig(digest);
            struct rig_cmd *cmd = read_new(r, len);
            uint32_t itt = rig_queue_and_send(r, cmd);
            struct heir heir;
            total = read_stream(r, itt, len, 3, stream, digest);
            r->chunk = cut % 3 == 0 ? 1 : 0;
            rig_feed(r, stream, cut);
            detach(r, cmd, &heir);
            rig_feed(r, stream + cut, total - cut);
            rig_run(r);
            assert_int_equal(heir.cmd.cmnd.result, 0);
            assert_int_equal(heir.cmd.cmnd.residual, 0);
            heir_end(r, &heir);
        }
    }
}

/* Large enough for receives in place, and for a sink smaller than one PDU: with digests the sink
 * must not be overwritten before it is hashed. */
static void the_rest_of_a_large_read_goes_to_a_sink(void **state)
{
    static uint8_t stream[RIG_IN_LEN];
    const uint32_t len = 120000;
    static const size_t cuts[] = {0, 20, 48, 100, 5000, 40047, 40048, 60000, 100000, 120040};
    for (unsigned way = 0; way < 4; way++)
        for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
            bool digest = way & 1;
            struct rig *r = read_rig(digest);
            struct rig_cmd *cmd = read_new(r, len);
            uint8_t *data = malloc(len);
            struct iovec *iov = malloc(sizeof(*iov));
            *iov = (struct iovec){data, len};
            cmd->cmnd.iov = iov;
            uint32_t itt = rig_queue_and_send(r, cmd);
            struct heir heir;
            size_t total = read_stream(r, itt, len, way & 2 ? 1 : 3, stream, digest);
            rig_feed(r, stream, cuts[i]);
            detach(r, cmd, &heir);
            assert_true(heir.len <= 64 * 1024 + 2 * sizeof(struct iovec));
            free(data);
            free(iov);
            rig_feed(r, stream + cuts[i], total - cuts[i]);
            assert_int_equal(heir.cmd.cmnd.result, 0);
            heir_end(r, &heir);
        }
}

/* What the ring holds goes out as it was, wherever the socket stopped; what it does not, never. */
static void a_write_is_detached_at_every_byte(void **state)
{
    static uint8_t want[RIG_OUT_LEN];
    for (int digest = 0; digest <= 1; digest++) {
        struct gen_keys keys = write_keys_default;
        keys.data_digest = digest;
        keys.initial_r2t = false; /* immediate and unsolicited data, both in the ring */
        size_t total = 1;
        for (size_t cut = 0; cut < total; cut += 13) {
            struct rig *r = write_rig(&keys, 1);
            struct write_cmd *w = malloc(sizeof(*w));
            uint32_t covered;
            struct heir heir;
            write_init(r, w, 3000, 11);
            r->room = cut;
            write_queue(r, w);
            total = gen_command(&keys, &w->gen, want, &covered);
            rig_run(r);
            assert_int_equal(covered, 1024);
            detach(r, &w->cmd, &heir);
            if (digest) /* what has been copied once is not copied again */
                assert_int_equal(heir.len, 0);
            write_socket_takes(r, SIZE_MAX);
            write_expect_bytes(r, want, total);
            assert_false(rig_sent_any(r));
            assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
            heir_end(r, &heir);
        }
    }
}

static void a_detached_write_answers_no_r2t(void **state)
{
    struct gen_keys keys = write_keys_default;
    struct rig *r = write_rig(&keys, 4);
    struct write_cmd *w = malloc(sizeof(*w)), sn;
    struct heir heir;
    write_init(r, w, 4096, 2);
    write_queue(r, w);
    rig_run(r);
    (void)write_expect_command(r, &keys, w);
    write_feed_r2t(r, w, 512, 1024, NULL); /* waits for the worker */
    sn.cmd.cmnd.lun = w->cmd.cmnd.lun;
    sn.gen = w->gen;
    sn.r2t_sn = w->r2t_sn;
    detach(r, &w->cmd, &heir);
    write_feed_r2t(r, &sn, 1536, 1024, NULL);
    rig_run(r);
    assert_false(rig_sent_any(r));
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, sn.gen.itt, 0x08);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    assert_int_equal(heir.cmd.cmnd.result, 0x08);
    heir_end(r, &heir);
}

static void a_detached_command_is_aborted_for_its_heir(void **state)
{
    struct rig *r = read_rig(false);
    struct rig_cmd *cmd = read_new(r, 4096);
    (void)rig_queue_and_send(r, cmd);
    struct heir heir;
    detach(r, cmd, &heir);
    assert_int_equal(iskra_session_abort(rig_session(r), &heir.cmd.cmnd), 0);
    rig_run(r);
    struct iskra_pdu_tmf_rsp pdu = {
        .itt = iskra_bhs_itt(rig_sent(r)),
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = rig_session(r)->window.cmd_sn,
        .max_cmd_sn = rig_session(r)->window.max_cmd_sn,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_tmf_rsp_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, NULL, 0);
    assert_int_equal(heir.cmd.cmnd.result, ISKRA_RESULT(ISKRA_DID_ABORT, 0));
    heir_end(r, &heir);
}

/* A driver that keeps its receive window between its turns, as io_uring does, and may give it back
 * with some bytes in it. */
static struct {
    struct rig *r;
    struct iovec iov[4];
    int cnt;
    size_t n; /* bytes that have come into the window */
    unsigned recall_cnt;
} kept;

static void kept_take(struct rig *r, const uint8_t *stream, size_t n)
{
    struct iskra_port *port = r->sock.port;
    kept.r = r;
    kept.n = n;
    kept.recall_cnt = 0;
    kept.cnt = port->ops->recv_window(port, r->staging, sizeof(r->staging), kept.iov, 4);
    assert_true(kept.cnt > 0);
    for (int i = 0; i < kept.cnt && n > 0; i++) {
        size_t part = kept.iov[i].iov_len < n ? kept.iov[i].iov_len : n;
        memcpy(kept.iov[i].iov_base, stream, part);
        stream += part;
        n -= part;
    }
}

static void kept_give(void)
{
    assert_int_equal(kept.r->sock.port->ops->recv(kept.r->sock.port, kept.n), 0);
}

static void kept_recall(struct iskra_sock *sock)
{
    kept.recall_cnt++;
    kept_give();
}

static void a_driver_that_receives_into_a_read_is_asked_to_stop(void **state)
{
    static uint8_t stream[RIG_IN_LEN];
    const uint32_t len = 100000;
    static const size_t so_far[] = {0, 1, 5000, 49999};
    for (size_t i = 0; i < sizeof(so_far) / sizeof(so_far[0]); i++) {
        struct rig *r = read_rig(i & 1);
        struct rig_cmd *cmd = read_new(r, len);
        uint8_t *data = malloc(len);
        struct iovec *iov = malloc(sizeof(*iov));
        *iov = (struct iovec){data, len};
        cmd->cmnd.iov = iov;
        uint32_t itt = rig_queue_and_send(r, cmd);
        struct heir heir;
        size_t total = read_stream(r, itt, len, 2, stream, i & 1);
        rig_feed(r, stream, 48);
        struct iskra_transport_ops ops = *r->sock.ops;
        r->sock.ops = &ops;
        kept_take(r, stream + 48, so_far[i]);
        assert_ptr_equal(kept.iov[0].iov_base, data);
        assert_int_equal(iskra_cmnd_recall(&cmd->cmnd), -EBUSY); /* this one cannot */
        ops.recall = kept_recall;
        assert_int_equal(iskra_cmnd_recall(&cmd->cmnd), 0);
        assert_int_equal(kept.recall_cnt, 1);
        assert_int_equal(iskra_cmnd_recall(&cmd->cmnd), 0); /* there is nothing to ask for */
        assert_int_equal(kept.recall_cnt, 1);
        detach(r, cmd, &heir);
        free(data);
        free(iov);
        rig_feed(r, stream + 48 + so_far[i], total - 48 - so_far[i]);
        assert_int_equal(heir.cmd.cmnd.result, 0);
        heir_end(r, &heir);
    }
}

/* Staging is the driver's own: what comes into it is copied to where it belongs by then. */
static void a_window_of_staging_keeps_no_read_from_being_detached(void **state)
{
    static uint8_t stream[RIG_IN_LEN];
    const uint32_t len = 2000;
    for (size_t at = 0; at < 700; at += 7) {
        struct rig *r = read_rig(true);
        struct rig_cmd *cmd = read_new(r, len);
        uint32_t itt = rig_queue_and_send(r, cmd);
        struct heir heir;
        size_t total = read_stream(r, itt, len, 3, stream, true);
        rig_feed(r, stream, at);
        kept_take(r, stream + at, 900);
        assert_int_equal(iskra_cmnd_recall(&cmd->cmnd), 0);
        detach(r, cmd, &heir);
        kept_give();
        rig_feed(r, stream + at + 900, total - at - 900);
        assert_int_equal(heir.cmd.cmnd.result, 0);
        heir_end(r, &heir);
    }
}

static void a_command_that_was_refused_is_detached_from_its_answer(void **state)
{
    struct rig *r = read_rig(false);
    struct rig_cmd *cmd = read_new(r, 4096);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_queue(cmd), ISKRA_QUEUED);
    struct heir heir;
    detach(r, cmd, &heir);
    assert_int_equal(heir.cmd.done_cnt, 0);
    rig_run(r);
    assert_int_equal(heir.cmd.cmnd.result, ISKRA_RESULT(ISKRA_DID_IMM_RETRY, 0));
    heir_end(r, &heir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_is_detached_at_every_byte),
        cmocka_unit_test(the_rest_of_a_large_read_goes_to_a_sink),
        cmocka_unit_test(a_write_is_detached_at_every_byte),
        cmocka_unit_test(a_detached_write_answers_no_r2t),
        cmocka_unit_test(a_detached_command_is_aborted_for_its_heir),
        cmocka_unit_test(a_driver_that_receives_into_a_read_is_asked_to_stop),
        cmocka_unit_test(a_window_of_staging_keeps_no_read_from_being_detached),
        cmocka_unit_test(a_command_that_was_refused_is_detached_from_its_answer),
    };
    return cmocka_run_group_tests_name("iscsi detach", tests, fill, NULL);
}
