/* TCP streams out of a capture file, both directions, put in order by sequence number. */
#ifndef ISKRA_TEST_CAPTURE_H
#define ISKRA_TEST_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#define CAPTURE_STREAM_MAX 8

enum capture_dir {
    FROM_INITIATOR,
    FROM_TARGET,
};

struct capture_half {
    uint8_t *bytes, *seen; /* seen: one byte per byte, 1 where a segment put something */
    size_t len, cap;
    uint32_t first_seq; /* sequence number of bytes[0] */
};

struct capture_stream {
    uint16_t port; /* the initiator's */
    struct capture_half half[2];
};

struct capture {
    struct capture_stream streams[CAPTURE_STREAM_MAX];
    unsigned stream_cnt;
};

/* Reads every connection to target_port that the file shows from its SYN on. Aborts the test
 * program when the file cannot be read, is cut short, or lacks bytes of a stream: a golden file
 * that is broken is no test result. */
void capture_read(struct capture *capture, const char *path, uint16_t target_port);
void capture_done(struct capture *capture);

#endif
