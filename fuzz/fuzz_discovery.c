/* Fuzzer of discovery: a sequence of Text Responses, and TargetAddress values by themselves. */
#include "control/discovery.h"
#include "input.h"
#include "wire/be.h"

static int entry(void *arg, const struct iskra_target_entry *found)
{
    unsigned *left = arg;
    must(strlen(found->target_name) <= ISKRA_NAME_TEXT_MAX);
    must(strlen(found->address->host) <= ISKRA_HOST_TEXT_MAX && found->address->port > 0);
    return (*left)-- == 0;
}

static int respond(struct iskra_discovery *d, struct input *in, struct iskra_error *err)
{
    uint8_t hdr[ISKRA_BHS_LEN] = {0x24};
    hdr[1] = input_u8(in); /* F, C */
    iskra_put_be32(hdr + 20, hdr[1] & 1 ? ISKRA_RESERVED_TAG : 7);
    size_t len = hdr[1] & 2 ? 4u * input_u8(in) : input_u8(in);
    len = input_len(in, len);
    uint8_t *text = input_take(in, len);
    int ret = iskra_discovery_response(d, hdr, text, len, err);
    free(text);
    return ret;
}

static void addresses(struct input *in)
{
    size_t len = in->left;
    uint8_t *text = input_take(in, len);
    struct iskra_target_address address;
    struct iskra_slice slice = {(const char *)text, len};
    if (iskra_target_address_parse(slice, &address) == 0)
        must(strlen(address.host) <= ISKRA_HOST_TEXT_MAX && address.port > 0);
    (void)iskra_iscsi_name_ok(slice);
    free(text);
}

static void session(struct input *in, unsigned stop_after)
{
    struct iskra_target_address portal = {.host = "127.0.0.1", .port = 3260};
    struct iskra_discovery *d = malloc(sizeof(*d));
    must(d != NULL);
    struct iskra_error err = {0};
    iskra_discovery_begin(d, &portal, 1, entry, &stop_after);
    int ret = ISKRA_DISCOVERY_SEND;
    while (ret == ISKRA_DISCOVERY_SEND && in->left > 0) {
        uint8_t hdr[ISKRA_BHS_LEN];
        const uint8_t *text;
        size_t len;
        iskra_discovery_request(d, hdr, &text, &len);
        (void)input_touch(text, len);
        ret = respond(d, in, &err);
        must(ret != 0);
    }
    free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t bits = input_u8(&in);
    if (bits & 1)
        addresses(&in);
    else
        session(&in, bits >> 1);
    return 0;
}
