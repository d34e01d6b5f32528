/* SPDX-License-Identifier: MIT */
/* The one reader of sizes with a unit. */
#include "common/zc_size.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/zc_err.h"

int zc_size_parse(const char *text, uint64_t *ret_bytes)
{
    static const char units[] = "KMGT";
    char *end;
    int shift = 0;

    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || errno)
        return ZC_EINVAL;
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        shift = 10 * (int)(unit - units + 1);
        end += strcasecmp(end + 1, "iB") == 0 ? 3 : 1;
    }
    if (*end || (v << shift) >> shift != v)
        return ZC_EINVAL;
    *ret_bytes = v << shift;
    return ZC_OK;
}
