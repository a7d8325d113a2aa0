/* Reads the first block of a LUN:   read iscsi://host/target/lun */
#include <stdio.h>

#include <iskra/iskra.h>

int main(int argc, char **argv)
{
    struct iskra *ctx;
    struct iskra_lun *lun;
    struct iskra_error err;
    static char block[4096];

    if (argc != 2 || iskra_new(NULL, &ctx, &err) < 0)
        return 2;
    int rc = iskra_open_sync(ctx, argv[1], &lun, &err);
    if (rc == 0) {
        rc = iskra_read_sync(lun, block, sizeof(block), 0, &err);
        iskra_close_sync(lun);
    }
    if (rc == 0)
        fwrite(block, 1, sizeof(block), stdout);
    else
        fprintf(stderr, "%s\n", err.text);
    iskra_free(ctx);
    return rc < 0;
}
