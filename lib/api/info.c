/* What is known of LUNs and sessions, in the public structs. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/lun.h"
#include "wire/inquiry.h"

struct iskra *iskra_lun_ctx(const struct iskra_lun *lun)
{
    return lun->ctx;
}

void iskra_lun_describe(const struct iskra_sdev *sdev, struct iskra_lun_info *ret_info)
{
    struct iskra_lun_info *i = ret_info;
    memset(i, 0, sizeof(*i));
    i->type = sdev->inquiry.type;
    snprintf(i->vendor, sizeof(i->vendor), "%s", sdev->inquiry.vendor);
    snprintf(i->product, sizeof(i->product), "%s", sdev->inquiry.product);
    snprintf(i->revision, sizeof(i->revision), "%s", sdev->inquiry.revision);
    snprintf(i->serial, sizeof(i->serial), "%s", sdev->serial);
    snprintf(i->identity, sizeof(i->identity), "%s", sdev->identity);
    i->block_len = sdev->block_len;
    i->block_cnt = sdev->block_cnt;
    i->physical_block_len = sdev->physical_block_len;
    i->max_transfer_len = sdev->max_transfer_len;
    i->optimal_transfer_len = sdev->optimal_transfer_len;
    i->write_protected = sdev->write_protected || sdev->protection;
    i->write_cache = sdev->write_cache;
    i->fua = sdev->fua;
    i->thin = sdev->thin;
    i->can_unmap = sdev->space.unmap != ISKRA_UNMAP_NOT;
    i->unmapped_zeroes = sdev->reads_zeroes;
    i->max_compare_len = sdev->space.max_compare_len;
}

void iskra_lun_info(const struct iskra_lun *lun, struct iskra_lun_info *ret_info)
{
    iskra_api_lock(lun->ctx);
    iskra_lun_describe(lun->sdev, ret_info);
    iskra_api_unlock(lun->ctx);
    ret_info->lun = lun->number;
}

static void session_describe(const struct iskra_nexus *nexus, struct iskra_session_info *ret_info)
{
    const struct iskra_key_results *k = iskra_initiator_keys(nexus->ini);
    struct iskra_session_info *i = ret_info;
    memset(i, 0, sizeof(*i));
    snprintf(i->target_name, sizeof(i->target_name), "%s", nexus->url.target);
    snprintf(i->target_alias, sizeof(i->target_alias), "%s", k->target_alias);
    snprintf(i->portal_address, sizeof(i->portal_address), "%s",
             iskra_initiator_portal(nexus->ini));
    i->tpgt = (uint16_t)k->tpgt;
    i->tsih = iskra_initiator_tsih(nexus->ini);
    memcpy(i->isid, iskra_initiator_isid(nexus->ini), sizeof(i->isid));
    i->sid = nexus->cls.sid;
    i->state = nexus->cls.session ? iskra_session_state_name(nexus->cls.session->state) : "FREE";
    i->header_digest = k->header_digest == ISKRA_DIGEST_CRC32C;
    i->data_digest = k->data_digest == ISKRA_DIGEST_CRC32C;
    i->initial_r2t = k->initial_r2t;
    i->immediate_data = k->immediate_data;
    i->error_recovery_level = (uint8_t)k->error_recovery_level;
    i->max_recv_data_segment_length = k->max_recv_data_len;
    i->max_xmit_data_segment_length = k->max_xmit_data_len;
    i->first_burst_length = k->first_burst_len;
    i->max_burst_length = k->max_burst_len;
    i->max_outstanding_r2t = k->max_outstanding_r2t;
    i->max_connections = k->max_connections;
    i->default_time2wait = k->time2wait;
    i->default_time2retain = k->time2retain;
    i->auth_method = k->chap_alg ? "CHAP" : "None";
    i->chap_algorithm = k->chap_alg ? iskra_chap_alg_name(k->chap_alg) : "";
    i->chap_mutual = k->chap_mutual;
    if (nexus->cls.session == NULL)
        return;
    i->cmds_max = nexus->cls.session->cmds_max;
    i->busy_poll_us = nexus->url.settings.busy_poll_us;
    struct iskra_uevent ev = {.type = ISKRA_UEVENT_GET_STATS, .sid = nexus->cls.session->sid};
    if (iskra_class_if_ops.request((void *)&nexus->cls, &ev, NULL, NULL, 0, NULL) == 0) {
        i->rx_bytes = ev.r.stats.rx_octets;
        i->tx_bytes = ev.r.stats.tx_octets;
    }
}

void iskra_session_info(const struct iskra_lun *lun, struct iskra_session_info *ret_info)
{
    iskra_api_lock(lun->ctx);
    session_describe(lun->nexus, ret_info);
    iskra_api_unlock(lun->ctx);
}
