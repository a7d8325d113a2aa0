/* The target's negotiation table and what is done with it. See keys.h. */
#include "target/keys.h"

#include <errno.h>
#include <string.h>

#include "error.h"

enum kind {
    KIND_AUTH,   /* list; login.c answers it */
    KIND_DIGEST, /* list of None, CRC32C; the first that the target does */
    KIND_REPORTING,
    KIND_AND, /* booleans */
    KIND_OR,
    KIND_MIN, /* numbers */
    KIND_MAX,
    KIND_DECLARED, /* number; each side tells its own */
    KIND_NAME,     /* the initiator tells, no answer */
    KIND_TARGETS,  /* only the target may tell it */
    KIND_MARKER,   /* obsolete (13.25) */
    KIND_INTERVAL,
    KIND_QUESTION, /* SendTargets: belongs to text.c, never to a login */
};

#define IN_SECURITY    (1u << ISKRA_STAGE_SECURITY)
#define IN_OPERATIONAL (1u << ISKRA_STAGE_OPERATIONAL)
#define IN_FULL        (1u << ISKRA_STAGE_FULL_FEATURE)
#define IN_LOGIN       (IN_SECURITY | IN_OPERATIONAL)
#define NORMAL_ONLY    (1u << 8) /* irrelevant to a discovery session */

static const struct row {
    const char *name;
    enum kind kind;
    unsigned stages;
    uint32_t initial, min, max; /* RFC 7143 13: default and range */
} rows[KEY_CNT] = {
    [KEY_AUTH_METHOD] = {"AuthMethod", KIND_AUTH, IN_SECURITY, 0, 0, 0},
    [KEY_HEADER_DIGEST] = {"HeaderDigest", KIND_DIGEST, IN_OPERATIONAL, 0, 0, 1},
    [KEY_DATA_DIGEST] = {"DataDigest", KIND_DIGEST, IN_OPERATIONAL, 0, 0, 1},
    [KEY_MAX_CONNECTIONS] = {"MaxConnections", KIND_MIN, IN_OPERATIONAL | NORMAL_ONLY, 1, 1, 65535},
    [KEY_INITIAL_R2T] = {"InitialR2T", KIND_OR, IN_OPERATIONAL | NORMAL_ONLY, 1, 0, 1},
    [KEY_IMMEDIATE_DATA] = {"ImmediateData", KIND_AND, IN_OPERATIONAL | NORMAL_ONLY, 1, 0, 1},
    [KEY_MAX_RECV] = {"MaxRecvDataSegmentLength", KIND_DECLARED, IN_OPERATIONAL | IN_FULL, 8192,
                      512, ISKRA_DSL_MAX},
    [KEY_MAX_BURST] = {"MaxBurstLength", KIND_MIN, IN_OPERATIONAL | NORMAL_ONLY, 262144, 512,
                       ISKRA_DSL_MAX},
    [KEY_FIRST_BURST] = {"FirstBurstLength", KIND_MIN, IN_OPERATIONAL | NORMAL_ONLY, 65536, 512,
                         ISKRA_DSL_MAX},
    [KEY_TIME2WAIT] = {"DefaultTime2Wait", KIND_MAX, IN_OPERATIONAL, 2, 0, 3600},
    [KEY_TIME2RETAIN] = {"DefaultTime2Retain", KIND_MIN, IN_OPERATIONAL, 20, 0, 3600},
    [KEY_MAX_R2T] = {"MaxOutstandingR2T", KIND_MIN, IN_OPERATIONAL | NORMAL_ONLY, 1, 1, 65535},
    [KEY_PDU_IN_ORDER] = {"DataPDUInOrder", KIND_OR, IN_OPERATIONAL | NORMAL_ONLY, 1, 0, 1},
    [KEY_SEQUENCE_IN_ORDER] = {"DataSequenceInOrder", KIND_OR, IN_OPERATIONAL | NORMAL_ONLY, 1, 0,
                               1},
    [KEY_ERL] = {"ErrorRecoveryLevel", KIND_MIN, IN_OPERATIONAL, 0, 0, 2},
    [KEY_TASK_REPORTING] = {"TaskReporting", KIND_REPORTING, IN_OPERATIONAL, 0, 0, 0},
    [KEY_PROTOCOL_LEVEL] = {"iSCSIProtocolLevel", KIND_MIN, IN_OPERATIONAL, 1, 0, 31},
    [KEY_SESSION_TYPE] = {"SessionType", KIND_NAME, IN_LOGIN, 0, 0, 0},
    [KEY_INITIATOR_NAME] = {"InitiatorName", KIND_NAME, IN_LOGIN, 0, 0, 0},
    [KEY_INITIATOR_ALIAS] = {"InitiatorAlias", KIND_NAME, IN_LOGIN | IN_FULL, 0, 0, 0},
    [KEY_TARGET_NAME] = {"TargetName", KIND_NAME, IN_LOGIN, 0, 0, 0},
    [KEY_TARGET_ALIAS] = {"TargetAlias", KIND_TARGETS, 0, 0, 0, 0},
    [KEY_TARGET_ADDRESS] = {"TargetAddress", KIND_TARGETS, 0, 0, 0, 0},
    [KEY_PORTAL_GROUP] = {"TargetPortalGroupTag", KIND_TARGETS, 0, 0, 0, 0},
    [KEY_SEND_TARGETS] = {"SendTargets", KIND_QUESTION, IN_FULL, 0, 0, 0},
    [KEY_IF_MARKER] = {"IFMarker", KIND_MARKER, IN_OPERATIONAL, 0, 0, 0},
    [KEY_OF_MARKER] = {"OFMarker", KIND_MARKER, IN_OPERATIONAL, 0, 0, 0},
    [KEY_IF_MARK_INT] = {"IFMarkInt", KIND_INTERVAL, IN_OPERATIONAL, 0, 0, 0},
    [KEY_OF_MARK_INT] = {"OFMarkInt", KIND_INTERVAL, IN_OPERATIONAL, 0, 0, 0},
};
_Static_assert(KEY_CNT <= 32, "struct target_keys has a bit per key");

