/* The rig: a temporary file, the target's core, its portal and a thread. */
#include "stack/rig.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "target/portal.h"

struct rig {
    struct iskra_target *target;
    struct iskra_target_portal *portal;
    pthread_t thread;
    int stop_fd;
    uint16_t port;
    char path[64];
    uint8_t *content;
};

static void die(const char *what, const struct iskra_error *err)
{
    fprintf(stderr, "rig: %s: %s\n", what, err ? err->text : "failed");
    abort();
}

static void *run(void *arg)
{
    struct rig *rig = arg;
    struct iskra_error err = {0};
    if (iskra_target_portal_run(rig->portal, rig->stop_fd, &err))
        die("portal", &err);
    return NULL;
}

/* Content in which no two blocks are alike. */
static void make_content(struct rig *rig)
{
    uint32_t x = 0x12345678;
    rig->content = malloc(RIG_SIZE);
    for (size_t i = 0; i < RIG_SIZE; i++) {
        x = x * 1664525u + 1013904223u;
        rig->content[i] = (uint8_t)(x >> 24);
    }
    strcpy(rig->path, "/tmp/iskra-rig-XXXXXX");
    int fd = mkstemp(rig->path);
    if (fd < 0 || write(fd, rig->content, RIG_SIZE) != RIG_SIZE)
        die("content", NULL);
    close(fd);
}

struct rig *rig_start(void (*change)(struct iskra_target_options *opts))
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct iskra_error err = {0};
    make_content(rig);
    /* Files of the same content are the same disk here, so that a target can come back. */
    struct iskra_target_backend file = {
        .kind = ISKRA_TARGET_FILE, .path = rig->path, .identity = 0x15c5a};
    struct iskra_target_options opts;
    iskra_target_options_init(&opts);
    opts.name = RIG_NAME;
    opts.backends = &file;
    opts.backend_cnt = 1;
    if (change != NULL)
        change(&opts);
    if (iskra_target_new(&opts, &rig->target, &err) ||
        iskra_target_portal_new(rig->target, &rig->portal, &err) ||
        iskra_target_portal_listen(rig->portal, "127.0.0.1:0", &err))
        die("target", &err);
    unlink(rig->path);
    const char *colon = strrchr(iskra_target_portal_address(rig->portal, 0), ':');
    rig->port = (uint16_t)atoi(colon + 1);
    rig->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (pthread_create(&rig->thread, NULL, run, rig) != 0)
        die("thread", NULL);
    return rig;
}

void rig_stop(struct rig *rig)
{
    (void)!write(rig->stop_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_join(rig->thread, NULL);
    iskra_target_portal_free(rig->portal);
    iskra_target_free(rig->target);
    close(rig->stop_fd);
    free(rig->content);
    free(rig);
}

uint16_t rig_port(const struct rig *rig)
{
    return rig->port;
}

const uint8_t *rig_content(const struct rig *rig)
{
    return rig->content;
}

const char *rig_url(uint16_t port, unsigned lun, const char *options)
{
    static char urls[4][512];
    static unsigned next;
    char *url = urls[next++ % 4];
    snprintf(url, sizeof(urls[0]), "iscsi://127.0.0.1:%u/" RIG_NAME "/%u%s%s", port, lun,
             options ? "?" : "", options ? options : "");
    return url;
}
