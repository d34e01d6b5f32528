/* SPDX-License-Identifier: MIT */
/* Finding a layer's tensors and checking them: what a module has decides its layout, and the
 * configuration must say the same. No layer that passes here can make a decoder read or write
 * outside its memory. */
#include "config.h"

#include "zoracd/weights/zw_linear.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/weights/zw_read.h"

#define ACT_BLOCK 32 /* groups are made of whole blocks of activations (kernels/zk.h) */

/* What the functions below pass around while they probe one module. */
struct probe {
    struct zw_linear *l;
    const struct zw_store *s;
    const struct zw_scheme *scheme; /* NULL: plain */
    struct zc_diag *dg;
};

static uint64_t div_up(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

static const struct zw_tensor *find(const struct probe *p, const char *suffix)
{
    char name[sizeof p->l->name + 48];

    snprintf(name, sizeof name, "%s.%s", p->l->name, suffix);
    return zw_store_find(p->s, name);
}

/* Takes module.suffix if it is there, and counts its bytes. */
static const struct zw_tensor *take(struct probe *p, const char *suffix)
{
    const struct zw_tensor *t = find(p, suffix);

    if (t)
        p->l->file_bytes += t->bytes;
    return t;
}

/* Takes module.suffix, which must be a matrix rows x cols. */
static int take_matrix(const struct zw_tensor **ret_t, struct probe *p, const char *suffix,
                       uint64_t rows, uint64_t cols)
{
    const struct zw_tensor *t = take(p, suffix);

    if (!t)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s.%s is missing", p->l->name, suffix);
    if (t->rank != 2 || t->shape[0] != rows || t->shape[1] != cols) {
        char is[64] = "of another rank";
        if (t->rank == 2)
            snprintf(is, sizeof is, "%llu x %llu", (unsigned long long)t->shape[0],
                     (unsigned long long)t->shape[1]);
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s is %s, not %llu x %llu", t->name, is,
                       (unsigned long long)rows, (unsigned long long)cols);
    }
    *ret_t = t;
    return ZC_OK;
}

static int check_dtype(struct probe *p, const struct zw_tensor *t, enum zw_dtype want,
                       const char *want_name)
{
    if (t->dtype != want)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s is %s, not %s", t->name, t->dtype_name,
                       want_name);
    return ZC_OK;
}

/* The floating type of a tensor as kernels call it. */
static int float_type(enum zk_type *ret_type, struct probe *p, const struct zw_tensor *t)
{
    if (t->dtype == ZW_F16)
        *ret_type = ZK_F16;
    else if (t->dtype == ZW_BF16)
        *ret_type = ZK_BF16;
    else if (t->dtype == ZW_F32)
        *ret_type = ZK_F32;
    else
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s is %s, not F16, BF16 or F32", t->name,
                       t->dtype_name);
    return ZC_OK;
}

/* ---- plain -------------------------------------------------------------------------------- */

/* Quantized weights that use the name of plain ones, each refused by its name. */
static int refuse_disguised(struct probe *p, const struct zw_tensor *t)
{
    const char *what = NULL;

    if (t->dtype == ZW_F8_E5M2)
        what = "fp8 (E5M2)";
    else if (t->dtype == ZW_I8)
        what = "int-quantized";
    else if (find(p, "weight_scale") || find(p, "weight_scale_inv"))
        what = "uncompressed, with scales beside them,";
    if (what)
        return zc_diag(p->dg, ZC_EUNSUPPORTED, "%s weights of %s are not supported", what,
                       p->l->name);
    return ZC_OK;
}

/* The head: packers leave it plain, and their ignore lists may know it by another path than the
 * file does (models wrapped into others are renamed when they are saved). */
static bool is_head(const char *module)
{
    const char *dot = strrchr(module, '.');

    return !strcmp(dot ? dot + 1 : module, "lm_head");
}