void target_keys_init(struct target_keys *keys, const struct iskra_target_options *options)
{
    *keys = (struct target_keys){0};
    for (unsigned i = 0; i < KEY_NUMBERED_CNT; i++)
        keys->own[i] = keys->value[i] = rows[i].initial;
    keys->own[KEY_HEADER_DIGEST] = options->header_digest;
    keys->own[KEY_DATA_DIGEST] = options->data_digest;
    keys->own[KEY_INITIAL_R2T] = options->initial_r2t;
    keys->own[KEY_IMMEDIATE_DATA] = options->immediate_data;
    keys->own[KEY_MAX_RECV] = options->max_recv;
    keys->own[KEY_MAX_BURST] = options->max_burst;
    keys->own[KEY_FIRST_BURST] = options->first_burst;
    keys->own[KEY_MAX_R2T] = options->max_outstanding_r2t;
    keys->own[KEY_TIME2WAIT] = 0;   /* the larger of the two holds, and the target needs no pause */
    keys->own[KEY_TIME2RETAIN] = 0; /* tasks do not outlive their connection */
}

static bool is_number(enum kind kind)
{
    return kind == KIND_MIN || kind == KIND_MAX || kind == KIND_DECLARED;
}

static uint32_t combine(enum kind kind, uint32_t a, uint32_t b)
{
    switch (kind) {
    case KIND_AND:
        return a & b;
    case KIND_OR:
        return a | b;
    case KIND_MIN:
        return a < b ? a : b;
    case KIND_MAX:
        return a > b ? a : b;
    default:
        return a;
    }
}

static void put(struct iskra_text_out *out, const struct row *row, uint32_t value)
{
    if (is_number(row->kind))
        iskra_text_put_u32(out, row->name, value);
    else
        iskra_text_put(out, row->name, value ? "Yes" : "No");
}

/* -EINVAL: nothing this key may say. */
static int parse(const struct row *row, struct iskra_slice text, uint32_t *ret_value)
{
    if (is_number(row->kind)) {
        uint64_t number;
        if (iskra_text_number(text, &number) < 0 || number < row->min || number > row->max)
            return -EINVAL;
        *ret_value = (uint32_t)number;
        return 0;
    }
    if (iskra_slice_is(text, "Yes"))
        *ret_value = 1;
    else if (iskra_slice_is(text, "No"))
        *ret_value = 0;
    else
        return -EINVAL;
    return 0;
}

/* The initiator's list is in its order of preference (6.2.1). */
static void answer_digest(struct target_keys *keys, enum target_key key, struct iskra_slice list,
                          struct iskra_text_out *out)
{
    struct iskra_slice item;
    while (iskra_text_list_next(&list, &item)) {
        bool crc = iskra_slice_is(item, "CRC32C") && keys->own[key];
        if (!crc && !iskra_slice_is(item, "None"))
            continue;
        keys->value[key] = crc;
        iskra_text_put(out, rows[key].name, crc ? "CRC32C" : "None");
        return;
    }
    iskra_text_put(out, rows[key].name, "Reject");
}

/* 13.23: RFC3720 is the plain behaviour, and what this target does. */
static void answer_reporting(struct iskra_slice list, struct iskra_text_out *out)
{
    struct iskra_slice item;
    bool found = false;
    while (!found && iskra_text_list_next(&list, &item))
        found = iskra_slice_is(item, "RFC3720");
    iskra_text_put(out, rows[KEY_TASK_REPORTING].name, found ? "RFC3720" : "Reject");
}

static int take_string(char *dst, struct iskra_slice value, const char *key,
                       struct iskra_error *err)
{
    if (value.len == 0 || value.len > ISKRA_TARGET_NAME_MAX)
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO, "%s has %zu bytes, allowed are 1 to %u",
                          key, value.len, ISKRA_TARGET_NAME_MAX);
    memcpy(dst, value.p, value.len);
    dst[value.len] = '\0';
    return 0;
}

