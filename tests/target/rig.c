/* See rig.h. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct iskra_target *target;
struct peer peer;
uint8_t cdb[ISKRA_CDB_BHS_LEN], bhs[ISKRA_BHS_LEN];
uint8_t rig_image[RIG_FILE_LEN];
char rig_path[] = "/tmp/iskra-target-XXXXXX";

void rig_open(const struct iskra_target_options *options)
{
    target = peer_target(options);
    peer_open(&peer, target);
    memset(cdb, 0, sizeof(cdb));
}

int rig_setup(void **state)
{
    (void)state;
    rig_open(NULL);
    peer_login(&peer, TEXT(NAMES "\0MaxRecvDataSegmentLength=65536"));
    return 0;
}

int rig_teardown(void **state)
{
    (void)state;
    peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

void rig_still_alive(void)
{
    struct outcome o;
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_command(&peer, 0, cdb, 0, false);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.exp_cmd_sn, peer.cmd_sn);
    outcome_done(&o);
    assert_true(peer_silent(&peer));
}

void rig_good(uint64_t lun, uint32_t edtl, struct outcome *ret)
{
    peer_command(&peer, lun, cdb, edtl, edtl > 0);
    peer_outcome(&peer, ret);
    if (ret->status != ISKRA_STATUS_GOOD)
        fail_msg("status 0x%02x, sense %x/%02x/%02x", ret->status, ret->key, ret->asc, ret->ascq);
    assert_int_equal(ret->itt, peer.itt - 1);
    assert_true(peer_silent(&peer));
}

void rig_reject_expect(uint8_t reason, const uint8_t *header)
{
    struct answer answer;
    struct iskra_pdu_reject reject;
    peer_expect(&peer, ISKRA_OP_REJECT, &answer);
    iskra_reject_decode(answer.bhs, &reject);
    assert_int_equal(reject.reason, reason);
    assert_int_equal(reject.itt, ISKRA_RESERVED_TAG);
    assert_int_equal(answer.len, ISKRA_BHS_LEN);
    assert_memory_equal(answer.payload, header, ISKRA_BHS_LEN);
}

int rig_disks_make(void **state)
{
    (void)state;
    int fd = mkstemp(rig_path);
    for (size_t i = 0; i < RIG_FILE_LEN; i++)
        rig_image[i] = (uint8_t)(i * 2654435761u >> 13);
    if (fd < 0 || write(fd, rig_image, RIG_FILE_LEN) != (ssize_t)RIG_FILE_LEN)
        return -1;
    return close(fd);
}

int rig_disks_remove(void **state)
{
    (void)state;
    return unlink(rig_path);
}

int rig_disks_open(struct iskra_target_options *options, const char *keys, uint32_t len)
{
    const struct iskra_target_backend backends[] = {
        [RIG_RAM] = {.kind = ISKRA_TARGET_RAM, .size = 1 << 20},
        [RIG_FILE] = {.kind = ISKRA_TARGET_FILE, .path = rig_path},
        [RIG_NULL] = {.kind = ISKRA_TARGET_NULL, .size = RIG_NULL_LEN},
    };
    options->backends = backends;
    options->backend_cnt = 3;
    rig_open(options);
    peer_login(&peer, keys, len);
    return 0;
}

int rig_disks_setup(void **state)
{
    (void)state;
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    return rig_disks_open(&options,
                          TEXT(NAMES "\0MaxRecvDataSegmentLength=8192\0MaxBurstLength=16384"));
}
