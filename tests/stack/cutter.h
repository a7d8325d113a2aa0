/* A TCP relay on 127.0.0.1, one connection at a time, that closes it after so many bytes from the
 * target. */
#ifndef ISKRA_TESTS_CUTTER_H
#define ISKRA_TESTS_CUTTER_H

#include <stdint.h>

struct cutter;

struct cutter *cutter_start(uint16_t target_port); /* aborts the test program on failure */
uint16_t cutter_port(const struct cutter *cut);
void cutter_arm(struct cutter *cut, uint64_t byte_cnt); /* for the connections from now on */
void cutter_stop(struct cutter *cut);

#endif
