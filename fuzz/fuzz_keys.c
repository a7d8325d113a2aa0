/* Fuzzer of text keys: pairs, numbers, lists, and the initiator's side of a negotiation. The first
 * two bytes say what is offered and how much room answers have; an odd number: with CHAP. */
#include "control/keys.h"
#include "input.h"

static void offer_pick(struct iskra_key_offer *offer, uint8_t bits)
{
    iskra_key_offer_default(offer, bits & 1);
    if (bits & 2)
        offer->header_digest =
            (struct iskra_digest_prefs){2, {ISKRA_DIGEST_CRC32C, ISKRA_DIGEST_NONE}};
    if (bits & 4)
        offer->data_digest = (struct iskra_digest_prefs){1, {ISKRA_DIGEST_CRC32C}};
    offer->initial_r2t = bits & 8;
    offer->immediate_data = !(bits & 16);
    if (bits & 32)
        offer->first_burst_len = 2 * offer->max_burst_len;
}

/* Both of these promise to end, and to stay inside the value. */
static void look(struct iskra_slice text)
{
    struct iskra_text_pair pair;
    struct iskra_slice item;
    uint64_t number;
    while (iskra_text_next(&text, &pair) > 0) {
        (void)iskra_text_number(pair.value, &number);
        while (iskra_text_list_next(&pair.value, &item))
            (void)iskra_text_number(item, &number);
    }
}

static void judge_results(const struct iskra_key_results *r, bool discovery)
{
    must(discovery || r->first_burst_len <= r->max_burst_len);
    must(discovery || r->max_outstanding_r2t <= ISKRA_MAX_OUTSTANDING_R2T_LIMIT);
}

/* The same text once more, in the full feature phase, where little may change. */
static void again(struct iskra_keys *keys, struct iskra_slice text, struct iskra_text_out *out)
{
    struct iskra_key_results before = keys->results, *r = &keys->results;
    struct iskra_error err = {0};
    out->len = 0;
    iskra_keys_reopen(keys);
    int ret = iskra_keys_receive_all(keys, text, out, &err);
    must(out->len <= out->size && (ret == 0) == (err.code == ISKRA_OK));
    must(r->header_digest == before.header_digest && r->data_digest == before.data_digest);
    must(r->initial_r2t == before.initial_r2t && r->immediate_data == before.immediate_data);
    must(r->first_burst_len == before.first_burst_len && r->max_burst_len == before.max_burst_len);
    must(r->max_outstanding_r2t == before.max_outstanding_r2t);
    must(r->error_recovery_level == before.error_recovery_level);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t bits = input_u8(&in);
    uint8_t words = input_u8(&in);
    size_t room = 4u * words;
    struct iskra_key_offer offer;
    offer_pick(&offer, bits);
    offer.chap = words & 1;
    struct iskra_keys *keys = malloc(sizeof(*keys));
    char *buf = malloc(room > 0 ? room : 1);
    must(keys && buf);
    struct iskra_text_out out = {.buf = buf, .size = room};
    struct iskra_error err = {0};
    iskra_keys_init(keys, &offer);
    if (bits & 64)
        iskra_keys_offer_security(keys, &out);
    if (bits & 128)
        iskra_keys_offer_operational(keys, &out);
    size_t len = in.left;
    uint8_t *bytes = input_take(&in, len);
    struct iskra_slice text = {(const char *)bytes, len};
    look(text);
    int ret = iskra_keys_receive_all(keys, text, &out, &err);
    must(out.len <= room && (ret == 0) == (err.code == ISKRA_OK));
    if (ret == 0 && iskra_keys_finish(keys, &err) == 0) {
        judge_results(&keys->results, offer.discovery);
        again(keys, text, &out);
    }
    free(bytes);
    free(buf);
    free(keys);
    return 0;
}
