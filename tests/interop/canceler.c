/* Requests at a LUN of a real target, cancelled, detached and left alone at random, for tests:
 * canceler URL FILE SEED. FILE is what the LUN held in its first half, which is read; the other
 * half is written. Exit 0: every request ended as it should, the session lived, what was read was
 * right.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/iskra.h>

#define SLOT_CNT    32u
#define STEP_CNT    3000u
#define LEN_MAX     (512u * 1024u)
#define PATTERN     0xa5
#define RUN_ONCE_NS INT64_C(1000000000)

struct slot {
    struct iskra_io io; /* first */
    struct iovec iov;
    uint8_t *data;
    unsigned done_cnt;
};

static struct iskra *ctx;
static struct iskra_lun *lun;
static uint64_t half_len;
static uint8_t *half; /* what the first one holds */
static struct slot *slots[SLOT_CNT];
static uint32_t seed;
static unsigned good_cnt, canceled_cnt, detached_cnt;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void die(const char *what, const struct iskra_error *err)
{
    fprintf(stderr, "canceler: %s: %s\n", what, err != NULL ? err->text : "wrong");
    exit(1);
}

static void done(struct iskra_io *io)
{
    ((struct slot *)io)->done_cnt++;
}

static struct slot *begin(void)
{
    struct slot *s = calloc(1, sizeof(*s));
    bool write = draw(2);
    uint64_t len = (1 + draw(draw(3) == 0 ? LEN_MAX / 4096 : 8)) * UINT64_C(4096);
    uint64_t offset = draw((uint32_t)((half_len - len) / 4096)) * UINT64_C(4096);
    s->data = malloc(len);
    memset(s->data, PATTERN, len);
    s->iov = (struct iovec){s->data, len};
    s->io = (struct iskra_io){
        .op = write ? ISKRA_WRITE : ISKRA_READ,
        .offset = write ? half_len + offset : offset,
        .iov = &s->iov,
        .iov_cnt = 1,
        .len = len,
        .done = done,
    };
    if (iskra_submit(lun, &s->io) != 0)
        die("submit", &s->io.error);
    return s;
}

static void slot_free(struct slot *s)
{
    free(s->data);
    free(s);
}

static void judge(struct slot *s)
{
    if (s->done_cnt != 1)
        die("done() ran more than once", NULL);
    if (s->io.status == 0)
        good_cnt++;
    else if (s->io.status == -ECANCELED)
        canceled_cnt++;
    else
        die("a request", &s->io.error);
    if (s->io.status == 0 && s->io.op == ISKRA_READ &&
        memcmp(s->data, half + s->io.offset, s->io.len) != 0)
        die("data", NULL);
    slot_free(s);
}

static void step(void)
{
    struct slot **s = &slots[draw(SLOT_CNT)];
    if (*s == NULL) {
        *s = begin();
    } else if ((*s)->done_cnt > 0) {
        judge(*s);
        *s = NULL;
    } else if (draw(3) > 0) {
        (void)iskra_cancel(&(*s)->io); /* it may be over: judge() sees how */
    } else {
        if (iskra_detach(&(*s)->io) != 0)
            die("detach", NULL);
        detached_cnt++;
        slot_free(*s);
        *s = NULL;
    }
}

static void finish(void)
{
    for (unsigned i = 0; i < SLOT_CNT; i++) {
        while (slots[i] != NULL && slots[i]->done_cnt == 0)
            (void)iskra_run_once(ctx, RUN_ONCE_NS); /* its own timeout ends it */
        if (slots[i] != NULL)
            judge(slots[i]);
    }
    uint8_t *all = malloc(half_len);
    struct iskra_error err = {0};
    if (iskra_read_sync(lun, all, half_len, 0, &err) != 0)
        die("the last read", &err);
    if (memcmp(all, half, half_len) != 0)
        die("what was only read", NULL);
    free(all);
}

static void read_half(const char *path)
{
    FILE *f = fopen(path, "rb");
    half = malloc(half_len);
    if (f == NULL || fread(half, 1, half_len, f) != half_len)
        die(path, NULL);
    fclose(f);
}

int main(int argc, char **argv)
{
    struct iskra_error err = {0};
    struct iskra_lun_info info;
    if (argc != 4)
        return 2;
    seed = (uint32_t)atoi(argv[3]);
    if (iskra_new(NULL, &ctx, &err) != 0 || iskra_open_sync(ctx, argv[1], &lun, &err) != 0)
        die("open", &err);
    iskra_lun_info(lun, &info);
    half_len = info.block_cnt * info.block_len / 2;
    read_half(argv[2]);
    for (unsigned i = 0; i < STEP_CNT; i++) {
        step();
        if (draw(2))
            (void)iskra_run_once(ctx, draw(4) * INT64_C(100000)); /* its requests tell */
    }
    finish();
    (void)iskra_close_sync(lun); /* nothing is out */
    iskra_free(ctx);
    free(half);
    printf("%u good, %u cancelled, %u detached\n", good_cnt, canceled_cnt, detached_cnt);
    return 0;
}
