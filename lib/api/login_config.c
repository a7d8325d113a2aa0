/* From the keys of a URL to what the control plane wants to know. */
#include "api/login_config.h"

#include <string.h>

static struct iskra_digest_prefs digest_prefs(const struct iskra_digest_list *list)
{
    struct iskra_digest_prefs prefs = {.cnt = list->cnt};
    for (int i = 0; i < list->cnt; i++)
        prefs.list[i] = list->crc32c[i] ? ISKRA_DIGEST_CRC32C : ISKRA_DIGEST_NONE;
    return prefs;
}

const char *iskra_login_name(const struct iskra_nexus *nexus)
{
    const struct iskra_settings *s = &nexus->url.settings;
    return s->initiator_name[0] ? s->initiator_name : nexus->ctx->name.name;
}

void iskra_login_configure(const struct iskra_nexus *nexus, struct iskra_initiator_config *cfg)
{
    bool discovery = nexus->entry != NULL;
    const struct iskra_url *url = &nexus->url;
    const struct iskra_settings *s = &url->settings;
    iskra_initiator_config_default(cfg, discovery);
    cfg->initiator_name = iskra_login_name(nexus);
    cfg->target_name = discovery ? NULL : url->target;
    cfg->host = url->host;
    cfg->port = url->port;
    cfg->isid_given = s->isid_given;
    memcpy(cfg->isid, s->isid, sizeof(cfg->isid));
    cfg->chap = s->chap.user[0] ? &s->chap : NULL; /* the nexus outlives its initiator */
    cfg->login_timeout_ns = (uint64_t)s->login_timeout_ns;
    if (discovery)
        return;
    cfg->offer.header_digest = digest_prefs(&s->header_digest);
    cfg->offer.data_digest = digest_prefs(&s->data_digest);
    cfg->offer.initial_r2t = s->initial_r2t;
    cfg->offer.immediate_data = s->immediate_data;
    cfg->offer.max_recv_data_len = s->max_recv;
    cfg->offer.first_burst_len = s->first_burst;
    cfg->offer.max_burst_len = s->max_burst;
    cfg->offer.max_outstanding_r2t = s->max_outstanding_r2t;
    cfg->cmds_max = s->cmds_max;
    cfg->queue_depth = s->queue_depth;
    cfg->ping_timeout_ns = (uint64_t)s->noop_timeout_ns;
    cfg->recv_timeout_ns = (uint64_t)s->noop_interval_ns;
    cfg->abort_timeout_ns = (uint64_t)s->abort_timeout_ns;
    cfg->lu_reset_timeout_ns = (uint64_t)s->lu_reset_timeout_ns;
    cfg->tgt_reset_timeout_ns = (uint64_t)s->tgt_reset_timeout_ns;
    cfg->replacement_timeout_ns = s->replacement_timeout_ns;
}

void iskra_login_warn(const struct iskra_nexus *nexus)
{
    const struct iskra_chap_config *chap = &nexus->url.settings.chap;
    size_t len = strlen(chap->secret), target_len = strlen(chap->target_secret);
    if (nexus->url.password_in_url)
        iskra_api_log(
            nexus->ctx, ISKRA_LOG_WARNING,
            "%s: a password in a URL can be seen by others; password_file= keeps it apart",
            nexus->url.host);
    if ((len > 0 && len < ISKRA_CHAP_SECRET_SHORT) ||
        (target_len > 0 && target_len < ISKRA_CHAP_SECRET_SHORT))
        iskra_api_log(nexus->ctx, ISKRA_LOG_WARNING,
                      "%s: a CHAP password under %u bytes can be guessed", nexus->url.host,
                      ISKRA_CHAP_SECRET_SHORT);
}
