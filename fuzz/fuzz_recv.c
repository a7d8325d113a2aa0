/* Fuzzer of the receive engine: a target that may send anything, to an initiator with commands of
 * several kinds.
 *
 * The input is a program: two bytes of settings (digests, exact windows, size of the reads), then
 * instructions. One sends raw bytes; one sends a PDU whose header is built from few input bytes, so
 * that the deep checks are reached without guessing lengths and digests; others do what the layers
 * above do meanwhile: suspend, complete a task, reset the connection. What must hold: no sanitizer
 * complaint, one failure at most, silence after it, every loan given back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/tcp/fake.h"
#include "wire/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAYLOAD_LEN_MAX 65536u

/* An assert that every build keeps. */
static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The input, read front to back; zeros at its end. */
struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t input_u8(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static uint16_t input_u16(struct input *in)
{
    uint8_t high = input_u8(in);
    return (uint16_t)(high << 8 | input_u8(in));
}

struct fuzz {
    struct fake fake;
    struct chunks chunks;
    bool hdr_digest, data_digest, exact;
    size_t wire_len; /* bytes of `wire` not fed yet */
};

static void settings_apply(struct fuzz *z)
{
    struct iskra_tcp_in *in = &z->fake.conn.in;
    in->hdr_digest = z->hdr_digest;
    in->data_digest = z->data_digest;
    in->exact = z->exact;
    in->max_recv_data_len = 256 * 1024;
    in->max_burst_len = 8192;
}

static void tasks_add(struct fake *f)
{
    (void)fake_task_add(f, ISKRA_DIR_READ, 50000, 5, 1);
    (void)fake_task_add(f, ISKRA_DIR_READ, 100, 4, 2);
    (void)fake_task_add(f, ISKRA_DIR_WRITE, 40000, 2, 3);
    (void)fake_task_add(f, ISKRA_DIR_NONE, 0, 0, 4);
    (void)fake_task_add(f, ISKRA_DIR_READ, 20000, 1, 5);
}

/* After a failure the port is silent until reset. */
static void check_silent(struct fake *f)
{
    must(f->failure_cnt <= 1 && f->after_failure_cnt == 0);
    if (f->failure_cnt == 0)
        return;
    struct iovec iov[2];
    int cnt = iskra_tcp_recv_window(&f->conn, f->staging, sizeof(f->staging), iov, 2);
    must(cnt == 0);
    must(iskra_tcp_recv_resume(&f->conn) < 0);
}

/* Bytes wait here, so that one receive can span PDUs. */
static uint8_t wire[4 * PAYLOAD_LEN_MAX];

/* All of them to the port; receive is resumed whenever a PDU suspended it. */
static void flush(struct fuzz *z)
{
    size_t at = 0;
    while (at < z->wire_len && z->fake.failure_cnt == 0) {
        size_t used;
        int rc = fake_feed(&z->fake, wire + at, z->wire_len - at, &z->chunks, &used);
        at += used;
        must(rc == 0 || rc == -EAGAIN || z->fake.failure_cnt == 1);
        while (z->fake.conn.in.suspended && z->fake.failure_cnt == 0)
            (void)iskra_tcp_recv_resume(&z->fake.conn);
    }
    z->wire_len = 0;
    check_silent(&z->fake);
}

static size_t digest_put(uint8_t *pdu, size_t from, size_t to, bool right)
{
    uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, pdu + from, to - from);
    iskra_crc32c_put(pdu + to, iskra_crc32c_finish(crc) ^ (right ? 0 : 1));
    return to + ISKRA_DIGEST_LEN;
}

static void header_build(struct fuzz *z, struct input *in, uint8_t *hdr, uint8_t shape)
{
    static const uint8_t opcodes[16] = {0x25, 0x25, 0x25, 0x21, 0x21, 0x31, 0x31, 0x23,
                                        0x24, 0x3f, 0x32, 0x26, 0x20, 0x22, 0x25, 0x00};
    struct fake_task *task = &z->fake.tasks[input_u8(in) % FAKE_TASK_CNT];
    uint8_t opcode = shape % 17 == 16 ? input_u8(in) : opcodes[shape % 16];
    uint32_t itt = task->known ? task->tcp.itt : 0x10000000u + input_u8(in);
    bhs_of(hdr, (enum iskra_opcode)opcode, itt);
    hdr[0] = opcode;
    hdr[1] = input_u8(in);
    /* The expected numbers, off by what the input says: mostly nothing. */
    iskra_put_be32(hdr + 36, task->tcp.exp_data_sn + input_u8(in));
    iskra_put_be32(hdr + 40, task->tcp.recv_len + (uint32_t)(int8_t)input_u8(in));
    iskra_put_be32(hdr + 44, input_u16(in));
    if (shape & 0x40)
        iskra_put_be32(hdr + 16, ISKRA_RESERVED_TAG);
}

