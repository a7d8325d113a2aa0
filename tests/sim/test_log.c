/* What the log says while recovery climbs, compared with what it said before, times included. With
 * ISKRA_GOLDEN_WRITE set the file is written instead. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scene.h"

#define LOG_LEN 16384u

static const char *golden_dir;

static void check_golden(struct scene *scene, const char *name)
{
    char path[4096], expected[LOG_LEN], *log = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&log, &len);
    assert_non_null(memory);
    scene_write_log(scene, memory);
    fclose(memory);
    snprintf(path, sizeof(path), "%s/%s", golden_dir, name);
    FILE *file = fopen(path, getenv("ISKRA_GOLDEN_WRITE") ? "w+" : "r");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    if (getenv("ISKRA_GOLDEN_WRITE")) {
        fputs(log, file);
        rewind(file);
    }
    expected[fread(expected, 1, sizeof(expected) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(log, expected);
    free(log);
}

/* A read that is lost, and a target that refuses to abort it, to reset its LUN, and itself: a new
 * login helps. */
static void abort_lun_reset_target_reset_and_relogin(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    scene_fault(scene, "drop:command(read)#1");
    scene_fault(scene, "delay=2s:tmf-response#1+1x3");
    scene_fault(scene, "field=response=5:tmf-response#1+1x3");
    scene_open(scene, "timeout=30&noop_interval=5&noop_timeout=5");
    scene_run_to(scene, 10 * SIM_S);
    struct scene_io *io = scene_read(scene, 0, 2048, 8);
    scene_run_to(scene, 200 * SIM_S);
    scene_assert_done(io, 0);
    check_golden(scene, "abort_to_relogin.log");
    scene_free(scene);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(abort_lun_reset_target_reset_and_relogin),
    };
    golden_dir = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests_name("log of recovery", tests, NULL, NULL);
}
