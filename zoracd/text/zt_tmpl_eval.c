/* SPDX-License-Identifier: MIT */
/* The tree to text: scopes, calls, loops, expressions, statements. Scoping is jinja2's: loops,
 * macros, with, filter, set and call blocks have a scope of their own, ifs have none; a name that
 * is set in a scope hides the outer one there and nowhere else. */
#include "zoracd/text/zt_py.h"

#include <string.h>

enum flow { NEXT, BREAK, CONTINUE };

static struct zt_val eval(struct zt_env *e, const struct zt_node *n);
static enum flow exec(struct zt_env *e, struct zt_scope *scope, const struct zt_node *body);

/* ---- scopes --------------------------------------------------------------------------------- */

static struct zt_scope *scope_new(struct zt_env *e, struct zt_scope *parent)
{
    struct zt_scope *s = zt_alloc(e, 1, sizeof *s);

    s->parent = parent;
    return s;
}

static void set_name(struct zt_env *e, struct zt_scope *s, int id, struct zt_val v)
{
    size_t i = 0;

    if (!s->parent) {
        e->vars[id] = v;
        return;
    }
    while (i < s->n && s->b[i].id != id)
        i++;
    if (i == s->n) {
        s->b = zt_grow(e, s->b, s->n, &s->cap, sizeof *s->b);
        s->n++;
    }
    s->b[i] = (struct zt_bind){id, v};
}

static struct zt_val get_name(struct zt_env *e, int id)
{
    const struct zt_val *v = NULL;

    for (const struct zt_scope *s = e->scope; s->parent && !v; s = s->parent)
        for (size_t i = s->n; i > 0 && !v; i--) /* what was set last is asked for most */
            v = s->b[i - 1].id == id ? &s->b[i - 1].v : NULL;
    v = v ? v : &e->vars[id];
    return ZT_IS_GIVEN(*v) ? *v : zt_undef(ZT_UNSET, e->tmpl->names->e[id].k);
}

/* At the begin of a scope: the names that have no value there before it sets them. */
static void hide(struct zt_env *e, struct zt_scope *s, const struct zt_list *ids)
{
    for (size_t i = 0; i < ids->n; i++)
        set_name(e, s, (int)ids->v[i].u.i, ZT_NO_VALUE);
}

