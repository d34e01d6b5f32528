/* SPDX-License-Identifier: MIT */
/* The tree to text: scopes, statements, expressions, calls. Scoping is jinja2's: loops, macros,
 * with, filter, set and call blocks have a scope of their own, ifs have none; a name that is set in
 * a scope hides the outer one there and nowhere else. */
#include "config.h"

#include "zoracd/text/zt_tmpl_internal.h"

#include <string.h>

#include "common/zc_mem.h"

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };

static struct zt_val eval(struct zt_run *r, const struct zt_node *n);
static enum flow exec(struct zt_run *r, const struct zt_node *body);

/* ---- scopes ---------------------------------------------------------------------------------- */

static struct zt_scope *scope_new(struct zt_run *r, struct zt_scope *parent)
{
    struct zt_scope *s = zt_alloc(&r->env, 1, sizeof *s);

    s->parent = parent;
    return s;
}

static void set_name(struct zt_run *r, struct zt_scope *s, int id, struct zt_val v)
{
    int i = 0;

    if (!s->parent) {
        r->vars[id] = v;
        return;
    }
    while (i < s->n && s->b[i].id != id)
        i++;
    if (i == s->cap) {
        struct zt_bind *old = s->b;
        s->cap = s->cap ? s->cap * 2 : 4;
        s->b = zt_alloc(&r->env, (size_t)s->cap, sizeof *s->b);
        if (s->n)
            memcpy(s->b, old, (size_t)s->n * sizeof *old);
    }
    s->b[i] = (struct zt_bind){id, v};
    s->n += i == s->n;
}

static struct zt_val get_name(struct zt_run *r, int id)
{
    for (const struct zt_scope *s = r->scope; s->parent; s = s->parent)
        for (int i = 0; i < s->n; i++)
            if (s->b[i].id == id)
                return s->b[i].v;
    if (r->vars[id].kind == ZT_UNSET)
        return zt_undef(ZT_UNSET, r->tmpl->names[id]);
    return r->vars[id];
}

static void assign(struct zt_run *r, const struct zt_node *target, struct zt_val v)
{
    if (target->type == ZT_N_NAME) {
        set_name(r, r->scope, target->id, v);
    } else if (target->type == ZT_N_NS_TARGET) {
        struct zt_val ns = get_name(r, target->id);
        if (ns.kind != ZT_NAMESPACE)
            zt_fail(&r->env, "only the members of a namespace can be set");
        zt_dict_set(&r->env, ns.u.d, target->val, v);
    } else {
        struct zt_list *l = zt_items(&r->env, v);
        size_t i = 0;
        for (const struct zt_node *t = target->a; t; t = t->next, i++) {
            if (i >= l->n)
                zt_fail(&r->env, "not enough values to unpack: %zu", l->n);
            assign(r, t, l->v[i]);
        }
        if (i != l->n)
            zt_fail(&r->env, "too many values to unpack: %zu instead of %zu", l->n, i);
    }
}

/* What body prints, as a string. */
static struct zt_val capture(struct zt_run *r, const struct zt_node *body, enum flow *ret_flow)
{
    struct zt_sb b, *out = r->out;

    zt_sb_init(&b, &r->env);
    r->out = &b;
    *ret_flow = exec(r, body);
    r->out = out;
    return zt_of_str(zt_str_markup(&r->env, zt_sb_take(&b), r->autoescape));
}

static struct zt_val capture_scoped(struct zt_run *r, const struct zt_node *body,
                                    struct zt_scope *scope, enum flow *ret_flow)
{
    struct zt_scope *outer = r->scope;

    r->scope = scope;
    struct zt_val v = capture(r, body, ret_flow);
    r->scope = outer;
    return v;
}

