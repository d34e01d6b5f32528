/* SPDX-License-Identifier: MIT */
/* Compiling and rendering, seen from outside: the limits, where the names of a template get their
 * values, and the two places that every failure jumps back to. */
#include "zoracd/text/zt_py.h"

#include <stdatomic.h>

#include "common/zc_mem.h"
#include "common/zc_utf8.h"

static const size_t max_source = 4 << 20, max_tree = 256 << 20;
/* Memory of a rendering: so much, and some times what the result may grow to, for a character takes
 * four bytes. */
static const size_t render_base = 64 << 20, render_max = 1 << 30, render_factor = 32;
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
    t->spare = zc_xcalloc(1, sizeof *t->spare);
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
    zc_free(zt_env_end(&t->env));
    zc_free(*t->spare);
    zc_free(t->spare);
    zc_free(t->name);
    zc_free(t);
}

/* The names of the template that the caller or the environment gives a value. */
static void bind_vars(struct zt_env *e, const struct zt_dict *trusted, const struct zt_dict *vars)
{
    const struct zt_dict *names = e->tmpl->names;

    e->vars = zt_alloc(e, names->n, sizeof *e->vars);
    for (size_t i = 0; i < names->n; i++) {
        struct zt_val name = names->e[i].k;
        const struct zt_py_fn *fn = zt_py_find_global(name);
        const struct zt_val *v = zt_dict_get(e, trusted, name);
        v = v ? v : zt_dict_get(e, vars, name);
        if (v)
            e->vars[i] = *v;
        else if (fn)
            e->vars[i] = zt_py_bind(e, ZT_NONE_VALUE, fn);
        else if (zt_is(name, "self"))
            e->vars[i].kind = ZT_SELF;
    }
}

/* The character whose two halves in UTF-16 are at i and behind it, from an escape like
 * "\ud83d\ude00": two characters for Python, which prints them only where JSON joins them. */
static uint32_t join_surrogates(struct zt_env *e, struct zt_val s, size_t i)
{
    uint32_t high = zt_char(s, i), low = i + 1 < s.n ? zt_char(s, i + 1) : 0;

    if (high >= 0xdc00 || low < 0xdc00 || low >= 0xe000)
        zt_fail(e, "half a character, \\u%04x, cannot be printed", high);
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

void zt_print(struct zt_env *e, struct zt_val s)
{
    char utf8[1024];

    if (e->out) {
        zt_add(e->out, s);
        return;
    }
    for (size_t i = 0, n = 0; i < s.n; n = 0) {
        uint32_t origin = s.u.s[i] & ZT_TRUSTED;
        for (; i < s.n && (s.u.s[i] & ZT_TRUSTED) == origin && n + 4 <= sizeof utf8; i++) {
            uint32_t c = zt_char(s, i);
            if (zt_py_is_surrogate(c))
                c = join_surrogates(e, s, i++);
            utf8[n] = (char)c;
            n += c < 0x80 ? 1 : (size_t)zc_utf8_put(utf8 + n, c);
        }
        int err = zt_text_add(e->text, utf8, n, origin != 0);
        if (err < 0)
            zt_fail_err(e, err, "the text is longer than allowed");
    }
}

static int render(struct zt_env *e, const struct zt_tmpl_in *in)
{
    if (setjmp(e->on_fail))
        return e->err;
    bind_vars(e, in->trusted_vars ? zt_py_json_tree(e, in->trusted_vars, true) : NULL,
              in->vars   ? zt_py_json_tree(e, in->vars, false)
              : in->json ? zt_py_json_text(e, in->json, in->json_len)
                         : NULL);
    zt_run(e);
    return ZC_OK;
}

int zt_tmpl_render(const struct zt_tmpl *tmpl, const struct zt_tmpl_in *in, struct zt_text *out,
                   struct zc_diag *dg)
{
    bool small = out->buf.max < (render_max - render_base) / render_factor;
    size_t max = small ? render_base + out->buf.max * render_factor : render_max;
    struct zt_env e = {.name = tmpl->env.name,
                       .max = max,
                       .dg = dg,
                       .line = 1,
                       .steps = in->max_steps ? in->max_steps : default_steps,
                       .tmpl = tmpl,
                       .text = out,
                       .now = in->now};
    size_t len = out->buf.len;

    zt_env_begin(&e, atomic_exchange(tmpl->spare, NULL));
    e.scope = &e.root;
    zc_buf_init(&e.scratch, max);
    int err = render(&e, in);
    if (err < 0)
        zt_text_truncate(out, len);
    zc_free(atomic_exchange(tmpl->spare, zt_env_end(&e)));
    return err;
}