static void assign(struct zt_env *e, const struct zt_node *target, struct zt_val v)
{
    size_t i = 0;

    if (target->type == ZT_N_NAME) {
        set_name(e, e->scope, target->id, v);
        return;
    }
    if (target->type == ZT_N_NS_TARGET) {
        struct zt_val ns = get_name(e, target->id);
        if (ns.kind != ZT_NAMESPACE)
            zt_fail(e, "only the members of a namespace can be set");
        zt_dict_set(e, ns.u.d, target->val, v);
        return;
    }
    struct zt_list *l = zt_py_items(e, v);
    for (const struct zt_node *t = target->a; t; t = t->next, i++) {
        if (i >= l->n)
            zt_fail(e, "not enough values to unpack: %zu", l->n);
        assign(e, t, l->v[i]);
    }
    if (i != l->n)
        zt_fail(e, "too many values to unpack: %zu instead of %zu", l->n, i);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void add_keyword(struct zt_env *e, struct zt_py_args *a, struct zt_val name, struct zt_val v)
{
    a->kw = a->kw ? a->kw : zt_dict_new(e);
    if (zt_dict_get(e, a->kw, zt_py_need_str(e, name)))
        zt_fail(e, "the keyword argument '%s' is given twice", zt_utf8(e, name));
    zt_dict_set(e, a->kw, name, v);
}

static struct zt_py_args eval_args(struct zt_env *e, const struct zt_node *arg)
{
    struct zt_py_args a = {.self = ZT_NO_VALUE};
    struct zt_list *l;

    if (!arg)
        return a;
    l = zt_list_new(e, 4);

    for (; arg; arg = arg->next) {
        struct zt_val v = eval(e, arg->a);
        if (arg->op == 0)
            zt_push(e, l, v);
        else if (arg->op == '*')
            zt_push_all(e, l, zt_py_items(e, v));
        else if (arg->op == '=')
            add_keyword(e, &a, arg->val, v);
        else if (v.kind != ZT_DICT)
            zt_fail(e, "** needs a dict, got %s", zt_py_type_name(v));
        else
            for (size_t i = 0; i < v.u.d->n; i++)
                add_keyword(e, &a, v.u.d->e[i].k, v.u.d->e[i].v);
    }
    a.v = l->v;
    a.n = (int)l->n;
    return a;
}

/* What body prints in a scope, as a string. */
static struct zt_val capture(struct zt_env *e, struct zt_scope *scope, const struct zt_node *body,
                             enum flow *ret_flow)
{
    struct zt_sb b = {.e = e}, *out = e->out;

    e->out = &b;
    *ret_flow = exec(e, scope, body);
    e->out = out;
    return zt_markup(zt_take(&b), e->autoescape);
}

/* The argument for parameter number i, NULL if it was not given. */
static const struct zt_val *macro_arg(struct zt_env *e, const struct zt_py_args *a,
                                      const struct zt_node *param, int i)
{
    return i < a->n ? &a->v[i] : zt_dict_get(e, a->kw, param->val);
}

/* Whether a keyword is one of these parameters. */
static bool has_param(const struct zt_node *param, struct zt_val name)
{
    while (param && zt_compare(param->val, name) != 0)
        param = param->next;
    return param != NULL;
}

/* varargs, kwargs and caller, which a macro has if its body names them; params: those that no
 * positional argument has filled. */
static void bind_extras(struct zt_env *e, const struct zt_node *n, struct zt_scope *s,
                        const struct zt_py_args *a, int n_params, const struct zt_node *params)
{
    struct zt_val caller = zt_dict_value(e, a->kw, "caller");
    struct zt_dict *rest = zt_dict_new(e);
    int more = a->n > n_params ? a->n - n_params : 0;

    for (size_t i = 0; a->kw && i < a->kw->n; i++) {
        struct zt_pair *p = &a->kw->e[i];
        bool is_caller = (n->uses & 1u << ZT_ID_CALLER) && zt_is(p->k, "caller");
        if (!is_caller && !has_param(params, p->k))
            zt_dict_set(e, rest, p->k, p->v);
    }
    if (n->uses & 1u << ZT_ID_CALLER)
        set_name(e, s, ZT_ID_CALLER,
                 ZT_IS_GIVEN(caller) ? caller : zt_undef(ZT_UNSET, zt_text(e, "caller", true)));
    if (n->uses & 1u << ZT_ID_KWARGS)
        set_name(e, s, ZT_ID_KWARGS, zt_of_dict(ZT_DICT, rest));
    else if (rest->n)
        zt_fail(e, "the macro takes no argument '%s'", zt_utf8(e, rest->e[0].k));
    if (n->uses & 1u << ZT_ID_VARARGS)
        set_name(e, s, ZT_ID_VARARGS, zt_tuple(e, more ? &a->v[n_params] : NULL, (size_t)more));
    else if (more)
        zt_fail(e, "the macro takes no more than %d arguments", n_params);
}

static struct zt_val call_macro(struct zt_env *e, const struct zt_macro *m,
                                const struct zt_py_args *a)
{
    struct zt_scope *s = scope_new(e, m->scope), *outer = e->scope;
    const struct zt_node *n = m->node, *rest = NULL;
    enum flow flow;
    int i = 0;

    for (const struct zt_node *p = n->a; p; p = p->next, i++) {
        const struct zt_val *v = macro_arg(e, a, p, i);
        set_name(e, s, p->id, v ? *v : zt_undef(ZT_UNSET, p->val));
        rest = i == a->n ? p : rest;
    }
    bind_extras(e, n, s, a, i, rest);
    hide(e, s, n->hides);
    e->scope = s;
    i = 0;
    for (const struct zt_node *p = n->a; p; p = p->next, i++)
        if (p->b && !macro_arg(e, a, p, i))
            set_name(e, s, p->id, eval(e, p->b)); /* which sees the other parameters */
    e->scope = outer;
    return capture(e, s, n->d, &flow);
}

static struct zt_val macro_value(struct zt_env *e, const struct zt_node *n, struct zt_scope *scope)
{
    struct zt_macro *m = zt_alloc(e, 1, sizeof *m);

    *m = (struct zt_macro){.node = n, .scope = scope};
    for (struct zt_scope *s = scope; s; s = s->parent)
        s->captured = true;
    return (struct zt_val){.kind = ZT_MACRO, .u.macro = m};
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
        if (zt_py_is_true(eval(e, loop->node->c))) {
            bool tuple = loop->node->a->type == ZT_N_TUPLE; /* as it was unpacked */
            zt_push(e, loop->items, tuple ? zt_of_list(ZT_TUPLE, zt_py_items(e, v)) : v);
        }
        e->scope = outer;
    }
    return i < loop->items->n;
}

