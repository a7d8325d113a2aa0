/* SendTargets: see discovery.h. */
#include "control/discovery.h"

#include <errno.h>
#include <string.h>

#include "error.h"

static const char send_targets[] = "SendTargets=All"; /* its NUL is part of the text */

void iskra_discovery_begin(struct iskra_discovery *d, const struct iskra_target_address *portal,
                           uint32_t exp_stat_sn,
                           int (*entry)(void *arg, const struct iskra_target_entry *entry),
                           void *arg)
{
    *d = (struct iskra_discovery){
        .entry = entry,
        .arg = arg,
        .portal = *portal,
        .exp_stat_sn = exp_stat_sn,
        .ttt = ISKRA_RESERVED_TAG,
    };
}

void iskra_discovery_request(struct iskra_discovery *d, uint8_t *hdr, const uint8_t **ret_text,
                             size_t *ret_len)
{
    *ret_text = d->started ? NULL : (const uint8_t *)send_targets;
    *ret_len = d->started ? 0 : sizeof(send_targets);
    const struct iskra_pdu_text pdu = {
        .final = true,
        .data_len = (uint32_t)*ret_len,
        .lun = d->lun,
        .ttt = d->ttt,
        .exp_stat_sn = d->exp_stat_sn,
    };
    iskra_text_encode(&pdu, hdr);
    d->started = true;
}

static int give(struct iskra_discovery *d, const struct iskra_target_address *address)
{
    const struct iskra_target_entry entry = {.target_name = d->name, .address = address};
    d->entry_cnt++;
    d->have_address = true;
    return d->entry(d->arg, &entry) != 0 ? -ECANCELED : 0;
}

/* RFC 7143 appendix C: a target without an address is where it was asked for. */
static int end_of_target(struct iskra_discovery *d)
{
    return d->have_name && !d->have_address ? give(d, &d->portal) : 0;
}

static int target_name(struct iskra_discovery *d, struct iskra_slice name)
{
    int ret = end_of_target(d);
    d->named = true;
    d->have_address = false;
    d->have_name = iskra_iscsi_name_ok(name);
    if (d->have_name) {
        memcpy(d->name, name.p, name.len);
        d->name[name.len] = '\0';
    } else {
        d->refused_cnt++;
    }
    return ret;
}

static int target_address(struct iskra_discovery *d, struct iskra_slice text,
                          struct iskra_error *err)
{
    if (!d->named)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "SendTargets: a TargetAddress before any TargetName");
    if (!d->have_name)
        return 0;
    struct iskra_target_address address;
    if (iskra_target_address_parse(text, &address) < 0) {
        d->refused_cnt++;
        d->have_address = true; /* it has one, if not for us */
        return 0;
    }
    return give(d, &address);
}

static int take_pair(struct iskra_discovery *d, struct iskra_error *err)
{
    struct iskra_slice text = {d->pair, d->pair_len};
    struct iskra_text_pair pair;
    d->pair_len = 0;
    int ret = iskra_text_next(&text, &pair);
    if (ret == 0)
        return 0; /* a stray NUL: targets pad with them */
    if (ret < 0) {
        char shown[72];
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO, "SendTargets: not a key=value pair: %s",
                          iskra_escape(shown, sizeof(shown), text.p, text.len));
    }
    if (iskra_slice_is(pair.key, "TargetName"))
        return target_name(d, pair.value);
    if (iskra_slice_is(pair.key, "TargetAddress"))
        return target_address(d, pair.value, err);
    if (iskra_slice_is(pair.key, "SendTargets")) {
        char shown[72];
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO, "SendTargets=All was answered with %s",
                          iskra_escape(shown, sizeof(shown), pair.value.p, pair.value.len));
    }
    return 0; /* keys of later standards */
}

static int take_text(struct iskra_discovery *d, const uint8_t *text, size_t len,
                     struct iskra_error *err)
{
    while (len > 0) {
        const uint8_t *nul = memchr(text, 0, len);
        size_t n = nul ? (size_t)(nul - text) + 1 : len;
#ifndef ISKRA_PLANTED_DISCOVERY_LENGTH /* left out on purpose to prove that the fuzzer finds it */
        if (n > sizeof(d->pair) - d->pair_len)
            return iskra_fail(err, ISKRA_E_PROTOCOL, EMSGSIZE,
                              "SendTargets: a pair of more than %u bytes",
                              ISKRA_DISCOVERY_PAIR_MAX);
#endif
        memcpy(d->pair + d->pair_len, text, n);
        d->pair_len += n;
        text += n;
        len -= n;
        int ret = nul ? take_pair(d, err) : 0;
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int finish(struct iskra_discovery *d, struct iskra_error *err)
{
    if (d->pair_len > 0)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "SendTargets: the text ends inside a pair");
    int ret = end_of_target(d);
    if (ret < 0)
        return ret;
    if (d->entry_cnt == 0 && d->refused_cnt > 0)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "SendTargets: none of %zu names and addresses is a legal one",
                          d->refused_cnt);
    return ISKRA_DISCOVERY_DONE;
}

int iskra_discovery_response(struct iskra_discovery *d, const uint8_t *hdr, const uint8_t *text,
                             size_t len, struct iskra_error *err)
{
    struct iskra_pdu_text_rsp rsp;
    iskra_text_rsp_decode(hdr, &rsp);
    d->exp_stat_sn = rsp.stat_sn + 1;
    if (len > ISKRA_DISCOVERY_TEXT_MAX - d->text_total)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EMSGSIZE,
                          "SendTargets: more than %u bytes of text", ISKRA_DISCOVERY_TEXT_MAX);
    d->text_total += len;
    int ret = take_text(d, text, len, err);
    if (ret < 0)
        return ret;

    /* RFC 7143 11.11.1, 11.11.2: F ends the exchange; C, and the tag to go on with, come only
     * without it. */
    if (rsp.final && !rsp.cont)
        return finish(d, err);
    if (rsp.final || rsp.ttt == ISKRA_RESERVED_TAG)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "Text Response with F %u, C %u and target transfer tag 0x%08x", rsp.final,
                          rsp.cont, rsp.ttt);
    if (len == 0 && ++d->empty_cnt > ISKRA_DISCOVERY_EMPTY_MAX)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "SendTargets: %u responses without text and no end", d->empty_cnt);
    if (++d->round_cnt >= ISKRA_DISCOVERY_ROUNDS_MAX)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO, "SendTargets: no end after %u responses",
                          d->round_cnt);
    d->ttt = rsp.ttt;
    d->lun = rsp.lun;
    return ISKRA_DISCOVERY_SEND;
}