static void print(struct zt_run *r, struct zt_val v)
{
    const struct zt_str *s = zt_to_str(&r->env, v);

    zt_sb_add_str(r->out, r->autoescape ? zt_str_escape(&r->env, s) : s);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void add_keyword(struct zt_run *r, struct zt_args *a, struct zt_val name, struct zt_val v)
{
    if (!a->kw)
        a->kw = zt_dict_new(&r->env);
    if (zt_dict_get(&r->env, a->kw, name))
        zt_fail(&r->env, "the keyword argument '%.*s' is given twice", (int)name.u.s->len,
                name.u.s->p);
    zt_dict_set(&r->env, a->kw, name, v);
}

static void add_keywords(struct zt_run *r, struct zt_args *a, struct zt_val from)
{
    if (from.kind != ZT_DICT)
        zt_fail(&r->env, "** needs a dict, got %s", zt_type_name(from));
    for (size_t i = 0; i < from.u.d->n; i++) {
        zt_need_str(&r->env, from.u.d->e[i].k);
        add_keyword(r, a, from.u.d->e[i].k, from.u.d->e[i].v);
    }
}

static struct zt_args eval_args(struct zt_run *r, const struct zt_node *arg)
{
    struct zt_list *l = zt_list_new(&r->env, arg ? 4 : 0);
    struct zt_args a = {.self = {.kind = ZT_UNSET}};

    for (; arg; arg = arg->next) {
        struct zt_val v = eval(r, arg->a);
        if (arg->op == '=') {
            add_keyword(r, &a, arg->val, v);
        } else if (arg->op == ZT_OP_POW) {
            add_keywords(r, &a, v);
        } else if (arg->op == '*') {
            struct zt_list *more = zt_items(&r->env, v);
            for (size_t i = 0; i < more->n; i++)
                zt_list_add(&r->env, l, more->v[i]);
        } else {
            zt_list_add(&r->env, l, v);
        }
    }
    a.v = l->v;
    a.n = (int)l->n;
    return a;
}

/* Position of the len bytes at name in "a,b,c", -1 if it is not there. */
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

struct zt_val zt_call_builtin(struct zt_run *r, const struct zt_builtin *fn,
                              const struct zt_args *a)
{
    enum { MAX_PARAMS = 8 };
    struct zt_val v[MAX_PARAMS] = {{0}};
    struct zt_args bound = {.self = a->self, .v = v};

    if (!fn->params)
        return fn->call(r, a);
    for (const char *p = fn->params; *p; p += strcspn(p, ","), p += *p == ',')
        bound.n++;
    ZC_BUG_ON(bound.n > MAX_PARAMS);
    if (a->n > bound.n)
        zt_fail(&r->env, "%s takes no more than %d arguments", fn->name, bound.n);
    if (a->n)
        memcpy(v, a->v, (size_t)a->n * sizeof *v);
    for (size_t i = 0; a->kw && i < a->kw->n; i++) {
        const struct zt_str *name = a->kw->e[i].k.u.s;
        int at = param_index(fn->params, name);
        if (at < 0 || v[at].kind != ZT_UNSET)
            zt_fail(&r->env, "%s takes no argument '%.*s', or takes it once", fn->name,
                    (int)name->len, name->p);
        v[at] = a->kw->e[i].v;
    }
    for (int i = 0; i < fn->required; i++)
        if (v[i].kind == ZT_UNSET)
            zt_fail(&r->env, "%s needs %d arguments", fn->name, fn->required);
    return fn->call(r, &bound);
}

/* The keywords that no parameter takes: those filled by position take none. */
static struct zt_dict *rest_of_keywords(struct zt_run *r, const struct zt_args *a,
                                        const struct zt_node *macro)
{
    struct zt_dict *rest = zt_dict_new(&r->env);
    const struct zt_node *param = macro->a;
    bool takes_caller = macro->uses & ZT_USES_CALLER;

    for (int i = 0; param && i < a->n; i++)
        param = param->next;
    for (size_t k = 0; a->kw && k < a->kw->n; k++) {
        const struct zt_node *p = param;
        while (p && zt_str_cmp(p->val.u.s, a->kw->e[k].k.u.s) != 0)
            p = p->next;
        if (!p && !(takes_caller && zt_str_is(a->kw->e[k].k.u.s, "caller")))
            zt_dict_set(&r->env, rest, a->kw->e[k].k, a->kw->e[k].v);
    }
    return rest;
}

/* varargs, kwargs and caller, which a macro has if its body names them. */
static void bind_extras(struct zt_run *r, const struct zt_node *n, struct zt_scope *s,
                        const struct zt_args *a, int n_params)
{
    const struct zt_tmpl *t = r->tmpl;
    struct zt_dict *rest = rest_of_keywords(r, a, n);
    const struct zt_val *caller =
        a->kw ? zt_dict_get(&r->env, a->kw, zt_of_str(t->names[t->id_caller])) : NULL;

    if (n->uses & ZT_USES_CALLER)
        set_name(r, s, t->id_caller, caller ? *caller : zt_undef(ZT_UNSET, t->names[t->id_caller]));
    if (n->uses & ZT_USES_KWARGS)
        set_name(r, s, t->id_kwargs, zt_of_dict(ZT_DICT, rest));
    else if (rest->n)
        zt_fail(&r->env, "the macro '%.*s' takes no argument '%.*s'", (int)n->val.u.s->len,
                n->val.u.s->p, (int)rest->e[0].k.u.s->len, rest->e[0].k.u.s->p);
    if (n->uses & ZT_USES_VARARGS) {
        struct zt_list *more = zt_list_new(&r->env, 0);
        for (int i = n_params; i < a->n; i++)
            zt_list_add(&r->env, more, a->v[i]);
        set_name(r, s, t->id_varargs, zt_of_list(ZT_TUPLE, more));
    } else if (a->n > n_params) {
        zt_fail(&r->env, "the macro '%.*s' takes no more than %d arguments", (int)n->val.u.s->len,
                n->val.u.s->p, n_params);
    }
}

static struct zt_val call_macro(struct zt_run *r, const struct zt_macro *m, const struct zt_args *a)
{
    const struct zt_node *n = m->node;
    struct zt_scope *s = scope_new(r, m->scope), *outer = r->scope;
    int i = 0;
    enum flow flow;

    for (const struct zt_node *p = n->a; p; p = p->next, i++) {
        const struct zt_val *v = i < a->n ? &a->v[i]
                                 : a->kw  ? zt_dict_get(&r->env, a->kw, p->val)
                                          : NULL;
        set_name(r, s, p->id, v ? *v : (struct zt_val){.kind = ZT_UNSET});
    }
    bind_extras(r, n, s, a, i);
    r->scope = s;
    i = 0;
    for (const struct zt_node *p = n->a; p; p = p->next, i++)
        if (get_name(r, p->id).kind == ZT_UNSET)
            set_name(r, s, p->id, p->b ? eval(r, p->b) : zt_undef(ZT_UNSET, p->val.u.s));
    r->scope = outer;
    return capture_scoped(r, n->d, s, &flow);
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* Whether the loop has an item number i: reads ahead in a filtered loop, as far as needed. */
static bool loop_has(struct zt_run *r, struct zt_loop *loop, size_t i)
{
    struct zt_scope *outer = r->scope;

    while (i >= loop->items->n && loop->pos < loop->source->n) {
        struct zt_val v = loop->source->v[loop->pos++];
        r->scope = scope_new(r, loop->scope);
        assign(r, loop->node->a, v);
        if (zt_is_true(eval(r, loop->node->c)))
            zt_list_add(&r->env, loop->items, v);
        r->scope = outer;
    }
    return i < loop->items->n;
}

size_t zt_loop_length(struct zt_run *r, struct zt_loop *loop)
{
    loop_has(r, loop, SIZE_MAX);
    return loop->items->n;
}

static enum flow run_loop(struct zt_run *r, const struct zt_node *n, struct zt_val over,
                          struct zt_scope *around, int64_t depth0)
{
    struct zt_loop *loop = zt_alloc(&r->env, 1, sizeof *loop);
    struct zt_scope *outer = r->scope, *s = scope_new(r, around);

    *loop = (struct zt_loop){.node = n, .scope = around, .depth0 = depth0};
    loop->source = zt_items(&r->env, over);
    loop->items = n->c ? zt_list_new(&r->env, 0) : loop->source;
    loop->pos = n->c ? 0 : loop->source->n;
    for (; loop_has(r, loop, loop->i); loop->i++) {
        zt_step(&r->env, 1);
        if (s->captured)
            s = scope_new(r, around);
        s->n = 0;
        r->scope = s;
        set_name(r, s, r->tmpl->id_loop, (struct zt_val){.kind = ZT_LOOP, .u.loop = loop});
        assign(r, n->a, loop->items->v[loop->i]);
        if (exec(r, n->d) == FLOW_BREAK)
            break;
    }
    enum flow flow = FLOW_NEXT;
    if (loop->i == 0 && !loop_has(r, loop, 0) && n->f) {
        r->scope = scope_new(r, around);
        flow = exec(r, n->f);
    }
    r->scope = outer;
    return flow;
}

static struct zt_val call_loop(struct zt_run *r, struct zt_loop *loop, const struct zt_args *a)
{
    struct zt_sb b, *out = r->out;

    if (!loop->node->flag || a->n != 1)
        zt_fail(&r->env, "a loop can be called with one argument if it is recursive");
    zt_sb_init(&b, &r->env);
    r->out = &b;
    run_loop(r, loop->node, a->v[0], loop->scope, loop->depth0 + 1);
    r->out = out;
    return zt_of_str(zt_str_markup(&r->env, zt_sb_take(&b), r->autoescape));
}

static struct zt_val loop_attr(struct zt_run *r, struct zt_loop *loop, const struct zt_str *name)
{
    int64_t i = (int64_t)loop->i;

    if (zt_str_is(name, "index"))
        return zt_int(i + 1, true);
    if (zt_str_is(name, "index0"))
        return zt_int(i, true);
    if (zt_str_is(name, "first"))
        return zt_bool(i == 0);
    if (zt_str_is(name, "last"))
        return zt_bool(!loop_has(r, loop, loop->i + 1));
    if (zt_str_is(name, "length"))
        return zt_int((int64_t)zt_loop_length(r, loop), true);
    if (zt_str_is(name, "revindex"))
        return zt_int((int64_t)zt_loop_length(r, loop) - i, true);
    if (zt_str_is(name, "revindex0"))
        return zt_int((int64_t)zt_loop_length(r, loop) - i - 1, true);
    if (zt_str_is(name, "depth"))
        return zt_int(loop->depth0 + 1, true);
    if (zt_str_is(name, "depth0"))
        return zt_int(loop->depth0, true);
    if (zt_str_is(name, "previtem") && i > 0)
        return loop->items->v[i - 1];
    if (zt_str_is(name, "nextitem") && loop_has(r, loop, loop->i + 1))
        return loop->items->v[i + 1];
    return zt_undef(ZT_LOOP, name);
}

struct zt_val zt_call(struct zt_run *r, struct zt_val callee, const struct zt_args *a)
{
    struct zt_val v;

    zt_enter(&r->env);
    if (callee.kind == ZT_FUNC) {
        struct zt_args with_self = *a;
        with_self.self = callee.u.fn->self;
        v = zt_call_builtin(r, callee.u.fn->builtin, &with_self);
    } else if (callee.kind == ZT_MACRO) {
        v = call_macro(r, callee.u.macro, a);
    } else if (callee.kind == ZT_LOOP) {
        v = call_loop(r, callee.u.loop, a);
    } else if (callee.kind == ZT_JOINER) {
        /* the separator, but for the first time */
        v = callee.u.l->pos++ ? callee.u.l->v[0] : zt_text_of(&r->env, "", true);
    } else if (callee.kind == ZT_UNDEF) {
        zt_fail_undef(&r->env, callee);
    } else {
        zt_fail(&r->env, "%s cannot be called", zt_type_name(callee));
    }
    zt_leave(&r->env);
    return v;
}

/* ---- expressions ----------------------------------------------------------------------------- */

static struct zt_val bind_method(struct zt_run *r, struct zt_val obj, const struct zt_builtin *fn,
                                 const struct zt_str *name)
{
    struct zt_func *f;

    if (!fn->call) {
        struct zt_val refused = zt_undef(obj.kind, name);
        refused.unsafe = true;
        return refused;
    }
    f = zt_alloc(&r->env, 1, sizeof *f);
    *f = (struct zt_func){.builtin = fn, .self = obj};
    return (struct zt_val){.kind = ZT_FUNC, .u.fn = f};
}

struct zt_val zt_get_attr(struct zt_run *r, struct zt_val obj, const struct zt_str *name, bool item)
{
    const struct zt_builtin *fn = zt_find_method(obj.kind, name);

    if (fn)
        return bind_method(r, obj, fn, name);
    if (obj.kind == ZT_LOOP)
        return loop_attr(r, obj.u.loop, name);
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
        return zt_get_item(&r->env, obj, zt_of_str(name));
    return zt_undef(obj.kind, name);
}

static struct zt_val eval_attr(struct zt_run *r, const struct zt_node *n)
{
    struct zt_val obj = eval(r, n->a);

    if (obj.kind == ZT_DICT && !n->of_dict) /* the usual case, without a search */
        return zt_get_item(&r->env, obj, n->val);
    if (obj.kind == ZT_STR && n->of_str)
        return bind_method(r, obj, n->of_str, n->val.u.s);
    return zt_get_attr(r, obj, n->val.u.s, true);
}

static struct zt_val eval_item(struct zt_run *r, const struct zt_node *n)
{
    struct zt_val obj = eval(r, n->a), k = eval(r, n->b);
    struct zt_val v = zt_get_item(&r->env, obj, k);

    if (v.kind == ZT_UNDEF && k.kind == ZT_STR)
        return zt_get_attr(r, obj, k.u.s, false);
    return v;
}

static struct zt_val eval_compare(struct zt_run *r, const struct zt_node *n)
{
    struct zt_env *e = &r->env;
    struct zt_val a = eval(r, n->a);
    bool is = true;

    for (const struct zt_node *op = n->b; op && is; op = op->next) {
        struct zt_val b = eval(r, op->a);
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

static struct zt_val eval_concat(struct zt_run *r, const struct zt_node *n)
{
    struct zt_list *parts = zt_list_new(&r->env, 4);
    struct zt_sb b;
    bool markup = false;

    for (const struct zt_node *part = n->a; part; part = part->next) {
        struct zt_val v = zt_of_str(zt_to_str(&r->env, eval(r, part)));
        markup |= v.u.s->markup && r->autoescape;
        zt_list_add(&r->env, parts, v);
    }
    zt_sb_init(&b, &r->env);
    for (size_t i = 0; i < parts->n; i++) {
        const struct zt_str *s = parts->v[i].u.s;
        zt_sb_add_str(&b, markup ? zt_str_escape(&r->env, s) : s);
    }
    return zt_of_str(zt_str_markup(&r->env, zt_sb_take(&b), markup));
}

static struct zt_val eval_list(struct zt_run *r, const struct zt_node *n)
{
    struct zt_list *l = zt_list_new(&r->env, 4);

    for (const struct zt_node *item = n->a; item; item = item->next)
        zt_list_add(&r->env, l, eval(r, item));
    return zt_of_list(n->type == ZT_N_LIST ? ZT_LIST : ZT_TUPLE, l);
}

static struct zt_val eval_dict(struct zt_run *r, const struct zt_node *n)
{
    struct zt_dict *d = zt_dict_new(&r->env);

    for (const struct zt_node *k = n->a; k; k = k->next->next) {
        struct zt_val key = eval(r, k);
        zt_dict_set(&r->env, d, key, eval(r, k->next));
    }
    return zt_of_dict(ZT_DICT, d);
}

static struct zt_val eval_call(struct zt_run *r, const struct zt_node *n)
{
    struct zt_val callee = eval(r, n->a);
    struct zt_args a = eval_args(r, n->b);

    r->env.line = n->line;
    return zt_call(r, callee, &a);
}

/* A filter or a test. */
static struct zt_val eval_applied(struct zt_run *r, const struct zt_node *n)
{
    struct zt_val self = n->a ? eval(r, n->a) : r->block;
    struct zt_args a = eval_args(r, n->b);

    if (!n->fn)
        zt_fail_unknown(&r->env, n);
    a.self = self;
    return zt_call_builtin(r, n->fn, &a);
}

static struct zt_val eval_slice(struct zt_run *r, const struct zt_node *n)
{
    struct zt_val v = eval(r, n->a), bounds[3] = {{0}};

    bounds[0] = n->b ? eval(r, n->b) : bounds[0];
    bounds[1] = n->c ? eval(r, n->c) : bounds[1];
    bounds[2] = n->d ? eval(r, n->d) : bounds[2];
    return zt_get_slice(&r->env, v, bounds[0], bounds[1], bounds[2]);
}

static struct zt_val eval_node(struct zt_run *r, const struct zt_node *n)
{
    struct zt_val v;

    switch (n->type) {
    case ZT_N_LIST:
    case ZT_N_TUPLE:
        return eval_list(r, n);
    case ZT_N_DICT:
        return eval_dict(r, n);
    case ZT_N_ATTR:
        return eval_attr(r, n);
    case ZT_N_ITEM:
        return eval_item(r, n);
    case ZT_N_SLICE:
        return eval_slice(r, n);
    case ZT_N_CALL:
        return eval_call(r, n);
    case ZT_N_FILTER:
    case ZT_N_TEST:
        return eval_applied(r, n);
    case ZT_N_NOT:
        return zt_bool(!zt_is_true(eval(r, n->a)));
    case ZT_N_SIGN:
        return zt_negate(&r->env, eval(r, n->a), n->op);
    case ZT_N_AND:
        v = eval(r, n->a);
        return zt_is_true(v) ? eval(r, n->b) : v;
    case ZT_N_OR:
        v = eval(r, n->a);
        return zt_is_true(v) ? v : eval(r, n->b);
    case ZT_N_IF_ELSE:
        if (zt_is_true(eval(r, n->a)))
            return eval(r, n->b);
        return n->c ? eval(r, n->c) : zt_undef(ZT_UNSET, zt_text_of(&r->env, "else", true).u.s);
    case ZT_N_COMPARE:
        return eval_compare(r, n);
    case ZT_N_BINARY:
        v = eval(r, n->a);
        return zt_binary(&r->env, n->op, v, eval(r, n->b));
    default:
        ZC_BUG_ON(n->type != ZT_N_CONCAT);
        return eval_concat(r, n);
    }
}

static struct zt_val eval(struct zt_run *r, const struct zt_node *n)
{
    if (n->type == ZT_N_CONST)
        return n->val;
    if (n->type == ZT_N_NAME)
        return get_name(r, n->id);
    zt_step(&r->env, 1);
    zt_enter(&r->env);
    struct zt_val v = eval_node(r, n);
    zt_leave(&r->env);
    return v;
}

/* ---- statements ------------------------------------------------------------------------------ */

static struct zt_val macro_value(struct zt_run *r, const struct zt_node *n)
{
    struct zt_macro *m = zt_alloc(&r->env, 1, sizeof *m);

    *m = (struct zt_macro){.node = n, .scope = r->scope};
    for (struct zt_scope *s = r->scope; s; s = s->parent)
        s->captured = true;
    return (struct zt_val){.kind = ZT_MACRO, .u.macro = m};
}

static void exec_call_block(struct zt_run *r, const struct zt_node *n)
{
    struct zt_val callee = eval(r, n->a->a);
    struct zt_args a = eval_args(r, n->a->b);

    add_keyword(r, &a, n->b->val, macro_value(r, n->b));
    print(r, zt_call(r, callee, &a));
}

/* Set blocks and filter blocks: what the body prints, through the filters. */
static enum flow exec_captured(struct zt_run *r, const struct zt_node *n)
{
    enum flow flow;
    struct zt_val v = capture_scoped(r, n->d, scope_new(r, r->scope), &flow);

    if (flow != FLOW_NEXT)
        return flow;
    if (n->b) {
        r->block = v;
        v = eval(r, n->b);
    }
    if (n->type == ZT_N_SET_BLOCK)
        assign(r, n->a, v);
    else
        print(r, v);
    return FLOW_NEXT;
}

/* with, block and generation. */
static enum flow exec_scope(struct zt_run *r, const struct zt_node *n)
{
    struct zt_scope *outer = r->scope, *s = scope_new(r, n->flag ? &r->root : outer);
    const struct zt_node *value = n->b;

    if (n->type == ZT_N_WITH)
        for (const struct zt_node *t = n->a; t; t = t->next, value = value->next)
            set_name(r, s, t->id, eval(r, value));
    r->scope = s;
    enum flow flow = exec(r, n->d);
    r->scope = outer;
    return flow;
}

static enum flow exec_autoescape(struct zt_run *r, const struct zt_node *n)
{
    bool outer = r->autoescape;

    r->autoescape = zt_is_true(eval(r, n->a));
    enum flow flow = exec(r, n->d);
    r->autoescape = outer;
    return flow;
}

static enum flow exec_node(struct zt_run *r, const struct zt_node *n)
{
    switch (n->type) {
    case ZT_N_DATA:
        zt_sb_add_str(r->out, n->val.u.s);
        return FLOW_NEXT;
    case ZT_N_PRINT:
        print(r, eval(r, n->a));
        return FLOW_NEXT;
    case ZT_N_IF:
        return exec(r, zt_is_true(eval(r, n->a)) ? n->b : n->c);
    case ZT_N_FOR:
        return run_loop(r, n, eval(r, n->b), r->scope, 0);
    case ZT_N_SET:
        assign(r, n->a, eval(r, n->b));
        return FLOW_NEXT;
    case ZT_N_MACRO:
        set_name(r, r->scope, n->id, macro_value(r, n));
        return FLOW_NEXT;
    case ZT_N_CALL_BLOCK:
        exec_call_block(r, n);
        return FLOW_NEXT;
    case ZT_N_SET_BLOCK:
    case ZT_N_FILTERED:
        return exec_captured(r, n);
    case ZT_N_WITH:
    case ZT_N_SCOPE:
        return exec_scope(r, n);
    case ZT_N_AUTOESCAPE:
        return exec_autoescape(r, n);
    case ZT_N_BREAK:
        return FLOW_BREAK;
    default:
        ZC_BUG_ON(n->type != ZT_N_CONTINUE);
        return FLOW_CONTINUE;
    }
}

static enum flow exec(struct zt_run *r, const struct zt_node *body)
{
    enum flow flow = FLOW_NEXT;

    zt_enter(&r->env);
    for (; body && flow == FLOW_NEXT; body = body->next) {
        zt_step(&r->env, 1);
        r->env.line = body->line;
        flow = exec_node(r, body);
    }
    zt_leave(&r->env);
    return flow;
}

/* ---- compile and render ---------------------------------------------------------------------- */

static const size_t max_source = 4 << 20, max_tree = 256 << 20;
/* Memory of a rendering: so much, and eight times what the result may grow to. */
static const size_t render_base = 64 << 20, render_max = 1 << 30;
static const uint64_t default_steps = 20 * 1000 * 1000;

void zt_fail_unknown(struct zt_env *e, const struct zt_node *n)
{
    zt_fail(e, "unknown %s '%.*s'", n->type == ZT_N_FILTER ? "filter" : "test",
            (int)n->val.u.s->len, n->val.u.s->p);
}

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
static void bind_vars(struct zt_run *r, const struct zt_tmpl_in *in)
{
    int n = r->tmpl->n_names;

    r->vars = zt_alloc(&r->env, (size_t)n, sizeof *r->vars);
    for (int i = 0; i < n; i++) {
        const struct zt_str *s = r->tmpl->names[i];
        const char *name = zt_c_string(&r->env, s);
        const struct zt_builtin *fn = zt_find_global(name);
        json_t *j = json_object_get(in->trusted_vars, name);
        bool trusted = j != NULL;
        if (!j)
            j = json_object_get(in->vars, name);
        if (j)
            r->vars[i] = zt_of_json(&r->env, j, trusted);
        else if (fn)
            r->vars[i] = bind_method(r, zt_none(), fn, s);
    }
}

static int render(struct zt_run *r, const struct zt_tmpl_in *in, struct zt_text *out)
{
    struct zt_sb b;

    if (setjmp(r->env.on_fail))
        return r->env.err;
    zt_sb_init(&b, &r->env);
    r->out = &b;
    bind_vars(r, in);
    exec(r, r->tmpl->body);
    for (size_t i = 0, n; i < b.len; i += n) {
        bool trusted = b.mask ? b.mask[i] : b.trusted;
        for (n = b.mask ? 1 : b.len; i + n < b.len && b.mask[i + n] == trusted;)
            n++;
        int err = zt_text_add(out, b.p + i, n, trusted);
        if (err < 0)
            zt_fail_err(&r->env, err, "the text is longer than allowed");
    }
    return ZC_OK;
}

int zt_tmpl_render(const struct zt_tmpl *tmpl, const struct zt_tmpl_in *in, struct zt_text *out,
                   struct zc_diag *dg)
{
    struct zt_run r = {.tmpl = tmpl, .now = in->now};
    size_t max = out->buf.max < render_max / 16 ? render_base + out->buf.max * 8 : render_max;

    r.env = (struct zt_env){.name = tmpl->env.name,
                            .max = max,
                            .dg = dg,
                            .line = 1,
                            .steps = in->max_steps ? in->max_steps : default_steps};
    r.scope = &r.root;
    int err = render(&r, in, out);
    zt_env_release(&r.env);
    return err;
}
