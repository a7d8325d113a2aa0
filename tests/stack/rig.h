/* The embedded target in a thread, on a free port of 127.0.0.1, with a file of known content behind
 * its LUNs. */
#ifndef ISKRA_TESTS_RIG_H
#define ISKRA_TESTS_RIG_H

#include <stdint.h>

#include "target/target.h"

#define RIG_NAME "iqn.2026-11.io.iskra.test:rig"
#define RIG_SIZE (8u << 20)

struct rig;

/* `change` (may be NULL) edits the target's options. Aborts the test program on failure. */
struct rig *rig_start(void (*change)(struct iskra_target_options *opts));
void rig_stop(struct rig *rig);

uint16_t rig_port(const struct rig *rig);
const uint8_t *rig_content(const struct rig *rig); /* RIG_SIZE bytes: what every LUN holds */

/* A URL of this target on `port` (the rig's, or a proxy's). Static storage, overwritten by the
 * fourth call from now. */
const char *rig_url(uint16_t port, unsigned lun, const char *options);

#endif
