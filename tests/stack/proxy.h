/* A TCP relay on 127.0.0.1 that a test can make misbehave: hold back what the target says, or cut
 * the connections. Runs in a thread of its own. */
#ifndef ISKRA_TESTS_PROXY_H
#define ISKRA_TESTS_PROXY_H

#include <stdint.h>

struct proxy;

struct proxy *proxy_start(uint16_t target_port); /* aborts the test program on failure */
uint16_t proxy_port(const struct proxy *p);
void proxy_hold(struct proxy *p, int on); /* on: nothing from the target reaches the initiator */
void proxy_cut(struct proxy *p);          /* resets every connection there is */
void proxy_stop(struct proxy *p);

#endif
