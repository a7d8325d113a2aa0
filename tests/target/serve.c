/* A target on a port of its own, for tests of the portal with foreign initiators: prints its
 * address, serves until its standard input ends, so that it cannot outlive the test that started
 * it.
 *
 *     serve NAME [--listen ADDR:PORT] [--separate-status] [--chap-base64] [--open-discovery]
 * [--user U --password P] [--mutual-user U --mutual-password P] [--challenge LEN] [--luns N] [--ram
 * SIZE | --file PATH |
 * --null SIZE]... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/portal.h"

#define BACKEND_MAX 8u

struct setup {
    struct iskra_target_options options;
    struct iskra_target_backend backends[BACKEND_MAX];
    const char *listen;
};

static void usage(void)
{
    (void)fprintf(stderr, "serve: wrong arguments\n");
    exit(2);
}

static void backend_add(struct setup *setup, struct iskra_target_backend backend)
{
    if (setup->options.backend_cnt == BACKEND_MAX)
        usage();
    setup->backends[setup->options.backend_cnt++] = backend;
}

static void take_option(struct setup *setup, const char *option, const char *value)
{
    if (strcmp(option, "--listen") == 0)
        setup->listen = value;
    else if (strcmp(option, "--luns") == 0)
        setup->options.lun_cnt = (unsigned)strtoul(value, NULL, 0);
    else if (strcmp(option, "--user") == 0)
        setup->options.user = value;
    else if (strcmp(option, "--password") == 0)
        setup->options.password = value;
    else if (strcmp(option, "--mutual-user") == 0)
        setup->options.mutual_user = value;
    else if (strcmp(option, "--mutual-password") == 0)
        setup->options.mutual_password = value;
    else if (strcmp(option, "--challenge") == 0)
        setup->options.chap_challenge_len = (uint32_t)strtoul(value, NULL, 0);
    else if (strcmp(option, "--block") == 0)
        setup->options.block_len = (uint32_t)strtoul(value, NULL, 0);
    else if (strcmp(option, "--ram") == 0)
        backend_add(setup, (struct iskra_target_backend){.kind = ISKRA_TARGET_RAM,
                                                         .size = strtoull(value, NULL, 0)});
    else if (strcmp(option, "--null") == 0)
        backend_add(setup, (struct iskra_target_backend){.kind = ISKRA_TARGET_NULL,
                                                         .size = strtoull(value, NULL, 0)});
    else if (strcmp(option, "--file") == 0)
        backend_add(setup, (struct iskra_target_backend){.kind = ISKRA_TARGET_FILE, .path = value});
    else
        usage();
}

static int serve(const struct setup *setup)
{
    struct iskra_error err = {0};
    struct iskra_target *target = NULL;
    struct iskra_target_portal *portal = NULL;
    int rc = iskra_target_new(&setup->options, &target, &err);
    if (rc == 0)
        rc = iskra_target_portal_new(target, &portal, &err);
    if (rc == 0)
        rc = iskra_target_portal_listen(portal, setup->listen, &err);
    if (rc == 0) {
        (void)printf("listening on %s\n", iskra_target_portal_address(portal, 0));
        (void)fflush(stdout);
        rc = iskra_target_portal_run(portal, STDIN_FILENO, &err);
    }
    if (rc < 0)
        (void)fprintf(stderr, "serve: %s\n", err.text);
    iskra_target_portal_free(portal);
    iskra_target_free(target);
    return rc < 0;
}

int main(int argc, char **argv)
{
    struct setup setup = {.listen = "127.0.0.1:0"};
    iskra_target_options_init(&setup.options);
    setup.options.backends = setup.backends;
    if (argc < 2)
        usage();
    setup.options.name = argv[1];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--separate-status") == 0) {
            setup.options.separate_status = true;
        } else if (strcmp(argv[i], "--chap-base64") == 0) {
            setup.options.chap_base64 = true;
        } else if (strcmp(argv[i], "--open-discovery") == 0) {
            setup.options.chap_discovery = false;
        } else {
            if (i + 1 == argc)
                usage();
            take_option(&setup, argv[i], argv[i + 1]);
            i++;
        }
    }
    return serve(&setup);
}
