/* Clock and target: see world.h. */
#include "fault/world.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault/calls.h"
#include "target/target.h"

#define PEER_CNT  32u
#define IOV_CNT   16u
#define NEVER     UINT64_MAX
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* A round of the loop is not for nothing: else one that never waits would live for ever. */
#define ROUND_NS   NS_PER_MS
#define REFUSED_NS (20 * NS_PER_MS)

struct peer {
    int fd; /* -1: free */
    struct iskra_target_conn *conn;
};

static struct {
    uint64_t now_ns;
    struct iskra_target *target;
    struct peer peers[PEER_CNT];
    uint8_t random;
    const char *complaint;
    char dir[64];
} world;

static void die(const char *what)
{
    fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- files ---- */

void world_make_files(void)
{
    strcpy(world.dir, "/tmp/iskra-ring-XXXXXX");
    if (mkdtemp(world.dir) == NULL)
        die(world.dir);
    (void)setenv("XDG_STATE_HOME", world.dir, 1);
    (void)setenv("XDG_RUNTIME_DIR", world.dir, 1);
    (void)unsetenv("ISKRA_INITIATOR_NAME");
    FILE *f = fopen(world_file("password"), "w");
    if (f == NULL || fputs(WORLD_PASSWORD "\n", f) < 0 || fclose(f) != 0)
        die("password");
}

const char *world_file(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", world.dir, name);
    return path;
}

void world_remove_files(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", world.dir);
    if (system(command) != 0)
        die(command);
}

/* ---- the target ---- */

static int target_random(void *arg, void *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = world.random++;
    return 0;
}

void world_begin(void)
{
    struct iskra_target_backend ram = {.kind = ISKRA_TARGET_RAM, .size = WORLD_SIZE};
    struct iskra_target_options o;
    struct iskra_error err = {0};
    world.now_ns = NS_PER_S;
    world.random = 1;
    world.complaint = NULL;
    for (unsigned i = 0; i < PEER_CNT; i++)
        world.peers[i] = (struct peer){.fd = -1};
    iskra_target_options_init(&o);
    o.name = WORLD_TARGET;
    o.backends = &ram;
    o.backend_cnt = 1;
    o.user = WORLD_USER;
    o.password = WORLD_PASSWORD;
    o.max_recv = 16384;
    o.first_burst = 16384;
    o.random = target_random;
    if (iskra_target_new(&o, &world.target, &err) < 0) {
        fprintf(stderr, "world: %s\n", err.text);
        abort();
    }
    (void)unlink(
        world_file("iskra/initiatorname.iscsi")); /* each run is the first one of its user */
}

static void peer_close(struct peer *p)
{
    iskra_target_conn_free(p->conn);
    (void)close(p->fd);
    *p = (struct peer){.fd = -1};
}

static void cut(void)
{
    for (unsigned i = 0; i < PEER_CNT; i++) {
        if (world.peers[i].fd >= 0)
            peer_close(&world.peers[i]);
    }
}

void world_cut(void)
{
    calls_outside();
    cut();
    calls_inside();
}

void world_end(void)
{
    cut();
    iskra_target_free(world.target);
    world.target = NULL;
}

unsigned world_login_cnt(void)
{
    struct iskra_target_stats stats;
    iskra_target_stats(world.target, &stats);
    return (unsigned)stats.login_cnt;
}

static struct peer *peer_free_one(void)
{
    for (unsigned i = 0; i < PEER_CNT; i++) {
        if (world.peers[i].fd < 0)
            return &world.peers[i];
    }
    return NULL;
}

int world_connect(int fd)
{
    int pair[2];
    struct peer *p = peer_free_one();
    if (p == NULL) {
        world.complaint = "connections that nobody closes";
        errno = ECONNREFUSED;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
        dup3(pair[0], fd, O_CLOEXEC) < 0 || close(pair[0]) < 0)
        die("connection");
    p->fd = pair[1];
    p->conn = iskra_target_conn_new(world.target, "127.0.0.1:3260", world.now_ns);
    if (p->conn == NULL)
        die("connection of the target");
    errno = EINPROGRESS;
    return -1;
}

/* ---- what it does ---- */

/* As much as arrived; false: nothing. */
static bool receive(struct peer *p)
{
    struct iovec iov[2];
    unsigned cnt = iskra_target_conn_recv_window(p->conn, iov);
    ssize_t n = cnt > 0 ? readv(p->fd, iov, (int)cnt) : 0;
    if (n > 0)
        iskra_target_conn_received(p->conn, (size_t)n, world.now_ns);
    else if (cnt > 0 && (n == 0 || errno != EAGAIN))
        peer_close(p);
    return n > 0;
}

static bool send_some(struct peer *p)
{
    struct iovec iov[IOV_CNT];
    unsigned cnt = iskra_target_conn_send_window(p->conn, iov, IOV_CNT);
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = cnt};
    ssize_t n = cnt > 0 ? sendmsg(p->fd, &msg, MSG_NOSIGNAL) : 0;
    if (n > 0)
        iskra_target_conn_sent(p->conn, (size_t)n, world.now_ns);
    else if (n < 0 && errno != EAGAIN)
        peer_close(p);
    return n > 0;
}

static bool serve(struct peer *p)
{
    bool moved = receive(p);
    if (p->fd >= 0)
        moved |= send_some(p);
    if (p->fd < 0)
        return true;
    if (iskra_target_conn_deadline_ns(p->conn) <= world.now_ns)
        iskra_target_conn_tick(p->conn, world.now_ns);
    if (iskra_target_conn_finished(p->conn)) {
        peer_close(p);
        return true;
    }
    return moved;
}

static void serve_all(void)
{
    if (world.target == NULL)
        return;
    for (bool moved = true; moved;) {
        moved = iskra_target_roused(world.target);
        for (unsigned i = 0; i < PEER_CNT; i++) {
            if (world.peers[i].fd >= 0)
                moved |= serve(&world.peers[i]);
        }
    }
}

static uint64_t next_deadline_ns(void)
{
    uint64_t next_ns = NEVER;
    for (unsigned i = 0; i < PEER_CNT; i++) {
        uint64_t ns =
            world.peers[i].fd >= 0 ? iskra_target_conn_deadline_ns(world.peers[i].conn) : NEVER;
        if (ns < next_ns)
            next_ns = ns;
    }
    return next_ns;
}

static int wait_for(struct pollfd *fds, unsigned cnt, int64_t timeout_ns)
{
    uint64_t limit_ns = timeout_ns < 0 ? NEVER : world.now_ns + (uint64_t)timeout_ns;
    for (;;) {
        serve_all();
        int n = poll(fds, cnt, 0);
        if (n != 0) {
            world.now_ns += ROUND_NS;
            return n;
        }
        if (world.now_ns >= limit_ns)
            return 0;
        uint64_t next_ns = next_deadline_ns();
        if (next_ns == NEVER && limit_ns == NEVER) {
            world.complaint = "somebody waits, and nothing will ever happen";
            errno = EDEADLK;
            return -1;
        }
        world.now_ns = next_ns < limit_ns ? next_ns : limit_ns;
    }
}

int world_wait(struct pollfd *fds, unsigned cnt, int64_t timeout_ns)
{
    calls_outside();
    int n = wait_for(fds, cnt, timeout_ns);
    calls_inside();
    return n;
}

void world_refused(void)
{
    calls_outside();
    world.now_ns += REFUSED_NS;
    serve_all();
    calls_inside();
}

uint64_t world_now_ns(void)
{
    return world.now_ns;
}

const char *world_complaint(void)
{
    return world.complaint;
}