/* break and continue in the else of a loop are for the loop around it. */
static enum flow run_loop(struct zt_env *e, const struct zt_node *n, struct zt_val over,
                          struct zt_scope *around, int64_t depth0)
{
    struct zt_loop *loop = zt_alloc(e, 1, sizeof *loop);
    struct zt_scope *s = scope_new(e, around), *outer = e->scope;
    enum flow flow = NEXT;
    bool completed = false;

    *loop = (struct zt_loop){.node = n, .scope = around, .depth0 = depth0};
    loop->source = zt_py_items(e, over);
    loop->items = n->c ? zt_list_new(e, 0) : loop->source;
    loop->pos = n->c ? 0 : loop->source->n;
    for (; flow != BREAK && loop_has(e, loop, loop->i); loop->i++) {
        zt_step(e, 1);
        s = s->captured ? scope_new(e, around) : s;
        s->n = 0;
        hide(e, s, n->hides);
        set_name(e, s, ZT_ID_LOOP, (struct zt_val){.kind = ZT_LOOP, .u.loop = loop});
        e->scope = s;
        assign(e, n->a, loop->items->v[loop->i]);
        flow = exec(e, s, n->d);
        e->scope = outer;
        completed |= flow == NEXT;
    }
    /* as in jinja2: also when no turn came to its end */
    return completed ? NEXT : exec(e, scope_new(e, around), n->f);
}

static struct zt_val call_loop(struct zt_env *e, struct zt_loop *loop, const struct zt_py_args *a)
{
    struct zt_sb b = {.e = e}, *out = e->out;

    if (!loop->node->op || a->n != 1)
        zt_fail(e, "a loop can be called with one argument if it is recursive");
    e->out = &b;
    run_loop(e, loop->node, a->v[0], loop->scope, loop->depth0 + 1);
    e->out = out;
    return zt_markup(zt_take(&b), e->autoescape);
}

static struct zt_val loop_attr(struct zt_env *e, struct zt_loop *loop, struct zt_val name)
{
    int64_t i = (int64_t)loop->i, from_0 = name.n && zt_char(name, name.n - 1) == '0';

    if (zt_is(name, "index") || zt_is(name, "index0"))
        return zt_int(i + 1 - from_0, true);
    if (zt_is(name, "depth") || zt_is(name, "depth0"))
        return zt_int(loop->depth0 + 1 - from_0, true);
    if (zt_is(name, "first"))
        return zt_bool(i == 0);
    if (zt_is(name, "last"))
        return zt_bool(!loop_has(e, loop, loop->i + 1));
    if (zt_is(name, "previtem") && i > 0)
        return loop->items->v[i - 1];
    if (zt_is(name, "nextitem") && loop_has(e, loop, loop->i + 1))
        return loop->items->v[i + 1];
    bool is_length = zt_is(name, "length");
    if (!is_length && !zt_is(name, "revindex") && !zt_is(name, "revindex0"))
        return zt_undef(ZT_LOOP, name);
    loop_has(e, loop, SIZE_MAX);
    return zt_int((int64_t)loop->items->n - (is_length ? 0 : i + from_0), true);
}

static struct zt_val call(struct zt_env *e, struct zt_val callee, const struct zt_py_args *a)
{
    struct zt_py_args with_self = *a;
    uint32_t line = e->line;
    struct zt_val v;

    zt_enter(e);
    zt_py_need_defined(e, callee);
    if (callee.kind == ZT_FUNC) {
        with_self.self = callee.u.fn->self;
        v = zt_py_call(e, callee.u.fn->fn, &with_self);
    } else if (callee.kind == ZT_MACRO) {
        v = call_macro(e, callee.u.macro, a);
    } else if (callee.kind == ZT_LOOP) {
        v = call_loop(e, callee.u.loop, a);
    } else if (callee.kind == ZT_JOINER) { /* the separator, but for the first time */
        v = callee.u.l->pos++ ? callee.u.l->v[0] : zt_text(e, "", true);
    } else {
        zt_fail(e, "%s cannot be called", zt_py_type_name(callee));
    }
    e->line = line;
    zt_leave(e);
    return v;
}