static int take_name(struct target_keys *keys, enum target_key key, struct iskra_slice value,
                     struct iskra_error *err)
{
    switch (key) {
    case KEY_INITIATOR_NAME:
        return take_string(keys->initiator_name, value, rows[key].name, err);
    case KEY_TARGET_NAME:
        return take_string(keys->target_name, value, rows[key].name, err);
    case KEY_SESSION_TYPE:
        keys->discovery = iskra_slice_is(value, "Discovery");
        keys->session_type_unknown = !keys->discovery && !iskra_slice_is(value, "Normal");
        return 0;
    default: /* InitiatorAlias: good to know, but nobody asks */
        return 0;
    }
}

/* An answer to an offer of the target's: it must be a value that the two of them can have come to.
 */
static int take_answer(struct target_keys *keys, enum target_key key, struct iskra_slice text,
                       struct iskra_error *err)
{
    const struct row *row = &rows[key];
    uint32_t value;
    keys->offered &= ~(1u << key);
    if (parse(row, text, &value) < 0 || combine(row->kind, value, keys->own[key]) != value)
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO, "%s: answer to the offer %u is refused",
                          row->name, keys->own[key]);
    keys->value[key] = value;
    return 0;
}

static void answer_value(struct target_keys *keys, enum target_key key, struct iskra_slice text,
                         struct iskra_text_out *out)
{
    const struct row *row = &rows[key];
    uint32_t offer;
    if (parse(row, text, &offer) < 0) {
        iskra_text_put(out, row->name, "Reject");
        return;
    }
    if (row->kind == KIND_DECLARED) { /* no answer; our own declaration is an offer */
        keys->value[key] = offer;
        return;
    }
    keys->value[key] = combine(row->kind, offer, keys->own[key]);
    /* 13.14: FirstBurstLength must not exceed MaxBurstLength. */
    if (key == KEY_FIRST_BURST && keys->value[key] > keys->value[KEY_MAX_BURST])
        keys->value[key] = keys->value[KEY_MAX_BURST];
    put(out, row, keys->value[key]);
}

static int key_find(struct iskra_slice name)
{
    for (int i = 0; i < KEY_CNT; i++)
        if (iskra_slice_is(name, rows[i].name))
            return i;
    return -1;
}

int target_keys_answer_pair(struct target_keys *keys, uint8_t stage,
                            const struct iskra_text_pair *pair, struct iskra_text_out *out,
                            struct iskra_error *err)
{
    int found = key_find(pair->key);
    if (found < 0) {
        static const char word[] = "NotUnderstood";
        /* An answer "NotUnderstood" to a key nobody offered would be answered forever. */
        if (!iskra_slice_is(pair->value, word))
            iskra_text_put_slice(out, pair->key, (struct iskra_slice){word, sizeof(word) - 1});
        return 0;
    }
    enum target_key key = (enum target_key)found;
    const struct row *row = &rows[key];
    if (row->kind == KIND_TARGETS)
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO, "%s is not the initiator's to tell",
                          row->name);
    if (!(row->stages >> stage & 1)) {
        iskra_text_put(out, row->name, "Reject");
        return 0;
    }
    if (keys->offered >> key & 1)
        return take_answer(keys, key, pair->value, err);
    /* 6.3: no key twice in one negotiation; in the full feature phase each exchange is one. */
    if (stage != ISKRA_STAGE_FULL_FEATURE && keys->seen >> key & 1)
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO, "%s is negotiated twice", row->name);
    keys->seen |= 1u << key;

    switch (row->kind) {
    case KIND_AUTH:
        keys->auth_list = pair->value;
        return 0;
    case KIND_DIGEST:
        answer_digest(keys, key, pair->value, out);
        return 0;
    case KIND_REPORTING:
        answer_reporting(pair->value, out);
        return 0;
    case KIND_NAME:
        return take_name(keys, key, pair->value, err);
    case KIND_MARKER:
        iskra_text_put(out, row->name, "No");
        return 0;
    case KIND_INTERVAL:
    case KIND_QUESTION:
        iskra_text_put(out, row->name, "Reject");
        return 0;
    default:
        answer_value(keys, key, pair->value, out);
        return 0;
    }
}

void target_keys_offer(struct target_keys *keys, struct iskra_text_out *out)
{
    iskra_text_put_u32(out, rows[KEY_MAX_RECV].name, keys->own[KEY_MAX_RECV]);
    for (unsigned i = 0; i < KEY_NUMBERED_CNT; i++) {
        const struct row *row = &rows[i];
        bool has_result = row->kind == KIND_AND || row->kind == KIND_OR || row->kind == KIND_MIN ||
                          row->kind == KIND_MAX;
        if (row->stages & NORMAL_ONLY && keys->discovery)
            continue;
        if (i == KEY_TIME2RETAIN) /* at level 0 nothing is retained anyway: not worth a round */
            continue;
        if (!has_result || keys->seen >> i & 1 ||
            combine(row->kind, row->initial, keys->own[i]) == row->initial)
            continue;
        put(out, row, keys->own[i]);
        keys->offered |= 1u << i;
        keys->seen |= 1u << i;
    }
}
