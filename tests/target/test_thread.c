/* The portal on a thread of the program that uses it, as `demo` and tests do: start, serve, stop;
 * and the addresses it understands. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/address.h"
#include "target/portal.h"

struct running {
    struct iskra_target *target;
    struct iskra_target_portal *portal;
    int stop_fd, result;
    pthread_t thread;
};

static void *thread_main(void *arg)
{
    struct running *r = arg;
    r->result = iskra_target_portal_run(r->portal, r->stop_fd, NULL);
    return NULL;
}

static void start(struct running *r)
{
    struct iskra_error err = {0};
    r->target = peer_target(NULL);
    assert_int_equal(iskra_target_portal_new(r->target, &r->portal, &err), 0);
    assert_int_equal(iskra_target_portal_listen(r->portal, "127.0.0.1:0", &err), 0);
    r->stop_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(r->stop_fd >= 0);
    assert_int_equal(pthread_create(&r->thread, NULL, thread_main, r), 0);
}

static void stop(struct running *r)
{
    assert_int_equal(eventfd_write(r->stop_fd, 1), 0);
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    assert_int_equal(r->result, 0);
    iskra_target_portal_free(r->portal);
    iskra_target_free(r->target);
    assert_int_equal(close(r->stop_fd), 0);
}

static int dial(const struct running *r)
{
    struct sockaddr_storage addr;
    socklen_t len;
    const char *address = iskra_target_portal_address(r->portal, 0);
    assert_int_equal(target_address_parse(address, &addr, &len, NULL), 0);
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&addr, len), 0);
    return fd;
}

static void receive(int fd, uint8_t *buf, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(fd, buf + at, len - at, 0);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

/* A login that is answered. */
static void login(int fd)
{
    static const char text[] = NAMES "\0SessionType=Normal";
    uint8_t request[ISKRA_BHS_LEN + 256] = {0}, answer[ISKRA_BHS_LEN];
    struct iskra_pdu_login login = {.transit = true, .csg = 1, .nsg = 3, .data_len = sizeof(text)};
    iskra_login_encode(&login, request);
    memcpy(request + ISKRA_BHS_LEN, text, sizeof(text));
    size_t len = ISKRA_BHS_LEN + sizeof(text) + iskra_pad_len(sizeof(text));
    assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
    receive(fd, answer, sizeof(answer));
    assert_int_equal(iskra_bhs_opcode(answer), ISKRA_OP_LOGIN_RSP);
    assert_int_equal(iskra_get_be16(answer + 36), 0);
}

static void a_portal_on_a_thread_serves_until_it_is_stopped(void **state)
{
    struct running r;
    start(&r);
    int fd = dial(&r);
    login(fd);
    stop(&r); /* with the session open */
    assert_int_equal(close(fd), 0);
}

/* A child has copies of the portal's sockets, so that they are not gone when the portal closes
 * them. */
static void a_forked_child_keeps_no_closed_connection_alive_for_the_portal(void **state)
{
    struct running r;
    int end[2];
    uint8_t byte;
    start(&r);
    int fd = dial(&r);
    login(fd);
    assert_int_equal(pipe(end), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(end[1]);
        (void)!read(end[0], &byte, 1);
        _exit(0);
    }
    assert_int_equal(shutdown(fd, SHUT_WR), 0); /* the portal lets go of it */
    for (int i = 0; i < 3; i++) {
        int other = dial(&r); /* and goes on for a while */
        login(other);
        assert_int_equal(close(other), 0);
    }
    assert_int_equal(close(end[1]), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(close(end[0]), 0);
    assert_int_equal(close(fd), 0);
    stop(&r);
}

static void a_portal_may_run_again_after_a_stop(void **state)
{
    struct running r;
    start(&r);
    assert_int_equal(eventfd_write(r.stop_fd, 1), 0);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    eventfd_t value;
    assert_int_equal(eventfd_read(r.stop_fd, &value), 0);
    assert_int_equal(pthread_create(&r.thread, NULL, thread_main, &r), 0);
    assert_int_equal(close(dial(&r)), 0);
    stop(&r);
}

static void a_portal_that_never_ran_can_be_freed(void **state)
{
    struct iskra_target *target = peer_target(NULL);
    struct iskra_target_portal *portal = NULL;
    struct iskra_error err = {0};
    assert_int_equal(iskra_target_portal_new(target, &portal, &err), 0);
    assert_null(iskra_target_portal_address(portal, 0));
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(iskra_target_portal_listen(portal, "127.0.0.1:0", &err), 0);
    assert_int_equal(iskra_target_portal_listen(portal, "127.0.0.1:0", &err), -ENOSPC);
    assert_string_not_equal(iskra_target_portal_address(portal, 0),
                            iskra_target_portal_address(portal, 7));
    iskra_target_portal_free(portal);
    iskra_target_free(target);
}

static void addresses_are_understood(void **state)
{
    static const struct {
        const char *text;
        int family; /* 0: refused */
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:0", AF_INET, 0},  {"127.0.0.1:3261", AF_INET, 3261},
        {"127.0.0.1", AF_INET, 3260}, {"[::1]:5", AF_INET6, 5},
        {"[::1]", AF_INET6, 3260},    {"::1", AF_INET6, 3260},
        {"127.0.0.1:", 0, 0},         {"127.0.0.1:x", 0, 0},
        {"127.0.0.1:65536", 0, 0},    {"[::1", 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_storage addr;
        socklen_t len;
        struct iskra_error err = {0};
        int rc = target_address_parse(rows[i].text, &addr, &len, &err);
        if ((rc == 0) != (rows[i].family != 0))
            fail_msg("%s: %d, %s", rows[i].text, rc, err.text);
        if (rc < 0)
            continue;
        assert_int_equal(addr.ss_family, rows[i].family);
        const void *p = &addr;
        uint16_t port = addr.ss_family == AF_INET ? ((const struct sockaddr_in *)p)->sin_port
                                                  : ((const struct sockaddr_in6 *)p)->sin6_port;
        assert_int_equal(ntohs(port), rows[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_portal_on_a_thread_serves_until_it_is_stopped),
        cmocka_unit_test(a_forked_child_keeps_no_closed_connection_alive_for_the_portal),
        cmocka_unit_test(a_portal_may_run_again_after_a_stop),
        cmocka_unit_test(a_portal_that_never_ran_can_be_freed),
        cmocka_unit_test(addresses_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