/* ---- expressions ---------------------------------------------------------------------------- */

/* A block, which a template can call as a member of self. */
static struct zt_val block_attr(struct zt_env *e, struct zt_val name)
{
    const struct zt_node *block = e->tmpl->blocks;

    while (block && !zt_is_same(block->val, name))
        block = block->next;
    return block ? macro_value(e, block, &e->root) : zt_undef(ZT_SELF, name);
}

struct zt_val zt_get_attr(struct zt_env *e, struct zt_val obj, struct zt_val name, bool item)
{
    if (obj.kind == ZT_NAMESPACE)
        return zt_py_item(e, obj, name);
    struct zt_val v = zt_py_attr(e, obj, name);
    if (ZT_IS_GIVEN(v))
        return v;
    if (obj.kind == ZT_LOOP)
        return loop_attr(e, obj.u.loop, name);
    if (obj.kind == ZT_SELF)
        return block_attr(e, name);
    v = item ? zt_py_item(e, obj, name) : zt_undef(obj.kind, name);
    v.bytes |= v.kind == ZT_UNDEF && obj.bytes;
    return v;
}

static struct zt_val eval_item(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val obj = eval(e, n->a), k = eval(e, n->b), v = zt_py_item(e, obj, k);

    return v.kind == ZT_UNDEF && k.kind == ZT_STR ? zt_get_attr(e, obj, k, false) : v;
}

static struct zt_val eval_slice(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val v = eval(e, n->a), bounds[3];
    const struct zt_node *const parts[] = {n->b, n->c, n->d};

    for (int i = 0; i < 3; i++)
        bounds[i] = parts[i] ? eval(e, parts[i]) : ZT_NO_VALUE;
    return zt_py_slice(e, v, bounds[0], bounds[1], bounds[2]);
}

static struct zt_val eval_items(struct zt_env *e, const struct zt_node *n)
{
    struct zt_list *l = zt_list_new(e, 4);

    for (const struct zt_node *item = n->a; item; item = item->next)
        zt_push(e, l, eval(e, item));
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

static struct zt_val eval_compare(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val a = eval(e, n->a);
    bool is = true;

    for (const struct zt_node *op = n->b; op && is; op = op->next) {
        struct zt_val b = eval(e, op->a);
        is = zt_py_holds(e, op->op, a, b);
        a = b;
    }
    return zt_bool(is);
}

static struct zt_val eval_call(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val callee = eval(e, n->a);
    struct zt_py_args a = eval_args(e, n->b);

    return call(e, callee, &a);
}

/* A filter or a test. */
static struct zt_val eval_applied(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val self = n->a ? eval(e, n->a) : e->block;
    struct zt_py_args a = eval_args(e, n->b);

    if (!n->fn)
        zt_fail_unknown(e, n);
    a.self = self;
    return zt_py_call(e, n->fn, &a);
}

static struct zt_val eval_node(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val v;

    switch (n->type) {
    case ZT_N_LIST:
    case ZT_N_TUPLE:
        return eval_items(e, n);
    case ZT_N_DICT:
        return eval_dict(e, n);
    case ZT_N_ATTR:
        return zt_get_attr(e, eval(e, n->a), n->val, true);
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
        return zt_bool(!zt_py_is_true(eval(e, n->a)));
    case ZT_N_SIGN:
        return zt_py_sign(e, eval(e, n->a), n->op);
    case ZT_N_AND:
    case ZT_N_OR:
        v = eval(e, n->a);
        return zt_py_is_true(v) == (n->type == ZT_N_AND) ? eval(e, n->b) : v;
    case ZT_N_IF_ELSE:
        if (zt_py_is_true(eval(e, n->a)))
            return eval(e, n->b);
        return n->c ? eval(e, n->c) : zt_undef(ZT_UNSET, zt_text(e, "else", true));
    case ZT_N_COMPARE:
        return eval_compare(e, n);
    default:
        ZC_BUG_ON(n->type != ZT_N_BINARY);
        v = eval(e, n->a);
        return zt_py_binary(e, n->op, v, eval(e, n->b));
    }
}

static struct zt_val eval(struct zt_env *e, const struct zt_node *n)
{
    if (n->type == ZT_N_CONST)
        return n->val;
    if (n->type == ZT_N_NAME)
        return get_name(e, n->id);
    uint32_t line = e->line;
    zt_step(e, 1);
    zt_enter(e);
    e->line = n->line;
    struct zt_val v = eval_node(e, n);
    e->line = line;
    zt_leave(e);
    return v;
}

/* ---- statements ----------------------------------------------------------------------------- */

static void print(struct zt_env *e, struct zt_val v)
{
    v = zt_py_str(e, v);
    zt_print(e, e->autoescape ? zt_py_escape(e, v) : v);
}

static void exec_call_block(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val body = macro_value(e, n->b, e->scope);
    struct zt_val callee = n->a ? eval(e, n->a->a) : body;
    struct zt_py_args a = eval_args(e, n->a ? n->a->b : NULL);

    if (n->a)
        add_keyword(e, &a, zt_text(e, "caller", true), body);
    print(e, zt_py_need_str(e, call(e, callee, &a)));
}

/* Set and filter blocks: what the body prints, through the filters. */
static enum flow exec_capture(struct zt_env *e, const struct zt_node *n)
{
    struct zt_scope *outer = e->scope, *s = scope_new(e, outer);
    enum flow flow;