static int probe_plain(struct probe *p)
{
    struct zk_mat_desc *d = &p->l->desc;
    int r;

    if ((r = refuse_disguised(p, find(p, "weight"))) < 0)
        return r;
    if (p->scheme && !is_head(p->l->name))
        return zc_diag(p->dg, ZC_EFORMAT,
                       "%s is stored plain, but the quantization config says quantized",
                       p->l->name);
    if ((r = take_matrix(&p->l->weight, p, "weight", (uint64_t)d->n, (uint64_t)d->k)) < 0 ||
        (r = float_type(&d->type, p, p->l->weight)) < 0)
        return r;
    d->form = d->type == ZK_F32 ? ZK_W32 : ZK_W16;
    p->l->layout = ZW_PLAIN;
    return ZC_OK;
}

/* ---- quantized, in common ----------------------------------------------------------------- */

/* Columns per scale, 0 for one scale per row. */
static int scheme_group(const struct probe *p)
{
    const struct zw_tensor *t = p->scheme->or_row ? find(p, "weight_scale") : NULL;

    return t && t->rank == 2 && t->shape[1] == 1 ? 0 : p->scheme->group;
}

/* Sets form and group from the scheme; the number of groups. */
static int set_groups(uint64_t *ret_groups, struct probe *p)
{
    struct zk_mat_desc *d = &p->l->desc;
    const int g = scheme_group(p);

    if (g > 0 && g < d->k && g % ACT_BLOCK)
        return zc_diag(p->dg, ZC_EUNSUPPORTED,
                       "%s: groups of %d columns are not supported (multiples of %d are)",
                       p->l->name, g, ACT_BLOCK);
    d->form = zw_quant_form(p->scheme);
    d->group = g > 0 && g < d->k ? g : d->k;
    d->has_zero = !p->scheme->symmetric;
    *ret_groups = div_up((uint64_t)d->k, (uint64_t)d->group);
    return ZC_OK;
}

/* ---- compressed-tensors ------------------------------------------------------------------- */

/* The shape that the packer wrote beside the packed words, which do not tell K exactly. */
static int check_weight_shape(struct probe *p)
{
    const struct zk_mat_desc *d = &p->l->desc;
    const struct zw_tensor *t = find(p, "weight_shape");
    int64_t v[2];
    int32_t v32[2];
    int r;

    if (!t || t->rank != 1 || t->shape[0] != 2 || (t->dtype != ZW_I64 && t->dtype != ZW_I32))
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s.weight_shape is %s", p->l->name,
                       t ? "not two integers" : "missing");
    if (t->dtype == ZW_I64) {
        r = zw_store_read(p->s, t, 0, v, sizeof v, p->dg);
    } else {
        r = zw_store_read(p->s, t, 0, v32, sizeof v32, p->dg);
        v[0] = r < 0 ? 0 : v32[0];
        v[1] = r < 0 ? 0 : v32[1];
    }
    if (r < 0)
        return r;
    if (v[0] != d->n || v[1] != d->k)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s says %lld x %lld, not %d x %d", t->name,
                       (long long)v[0], (long long)v[1], d->n, d->k);
    return ZC_OK;
}

/* Whether idx[k] puts exactly a group's number of columns into each of the groups; *ret_trivial:
 * column j is in group j / group already, or the order is unused (-1), as a packer without one
 * writes it. */
static int check_order(bool *ret_trivial, struct probe *p, const int32_t *idx, uint64_t groups)
{
    const struct zk_mat_desc *d = &p->l->desc;
    void *mem = NULL;
    int r = ZC_OK;

    *ret_trivial = true;
    for (int j = 0; j < d->k; j++)
        if (idx[j] == -1)
            return ZC_OK;
    if ((r = zc_try_calloc(&mem, groups, sizeof(int), SIZE_MAX)) < 0)
        return zc_diag(p->dg, r, "no memory for the groups of %s", p->l->name);
    int *count = mem;
    for (int j = 0; j < d->k && r == ZC_OK; j++) {
        if (idx[j] < 0 || (uint64_t)idx[j] >= groups || count[idx[j]] == d->group)
            r = zc_diag(p->dg, ZC_EFORMAT,
                        "tensor %s.weight_g_idx: column %d in group %d, of which there are %llu "
                        "with %d columns",
                        p->l->name, j, idx[j], (unsigned long long)groups, d->group);
        else
            count[idx[j]]++;
        *ret_trivial = *ret_trivial && idx[j] == j / d->group;
    }
    /* A short last group that is full has left another one short. */
    if (r == ZC_OK && d->k % d->group && count[groups - 1] != d->k % d->group)
        r = zc_diag(p->dg, ZC_EFORMAT, "tensor %s.weight_g_idx: groups of unequal size",
                    p->l->name);
    zc_free(mem);
    return r;
}

