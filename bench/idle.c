/* What an idle session costs: many sessions of one initiator to one target, each logged in and its
 * LUN looked at, then nothing. Prints the resident memory before and after, and what the library
 * has asked its allocator for, each divided by the number of sessions. */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <iskra/iskra.h>
#include <iskra/platform.h>

struct idle {
    struct iskra_platform pf;
    uint64_t held_len, held_cnt;
    unsigned opening_cnt, open_cnt;
};

struct opening {
    struct idle *idle;
    struct iskra_lun *lun;
};

static void *counted_alloc(void *arg, size_t size)
{
    struct idle *idle = arg;
    void *p = calloc(1, size);
    if (p == NULL)
        return NULL;
    idle->held_len += malloc_usable_size(p);
    idle->held_cnt++;
    return p;
}

static void counted_free(void *arg, void *p)
{
    struct idle *idle = arg;
    if (p == NULL)
        return;
    idle->held_len -= malloc_usable_size(p);
    idle->held_cnt--;
    free(p);
}

static long rss_len(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static void opened(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct opening *o = arg;
    o->idle->opening_cnt--;
    if (status != 0) {
        fprintf(stderr, "idle: open: %s\n", err->text);
        exit(1);
    }
    o->lun = lun;
    o->idle->open_cnt++;
}

static void one_open(struct iskra *ctx, struct opening *o, const char *url, unsigned i)
{
    char text[1024];
    struct iskra_error err = {0};
    /* A name of its own makes a session of its own. */
    snprintf(text, sizeof(text), "%s%cinitiator_name=iqn.2026-11.io.iskra.bench:idle-%u", url,
             strchr(url, '?') != NULL ? '&' : '?', i);
    o->idle->opening_cnt++;
    if (iskra_open(ctx, text, opened, o, &err) != 0) {
        fprintf(stderr, "idle: open: %s\n", err.text);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    unsigned cnt = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
    if (argc < 2 || cnt == 0) {
        fprintf(stderr, "usage: bench-idle URL [SESSIONS]\n");
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    struct idle idle = {.pf = *iskra_platform_posix()};
    idle.pf.arg = &idle;
    idle.pf.alloc = counted_alloc;
    idle.pf.free = counted_free;
    struct iskra_options opts = {.size = sizeof(opts), .platform = &idle.pf};
    struct iskra *ctx;
    struct iskra_error err = {0};
    if (iskra_new(&opts, &ctx, &err) != 0) {
        fprintf(stderr, "idle: %s\n", err.text);
        return 1;
    }
    struct opening *all = calloc(cnt, sizeof(*all));
    uint64_t held_before = 0, blocks_before = 0;
    long rss_before = 0;
    /* The first session also pays for what all of them share. */
    for (unsigned i = 0; all != NULL && i <= cnt; i++) {
        if (i == 1) {
            held_before = idle.held_len;
            blocks_before = idle.held_cnt;
            rss_before = rss_len();
        }
        struct opening *o = i == 0 ? &(struct opening){.idle = &idle} : &all[i - 1];
        o->idle = &idle;
        one_open(ctx, o, argv[1], i);
        while (idle.opening_cnt > 0 && iskra_run_once(ctx, 5000000000) >= 0)
            ;
    }
    long rss_after = rss_len();
    printf("sessions %u  rss before %ld KiB  after %ld KiB  per session %.1f KiB  allocated per "
           "session %.1f KiB in %.1f pieces\n",
           cnt, rss_before / 1024, rss_after / 1024, (double)(rss_after - rss_before) / cnt / 1024,
           (double)(idle.held_len - held_before) / cnt / 1024,
           (double)(idle.held_cnt - blocks_before) / cnt);
    iskra_free(ctx);
    free(all);
    return 0;
}