    hide(e, s, n->hides);
    e->block = capture(e, s, n->d, &flow);
    if (flow != NEXT)
        return flow;
    e->scope = s; /* the filters' arguments see what the body has set */
    struct zt_val v = n->b ? eval(e, n->b) : e->block;
    e->scope = outer;
    if (n->a)
        assign(e, n->a, v);
    else
        print(e, zt_py_need_str(e, v));
    return NEXT;
}

/* with and block */
static enum flow exec_scope(struct zt_env *e, const struct zt_node *n)
{
    struct zt_scope *s = scope_new(e, n->op ? &e->root : e->scope);
    const struct zt_node *value = n->b;

    for (const struct zt_node *t = n->a; t; t = t->next, value = value->next)
        set_name(e, s, t->id, eval(e, value));
    hide(e, s, n->hides);
    return exec(e, s, n->d);
}

static enum flow exec_autoescape(struct zt_env *e, const struct zt_node *n)
{
    struct zt_scope *s = scope_new(e, e->scope);
    bool outer = e->autoescape;

    e->autoescape = zt_py_is_true(eval(e, n->a));
    hide(e, s, n->hides);
    enum flow flow = exec(e, s, n->d);
    e->autoescape = outer;
    return flow;
}

static enum flow exec_node(struct zt_env *e, const struct zt_node *n)
{
    switch (n->type) {
    case ZT_N_DATA:
        zt_print(e, n->val);
        return NEXT;
    case ZT_N_PRINT:
        print(e, eval(e, n->a));
        return NEXT;
    case ZT_N_IF:
        return exec(e, e->scope, zt_py_is_true(eval(e, n->a)) ? n->b : n->c);
    case ZT_N_FOR:
        return run_loop(e, n, eval(e, n->b), e->scope, 0);
    case ZT_N_SET:
        assign(e, n->a, eval(e, n->b));
        return NEXT;
    case ZT_N_MACRO:
        set_name(e, e->scope, n->id, macro_value(e, n, e->scope));
        return NEXT;
    case ZT_N_CALL_BLOCK:
        exec_call_block(e, n);
        return NEXT;
    case ZT_N_CAPTURE:
        return exec_capture(e, n);
    case ZT_N_SCOPE:
        return exec_scope(e, n);
    case ZT_N_AUTOESCAPE:
        return exec_autoescape(e, n);
    case ZT_N_REFUSED:
        zt_fail(e, "'%s' needs another template, and there is none", n->tag);
    default:
        ZC_BUG_ON(n->type != ZT_N_BREAK && n->type != ZT_N_CONTINUE);
        return n->type == ZT_N_BREAK ? BREAK : CONTINUE;
    }
}

static enum flow exec(struct zt_env *e, struct zt_scope *scope, const struct zt_node *body)
{
    struct zt_scope *outer = e->scope;
    enum flow flow = NEXT;

    if (!body)
        return NEXT;
    zt_enter(e);
    e->scope = scope;
    for (; body && flow == NEXT; body = body->next) {
        zt_step(e, 1);
        e->line = body->line;
        e->doing = body->tag;
        flow = exec_node(e, body);
    }
    e->scope = outer;
    zt_leave(e);
    return flow;
}

void zt_run(struct zt_env *e)
{
    hide(e, &e->root, e->tmpl->hides);
    exec(e, &e->root, e->tmpl->body);
}
