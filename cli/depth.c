/* Requests in flight; see depth.h. */
#include "depth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cli_depth cli_depth_usual = {.qd = 16, .bs = 1u << 20};

uint64_t cli_depth_chunk_len(const struct cli_depth *depth, const struct iskra_lun_info *lun)
{
    uint64_t len = depth->bs;
    if (lun->max_transfer_len && lun->max_transfer_len < len)
        len = lun->max_transfer_len;
    len -= len % lun->block_len;
    return len ? len : lun->block_len;
}

/* The library's own, and what a session keeps for itself beside commands. */
#define QUEUE_DEPTH_USUAL 32
#define CMDS_MAX_USUAL    128
#define CMDS_OTHER        16

struct word {
    const char *name;
    unsigned long usual, want;
    bool given, raise;
};

/* "queue_depth=64": remembered. What is no plain number, or there twice, stays for the library to
 * refuse. */
static void word_judge(struct word *word, const char *pair, size_t len)
{
    size_t name_len = strlen(word->name);
    if (len <= name_len || strncmp(pair, word->name, name_len) != 0 || pair[name_len] != '=')
        return;
    char *end;
    unsigned long value = strtoul(pair + name_len + 1, &end, 10);
    word->raise = !word->given && end == pair + len && value > 0 && value < word->want;
    word->given = true;
}

static bool is_raised(const struct word words[2], const char *pair, size_t len)
{
    for (unsigned i = 0; i < 2; i++) {
        size_t name_len = strlen(words[i].name);
        if (words[i].raise && len > name_len && pair[name_len] == '=' &&
            strncmp(pair, words[i].name, name_len) == 0)
            return true;
    }
    return false;
}

/* The URL without what is raised, and that behind it. */
static void url_write(FILE *to, const char *url, const char *query, const struct word words[2])
{
    char mark = '?';
    fwrite(url, 1, (size_t)(query - url), to);
    for (const char *pair = query; *pair != '\0';) {
        size_t len = strcspn(++pair, "&");
        if (len > 0 && !is_raised(words, pair, len)) {
            fprintf(to, "%c%.*s", mark, (int)len, pair);
            mark = '&';
        }
        pair += len;
    }
    for (unsigned i = 0; i < 2; i++)
        if (words[i].raise) {
            fprintf(to, "%c%s=%lu", mark, words[i].name, words[i].want);
            mark = '&';
        }
}

char *cli_depth_url(const struct cli *cli, const char *url, unsigned qd, bool tell)
{
    unsigned long cmds = CMDS_OTHER;
    while (cmds < qd + CMDS_OTHER)
        cmds *= 2;
    struct word words[2] = {
        {.name = "queue_depth", .usual = QUEUE_DEPTH_USUAL, .want = qd},
        {.name = "cmds_max", .usual = CMDS_MAX_USUAL, .want = cmds},
    };
    const char *query = url + strcspn(url, "?");
    for (const char *pair = query; *pair != '\0';) {
        size_t len = strcspn(++pair, "&");
        for (unsigned i = 0; i < 2; i++)
            word_judge(&words[i], pair, len);
        pair += len;
    }
    for (unsigned i = 0; i < 2; i++)
        if (!words[i].given)
            words[i].raise = words[i].usual < words[i].want;
    char *text = NULL;
    size_t text_len = 0;
    FILE *to = open_memstream(&text, &text_len);
    if (to == NULL)
        return NULL;
    url_write(to, url, query, words);
    if (fclose(to) != 0) {
        free(text);
        return NULL;
    }
    for (unsigned i = 0; i < 2; i++)
        if (words[i].raise && tell)
            cli_error(cli, "%s=%lu for this session, so that --qd %u fits", words[i].name,
                      words[i].want, qd);
    return text;
}
