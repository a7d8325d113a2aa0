/* Fuzzer of URLs and their settings: what is taken can be trusted by everybody after it. */
#include "api/settings.h"
#include "api/url.h"
#include "input.h"

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF", *at = c ? strchr(digits, c) : NULL;
    return at ? (int)((at - digits) % 16) : -1;
}

/* password_fd= and the like read what the text names: a descriptor that never ends would stop the
 * fuzzer, and no file of this machine is its business. %-encoding may hide the name. */
static bool reads_outside(const char *text)
{
    size_t n = 0;
    char *plain = malloc(strlen(text) + 1);
    must(plain != NULL);
    for (const char *p = text; *p; p++) {
        int hi = p[0] == '%' ? hex_digit(p[1]) : -1, lo = hi >= 0 ? hex_digit(p[2]) : -1;
        plain[n++] = lo >= 0 ? (char)(hi << 4 | lo) : *p;
        p += lo >= 0 ? 2 : 0;
    }
    bool found = memmem(plain, n, "password_f", 10) != NULL;
    free(plain);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct iskra_url *url = malloc(sizeof(*url));
    must(text && url);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (reads_outside(text)) {
        free(url);
        free(text);
        return 0;
    }
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
