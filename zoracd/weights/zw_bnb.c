/* SPDX-License-Identifier: MIT */
/* The quant_state of bitsandbytes. A key that is not known may change what the numbers mean: it is
 * refused, not skipped. */
#include "config.h"

#include "zoracd/weights/zw_bnb.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "zoracd/weights/zw_json.h"

static const struct zw_json_limits limits = {.bytes = ZW_BNB_MAX_STATE, .values = 64, .depth = 4};

/* What the JSON says, before it is put together. */
struct state {
    const char *quant_type, *dtype, *nested_dtype;
    json_int_t block, nested_block, shape[2];
    double nested_offset;
    bool has_offset;
};

static int set_shape(struct state *s, const json_t *v)
{
    if (!json_is_array(v) || json_array_size(v) != 2)
        return ZC_EFORMAT;
    for (size_t i = 0; i < 2; i++) {
        const json_t *dim = json_array_get(v, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 1)
            return ZC_EFORMAT;
        s->shape[i] = json_integer_value(dim);
    }
    return ZC_OK;
}

static int set_key(struct state *s, const char *key, const json_t *v, struct zc_diag *dg)
{
    const struct {
        const char *key;
        const char **text;
        json_int_t *number;
    } known[] = {{"quant_type", &s->quant_type, NULL},
                 {"dtype", &s->dtype, NULL},
                 {"nested_dtype", &s->nested_dtype, NULL},
                 {"blocksize", NULL, &s->block},
                 {"nested_blocksize", NULL, &s->nested_block}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].key, key))
            continue;
        if (known[i].text && json_is_string(v))
            *known[i].text = json_string_value(v);
        else if (known[i].number && json_is_integer(v))
            *known[i].number = json_integer_value(v);
        else
            return zc_diag(dg, ZC_EFORMAT, "%s is of another type", key);
        return ZC_OK;
    }
    if (!strcmp(key, "shape"))
        return set_shape(s, v) < 0 ? zc_diag(dg, ZC_EFORMAT, "shape is not two sides") : ZC_OK;
    if (strcmp(key, "nested_offset"))
        return zc_diag(dg, ZC_EUNSUPPORTED, "key %.60s is not known", key);
    if (!json_is_number(v))
        return zc_diag(dg, ZC_EFORMAT, "nested_offset is not a number");
    s->nested_offset = json_number_value(v);
    s->has_offset = true;
    return ZC_OK;
}

static int set_type(enum zk_type *ret_type, const char *dtype, struct zc_diag *dg)
{
    static const char *const names[] = {
        [ZK_F32] = "float32", [ZK_F16] = "float16", [ZK_BF16] = "bfloat16"};

    for (int i = 0; i < 3; i++)
        if (dtype && !strcmp(dtype, names[i])) {
            *ret_type = (enum zk_type)i;
            return ZC_OK;
        }
    return zc_diag(dg, ZC_EUNSUPPORTED,
                   "dtype %.60s is not supported (bfloat16, float16 and float32 are)",
                   dtype ? dtype : "(none)");
}

static bool is_block(json_int_t n)
{
    return n >= 32 && n <= 4096 && (n & (n - 1)) == 0;
}

/* The second level: all of its keys or none. */
static int check_nested(struct zw_bnb *b, const struct state *s, struct zc_diag *dg)
{
    if (s->nested_block == 0 && !s->nested_dtype && !s->has_offset)
        return ZC_OK;
    if (!is_block(s->nested_block) || !s->nested_dtype || !s->has_offset)
        return zc_diag(dg, ZC_EFORMAT,
                       "nested_blocksize, nested_dtype and nested_offset: not all are there, or in "
                       "range");
    if (strcmp(s->nested_dtype, "float32"))
        return zc_diag(dg, ZC_EUNSUPPORTED, "nested_dtype %.60s is not supported (float32 is)",
                       s->nested_dtype);
    b->nested_block = (int)s->nested_block;
    b->nested_offset = (float)s->nested_offset;
    if (!isfinite(b->nested_offset))
        return zc_diag(dg, ZC_EFORMAT, "nested_offset is out of range");
    return ZC_OK;
}

static int put_together(struct zw_bnb *b, const struct state *s, struct zc_diag *dg)
{
    int r;

    if (!s->quant_type || (strcmp(s->quant_type, "nf4") && strcmp(s->quant_type, "fp4")))
        return zc_diag(dg, ZC_EUNSUPPORTED, "quant_type %.60s is not supported (nf4 and fp4 are)",
                       s->quant_type ? s->quant_type : "(none)");
    if (!is_block(s->block))
        return zc_diag(dg, ZC_EFORMAT, "blocksize %lld is no power of two from 32 to 4096",
                       (long long)s->block);
    if (s->shape[0] == 0)
        return zc_diag(dg, ZC_EFORMAT, "shape is missing");
    *b = (struct zw_bnb){.is_nf4 = !strcmp(s->quant_type, "nf4"),
                         .block = (int)s->block,
                         .n = (uint64_t)s->shape[0],
                         .k = (uint64_t)s->shape[1]};
    if ((r = set_type(&b->type, s->dtype, dg)) < 0)
        return r;
    return check_nested(b, s, dg);
}

int zw_bnb_parse(struct zw_bnb *ret_b, const char *p, size_t n, struct zc_diag *dg)
{
    struct state s = {0};
    struct zw_bnb b;
    const char *key;
    json_t *j = NULL, *v;
    int r = zw_json_parse(&j, p, n, &limits, dg);

    if (r == ZC_OK && !json_is_object(j))
        r = zc_diag(dg, ZC_EFORMAT, "it is not an object");
    if (r == ZC_OK)
        json_object_foreach (j, key, v)
            if ((r = set_key(&s, key, v, dg)) < 0)
                break;
    if (r == ZC_OK && (r = put_together(&b, &s, dg)) == ZC_OK)
        *ret_b = b;
    json_decref(j);
    return r;
}
