/* SPDX-License-Identifier: MIT */
/* The daemon's configuration file: it is taken, or refused with a sentence. */
#include "common/zc_err.h"
#include "zoracd/serve/zs_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zc_diag dg = {""};
    struct zs_config c;

    zs_config_init(&c);
    int r = zs_config_parse(&c, "f", (const char *)data, size, &dg);
    ZC_BUG_ON(r < 0 && dg.text[0] == '\0');
    ZC_BUG_ON(r == ZC_OK && zs_config_check(&c, &dg) < 0 && dg.text[0] == '\0');
    zs_config_release(&c);
    return 0;
}
