/* The demonstration's target; see demo_target.h. */
#include "demo_target.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "target/portal.h"
#include "target/target.h"

/* splitmix64 of the position: no two places look alike. */
static uint64_t pattern_word(uint64_t index)
{
    uint64_t z = (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void demo_pattern_fill(void *buf, size_t len, uint64_t offset)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = pattern_word((offset + at) / 8);
        memcpy((char *)buf + at, &word, 8);
    }
}

uint64_t demo_pattern_differs(const void *buf, size_t len, uint64_t offset)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = pattern_word((offset + at) / 8);
        const unsigned char *got = (const unsigned char *)buf + at;
        for (unsigned i = 0; memcmp(got, &word, 8) != 0 && i < 8; i++)
            if (got[i] != ((const unsigned char *)&word)[i])
                return offset + at + i;
    }
    return UINT64_MAX;
}

static int fail(struct iskra_error *err, const char *what)
{
    int rc = -errno;
    *err = (struct iskra_error){.code = ISKRA_E_SYSTEM, .sys_errno = errno};
    snprintf(err->text, sizeof(err->text), "%s: %s", what, strerror(errno));
    return rc;
}

static int disk_write(int fd, struct iskra_error *err)
{
    static char chunk[1 << 20];
    for (uint64_t offset = 0; offset < DEMO_DISK_LEN; offset += sizeof(chunk)) {
        demo_pattern_fill(chunk, sizeof(chunk), offset);
        for (size_t done = 0; done < sizeof(chunk);) {
            ssize_t n = write(fd, chunk + done, sizeof(chunk) - done);
            if (n < 0)
                return fail(err, "cannot write the demonstration's disk");
            done += (size_t)n;
        }
    }
    return 0;
}

/* The file has a name only until the target has opened it, and no signal can come between, so that
 * nothing stays behind however the program ends. */
static int target_new(struct demo_target *demo, struct iskra_error *err)
{
    char path[4096];
    const char *dir = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/iskra-demo-XXXXXX", dir && dir[0] ? dir : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        return fail(err, "cannot create a temporary file");
    int rc = disk_write(fd, err);
    if (rc == 0) {
        struct iskra_target_backend backends[] = {
            {.kind = ISKRA_TARGET_FILE, .path = path},
            {.kind = ISKRA_TARGET_NULL, .size = (uint64_t)1 << 40},
        };
        struct iskra_target_options options;
        iskra_target_options_init(&options);
        options.name = DEMO_TARGET_NAME;
        options.backends = backends;
        options.backend_cnt = 2;
        options.user = DEMO_USER;
        options.password = demo->password;
        options.mutual_user = DEMO_TARGET_USER;
        options.mutual_password = demo->target_password;
        rc = iskra_target_new(&options, &demo->target, err);
    }
    unlink(path);
    close(fd);
    return rc;
}

static void *thread_run(void *arg)
{
    struct demo_target *demo = arg;
    (void)iskra_target_portal_run(demo->portal, demo->stop_fd, &demo->thread_error);
    return NULL; /* if the portal fails, the initiator's step fails and tells */
}

static int secret_draw(char *secret, struct iskra_error *err)
{
    unsigned char bytes[DEMO_SECRET_LEN / 2];
    if (iskra_target_random(NULL, bytes, sizeof(bytes)) < 0)
        return fail(err, "no random numbers");
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(secret + 2 * i, 3, "%02x", bytes[i]);
    explicit_bzero(bytes, sizeof(bytes));
    return 0;
}

static int parts_start(struct demo_target *demo, struct iskra_error *err)
{
    int rc = secret_draw(demo->password, err);
    if (rc == 0)
        rc = secret_draw(demo->target_password, err);
    if (rc == 0)
        rc = target_new(demo, err);
    if (rc)
        return rc;
    demo->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (demo->stop_fd < 0)
        return fail(err, "no eventfd");
    if ((rc = iskra_target_portal_new(demo->target, &demo->portal, err)) ||
        (rc = iskra_target_portal_listen(demo->portal, "127.0.0.1:0", err)))
        return rc;
    demo->address = iskra_target_portal_address(demo->portal, 0);
    /* With the signals still blocked, so that they go to the thread that waits for them. */
    errno = pthread_create(&demo->thread, NULL, thread_run, demo);
    if (errno)
        return fail(err, "no thread");
    demo->running = true;
    return 0;
}

int demo_target_start(struct demo_target *demo, struct iskra_error *err)
{
    *demo = (struct demo_target){.stop_fd = -1};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = parts_start(demo, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

void demo_target_stop(struct demo_target *demo)
{
    if (demo->running) {
        eventfd_write(demo->stop_fd, 1);
        pthread_join(demo->thread, NULL);
    }
    iskra_target_portal_free(demo->portal);
    iskra_target_free(demo->target);
    if (demo->stop_fd >= 0)
        close(demo->stop_fd);
    explicit_bzero(demo->password, sizeof(demo->password));
    explicit_bzero(demo->target_password, sizeof(demo->target_password));
    *demo = (struct demo_target){.stop_fd = -1};
}
