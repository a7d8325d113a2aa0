/* The demonstration's target: the embedded one, on a thread of this process and a free port of
 * 127.0.0.1. Nobody is let in without CHAP, and it proves itself if asked. LUN 0 is a file whose
 * every 8 bytes tell where they belong, LUN 1 reads zeros. */
#ifndef ISKRA_CLI_DEMO_TARGET_H
#define ISKRA_CLI_DEMO_TARGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/error.h>

#define DEMO_TARGET_NAME "iqn.2026-11.io.iskra:demo-disk"
#define DEMO_DISK_LEN    ((uint64_t)64 << 20)
#define DEMO_USER        "demo"
#define DEMO_TARGET_USER "demo-disk"

/* 16 random bytes in hexadecimal. */
#define DEMO_SECRET_LEN 32

struct demo_target {
    struct iskra_target *target;
    struct iskra_target_portal *portal;
    const char *address; /* "127.0.0.1:PORT" */
    /* New in every run; wiped when the target stops. */
    char password[DEMO_SECRET_LEN + 1], target_password[DEMO_SECRET_LEN + 1];
    int stop_fd;
    pthread_t thread;
    bool running;
    struct iskra_error thread_error;
};

/* 0 or a negative errno; after a failure, too, demo_target_stop() is due. */
int demo_target_start(struct demo_target *demo, struct iskra_error *err);
void demo_target_stop(struct demo_target *demo);

/* Fills in, or compares, what the disk holds at `offset`, a multiple of 8; len likewise. The first
 * byte of LUN 0 that differs, or UINT64_MAX. */
void demo_pattern_fill(void *buf, size_t len, uint64_t offset);
uint64_t demo_pattern_differs(const void *buf, size_t len, uint64_t offset);

#endif
