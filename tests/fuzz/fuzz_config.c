/* SPDX-License-Identifier: MIT */
/* config.json, and after the first NUL byte generation_config.json: whatever the bytes are, what is
 * accepted is within the ranges that the engine relies on, and its rotation is made of numbers. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "common/zc_err.h"
#include "zoracd/engine/ze_config.h"
#include "zoracd/engine/ze_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct ze_config *c)
{
    double inv[256];

    ZC_BUG_ON(c->C < 1 || c->L < 1 || c->H < 1 || c->K < 1 || c->F < 1 || c->V < 1);
    ZC_BUG_ON(c->H % c->K != 0 || c->D < 2 || c->D > 512 || c->D % 2 != 0 || c->context < 1);
    ZC_BUG_ON(c->rope.rot_dim < 2 || c->rope.rot_dim > c->D || c->rope.rot_dim % 2 != 0);
    ZC_BUG_ON(!isfinite(ze_rope_frequencies(c, inv)));
    for (int i = 0; i < c->rope.rot_dim / 2; i++)
        ZC_BUG_ON(!isfinite(inv[i]));
    for (int l = 0; l < c->L; l++)
        ZC_BUG_ON(ze_config_window(c, l) < 0);
    ZC_BUG_ON(c->n_eos < 0 || c->n_eos > ZE_MAX_EOS || c->bos >= c->V);
    for (int i = 0; i < c->n_eos; i++)
        ZC_BUG_ON(c->eos[i] < 0 || c->eos[i] >= c->V);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    size_t n = nul ? (size_t)(nul - text) : size;
    json_t *config = NULL, *generation = NULL;
    struct zc_diag dg = {""};
    struct ze_config c;

    int r = ze_config_json(&config, text, n, "config.json", &dg);
    if (r == ZC_OK && nul)
        r = ze_config_json(&generation, nul + 1, size - n - 1, "generation_config.json", &dg);
    if (r == ZC_OK && (r = ze_config_parse(&c, config, generation, &dg)) == ZC_OK) {
        check(&c);
        ze_config_release(&c);
    }
    ZC_BUG_ON(r < 0 && dg.text[0] == '\0');
    json_decref(config);
    json_decref(generation);
    return 0;
}
