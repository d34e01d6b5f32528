/* SPDX-License-Identifier: MIT */
/* Compiling and rendering, seen from outside: the limits, where the names of a template get their
 * values, and the two places that every failure jumps back to. */
#include "zoracd/text/zt_tmpl_internal.h"

#include <string.h>

#include "common/zc_mem.h"

static const size_t max_source = 4 << 20, max_tree = 256 << 20;
/* Memory of a rendering: so much, and eight times what the result may grow to. */
static const size_t render_base = 64 << 20, render_max = 1 << 30;
static const uint64_t default_steps = 20 * 1000 * 1000;

static int compile(struct zt_tmpl *t, const char *src, size_t len)
{
    if (setjmp(t->env.on_fail))
        return t->env.err;
    zt_parse(t, src, len);
    return ZC_OK;
}

int zt_tmpl_new(struct zt_tmpl **ret_tmpl, const char *name, const char *src, size_t len,
                struct zc_diag *dg)
{
    if (len > max_source)
        return zc_diag(dg, ZC_ELIMIT, "%s: a template of more than %zu bytes", name, max_source);
    struct zt_tmpl *t = zc_xcalloc(1, sizeof *t);
    t->name = zc_xstrdup(name);
    t->env = (struct zt_env){.name = t->name, .max = max_tree, .dg = dg, .steps = UINT64_MAX};
    int r = compile(t, src, len);
    t->env.dg = NULL;
    if (r < 0)
        zt_tmpl_free(t);
    else
        *ret_tmpl = t;
    return r;
}

void zt_tmpl_free(struct zt_tmpl *t)
{
    if (!t)
        return;
    zt_env_release(&t->env);
    zc_free(t->name);
    zc_free(t);
}

/* The names of the template that the caller or the environment gives a value. */
static void bind_vars(struct zt_env *e, const struct zt_tmpl_in *in)
{
    struct zt_val text = {.kind = ZT_UNSET};
    int n = e->tmpl->n_names;

    e->vars = zt_alloc(e, (size_t)n, sizeof *e->vars);
    if (in->json)
        text = zt_of_json_text(e, in->json, in->json_len);
    for (int i = 0; i < n; i++) {
        const struct zt_str *s = e->tmpl->names[i];
        const char *name = zt_c_string(e, s);
        const struct zt_builtin *fn = zt_find_global(s);
        json_t *j = json_object_get(in->trusted_vars, name);
        bool trusted = j != NULL;
        const struct zt_val *v =
            text.kind == ZT_DICT ? zt_dict_get(e, text.u.d, zt_of_str(s)) : NULL;
        if (!j)
            j = json_object_get(in->vars, name);
        if (j)
            e->vars[i] = zt_of_json(e, j, trusted);
        else if (v)
            e->vars[i] = *v;
        else if (fn)
            e->vars[i] = zt_bind_method(e, zt_none(), fn, s);
        else if (zt_str_is(s, "self"))
            e->vars[i].kind = ZT_SELF;
    }
}

static int render(struct zt_env *e, const struct zt_tmpl_in *in, struct zt_text *out)
{
    struct zt_sb b;

    if (setjmp(e->on_fail))
        return e->err;
    zt_sb_init(&b, e);
    e->out = &b;
    bind_vars(e, in);
    zt_run(e);
    for (size_t i = 0, n; i < b.len; i += n) {
        bool trusted = b.mask ? b.mask[i] : b.trusted;
        const uint8_t *end = b.mask ? memchr(b.mask + i, !trusted, b.len - i) : NULL;
        n = end ? (size_t)(end - b.mask) - i : b.len - i;
        int err = zt_text_add(out, b.p + i, n, trusted);
        if (err < 0)
            zt_fail_err(e, err, "the text is longer than allowed");
    }
    return ZC_OK;
}

int zt_tmpl_render(const struct zt_tmpl *tmpl, const struct zt_tmpl_in *in, struct zt_text *out,
                   struct zc_diag *dg)
{
    size_t max = out->buf.max < render_max / 16 ? render_base + out->buf.max * 8 : render_max;
    struct zt_env e = {.name = tmpl->env.name,
                       .max = max,
                       .dg = dg,
                       .line = 1,
                       .steps = in->max_steps ? in->max_steps : default_steps,
                       .tmpl = tmpl,
                       .now = in->now};

    e.scope = &e.root;
    zc_buf_init(&e.scratch, max);
    int err = render(&e, in, out);
    zt_env_release(&e);
    return err;
}
