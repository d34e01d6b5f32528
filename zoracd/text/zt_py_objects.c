/* SPDX-License-Identifier: MIT */
/* The methods of Python's dict, list and tuple, and of jinja2's loop and cycler. */
#include "zoracd/text/zt_py_internal.h"

struct zt_list *zt_py_pairs(struct zt_env *e, const struct zt_dict *d)
{
    struct zt_list *l = zt_list_new(e, d->n);

    for (size_t i = 0; i < d->n; i++)
        zt_push(e, l, zt_tuple(e, &d->e[i].k, 2));
    return l;
}

/* keys, values and items; x: 'k', 'v' or 'i' */
static struct zt_val m_view(struct zt_env *e, const struct zt_py_args *a)
{
    const struct zt_dict *d = a->self.u.d;
    struct zt_list *l = a->x == 'i' ? zt_py_pairs(e, d) : zt_list_new(e, d->n);

    for (size_t i = l->n; i < d->n; i++)
        zt_push(e, l, a->x == 'k' ? d->e[i].k : d->e[i].v);
    l->text = a->x == 'k' ? "dict_keys" : a->x == 'v' ? "dict_values" : "dict_items";
    return zt_of_list(ZT_VIEW, l);
}

static ZT_FN(m_copy, a->self); /* nothing can change a value */

static struct zt_val m_get(struct zt_env *e, const struct zt_py_args *a)
{
    const struct zt_val *v = zt_dict_get(e, a->self.u.d, a->v[0]);

    return v ? *v : ZT_IS_GIVEN(a->v[1]) ? a->v[1] : ZT_NONE_VALUE;
}

/* index and (x) count */
static struct zt_val m_list_find(struct zt_env *e, const struct zt_py_args *a)
{
    int64_t n = 0;

    for (size_t i = 0; i < a->self.u.l->n; i++) {
        if (!zt_py_is_equal(e, a->self.u.l->v[i], a->v[0]))
            continue;
        if (!a->x)
            return zt_int((int64_t)i, false);
        n++;
    }
    if (!a->x)
        zt_fail(e, "the value is not in the list");
    return zt_int(n, false);
}

static struct zt_val m_loop_cycle(struct zt_env *e, const struct zt_py_args *a)
{
    if (a->n == 0)
        zt_fail(e, "cycle needs values");
    return a->v[a->self.u.loop->i % (size_t)a->n];
}

static struct zt_val m_loop_changed(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_loop *loop = a->self.u.loop;
    struct zt_val before = loop->changed;

    loop->changed = zt_tuple(e, a->v, (size_t)a->n);
    return zt_bool(!ZT_IS_GIVEN(before) || !zt_py_is_equal(e, before, loop->changed));
}

/* next and (x) reset */
static struct zt_val m_cycler(struct zt_env *e, const struct zt_py_args *a)
{
    struct zt_list *l = a->self.u.l;
    struct zt_val v = a->x ? ZT_NONE_VALUE : l->v[l->pos];

    (void)e;
    l->pos = a->x ? 0 : (l->pos + 1) % l->n;
    return v;
}

/* A method without a function is one that the sandbox refuses. */
static const struct zt_py_fn dict_methods[] = {
    {"get", "key default?", m_get, 0},
    {"items", "", m_view, 'i'},
    {"keys", "", m_view, 'k'},
    {"values", "", m_view, 'v'},
    {"copy", "", m_copy, 0},
    {.name = "pop"},
    {.name = "popitem"},
    {.name = "update"},
    {.name = "clear"},
    {.name = "setdefault"},
    {0},
};

static const struct zt_py_fn list_methods[] = {
    {"index", "value", m_list_find, false},
    {"count", "value", m_list_find, true},
    {"copy", "", m_copy, 0},
    {.name = "append"},
    {.name = "extend"},
    {.name = "insert"},
    {.name = "remove"},
    {.name = "pop"},
    {.name = "clear"},
    {.name = "sort"},
    {.name = "reverse"},
    {0},
};

static const struct zt_py_fn tuple_methods[] = {
    {"index", "value", m_list_find, false},
    {"count", "value", m_list_find, true},
    {0},
};

static const struct zt_py_fn loop_methods[] = {
    {"cycle", NULL, m_loop_cycle, 0},
    {"changed", NULL, m_loop_changed, 0},
    {0},
};

static const struct zt_py_fn cycler_methods[] = {
    {"next", "", m_cycler, false},
    {"reset", "", m_cycler, true},
    {0},
};

const struct zt_py_fn *zt_py_find_method(enum zt_kind kind, struct zt_val name)
{
    static const struct zt_py_fn *const of[ZT_N_KINDS] = {
        [ZT_STR] = zt_py_str_methods, [ZT_LIST] = list_methods, [ZT_TUPLE] = tuple_methods,
        [ZT_RANGE] = tuple_methods,   [ZT_DICT] = dict_methods, [ZT_LOOP] = loop_methods,
        [ZT_CYCLER] = cycler_methods,
    };

    return of[kind] ? zt_py_find_in(of[kind], name) : NULL;
}
