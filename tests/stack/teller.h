/* A relay on 127.0.0.1 in front of the embedded target that knows PDUs, and says what the target
 * itself never does: Async Messages, and redirects of logins. It keeps the numbers right: a message
 * it adds takes a StatSN, and those behind it, and what acknowledges them, are moved by one. For
 * sessions without digests. Runs in a thread of its own. */
#ifndef ISKRA_TESTS_TELLER_H
#define ISKRA_TESTS_TELLER_H

#include <stdint.h>

struct teller;

struct teller_async {
    uint8_t event;
    uint16_t param[3];
    uint8_t sense[20]; /* fixed format, with event 0 */
    uint8_t sense_len;
};

struct teller *teller_start(uint16_t target_port); /* aborts the test program on failure */
uint16_t teller_port(const struct teller *t);
/* On every connection there is, between two PDUs of the target's. Returns when it is sent. */
void teller_async(struct teller *t, const struct teller_async *async);
/* From now on each login is sent to this port (0: no more), with detail 1 (for now) or 2 (for
 * good). */
void teller_redirect(struct teller *t, uint16_t port, uint8_t detail);
unsigned teller_redirected(struct teller *t); /* how many were */
void teller_cut(struct teller *t);            /* resets every connection there is */
void teller_stop(struct teller *t);

#endif
