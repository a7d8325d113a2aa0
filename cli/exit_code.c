/* What the program leaves with after an error of the library: one table. A code that is not in it,
 * or that a later library has, is CLI_OTHER. So is ISKRA_E_NEGOTIATION: CLI_LOGIN is for what the
 * target refuses; a key whose value nobody can accept is a fault of the target's. */
#include "cli.h"

static const unsigned char exit_codes[] = {
    [ISKRA_E_USAGE] = CLI_USAGE,
    [ISKRA_E_CONNECT] = CLI_CONNECT,
    [ISKRA_E_TIMEOUT_LOGIN] = CLI_TIMEOUT_LOGIN,
    [ISKRA_E_LOGIN] = CLI_LOGIN,
    [ISKRA_E_AUTH] = CLI_AUTH,
    [ISKRA_E_NOT_FOUND] = CLI_NOT_FOUND,
    [ISKRA_E_SCSI] = CLI_SCSI,
    [ISKRA_E_TIMEOUT_SCSI] = CLI_TIMEOUT_SCSI,
};

int cli_exit_code(const struct iskra_error *err)
{
    unsigned code = (unsigned)err->code;
    bool listed = code < sizeof(exit_codes) && exit_codes[code] != 0;
    return listed ? exit_codes[code] : CLI_OTHER;
}