/* X.weight_g_idx, if it is there and changes anything. */
static int take_order(struct probe *p, uint64_t groups)
{
    const struct zw_tensor *t = find(p, "weight_g_idx");
    const struct zw_reader rd = {.store = p->s};
    bool is_trivial;
    void *idx;
    int r;

    if (!t && p->scheme->act_order && groups > 1)
        return zc_diag(p->dg, ZC_EFORMAT,
                       "tensor %s.weight_g_idx is missing, which actorder asks for", p->l->name);
    if (!t)
        return ZC_OK;
    if ((r = check_dtype(p, t, ZW_I32, "I32")) < 0)
        return r;
    if (t->rank != 1 || t->shape[0] != (uint64_t)p->l->desc.k)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s is no vector of %d elements", t->name,
                       p->l->desc.k);
    if ((r = zw_read_all(&rd, t, &idx, p->dg)) < 0)
        return r;
    if ((r = check_order(&is_trivial, p, idx, groups)) == ZC_OK && !is_trivial) {
        p->l->g_idx = take(p, "weight_g_idx");
        p->l->desc.has_perm = true;
    }
    zc_free(idx);
    return r;
}

static int take_ct_zero(struct probe *p, uint64_t groups)
{
    const uint64_t per_word = (uint64_t)(32 / p->scheme->bits);
    int r;

    if (p->scheme->symmetric && find(p, "weight_zero_point"))
        return zc_diag(p->dg, ZC_EFORMAT,
                       "%s has zero points, but the quantization config says symmetric",
                       p->l->name);
    if (p->scheme->symmetric)
        return ZC_OK;
    if ((r = take_matrix(&p->l->zero, p, "weight_zero_point",
                         div_up((uint64_t)p->l->desc.n, per_word), groups)) < 0)
        return r;
    return check_dtype(p, p->l->zero, ZW_I32, "I32");
}

static int probe_ct(struct probe *p)
{
    struct zk_mat_desc *d = &p->l->desc;
    uint64_t groups = 0, words;
    int r;

    if (!p->scheme || p->scheme->layout != ZW_CT_PACKED)
        return zc_diag(p->dg, ZC_EFORMAT,
                       "%s is stored packed (weight_packed), but the quantization config does not "
                       "say so",
                       p->l->name);
    if ((r = set_groups(&groups, p)) < 0)
        return r;
    words = div_up((uint64_t)d->k * (uint64_t)p->scheme->bits, 32);
    if ((r = take_matrix(&p->l->weight, p, "weight_packed", (uint64_t)d->n, words)) < 0 ||
        (r = check_dtype(p, p->l->weight, ZW_I32, "I32")) < 0 ||
        (r = take_matrix(&p->l->scale, p, "weight_scale", (uint64_t)d->n, groups)) < 0 ||
        (r = float_type(&d->type, p, p->l->scale)) < 0 || (r = take_ct_zero(p, groups)) < 0 ||
        (r = check_weight_shape(p)) < 0)
        return r;
    p->l->layout = ZW_CT_PACKED;
    return take_order(p, groups);
}

/* ---- AutoAWQ ------------------------------------------------------------------------------ */

