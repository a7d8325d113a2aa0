/* A target that goes wrong in chosen ways, an initiator whose time passes when a test says so, too,
 * and requests with memory of their own, so that all of it can go at any moment. */
#ifndef ISKRA_TESTS_LOSSY_H
#define ISKRA_TESTS_LOSSY_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/iskra.h>

#include "stack/bent.h"
#include "stack/rig.h"

#define SECOND  INT64_C(1000000000)
#define RAM_LUN 1u /* 64 MiB of zeros; LUN 0 is the rig's disk */

struct lossy {
    struct rig *rig;
    struct iskra *ctx;
    struct bent bent;     /* its clock */
    bool separate_status; /* of the next target: never in the last Data-In */
};
extern struct lossy lossy;

void lossy_begin(const char *fault, const char *another); /* either may be NULL */
void lossy_end(void);
struct iskra_lun *lossy_open(unsigned number, const char *options);
void lossy_run_until(const unsigned *cnt, unsigned want);
void lossy_rounds(unsigned cnt); /* short ones */
/* The session of this LUN (0) still works, and gives what is there. */
void lossy_works(struct iskra_lun *lun);

struct req {
    struct iskra_io io; /* first */
    struct iovec *iov;
    uint8_t *data;
    unsigned done_cnt;
    void (*then)(struct req *q); /* from inside done(); may be NULL */
};

struct req *req_new(enum iskra_op op, uint64_t offset, uint64_t len); /* writes: of AAh */
void req_free(struct req *q);
struct req *req_start(struct iskra_lun *lun, enum iskra_op op, uint64_t offset, uint64_t len);
void req_was_canceled(const struct req *q);

#endif
