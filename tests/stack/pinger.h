/* A TCP relay on 127.0.0.1 for one connection without digests that can also ping the initiator, as
 * a target does: a NOP-In of its own between two PDUs. The answer does not go on to the target. */
#ifndef ISKRA_TESTS_PINGER_H
#define ISKRA_TESTS_PINGER_H

#include <stdint.h>

struct pinger;

struct pinger *pinger_start(uint16_t target_port); /* aborts the test program on failure */
uint16_t pinger_port(const struct pinger *p);

/* Pings, and returns when the answer is there; aborts if it is no answer, or none comes in time. To
 * be called when nothing is in flight. */
void pinger_ping(struct pinger *p);

void pinger_stop(struct pinger *p);

#endif
