/* iSCSI URLs, as libiscsi's users write them:
 * iscsi://host[:port][/target-iqn[/lun]][?key=value&...].
 *
 * Every part is %-decoded and judged here; what comes out can be trusted. A value out of range is
 * refused with the key's name, the value and the range. */
#ifndef ISKRA_API_URL_H
#define ISKRA_API_URL_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

#include "control/chap.h"

#define ISKRA_URL_LEN_MAX    8192u
#define ISKRA_ISCSI_NAME_MAX 223u /* RFC 7143 4.2.7.1 */
#define ISKRA_HOST_LEN_MAX   255u
#define ISKRA_URL_LUN_MAX    16383u /* flat addressing, SAM-5 4.7 */

/* Digests in order of preference; cnt 0: not given. */
struct iskra_digest_list {
    uint8_t cnt;
    uint8_t crc32c[2]; /* 1 = CRC32C, 0 = None */
};

/* Settings of one session. Times in nanoseconds, -1 = for ever; lengths in bytes. */
struct iskra_settings {
    struct iskra_digest_list header_digest, data_digest;
    char initiator_name[ISKRA_ISCSI_NAME_MAX + 1]; /* "": the initiator's own */
    bool isid_given;
    uint8_t isid[6];
    struct iskra_chap_config chap; /* other credentials make another session */
    uint32_t queue_depth, cmds_max;
    uint32_t immediate_data, initial_r2t; /* 0 / 1 */
    uint32_t first_burst, max_burst, max_recv, max_outstanding_r2t;
    int64_t replacement_timeout_ns, login_timeout_ns, noop_interval_ns, noop_timeout_ns;
    int64_t command_timeout_ns;
    int64_t abort_timeout_ns, lu_reset_timeout_ns, tgt_reset_timeout_ns;
    int64_t eh_deadline_ns;
    uint32_t login_retries;           /* of the first login: tries after the first one */
    uint32_t flush_after_reset_fails; /* 0 / 1 (decision 30) */
    uint32_t busy_poll_us;
};

struct iskra_url {
    char host[ISKRA_HOST_LEN_MAX + 1]; /* without brackets */
    uint16_t port;
    bool has_target, has_lun;
    char target[ISKRA_ISCSI_NAME_MAX + 1];
    uint16_t lun;
    struct iskra_settings settings;
    bool password_in_url; /* worth a warning: other users see command lines */
};

/* 0, or -EINVAL with *err. The scheme may be left out (a bare portal, as `discover` takes it). */
/* The copy holds secrets: iskra_url_wipe() it when it is done with. Nothing is left of one that
 * failed. */
int iskra_url_parse(const char *text, struct iskra_url *ret_url, struct iskra_error *err);

void iskra_url_wipe(struct iskra_url *url);

/* 0, or -EINVAL: RFC 7143 4.2.7: iqn., eui. or naa. and only characters such names may have. `what`
 * names it in the error. */
int iskra_iscsi_name_check(const char *name, const char *what, struct iskra_error *err);

#endif
