/* Fuzzer of URLs and their settings: what is taken can be trusted by everybody after it. */
#include "api/settings.h"
#include "api/url.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct iskra_url *url = malloc(sizeof(*url));
    must(text && url);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    struct iskra_error err = {0};
    int ret = iskra_url_parse(text, url, &err);
    must((ret == 0) == (err.code == ISKRA_OK));
    if (ret == 0) {
        must(url->host[0] != '\0' && strlen(url->host) <= ISKRA_HOST_LEN_MAX && url->port > 0);
        must(strlen(url->target) <= ISKRA_ISCSI_NAME_MAX && url->lun <= ISKRA_URL_LUN_MAX);
        must(url->settings.first_burst <= url->settings.max_burst);
        must(strlen(url->settings.initiator_name) <= ISKRA_ISCSI_NAME_MAX);
        err = (struct iskra_error){0};
        if (url->has_target)
            must(iskra_iscsi_name_check(url->target, "target", &err) == 0);
    }
    free(url);
    free(text);
    return 0;
}