static void put_pdu(struct fuzz *z, struct input *in)
{
    uint8_t *pdu = wire + z->wire_len;
    uint8_t shape = input_u8(in);
    uint32_t data_len = shape & 0x80 ? input_u16(in) : input_u8(in);
    header_build(z, in, pdu, shape);
    iskra_put_be24(pdu + 5, data_len);
    pdu[4] = shape & 0x20 ? input_u8(in) : 0;
    uint8_t wrong = input_u8(in); /* 254: header digest, 255: data digest */
    size_t len = ISKRA_BHS_LEN + iskra_bhs_ahs_len(pdu);
    memset(pdu + ISKRA_BHS_LEN, 0xa5, len - ISKRA_BHS_LEN);
    if (z->hdr_digest)
        len = digest_put(pdu, 0, len, wrong != 254);
    size_t from = len;
    memset(pdu + from, shape, data_len + 3);
    len += data_len + iskra_pad_len(data_len);
    if (z->data_digest && data_len > 0)
        len = digest_put(pdu, from, len, wrong != 255);
    z->wire_len += len;
}

static void put_raw(struct fuzz *z, struct input *in)
{
    size_t len = input_u8(in);
    if (len > in->left)
        len = in->left;
    memcpy(wire + z->wire_len, in->at, len);
    z->wire_len += len;
    in->at += len;
    in->left -= len;
}

static void tasks_restart(struct fake *f)
{
    for (unsigned i = 0; i < FAKE_TASK_CNT; i++)
        if (f->tasks[i].memory)
            fake_task_restart(&f->tasks[i]);
}

/* STOP_CONN, START_CONN, and every command sent anew. */
static void restart(struct fuzz *z)
{
    fake_reset(&z->fake);
    z->fake.failure_cnt = z->fake.after_failure_cnt = 0;
    tasks_restart(&z->fake);
    settings_apply(z);
}

/* Something happens in the layers above, between two receives. */
static void happen(struct fuzz *z, struct input *in, uint8_t code)
{
    struct fake_task *task = &z->fake.tasks[code >> 4 & 7];
    switch (code % 16) {
    case 1:
        z->fake.suspend_in_complete = code & 0x80;
        break;
    case 2:
        task->tcp.running = !task->tcp.running;
        break;
    case 3: /* completes while its data is coming in: only the engine's reference keeps it */
        task->known = !task->known && task->memory;
        break;
    case 4:
        z->fake.logged_in = !z->fake.logged_in;
        break;
    case 5:
        restart(z);
        break;
    case 6:
        z->fake.complete_error = code & 0x80 ? ISKRA_CONN_PROTO : ISKRA_CONN_OK;
        break;
    case 7: /* Data-Out was sent */
        task->r2ts.queued_cnt = 0;
        break;
    default:
        z->chunks = (struct chunks){.max = 1 + input_u16(in), .seed = code};
    }
}

static void instruction(struct fuzz *z, struct input *in)
{
    uint8_t code = input_u8(in);
    bool more = code & 0x80;
    if (code % 16 == 0)
        put_raw(z, in);
    else if (code % 16 > 8)
        put_pdu(z, in);
    else
        more = false;
    if (!more || z->wire_len > PAYLOAD_LEN_MAX)
        flush(z);
    if (code % 16 > 0 && code % 16 <= 8)
        happen(z, in, code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct fuzz *z = malloc(sizeof(*z));
    if (!z)
        abort();
    fake_init(&z->fake);
    tasks_add(&z->fake);
    uint8_t settings = input_u8(&in), chunk = input_u8(&in);
    z->wire_len = 0;
    z->hdr_digest = settings & 1;
    z->data_digest = settings & 2;
    z->exact = settings & 4;
    z->chunks = (struct chunks){.fixed = chunk == 255 ? SIZE_MAX : 1 + (size_t)chunk * chunk};
    settings_apply(z);
    while (in.left > 0)
        instruction(z, &in);
    flush(z);
    iskra_tcp_conn_reset(&z->fake.conn);
    must(z->fake.get_cnt == z->fake.put_cnt);
    fake_done(&z->fake);
    free(z);
    return 0;
}
