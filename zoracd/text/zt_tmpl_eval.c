/* SPDX-License-Identifier: MIT */
/* The tree to text: scopes, statements, expressions, calls. Scoping is jinja2's: loops, macros,
 * with, filter, set and call blocks have a scope of their own, ifs have none; a name that is set in
 * a scope hides the outer one there and nowhere else. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <string.h>

#include "common/zc_mem.h"

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };

static struct zt_val eval(struct zt_env *e, const struct zt_node *n);
static enum flow exec(struct zt_env *e, const struct zt_node *body);

/* ---- scopes --------------------------------------------------------------------------------- */

static struct zt_scope *scope_new(struct zt_env *e, struct zt_scope *parent)
{
    struct zt_scope *s = zt_alloc(e, 1, sizeof *s);

    s->parent = parent;
    return s;
}

static void set_name(struct zt_env *e, struct zt_scope *s, int id, struct zt_val v)
{
    int i = 0;

    if (!s->parent) {
        e->vars[id] = v;
        return;
    }
    while (i < s->n && s->b[i].id != id)
        i++;
    if (i == s->cap) {
        struct zt_bind *old = s->b;
        s->cap = s->cap ? s->cap * 2 : 4;
        s->b = zt_alloc(e, (size_t)s->cap, sizeof *s->b);
        if (s->n)
            memcpy(s->b, old, (size_t)s->n * sizeof *old);
    }
    s->b[i] = (struct zt_bind){id, v};
    s->n += i == s->n;
}

static struct zt_val get_name(struct zt_env *e, int id)
{
    for (const struct zt_scope *s = e->scope; s->parent; s = s->parent)
        for (int i = 0; i < s->n; i++)
            if (s->b[i].id == id)
                return s->b[i].v;
    if (e->vars[id].kind == ZT_UNSET)
        return zt_undef(ZT_UNSET, e->tmpl->names[id]);
    return e->vars[id];
}

static void assign(struct zt_env *e, const struct zt_node *target, struct zt_val v)
{
    if (target->type == ZT_N_NAME) {
        set_name(e, e->scope, target->id, v);
    } else if (target->type == ZT_N_NS_TARGET) {
        struct zt_val ns = get_name(e, target->id);
        if (ns.kind != ZT_NAMESPACE)
            zt_fail(e, "only the members of a namespace can be set");
        zt_dict_set(e, ns.u.d, target->val, v);
    } else {
        struct zt_list *l = zt_items(e, v);
        size_t i = 0;
        for (const struct zt_node *t = target->a; t; t = t->next, i++) {
            if (i >= l->n)
                zt_fail(e, "not enough values to unpack: %zu", l->n);
            assign(e, t, l->v[i]);
        }
        if (i != l->n)
            zt_fail(e, "too many values to unpack: %zu instead of %zu", l->n, i);
    }
}

/* What body prints, as a string. */
static struct zt_val capture(struct zt_env *e, const struct zt_node *body, enum flow *ret_flow)
{
    struct zt_sb b, *out = e->out;

    zt_sb_init(&b, e);
    e->out = &b;
    *ret_flow = exec(e, body);
    e->out = out;
    return zt_of_str(zt_str_markup(e, zt_sb_take(&b), e->autoescape));
}

static struct zt_val capture_scoped(struct zt_env *e, const struct zt_node *body,
                                    struct zt_scope *scope, enum flow *ret_flow)
{
    struct zt_scope *outer = e->scope;

    e->scope = scope;
    struct zt_val v = capture(e, body, ret_flow);
    e->scope = outer;
    return v;
}

