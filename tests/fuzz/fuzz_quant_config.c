/* SPDX-License-Identifier: MIT */
/* A quantization_config. First byte: even: the rest is the block; odd: it is all of config.json.
 * What is accepted gives every module a scheme that the decoders know. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "zoracd/weights/zw_quant.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(const json_t *config)
{
    static const char *const modules[] = {"lm_head", "model.embed_tokens",
                                          "model.layers.0.self_attn.q_proj", ""};
    struct zw_quant *q = NULL;
    struct zc_diag dg = {""};
    int r = zw_quant_new(&q, config, NULL, &dg);

    if ((r < 0) == (q != NULL) || (r < 0 && !dg.text[0]))
        abort();
    for (int i = 0; q && i < 4; i++) {
        const struct zw_scheme *s = NULL;
        r = zw_quant_scheme(&s, q, modules[i], &dg);
        if (s && (r < 0 || (s->bits != 4 && s->bits != 8) || s->group < 0 || s->group_rows < 0 ||
                  s->layout == ZW_PLAIN || s->layout >= ZW_N_LAYOUTS))
            abort();
    }
    if (q && !zw_quant_describe(q)[0])
        abort();
    zw_quant_free(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 1)
        return 0;
    json_t *j =
        json_loadb((const char *)p + 1, n - 1, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (j && p[0] % 2 == 0) {
        json_t *root = json_object();
        json_object_set_new(root, "quantization_config", j);
        j = root;
    }
    if (j)
        check(j);
    json_decref(j);
    return 0;
}