/* Words of zero points along a row of gemv: AutoAWQ rounds them up by group size. */
static uint64_t gemv_zero_words(int group, uint64_t groups)
{
    uint64_t mult = group >= 128 ? 1 : group == 64 ? 2 : 4;

    return div_up(div_up(groups, 8), mult) * mult;
}

/* Scales and zero points, in AutoAWQ's three ways; zero_rows and zero_cols in elements of its
 * dtype. */
static int take_awq_scales(struct probe *p, uint64_t rows, uint64_t cols, uint64_t zero_rows,
                           uint64_t zero_cols)
{
    const char *zeros = "qzeros";
    int r;

    if (p->l->layout == ZW_AWQ_GEMV_FAST && !find(p, zeros))
        zeros = "scaled_zeros"; /* llm-awq's name for the same */
    if ((r = take_matrix(&p->l->scale, p, "scales", rows, cols)) < 0 ||
        (r = float_type(&p->l->desc.type, p, p->l->scale)) < 0)
        return r;
    if (p->scheme->symmetric && !find(p, zeros))
        return ZC_OK;
    if (p->scheme->symmetric)
        return zc_diag(p->dg, ZC_EFORMAT,
                       "%s has zero points, but the quantization config says zero_point false",
                       p->l->name);
    if ((r = take_matrix(&p->l->zero, p, zeros, zero_rows, zero_cols)) < 0)
        return r;
    if (p->l->layout == ZW_AWQ_GEMV_FAST)
        return check_dtype(p, p->l->zero, p->l->scale->dtype, "of the scales' type");
    return check_dtype(p, p->l->zero, ZW_I32, "I32");
}

/* What a layout asks of the shape. */
static int check_awq_shape(struct probe *p)
{
    static const struct {
        int n, k; /* multiples */
    } needs[ZW_N_LAYOUTS] = {
        [ZW_AWQ_GEMM] = {8, 1}, [ZW_AWQ_GEMV] = {1, 8}, [ZW_AWQ_GEMV_FAST] = {4, 64}};
    const struct zk_mat_desc *d = &p->l->desc;
    const int n = needs[p->l->layout].n, k = needs[p->l->layout].k;

    if (d->n % n || d->k % k || d->k % d->group)
        return zc_diag(
            p->dg, ZC_EFORMAT,
            "%s is %d x %d in groups of %d: this AWQ layout has N a multiple of %d, K of "
            "%d and of the group",
            p->l->name, d->n, d->k, d->group, n, k);
    return ZC_OK;
}

static int probe_awq(struct probe *p)
{
    struct zw_linear *l = p->l;
    uint64_t n = (uint64_t)l->desc.n, k = (uint64_t)l->desc.k, groups = 0;
    int r;

    if (!p->scheme || p->scheme->layout < ZW_AWQ_GEMM || p->scheme->layout > ZW_AWQ_GEMV_FAST)
        return zc_diag(p->dg, ZC_EFORMAT,
                       "%s is stored as AWQ or GPTQ (qweight), but the quantization config does "
                       "not say awq",
                       l->name);
    l->layout = p->scheme->layout;
    if ((r = set_groups(&groups, p)) < 0 || (r = check_awq_shape(p)) < 0)
        return r;
    uint64_t words = gemv_zero_words(l->desc.group, groups);
    if (l->layout == ZW_AWQ_GEMM) {
        if ((r = take_matrix(&l->weight, p, "qweight", k, n / 8)) == ZC_OK)
            r = take_awq_scales(p, groups, n, groups, n / 8);
    } else if (l->layout == ZW_AWQ_GEMV) {
        if ((r = take_matrix(&l->weight, p, "qweight", n, k / 8)) == ZC_OK)
            r = take_awq_scales(p, n, words * 8, n, words);
    } else {
        if ((r = take_matrix(&l->weight, p, "qweight", n / 4, k)) == ZC_OK)
            r = take_awq_scales(p, words * 8, n, words * 8, n);
    }
    if (r < 0)
        return r;
    if (l->layout == ZW_AWQ_GEMV_FAST)
        return check_dtype(p, l->weight, ZW_I16, "I16");
    return check_dtype(p, l->weight, ZW_I32, "I32");
}