static void print(struct zt_env *e, struct zt_val v)
{
    const struct zt_str *s = zt_to_str(e, v);

    zt_sb_add_str(e->out, e->autoescape ? zt_str_escape(e, s) : s);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void add_keyword(struct zt_env *e, struct zt_args *a, struct zt_val name, struct zt_val v)
{
    if (!a->kw)
        a->kw = zt_dict_new(e);
    if (zt_dict_get(e, a->kw, name))
        zt_fail(e, "the keyword argument '%.*s' is given twice", ZT_S(name.u.s));
    zt_dict_set(e, a->kw, name, v);
}

static void add_keywords(struct zt_env *e, struct zt_args *a, struct zt_val from)
{
    if (from.kind != ZT_DICT)
        zt_fail(e, "** needs a dict, got %s", zt_type_name(from));
    for (size_t i = 0; i < from.u.d->n; i++) {
        zt_need_str(e, from.u.d->e[i].k);
        add_keyword(e, a, from.u.d->e[i].k, from.u.d->e[i].v);
    }
}

static struct zt_args eval_args(struct zt_env *e, const struct zt_node *arg)
{
    struct zt_list *l = zt_list_new(e, arg ? 4 : 0);
    struct zt_args a = {.self = {.kind = ZT_UNSET}};

    for (; arg; arg = arg->next) {
        struct zt_val v = eval(e, arg->a);
        if (arg->op == '=') {
            add_keyword(e, &a, arg->val, v);
        } else if (arg->op == ZT_OP_POW) {
            add_keywords(e, &a, v);
        } else if (arg->op == '*') {
            struct zt_list *more = zt_items(e, v);
            for (size_t i = 0; i < more->n; i++)
                zt_list_add(e, l, more->v[i]);
        } else {
            zt_list_add(e, l, v);
        }
    }
    a.v = l->v;
    a.n = (int)l->n;
    return a;
}

/* Position of name in "a,b,c", -1 if it is not there. */
static int param_index(const char *params, const struct zt_str *name)
{
    int i = 0;

    for (const char *p = params; *p; i++) {
        size_t n = strcspn(p, ",");
        if (n == name->len && memcmp(p, name->p, n) == 0)
            return i;
        p += n + (p[n] == ',');
    }
    return -1;
}

struct zt_val zt_call_builtin(struct zt_env *e, const struct zt_builtin *fn,
                              const struct zt_args *a)
{
    enum { MAX_PARAMS = 8 };
    struct zt_val v[MAX_PARAMS] = {{0}};
    struct zt_args bound = {.self = a->self, .v = v};

    if (!fn->params)
        return fn->call(e, a);
    for (const char *p = fn->params; *p; p += strcspn(p, ","), p += *p == ',')
        bound.n++;
    ZC_BUG_ON(bound.n > MAX_PARAMS);
    if (a->n > bound.n)
        zt_fail(e, "%s takes no more than %d arguments", fn->name, bound.n);
    if (a->n)
        memcpy(v, a->v, (size_t)a->n * sizeof *v);
    for (size_t i = 0; a->kw && i < a->kw->n; i++) {
        const struct zt_str *name = a->kw->e[i].k.u.s;
        int at = param_index(fn->params, name);
        if (at < 0 || v[at].kind != ZT_UNSET)
            zt_fail(e, "%s takes no argument '%.*s', or takes it once", fn->name, ZT_S(name));
        v[at] = a->kw->e[i].v;
    }
    for (int i = 0; i < fn->required; i++)
        if (v[i].kind == ZT_UNSET)
            zt_fail(e, "%s needs %d arguments", fn->name, fn->required);
    return fn->call(e, &bound);
}

/* The keywords that no parameter takes: those filled by position take none. */
static struct zt_dict *rest_of_keywords(struct zt_env *e, const struct zt_args *a,
                                        const struct zt_node *macro)
{
    struct zt_dict *rest = zt_dict_new(e);
    const struct zt_node *param = macro->a;
    bool takes_caller = macro->uses & (1 << ZT_ID_CALLER);

    for (int i = 0; param && i < a->n; i++)
        param = param->next;
    for (size_t k = 0; a->kw && k < a->kw->n; k++) {
        const struct zt_node *p = param;
        while (p && zt_str_cmp(p->val.u.s, a->kw->e[k].k.u.s) != 0)
            p = p->next;
        if (!p && !(takes_caller && zt_str_is(a->kw->e[k].k.u.s, "caller")))
            zt_dict_set(e, rest, a->kw->e[k].k, a->kw->e[k].v);
    }
    return rest;
}

/* varargs, kwargs and caller, which a macro has if its body names them. */
static void bind_extras(struct zt_env *e, const struct zt_node *n, struct zt_scope *s,
                        const struct zt_args *a, int n_params)
{
    const struct zt_tmpl *t = e->tmpl;
    struct zt_dict *rest = rest_of_keywords(e, a, n);
    const struct zt_val *caller =
        a->kw ? zt_dict_get(e, a->kw, zt_of_str(t->names[ZT_ID_CALLER])) : NULL;

    if (n->uses & (1 << ZT_ID_CALLER))
        set_name(e, s, ZT_ID_CALLER, caller ? *caller : zt_undef(ZT_UNSET, t->names[ZT_ID_CALLER]));
    if (n->uses & (1 << ZT_ID_KWARGS))
        set_name(e, s, ZT_ID_KWARGS, zt_of_dict(ZT_DICT, rest));
    else if (rest->n)
        zt_fail(e, "the macro takes no argument '%.*s'", ZT_S(rest->e[0].k.u.s));
    if (n->uses & (1 << ZT_ID_VARARGS)) {
        struct zt_list *more = zt_list_new(e, 0);
        for (int i = n_params; i < a->n; i++)
            zt_list_add(e, more, a->v[i]);
        set_name(e, s, ZT_ID_VARARGS, zt_of_list(ZT_TUPLE, more));
    } else if (a->n > n_params) {
        zt_fail(e, "the macro takes no more than %d arguments", n_params);
    }
}

/* The argument for parameter number i, NULL if it was not given. */
static const struct zt_val *macro_arg(struct zt_env *e, const struct zt_args *a,
                                      const struct zt_node *param, int i)
{
    if (i < a->n)
        return &a->v[i];
    return a->kw ? zt_dict_get(e, a->kw, param->val) : NULL;
}

static struct zt_val call_macro(struct zt_env *e, const struct zt_macro *m, const struct zt_args *a)
{
    const struct zt_node *n = m->node;
    struct zt_scope *s = scope_new(e, m->scope), *outer = e->scope;
    int i = 0;
    enum flow flow;

    for (const struct zt_node *p = n->a; p; p = p->next, i++) {
        const struct zt_val *v = macro_arg(e, a, p, i);
        set_name(e, s, p->id, v ? *v : zt_undef(ZT_UNSET, p->val.u.s));
    }
    bind_extras(e, n, s, a, i);
    e->scope = s;
    i = 0;
    for (const struct zt_node *p = n->a; p; p = p->next, i++)
        if (p->b && !macro_arg(e, a, p, i))
            set_name(e, s, p->id, eval(e, p->b)); /* which sees the other parameters */
    e->scope = outer;
    return capture_scoped(e, n->d, s, &flow);
}

/* ---- loops ---------------------------------------------------------------------------------- */

/* Whether the loop has an item number i: reads ahead in a filtered loop, as far as needed. */
static bool loop_has(struct zt_env *e, struct zt_loop *loop, size_t i)
{
    struct zt_scope *outer = e->scope;

    while (i >= loop->items->n && loop->pos < loop->source->n) {
        struct zt_val v = loop->source->v[loop->pos++];
        e->scope = scope_new(e, loop->scope);
        assign(e, loop->node->a, v);
        if (zt_is_true(eval(e, loop->node->c))) {
            bool tuple = loop->node->a->type == ZT_N_TUPLE; /* as it was unpacked */
            zt_list_add(e, loop->items, tuple ? zt_of_list(ZT_TUPLE, zt_items(e, v)) : v);
        }
        e->scope = outer;
    }
    return i < loop->items->n;
}

static size_t loop_length(struct zt_env *e, struct zt_loop *loop)
{
    loop_has(e, loop, SIZE_MAX);
    return loop->items->n;
}

static enum flow run_loop(struct zt_env *e, const struct zt_node *n, struct zt_val over,
                          struct zt_scope *around, int64_t depth0)
{
    struct zt_loop *loop = zt_alloc(e, 1, sizeof *loop);
    struct zt_scope *outer = e->scope, *s = scope_new(e, around);
    enum flow flow = FLOW_NEXT;
    bool completed = false;

    *loop = (struct zt_loop){.node = n, .scope = around, .depth0 = depth0};
    loop->source = zt_items(e, over);
    loop->items = n->c ? zt_list_new(e, 0) : loop->source;
    loop->pos = n->c ? 0 : loop->source->n;
    for (; loop_has(e, loop, loop->i); loop->i++) {
        zt_step(e, 1);
        if (s->captured)
            s = scope_new(e, around);
        s->n = 0;
        e->scope = s;
        set_name(e, s, ZT_ID_LOOP, (struct zt_val){.kind = ZT_LOOP, .u.loop = loop});
        assign(e, n->a, loop->items->v[loop->i]);
        flow = exec(e, n->d);
        completed |= flow == FLOW_NEXT;
        if (flow == FLOW_BREAK)
            break;
    }
    flow = FLOW_NEXT;
    if (!completed && n->f) { /* as in jinja2: also when no turn came to its end */
        e->scope = scope_new(e, around);
        flow = exec(e, n->f);
    }
    e->scope = outer;
    return flow;
}

static struct zt_val call_loop(struct zt_env *e, struct zt_loop *loop, const struct zt_args *a)
{
    struct zt_sb b, *out = e->out;

    if (!loop->node->flag || a->n != 1)
        zt_fail(e, "a loop can be called with one argument if it is recursive");
    zt_sb_init(&b, e);
    e->out = &b;
    run_loop(e, loop->node, a->v[0], loop->scope, loop->depth0 + 1);
    e->out = out;
    return zt_of_str(zt_str_markup(e, zt_sb_take(&b), e->autoescape));
}

static struct zt_val loop_attr(struct zt_env *e, struct zt_loop *loop, const struct zt_str *name)
{
    int64_t i = (int64_t)loop->i;

    if (zt_str_is(name, "index"))
        return zt_int(i + 1, true);
    if (zt_str_is(name, "index0"))
        return zt_int(i, true);
    if (zt_str_is(name, "first"))
        return zt_bool(i == 0);
    if (zt_str_is(name, "last"))
        return zt_bool(!loop_has(e, loop, loop->i + 1));
    if (zt_str_is(name, "length"))
        return zt_int((int64_t)loop_length(e, loop), true);
    if (zt_str_is(name, "revindex"))
        return zt_int((int64_t)loop_length(e, loop) - i, true);
    if (zt_str_is(name, "revindex0"))
        return zt_int((int64_t)loop_length(e, loop) - i - 1, true);
    if (zt_str_is(name, "depth"))
        return zt_int(loop->depth0 + 1, true);
    if (zt_str_is(name, "depth0"))
        return zt_int(loop->depth0, true);
    if (zt_str_is(name, "previtem") && i > 0)
        return loop->items->v[i - 1];
    if (zt_str_is(name, "nextitem") && loop_has(e, loop, loop->i + 1))
        return loop->items->v[i + 1];
    return zt_undef(ZT_LOOP, name);
}

static struct zt_val call(struct zt_env *e, struct zt_val callee, const struct zt_args *a)
{
    struct zt_val v;

    zt_enter(e);
    if (callee.kind == ZT_FUNC) {
        struct zt_args with_self = *a;
        with_self.self = callee.u.fn->self;
        v = zt_call_builtin(e, callee.u.fn->builtin, &with_self);
    } else if (callee.kind == ZT_MACRO) {
        v = call_macro(e, callee.u.macro, a);
    } else if (callee.kind == ZT_LOOP) {
        v = call_loop(e, callee.u.loop, a);
    } else if (callee.kind == ZT_JOINER) {
        /* the separator, but for the first time */
        v = callee.u.l->pos++ ? callee.u.l->v[0] : zt_text_of(e, "", true);
    } else if (callee.kind == ZT_UNDEF) {
        zt_fail_undef(e, callee);
    } else {
        zt_fail(e, "%s cannot be called", zt_type_name(callee));
    }
    zt_leave(e);
    return v;
}

/* ---- expressions ---------------------------------------------------------------------------- */

struct zt_val zt_bind_method(struct zt_env *e, struct zt_val obj, const struct zt_builtin *fn,
                             const struct zt_str *name)
{
    struct zt_func *f;

    if (!fn->call) {
        struct zt_val refused = zt_undef(obj.kind, name);
        refused.unsafe = true;
        return refused;
    }
    f = zt_alloc(e, 1, sizeof *f);
    *f = (struct zt_func){.builtin = fn, .self = obj};
    return (struct zt_val){.kind = ZT_FUNC, .u.fn = f};
}

struct zt_val zt_get_attr(struct zt_env *e, struct zt_val obj, const struct zt_str *name, bool item)
{
    const struct zt_builtin *fn = zt_find_method(obj.kind, name);

    if (fn)
        return zt_bind_method(e, obj, fn, name);
    if (obj.kind == ZT_LOOP)
        return loop_attr(e, obj.u.loop, name);
    if (obj.kind == ZT_MACRO && zt_str_is(name, "name"))
        return obj.u.macro->node->val;
    if (obj.kind == ZT_CYCLER && zt_str_is(name, "current"))
        return obj.u.l->v[obj.u.l->pos];
    if (obj.kind == ZT_TUPLE && obj.u.l->group && zt_str_is(name, "grouper"))
        return obj.u.l->v[0];
    if (obj.kind == ZT_TUPLE && obj.u.l->group && zt_str_is(name, "list"))
        return obj.u.l->v[1];
    if (obj.kind == ZT_UNDEF && name->len > 1 && memcmp(name->p, "__", 2) == 0)
        return zt_undef(ZT_UNDEF, name);
    if (item || obj.kind == ZT_NAMESPACE)
        return zt_get_item(e, obj, zt_of_str(name));
    return zt_undef(obj.kind, name);
}

static struct zt_val eval_attr(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val obj = eval(e, n->a);

    if (obj.kind == ZT_DICT && !n->of_dict) /* the usual case, without a search */
        return zt_get_item(e, obj, n->val);
    if (obj.kind == ZT_STR && n->of_str)
        return zt_bind_method(e, obj, n->of_str, n->val.u.s);
    return zt_get_attr(e, obj, n->val.u.s, true);
}

static struct zt_val eval_item(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val obj = eval(e, n->a), k = eval(e, n->b);
    struct zt_val v = zt_get_item(e, obj, k);

    if (v.kind == ZT_UNDEF && k.kind == ZT_STR)
        return zt_get_attr(e, obj, k.u.s, false);
    return v;
}

static struct zt_val eval_compare(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val a = eval(e, n->a);
    bool is = true;

    for (const struct zt_node *op = n->b; op && is; op = op->next) {
        struct zt_val b = eval(e, op->a);
        switch (op->op) {
        case ZT_OP_EQ:
        case ZT_OP_NE:
            is = zt_is_equal(e, a, b) == (op->op == ZT_OP_EQ);
            break;
        case ZT_OP_IN:
        case ZT_OP_NOT_IN:
            is = zt_is_in(e, a, b) == (op->op == ZT_OP_IN);
            break;
        case '<':
            is = zt_is_less(e, a, b);
            break;
        case '>':
            is = zt_is_less(e, b, a);
            break;
        default: /* with not-a-number neither holds, so that negating < would be wrong */
            is = (op->op == ZT_OP_LE ? zt_is_less(e, a, b) : zt_is_less(e, b, a)) ||
                 zt_is_equal(e, a, b);
        }
        a = b;
    }
    return zt_bool(is);
}

/* a ~ b */
static struct zt_val concat(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    const struct zt_str *x = zt_to_str(e, a), *y = zt_to_str(e, b);

    if (!e->autoescape)
        return zt_of_str(zt_str_markup(e, zt_str_concat(e, x, y), false));
    return zt_binary(e, '+', zt_of_str(x), zt_of_str(y));
}

static struct zt_val eval_list(struct zt_env *e, const struct zt_node *n)
{
    struct zt_list *l = zt_list_new(e, 4);

    for (const struct zt_node *item = n->a; item; item = item->next)
        zt_list_add(e, l, eval(e, item));
    return zt_of_list(n->type == ZT_N_LIST ? ZT_LIST : ZT_TUPLE, l);
}

static struct zt_val eval_dict(struct zt_env *e, const struct zt_node *n)
{
    struct zt_dict *d = zt_dict_new(e);

    for (const struct zt_node *k = n->a; k; k = k->next->next) {
        struct zt_val key = eval(e, k);
        zt_dict_set(e, d, key, eval(e, k->next));
    }
    return zt_of_dict(ZT_DICT, d);
}

static struct zt_val eval_call(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val callee = eval(e, n->a);
    struct zt_args a = eval_args(e, n->b);

    e->line = n->line;
    return call(e, callee, &a);
}

/* A filter or a test. */
static struct zt_val eval_applied(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val self = n->a ? eval(e, n->a) : e->block;
    struct zt_args a = eval_args(e, n->b);

    if (!n->fn)
        zt_fail_unknown(e, n);
    a.self = self;
    return zt_call_builtin(e, n->fn, &a);
}

static struct zt_val eval_slice(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val v = eval(e, n->a), bounds[3] = {{0}};

    bounds[0] = n->b ? eval(e, n->b) : bounds[0];
    bounds[1] = n->c ? eval(e, n->c) : bounds[1];
    bounds[2] = n->d ? eval(e, n->d) : bounds[2];
    return zt_get_slice(e, v, bounds[0], bounds[1], bounds[2]);
}

static struct zt_val eval_node(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val v;

    switch (n->type) {
    case ZT_N_LIST:
    case ZT_N_TUPLE:
        return eval_list(e, n);
    case ZT_N_DICT:
        return eval_dict(e, n);
    case ZT_N_ATTR:
        return eval_attr(e, n);
    case ZT_N_ITEM:
        return eval_item(e, n);
    case ZT_N_SLICE:
        return eval_slice(e, n);
    case ZT_N_CALL:
        return eval_call(e, n);
    case ZT_N_FILTER:
    case ZT_N_TEST:
        return eval_applied(e, n);
    case ZT_N_NOT:
        return zt_bool(!zt_is_true(eval(e, n->a)));
    case ZT_N_SIGN:
        return zt_negate(e, eval(e, n->a), n->op);
    case ZT_N_AND:
        v = eval(e, n->a);
        return zt_is_true(v) ? eval(e, n->b) : v;
    case ZT_N_OR:
        v = eval(e, n->a);
        return zt_is_true(v) ? v : eval(e, n->b);
    case ZT_N_IF_ELSE:
        if (zt_is_true(eval(e, n->a)))
            return eval(e, n->b);
        return n->c ? eval(e, n->c) : zt_undef(ZT_UNSET, zt_text_of(e, "else", true).u.s);
    case ZT_N_COMPARE:
        return eval_compare(e, n);
    default:
        ZC_BUG_ON(n->type != ZT_N_BINARY);
        v = eval(e, n->a);
        return n->op == '~' ? concat(e, v, eval(e, n->b)) : zt_binary(e, n->op, v, eval(e, n->b));
    }
}

static struct zt_val eval(struct zt_env *e, const struct zt_node *n)
{
    if (n->type == ZT_N_CONST)
        return n->val;
    if (n->type == ZT_N_NAME)
        return get_name(e, n->id);
    zt_step(e, 1);
    zt_enter(e);
    struct zt_val v = eval_node(e, n);
    zt_leave(e);
    return v;
}

/* ---- statements ----------------------------------------------------------------------------- */

static struct zt_val macro_value(struct zt_env *e, const struct zt_node *n)
{
    struct zt_macro *m = zt_alloc(e, 1, sizeof *m);

    *m = (struct zt_macro){.node = n, .scope = e->scope};
    for (struct zt_scope *s = e->scope; s; s = s->parent)
        s->captured = true;
    return (struct zt_val){.kind = ZT_MACRO, .u.macro = m};
}

static void exec_call_block(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val callee = eval(e, n->a->a);
    struct zt_args a = eval_args(e, n->a->b);

    add_keyword(e, &a, zt_text_of(e, "caller", true), macro_value(e, n->b));
    print(e, call(e, callee, &a));
}

/* Set blocks and filter blocks: what the body prints, through the filters. */
static enum flow exec_captured(struct zt_env *e, const struct zt_node *n)
{
    enum flow flow;
    struct zt_val v = capture_scoped(e, n->d, scope_new(e, e->scope), &flow);

    if (flow != FLOW_NEXT)
        return flow;
    if (n->b) {
        e->block = v;
        v = eval(e, n->b);
    }
    if (n->type == ZT_N_SET_BLOCK)
        assign(e, n->a, v);
    else
        print(e, v);
    return FLOW_NEXT;
}

/* with, block and generation. */
static enum flow exec_scope(struct zt_env *e, const struct zt_node *n)
{
    struct zt_scope *outer = e->scope, *s = scope_new(e, n->flag ? &e->root : outer);
    const struct zt_node *value = n->b;

    if (n->type == ZT_N_WITH)
        for (const struct zt_node *t = n->a; t; t = t->next, value = value->next)
            set_name(e, s, t->id, eval(e, value));
    e->scope = s;
    enum flow flow = exec(e, n->d);
    e->scope = outer;
    return flow;
}

static enum flow exec_autoescape(struct zt_env *e, const struct zt_node *n)
{
    bool outer = e->autoescape;

    e->autoescape = zt_is_true(eval(e, n->a));
    enum flow flow = exec(e, n->d);
    e->autoescape = outer;
    return flow;
}

static enum flow exec_node(struct zt_env *e, const struct zt_node *n)
{
    switch (n->type) {
    case ZT_N_DATA:
        zt_sb_add_str(e->out, n->val.u.s);
        return FLOW_NEXT;
    case ZT_N_PRINT:
        print(e, eval(e, n->a));
        return FLOW_NEXT;
    case ZT_N_IF:
        return exec(e, zt_is_true(eval(e, n->a)) ? n->b : n->c);
    case ZT_N_FOR:
        return run_loop(e, n, eval(e, n->b), e->scope, 0);
    case ZT_N_SET:
        assign(e, n->a, eval(e, n->b));
        return FLOW_NEXT;
    case ZT_N_MACRO:
        set_name(e, e->scope, n->id, macro_value(e, n));
        return FLOW_NEXT;
    case ZT_N_CALL_BLOCK:
        exec_call_block(e, n);
        return FLOW_NEXT;
    case ZT_N_SET_BLOCK:
    case ZT_N_FILTERED:
        return exec_captured(e, n);
    case ZT_N_WITH:
    case ZT_N_SCOPE:
        return exec_scope(e, n);
    case ZT_N_AUTOESCAPE:
        return exec_autoescape(e, n);
    case ZT_N_BREAK:
        return FLOW_BREAK;
    default:
        ZC_BUG_ON(n->type != ZT_N_CONTINUE);
        return FLOW_CONTINUE;
    }
}

static enum flow exec(struct zt_env *e, const struct zt_node *body)
{
    enum flow flow = FLOW_NEXT;

    zt_enter(e);
    for (; body && flow == FLOW_NEXT; body = body->next) {
        zt_step(e, 1);
        e->line = body->line;
        flow = exec_node(e, body);
    }
    zt_leave(e);
    return flow;
}

void zt_fail_unknown(struct zt_env *e, const struct zt_node *n)
{
    zt_fail(e, "unknown %s '%.*s'", n->type == ZT_N_FILTER ? "filter" : "test", ZT_S(n->val.u.s));
}

void zt_run(struct zt_env *e)
{
    exec(e, e->tmpl->body);
}
