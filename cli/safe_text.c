/* Text that a terminal only shows: no control bytes, no C1 controls, nothing that turns the
 * direction of writing, nothing that is no UTF-8. */
#include "cli.h"

/* One character of UTF-8 at p (RFC 3629): its length, or 0 if it is none. */
static unsigned decode(const unsigned char *p, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned len = p[0] < 0x80   ? 1
                   : p[0] < 0xc2 ? 0
                   : p[0] < 0xe0 ? 2
                   : p[0] < 0xf0 ? 3
                   : p[0] < 0xf5 ? 4
                                 : 0;
    uint32_t point = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (unsigned i = 1; i < len; i++) { /* the NUL at the end is no continuation */
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (p[i] & 0x3f);
    }
    *ret_point = point;
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return len == 0 || point < least[len] || point > 0x10ffff || surrogate ? 0 : len;
}

static bool acts_on_terminals(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || /* C0, DEL, C1 */
           (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

void cli_text_make_safe(char *text)
{
    unsigned char *p = (unsigned char *)text;
    while (*p) {
        uint32_t point = 0;
        unsigned len = decode(p, &point);
        bool bad = len == 0 || acts_on_terminals(point);
        for (unsigned i = 0; i < (len ? len : 1); i++, p++)
            if (bad)
                *p = '?';
    }
}