/* ---- fp8 ---------------------------------------------------------------------------------- */

/* Whether a scale tensor of that shape is one scale; or a vector, or a column, of them. */
static bool is_one(const struct zw_tensor *t)
{
    for (int i = 0; i < t->rank; i++)
        if (t->shape[i] != 1)
            return false;
    return t->rank <= 2;
}

static bool is_column(const struct zw_tensor *t, uint64_t n)
{
    return (t->rank == 1 || (t->rank == 2 && t->shape[1] == 1)) && t->shape[0] == n;
}

/* Rows and columns of weights that share a scale: what the configuration says, and the scales'
 * shape must be that. */
static int set_fp8_block(struct probe *p, const struct zw_tensor *t)
{
    struct zw_linear *l = p->l;
    const uint64_t n = (uint64_t)l->desc.n, k = (uint64_t)l->desc.k;
    const struct zw_scheme *s = p->scheme;
    bool fits;

    l->block_rows = s->group_rows > 0 ? s->group_rows : l->desc.n;
    l->block_cols = s->group > 0 ? s->group : l->desc.k;
    if (s->or_row && !is_one(t))
        l->block_rows = 1;
    const uint64_t rows = div_up(n, (uint64_t)l->block_rows);
    const uint64_t cols = div_up(k, (uint64_t)l->block_cols);
    if (s->group == 0 && l->block_rows == 1)
        fits = is_column(t, n);
    else if (s->group == 0)
        fits = is_one(t);
    else
        fits = t->rank == 2 && t->shape[0] == rows && t->shape[1] == cols;
    if (!fits)
        return zc_diag(p->dg, ZC_EFORMAT,
                       "tensor %s is not %llu x %llu, one scale for each %d x %d of %s", t->name,
                       (unsigned long long)rows, (unsigned long long)cols, l->block_rows,
                       l->block_cols, l->name);
    if (l->block_cols < l->desc.k && l->block_cols % ACT_BLOCK)
        return zc_diag(p->dg, ZC_EUNSUPPORTED,
                       "%s: a scale for %d columns is not supported (multiples of %d are)", l->name,
                       l->block_cols, ACT_BLOCK);
    l->desc.group = l->block_cols < l->desc.k ? l->block_cols : l->desc.k;
    return ZC_OK;
}

/* Despite its name weight_scale_inv, too, is what codes are multiplied with; which of the two names
 * there is does not depend on the kind of scale. input_scale and activation_scale are for a way to
 * compute that is not ours. */
static int probe_fp8(struct probe *p)
{
    struct zw_linear *l = p->l;
    enum zk_type scale_type;
    int r;

    if (!p->scheme || p->scheme->layout != ZW_FP8)
        return zc_diag(p->dg, ZC_EFORMAT,
                       "%s is stored in fp8, but the quantization config does not say so", l->name);
    const bool inv = find(p, "weight_scale_inv"), plain = find(p, "weight_scale");
    if (inv == plain)
        return zc_diag(p->dg, ZC_EFORMAT, "%s has %s of weight_scale and weight_scale_inv", l->name,
                       inv ? "both" : "none");
    l->layout = ZW_FP8;
    l->desc.form = ZK_W8F;
    l->desc.type = p->scheme->type;
    if ((r = take_matrix(&l->weight, p, "weight", (uint64_t)l->desc.n, (uint64_t)l->desc.k)) < 0)
        return r;
    l->scale = take(p, inv ? "weight_scale_inv" : "weight_scale");
    if ((r = float_type(&scale_type, p, l->scale)) < 0)
        return r;
    return set_fp8_block(p, l->scale);
}

/* ---- bitsandbytes ------------------------------------------------------------------------- */

/* Takes module.suffix, which must have that many elements, whatever its rank. */
static int take_elements(const struct zw_tensor **ret_t, struct probe *p, const char *suffix,
                         enum zw_dtype dtype, const char *dtype_name, uint64_t n)
{
    const struct zw_tensor *t = take(p, suffix);

