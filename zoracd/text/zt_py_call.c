/* SPDX-License-Identifier: MIT */
/* How the functions of the library get their arguments: by position and by name, with defaults, of
 * the types that their table says. */
#include "zoracd/text/zt_py_internal.h"

#include <stdlib.h>
#include <string.h>

/* "name[:kind][=default|?|!]" of zt_py_fn.params. */
struct param {
    const char *name, *dflt; /* dflt: after '=', or "?" or "!", or NULL: it is required */
    int name_len, dflt_len;
    char kind;
};

/* The parameter at *p, which moves on to the next. */
static struct param take_param(const char **p)
{
    struct param x = {.name = *p, .name_len = (int)strcspn(*p, ":=?! ")};

    *p += x.name_len;
    if (**p == ':') {
        x.kind = p[0][1];
        *p += 2;
    }
    int n = (int)strcspn(*p, " ");
    if (n) {
        x.dflt = **p == '=' ? *p + 1 : *p;
        x.dflt_len = **p == '=' ? n - 1 : n;
    }
    *p += n + ((*p)[n] == ' ');
    return x;
}

/* What stands for an argument that is not given. */
static struct zt_val default_of(struct zt_env *e, const struct zt_py_fn *fn, const struct param *x)
{
    struct zt_sb b = {.e = e};

    if (x->kind == 'b')
        return zt_bool(x->dflt && *x->dflt == '1');
    if (!x->dflt)
        zt_fail(e, "%s needs an argument '%.*s'", fn->name, x->name_len, x->name);
    if (*x->dflt == '?' || *x->dflt == '!')
        return ZT_NO_VALUE;
    if (x->kind == 'i')
        return zt_int(atoi(x->dflt), true);
    for (int i = 0; i < x->dflt_len; i++)
        zt_add_char(&b, (x->dflt[i] == '_' ? ' ' : (unsigned char)x->dflt[i]) | ZT_TRUSTED);
    return zt_take(&b);
}

/* The value that a parameter gets, of its kind. */
static struct zt_val convert(struct zt_env *e, const struct zt_py_fn *fn, const struct param *x,
                             struct zt_val v)
{
    bool optional = x->dflt && *x->dflt == '?';

    if (v.kind == ZT_UNSET || (optional && v.kind == ZT_NONE))
        return default_of(e, fn, x);
    bool is_int = v.kind == ZT_INT || v.kind == ZT_BOOL;
    if ((x->kind == 's' && v.kind != ZT_STR) || (x->kind == 'i' && !is_int)) {
        zt_py_need_defined(e, v);
        zt_fail(e, "%s needs %s as '%.*s', got %s", fn->name,
                x->kind == 's' ? "a string" : "an integer", x->name_len, x->name,
                zt_py_type_name(v));
    }
    switch (x->kind) {
    case 't':
        return zt_py_str(e, v);
    case 'i':
        return zt_int(zt_py_need_int(e, v), v.trusted);
    case 'b':
        return zt_bool(zt_py_is_true(v));
    default:
        return v;
    }
}

/* The keyword argument for this parameter, ZT_UNSET if there is none. */
static struct zt_val named(const struct zt_dict *kw, const struct param *x)
{
    for (size_t i = 0; kw && i < kw->n; i++) {
        struct zt_val name = kw->e[i].k;
        int n = 0;
        while (n < (int)name.n && n < x->name_len && zt_char(name, n) == (unsigned char)x->name[n])
            n++;
        if (n == x->name_len && n == (int)name.n)
            return kw->e[i].v;
    }
    return ZT_NO_VALUE;
}

struct zt_val zt_py_call(struct zt_env *e, const struct zt_py_fn *fn, const struct zt_py_args *a)
{
    enum { MAX_PARAMS = 5 };
    struct zt_val v[MAX_PARAMS];
    struct zt_py_args bound = {.self = a->self, .v = v, .x = fn->x};
    size_t used = 0;

    e->doing = fn->name;
    if (!fn->params) {
        bound = *a;
        bound.x = fn->x;
        return fn->call(e, &bound);
    }
    bool by_position = *fn->params == '/';
    for (const char *p = fn->params + by_position; *p; bound.n++) {
        struct param x = take_param(&p);
        struct zt_val given = by_position ? ZT_NO_VALUE : named(a->kw, &x);
        ZC_BUG_ON(bound.n == MAX_PARAMS);
        used += ZT_IS_GIVEN(given);
        if (ZT_IS_GIVEN(given) && bound.n < a->n)
            zt_fail(e, "%s takes '%.*s' once", fn->name, x.name_len, x.name);
        v[bound.n] = convert(e, fn, &x, bound.n < a->n ? a->v[bound.n] : given);
    }
    if (a->n > bound.n)
        zt_fail(e, "%s takes no more than %d arguments", fn->name, bound.n);
    if (a->kw && used < a->kw->n)
        zt_fail(e, "%s takes no argument of this name", fn->name);
    return fn->call(e, &bound);
}

struct zt_val zt_py_bind(struct zt_env *e, struct zt_val self, const struct zt_py_fn *fn)
{
    struct zt_func *f = zt_alloc(e, 1, sizeof *f);
    *f = (struct zt_func){.fn = fn, .self = self};
    return (struct zt_val){.kind = ZT_FUNC, .u.fn = f};
}

const struct zt_py_fn *zt_py_find_in(const struct zt_py_fn *table, struct zt_val name)
{
    while (table->name && !zt_is(name, table->name))
        table++;
    return table->name ? table : NULL;
}