    if (!t)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s.%s is missing", p->l->name, suffix);
    if (t->dtype != dtype || t->bytes != n * (dtype == ZW_F32 ? 4 : 1))
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s is not %llu elements of %s", t->name,
                       (unsigned long long)n, dtype_name);
    *ret_t = t;
    return ZC_OK;
}

/* Reads module.weight.quant_state.bitsandbytes__nf4 or __fp4, which is known by its name first. */
static int read_state(struct probe *p)
{
    const char *suffix = p->scheme->is_nf4 ? "weight.quant_state.bitsandbytes__nf4"
                                           : "weight.quant_state.bitsandbytes__fp4";
    const struct zw_tensor *t = find(p, suffix);
    char text[ZW_BNB_MAX_STATE];
    struct zw_bnb *b = &p->l->bnb;
    int r;

    if (!t)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s.%s is missing", p->l->name, suffix);
    if (t->dtype != ZW_U8 || t->bytes > sizeof text)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s is not at most %zu elements of U8", t->name,
                       sizeof text);
    if ((r = zw_store_read(p->s, t, 0, text, t->bytes, p->dg)) < 0)
        return r;
    if ((r = zw_bnb_parse(b, text, t->bytes, p->dg)) < 0)
        return zc_diag_prefix(p->dg, r, "tensor %s", t->name);
    if (b->is_nf4 != p->scheme->is_nf4)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s: quant_type is not that of its name", t->name);
    if (b->n != (uint64_t)p->l->desc.n || b->k != (uint64_t)p->l->desc.k)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s: shape %llu x %llu, not %d x %d", t->name,
                       (unsigned long long)b->n, (unsigned long long)b->k, p->l->desc.n,
                       p->l->desc.k);
    return ZC_OK;
}

/* Blocks run on from row to row; groups are the longest runs that begin anew in each row and are in
 * one block. */
static int set_bnb_group(struct probe *p)
{
    const int k = p->l->desc.k;
    int a = p->l->bnb.block, b = k;

    while (b > 0) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    if ((a < k && a % ACT_BLOCK) || k % 2)
        return zc_diag(p->dg, ZC_EUNSUPPORTED,
                       "%s: blocks of %d over rows of %d columns are not supported", p->l->name,
                       p->l->bnb.block, k);
    p->l->desc.group = a;
    return ZC_OK;
}

static int take_bnb_scales(struct probe *p, uint64_t blocks)
{
    struct zw_linear *l = p->l;
    const uint64_t nested = (uint64_t)l->bnb.nested_block;
    int r;

    if (nested == 0)
        return take_elements(&l->scale, p, "weight.absmax", ZW_F32, "F32", blocks);
    if ((r = take_elements(&l->scale, p, "weight.absmax", ZW_U8, "U8", blocks)) < 0 ||
        (r = take_elements(&l->nested_scale, p, "weight.nested_absmax", ZW_F32, "F32",
                           div_up(blocks, nested))) < 0)
        return r;
    return take_elements(&l->nested_table, p, "weight.nested_quant_map", ZW_F32, "F32", 256);
}

static int probe_bnb(struct probe *p)
{
    struct zw_linear *l = p->l;
    const struct zw_reader rd = {.store = p->s};
    const uint64_t weights = (uint64_t)l->desc.n * (uint64_t)l->desc.k;
    const struct zw_tensor *map = NULL;
    int r;

    if (!p->scheme || p->scheme->layout != ZW_BNB)
        return zc_diag(p->dg, ZC_EFORMAT,
                       "%s is stored as bitsandbytes, but the quantization config does not say so",
                       l->name);
    if ((r = read_state(p)) < 0 || (r = set_bnb_group(p)) < 0)
        return r;
    l->layout = ZW_BNB;
    l->desc.form = ZK_W4L;
    l->desc.type = l->bnb.type;
    l->weight = take(p, "weight");
    if (l->weight->bytes != weights / 2) /* of whatever type: bnb_4bit_quant_storage */
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s has %llu bytes, not %llu", l->weight->name,
                       (unsigned long long)l->weight->bytes, (unsigned long long)weights / 2);
    if ((r = take_elements(&map, p, "weight.quant_map", ZW_F32, "F32", 16)) < 0 ||
        (r = zw_read_range(&rd, map, 0, l->table, sizeof l->table, p->dg)) < 0)
        return r;
    return take_bnb_scales(p, div_up(weights, (uint64_t)l->bnb.block));
}

/* ---------------------------------------------------------------------------------------- */

/* The three names that weights go by; exactly one must be there. */
static int probe_layout(struct probe *p)
{
    const bool plain = find(p, "weight"), ct = find(p, "weight_packed"), awq = find(p, "qweight");

    if (plain + ct + awq == 0)
        return zc_diag(p->dg, ZC_ENOTFOUND, "there are no weights of %s", p->l->name);
    if (plain + ct + awq > 1)
        return zc_diag(p->dg, ZC_EFORMAT, "%s has its weights in two forms", p->l->name);
    if (!plain)
        return ct ? probe_ct(p) : probe_awq(p);
    if (find(p, "weight.absmax") || find(p, "weight.quant_map"))
        return probe_bnb(p);
    return find(p, "weight")->dtype == ZW_F8_E4M3 ? probe_fp8(p) : probe_plain(p);
}

static int take_bias(struct probe *p)
{
    const struct zw_tensor *t = find(p, "bias");
    enum zk_type type;

    if (!t)
        return ZC_OK;
    if (t->rank != 1 || t->shape[0] != (uint64_t)p->l->desc.n)
        return zc_diag(p->dg, ZC_EFORMAT, "tensor %s is no vector of %d elements", t->name,
                       p->l->desc.n);
    p->l->bias = t;
    return float_type(&type, p, t);
}

int zw_linear_probe(struct zw_linear *ret_l, const struct zw_store *s, const struct zw_quant *q,
                    const char *name, int n, int k, struct zc_diag *dg)
{
    struct zw_linear l = {.desc = {.n = n, .k = k, .join = ZK_JOIN_ROWS}};
    struct probe p = {.l = &l, .s = s, .dg = dg};
    int r;

    ZC_BUG_ON(n <= 0 || k <= 0);
    if (strlen(name) >= sizeof l.name)
        return zc_diag(dg, ZC_EINVAL, "module name of %zu bytes", strlen(name));
    snprintf(l.name, sizeof l.name, "%s", name);
    if ((r = zw_quant_scheme(&p.scheme, q, name, dg)) < 0 || (r = probe_layout(&p)) < 0 ||
        (r = take_bias(&p)) < 0)
        return r;
    *ret_l = l;
    return ZC_OK;
}

int zw_linear_join(struct zk_mat_desc *ret_d, const struct zw_linear *const *parts, int n_parts,
                   enum zk_join join, struct zc_diag *dg)
{
    struct zk_mat_desc d = parts[0]->desc;

    ZC_BUG_ON(n_parts < 1 || n_parts > ZW_MAX_PARTS);
    for (int i = 1; i < n_parts; i++) {
        const struct zk_mat_desc *o = &parts[i]->desc;
        if (o->form != d.form || o->k != d.k || o->group != d.group || o->type != d.type ||
            o->has_perm || d.has_perm ||
            memcmp(parts[i]->table, parts[0]->table, sizeof parts[0]->table) ||
            (join == ZK_JOIN_PAIRS && (i > 1 || o->n != d.n)))
            return zc_diag(dg, ZC_EUNSUPPORTED, "%s and %s cannot be one matrix", parts[0]->name,
                           parts[i]->name);
        d.n += o->n;
        d.has_zero |= o->has_zero;
    }
    d.join = join;
    *ret_d = d;
    return ZC_OK;
}
