/* SPDX-License-Identifier: MIT */
/* Statements: for each tag what it does and how it is read, and the scopes of names. Scoping is
 * jinja2's: loops, macros, with, filter, set and call blocks have a scope of their own, ifs have
 * none; a name that is set in a scope hides the outer one there and nowhere else. Tags that need
 * other templates (include, import, extends) are refused. */
#include "zoracd/text/zt_tmpl_internal.h"

#include <string.h>

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
        memcpy(s->b, old ? old : s->b, (size_t)s->n * sizeof *old);
    }
    s->b[i] = (struct zt_bind){id, v};
    s->n += i == s->n;
}

struct zt_val zt_get_name(struct zt_env *e, int id)
{
    for (const struct zt_scope *s = e->scope; s->parent; s = s->parent)
        for (int i = 0; i < s->n; i++)
            if (s->b[i].id == id)
                return s->b[i].v;
    return e->vars[id].kind == ZT_UNSET ? zt_undef(ZT_UNSET, e->tmpl->names->e[id].k) : e->vars[id];
}

/* A target is a name (id), a member val of a namespace (op '.'), or a tuple of targets (a). */
static void assign(struct zt_env *e, const struct zt_node *target, struct zt_val v)
{
    if (target->op == '.') {
        struct zt_val ns = zt_get_name(e, target->id);
        if (ns.kind != ZT_NAMESPACE)
            zt_fail(e, "only the members of a namespace can be set");
        zt_dict_set(e, ns.u.d, target->val, v);
        return;
    }
    if (!target->a) {
        set_name(e, e->scope, target->id, v);
        return;
    }
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

/* ---- bodies --------------------------------------------------------------------------------- */

static enum zt_flow exec(struct zt_env *e, const struct zt_node *body)
{
    enum zt_flow flow = ZT_NEXT;

    zt_enter(e);
    for (; body && flow == ZT_NEXT; body = body->next) {
        zt_step(e, 1);
        e->line = body->line;
        flow = body->exec(e, body);
    }
    zt_leave(e);
    return flow;
}

static enum zt_flow exec_in(struct zt_env *e, struct zt_scope *scope, const struct zt_node *body)
{
    struct zt_scope *outer = e->scope;

    e->scope = scope;
    enum zt_flow flow = exec(e, body);
    e->scope = outer;
    return flow;
}

/* What body prints, as a string. */
static struct zt_val capture(struct zt_env *e, struct zt_scope *scope, const struct zt_node *body,
                             enum zt_flow *ret_flow)
{
    struct zt_sb b = {.e = e}, *out = e->out;

    e->out = &b;
    *ret_flow = exec_in(e, scope, body);
    e->out = out;
    return zt_markup(zt_take(&b), e->autoescape);
}

static void print(struct zt_env *e, struct zt_val v)
{
    v = zt_to_str(e, v);
    zt_add(e->out, e->autoescape ? zt_escape(e, v) : v);
}

/* val */
static enum zt_flow exec_data(struct zt_env *e, const struct zt_node *n)
{
    zt_add(e->out, n->val);
    return ZT_NEXT;
}

/* a */
static enum zt_flow exec_print(struct zt_env *e, const struct zt_node *n)
{
    print(e, zt_eval(e, n->a));
    return ZT_NEXT;
}

static struct zt_node *parse_statement(struct zt_parser *p);

/* Statements up to the tag that is one of the words, which is left as the current lexeme. */
static struct zt_node *parse_body(struct zt_parser *p, const char *const *ends)
{
    struct zt_node *body = NULL, **tail = &body;

    zt_enter(p->e);
    while (!zt_at(p, ZT_LEX_END)) {
        struct zt_node *n = zt_node(p);
        if (zt_at(p, ZT_LEX_DATA)) {
            n->exec = exec_data;
            n->val = p->at->val;
            zt_next(p);
        } else if (zt_took(p, ZT_LEX_PRINT)) {
            n->exec = exec_print;
            n->a = zt_parse_tuple(p, 0, true);
            zt_expect(p, ZT_LEX_CLOSE);
        } else {
            zt_next(p);
            for (const char *const *end = ends; *end; end++)
                if (zt_at_word(p, *end))
                    goto out;
            n = parse_statement(p);
        }
        zt_append(&tail, n);
    }
    if (ends[0])
        zt_fail(p->e, "the template ends before '%s'", ends[0]);
out:
    zt_leave(p->e);
    return body;
}

/* The rest of a tag, the statements up to the tag end, and that tag. */
static struct zt_node *parse_block_of(struct zt_parser *p, const char *end)
{
    zt_expect(p, ZT_LEX_CLOSE);
    struct zt_node *body = parse_body(p, (const char *const[]){end, NULL});
    zt_next(p);
    if (strcmp(end, "endblock") == 0 && zt_at(p, ZT_LEX_NAME))
        zt_next(p);
    zt_expect(p, ZT_LEX_CLOSE);
    return body;
}

/* After a body that may have an else: the statements after that, NULL if there is none. */
static struct zt_node *parse_else(struct zt_parser *p, const char *end)
{
    if (zt_took_word(p, "else"))
        return parse_block_of(p, end);
    zt_next(p);
    zt_expect(p, ZT_LEX_CLOSE);
    return NULL;
}

/* ---- if, set, with and blocks --------------------------------------------------------------- */

/* a: test, b: body, c: else */
static enum zt_flow exec_if(struct zt_env *e, const struct zt_node *n)
{
    return exec(e, zt_is_true(zt_eval(e, n->a)) ? n->b : n->c);
}

static void parse_if(struct zt_parser *p, struct zt_node *n)
{
    const struct zt_node *unknown = p->unknown;

    n->exec = exec_if;
    n->a = zt_parse_tuple(p, 0, false);
    zt_expect(p, ZT_LEX_CLOSE);
    n->b = parse_body(p, (const char *const[]){"endif", "else", "elif", NULL});
    if (zt_at_word(p, "elif")) {
        zt_enter(p->e);
        n->c = zt_node(p);
        zt_next(p);
        parse_if(p, n->c);
        zt_leave(p->e);
    } else {
        n->c = parse_else(p, "endif");
    }
    p->unknown = unknown;
}

/* target a = b */
static enum zt_flow exec_set(struct zt_env *e, const struct zt_node *n)
{
    assign(e, n->a, zt_eval(e, n->b));
    return ZT_NEXT;
}

/* Set blocks and filter blocks: what body d prints, through the filters b (NULL: none), to target a
 * or printed. */
static enum zt_flow exec_captured(struct zt_env *e, const struct zt_node *n)
{
    enum zt_flow flow;
    struct zt_val v = capture(e, scope_new(e, e->scope), n->d, &flow);

    if (flow != ZT_NEXT)
        return flow;
    if (n->b) {
        e->block = v;
        v = zt_eval(e, n->b);
    }
    if (n->a)
        assign(e, n->a, v);
    else
        print(e, v);
    return ZT_NEXT;
}

static struct zt_node *parse_target(struct zt_parser *p)
{
    struct zt_node *tuple = zt_node(p), **tail = &tuple->a, *n;
    bool comma = false;

    do {
        if (zt_took(p, '(')) {
            n = parse_target(p);
            zt_expect(p, ')');
        } else if (tuple->a && !zt_at(p, ZT_LEX_NAME)) {
            break; /* a comma at the end */
        } else {
            n = zt_name_node(p, zt_expect(p, ZT_LEX_NAME));
            if (zt_took(p, '.')) {
                n->op = '.';
                n->val = zt_expect(p, ZT_LEX_NAME);
            } else if (zt_is(n->val, "true") || zt_is(n->val, "false") || zt_is(n->val, "none")) {
                zt_fail(p->e, "a constant cannot be assigned to");
            }
        }
        zt_append(&tail, n);
    } while (zt_took(p, ',') && (comma = true) && !zt_at_word(p, "in"));
    return comma ? tuple : tuple->a;
}

static void parse_set(struct zt_parser *p, struct zt_node *n)
{
    n->a = parse_target(p);
    if (zt_took(p, '=')) {
        n->exec = exec_set;
        n->b = zt_parse_tuple(p, 0, true);
        zt_expect(p, ZT_LEX_CLOSE);
        return;
    }
    n->exec = exec_captured;
    while (zt_took(p, '|'))
        n->b = zt_parse_filter(p, n->b);
    n->d = parse_block_of(p, "endset");
}

static void parse_filter_block(struct zt_parser *p, struct zt_node *n)
{
    n->exec = exec_captured;
    do
        n->b = zt_parse_filter(p, n->b);
    while (zt_took(p, '|'));
    n->d = parse_block_of(p, "endfilter");
}

/* d: body, in a scope of its own; op: one which sees the outermost names only */
static enum zt_flow exec_scope(struct zt_env *e, const struct zt_node *n)
{
    return exec_in(e, scope_new(e, n->op ? &e->root : e->scope), n->d);
}

static void parse_generation(struct zt_parser *p, struct zt_node *n)
{
    n->exec = exec_scope;
    n->d = parse_block_of(p, "endgeneration");
}

static void parse_block(struct zt_parser *p, struct zt_node *n)
{
    n->exec = exec_scope;
    zt_expect(p, ZT_LEX_NAME);
    n->op = !zt_took_word(p, "scoped");
    zt_took_word(p, "required");
    n->d = parse_block_of(p, "endblock");
}

/* a: names, b: values, d: body */
static enum zt_flow exec_with(struct zt_env *e, const struct zt_node *n)
{
    struct zt_scope *s = scope_new(e, e->scope);
    const struct zt_node *value = n->b;

    for (const struct zt_node *t = n->a; t; t = t->next, value = value->next)
        set_name(e, s, t->id, zt_eval(e, value));
    return exec_in(e, s, n->d);
}

static void parse_with(struct zt_parser *p, struct zt_node *n)
{
    struct zt_node **names = &n->a, **values = &n->b;

    n->exec = exec_with;
    while (!zt_at(p, ZT_LEX_CLOSE)) {
        if (n->a)
            zt_expect(p, ',');
        zt_append(&names, zt_name_node(p, zt_expect(p, ZT_LEX_NAME)));
        zt_expect(p, '=');
        zt_append(&values, zt_parse_expr(p, true));
    }
    n->d = parse_block_of(p, "endwith");
}

/* a, d: body */
static enum zt_flow exec_autoescape(struct zt_env *e, const struct zt_node *n)
{
    bool outer = e->autoescape;

    e->autoescape = zt_is_true(zt_eval(e, n->a));
    enum zt_flow flow = exec(e, n->d);
    e->autoescape = outer;
    return flow;
}

static void parse_autoescape(struct zt_parser *p, struct zt_node *n)
{
    n->exec = exec_autoescape;
    n->a = zt_parse_expr(p, true);
    n->d = parse_block_of(p, "endautoescape");
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
        if (zt_is_true(zt_eval(e, loop->node->c))) {
            bool tuple = loop->node->a->a != NULL; /* as it was unpacked */
            zt_push(e, loop->items, tuple ? zt_of_list(ZT_TUPLE, zt_items(e, v)) : v);
        }
        e->scope = outer;
    }
    return i < loop->items->n;
}

/* target a in b if c, d: body, uses... next of fn: else; op: recursive */
static enum zt_flow run_loop(struct zt_env *e, const struct zt_node *n, struct zt_val over,
                             struct zt_scope *around, int64_t depth0)
{
    struct zt_loop *loop = zt_alloc(e, 1, sizeof *loop);
    struct zt_scope *s = scope_new(e, around);
    enum zt_flow flow = ZT_NEXT;
    bool completed = false;

    *loop = (struct zt_loop){.node = n, .scope = around, .depth0 = depth0};
    loop->source = zt_items(e, over);
    loop->items = n->c ? zt_list_new(e, 0) : loop->source;
    loop->pos = n->c ? 0 : loop->source->n;
    for (; flow != ZT_BREAK && loop_has(e, loop, loop->i); loop->i++) {
        struct zt_scope *outer = e->scope;
        zt_step(e, 1);
        if (s->captured)
            s = scope_new(e, around);
        s->n = 0;
        set_name(e, s, ZT_ID_LOOP, (struct zt_val){.kind = ZT_LOOP, .u.loop = loop});
        e->scope = s;
        assign(e, n->a, loop->items->v[loop->i]);
        flow = exec(e, n->d);
        e->scope = outer;
        completed |= flow == ZT_NEXT;
    }
    if (completed || !n->els) /* as in jinja2: also when no turn came to its end */
        return ZT_NEXT;
    return exec_in(e, scope_new(e, around), n->els);
}

static enum zt_flow exec_for(struct zt_env *e, const struct zt_node *n)
{
    return run_loop(e, n, zt_eval(e, n->b), e->scope, 0);
}

struct zt_val zt_call_loop(struct zt_env *e, struct zt_loop *loop, const struct zt_args *a)
{
    struct zt_sb b = {.e = e}, *out = e->out;

    if (!loop->node->op || a->n != 1)
        zt_fail(e, "a loop can be called with one argument if it is recursive");
    e->out = &b;
    run_loop(e, loop->node, a->v[0], loop->scope, loop->depth0 + 1);
    e->out = out;
    return zt_markup(zt_take(&b), e->autoescape);
}

static int64_t loop_length(struct zt_env *e, struct zt_loop *loop)
{
    loop_has(e, loop, SIZE_MAX);
    return (int64_t)loop->items->n;
}

struct zt_val zt_loop_attr(struct zt_env *e, struct zt_loop *loop, struct zt_val name)
{
    int64_t i = (int64_t)loop->i;

    if (zt_is(name, "index") || zt_is(name, "index0"))
        return zt_int(i + (name.n == 5), true);
    if (zt_is(name, "first"))
        return zt_bool(i == 0);
    if (zt_is(name, "last"))
        return zt_bool(!loop_has(e, loop, loop->i + 1));
    if (zt_is(name, "length"))
        return zt_int(loop_length(e, loop), true);
    if (zt_is(name, "revindex") || zt_is(name, "revindex0"))
        return zt_int(loop_length(e, loop) - i - (name.n == 9), true);
    if (zt_is(name, "depth") || zt_is(name, "depth0"))
        return zt_int(loop->depth0 + (name.n == 5), true);
    if (zt_is(name, "previtem") && i > 0)
        return loop->items->v[i - 1];
    if (zt_is(name, "nextitem") && loop_has(e, loop, loop->i + 1))
        return loop->items->v[i + 1];
    return zt_undef(ZT_LOOP, name);
}

static void parse_for(struct zt_parser *p, struct zt_node *n)
{
    n->exec = exec_for;
    n->a = parse_target(p);
    if (!zt_took_word(p, "in"))
        zt_fail(p->e, "expected 'in', got %s", zt_here(p));
    n->b = zt_parse_tuple(p, 0, false);
    if (zt_took_word(p, "if"))
        n->c = zt_parse_expr(p, true);
    n->op = zt_took_word(p, "recursive");
    zt_expect(p, ZT_LEX_CLOSE);
    p->loops++;
    n->d = parse_body(p, (const char *const[]){"endfor", "else", NULL});
    p->loops--;
    n->els = parse_else(p, "endfor");
}

/* op: ZT_BREAK or ZT_CONTINUE */
static enum zt_flow exec_loop_control(struct zt_env *e, const struct zt_node *n)
{
    (void)e;
    return (enum zt_flow)n->op;
}

static void parse_loop_control(struct zt_parser *p, struct zt_node *n)
{
    n->exec = exec_loop_control;
    n->op = zt_is(p->at[-1].val, "break") ? ZT_BREAK : ZT_CONTINUE;
    if (p->loops == 0)
        zt_fail(p->e, "a break or continue outside of a loop");
    zt_expect(p, ZT_LEX_CLOSE);
}

/* ---- macros --------------------------------------------------------------------------------- */

/* The argument for parameter number i, NULL if it was not given. */
static const struct zt_val *macro_arg(struct zt_env *e, const struct zt_args *a,
                                      const struct zt_node *param, int i)
{
    return i < a->n ? &a->v[i] : zt_dict_get(e, a->kw, param->val);
}

/* The keywords that no parameter takes: those filled by position take none. */
static struct zt_dict *rest_of_keywords(struct zt_env *e, const struct zt_args *a,
                                        const struct zt_node *macro)
{
    struct zt_dict *rest = zt_dict_new(e);
    const struct zt_node *param = macro->a;
    bool takes_caller = macro->uses & (1u << ZT_ID_CALLER);

    for (int i = 0; param && i < a->n; i++)
        param = param->next;
    for (size_t k = 0; a->kw && k < a->kw->n; k++) {
        const struct zt_node *p = param;
        while (p && zt_compare(p->val, a->kw->e[k].k) != 0)
            p = p->next;
        if (!p && !(takes_caller && zt_is(a->kw->e[k].k, "caller")))
            zt_dict_set(e, rest, a->kw->e[k].k, a->kw->e[k].v);
    }
    return rest;
}

/* varargs, kwargs and caller, which a macro has if its body names them. */
static void bind_extras(struct zt_env *e, const struct zt_node *n, struct zt_scope *s,
                        const struct zt_args *a, int n_params)
{
    struct zt_dict *rest = rest_of_keywords(e, a, n);
    struct zt_val name = e->tmpl->names->e[ZT_ID_CALLER].k;
    const struct zt_val *caller = zt_dict_get(e, a->kw, name);

    if (n->uses & (1u << ZT_ID_CALLER))
        set_name(e, s, ZT_ID_CALLER, caller ? *caller : zt_undef(ZT_UNSET, name));
    if (n->uses & (1u << ZT_ID_KWARGS))
        set_name(e, s, ZT_ID_KWARGS, zt_of_dict(ZT_DICT, rest));
    else if (rest->n)
        zt_fail(e, "the macro takes no argument '%s'", zt_utf8(e, rest->e[0].k));
    int more = a->n > n_params ? a->n - n_params : 0;
    if (n->uses & (1u << ZT_ID_VARARGS))
        set_name(e, s, ZT_ID_VARARGS, zt_tuple(e, a->v + n_params, (size_t)more));
    else if (more)
        zt_fail(e, "the macro takes no more than %d arguments", n_params);
}

/* id, a: parameters (a name and, in b, its default), d: body, uses */
struct zt_val zt_call_macro(struct zt_env *e, const struct zt_macro *m, const struct zt_args *a)
{
    const struct zt_node *n = m->node;
    struct zt_scope *s = scope_new(e, m->scope), *outer = e->scope;
    enum zt_flow flow;
    int i = 0;

    for (const struct zt_node *p = n->a; p; p = p->next, i++) {
        const struct zt_val *v = macro_arg(e, a, p, i);
        set_name(e, s, p->id, v ? *v : zt_undef(ZT_UNSET, p->val));
    }
    bind_extras(e, n, s, a, i);
    e->scope = s;
    i = 0;
    for (const struct zt_node *p = n->a; p; p = p->next, i++)
        if (p->b && !macro_arg(e, a, p, i))
            set_name(e, s, p->id, zt_eval(e, p->b)); /* which sees the other parameters */
    e->scope = outer;
    return capture(e, s, n->d, &flow);
}

static struct zt_val macro_value(struct zt_env *e, const struct zt_node *n)
{
    struct zt_macro *m = zt_alloc(e, 1, sizeof *m);

    *m = (struct zt_macro){.node = n, .scope = e->scope};
    for (struct zt_scope *s = e->scope; s; s = s->parent)
        s->captured = true;
    return (struct zt_val){.kind = ZT_MACRO, .u.macro = m};
}

static enum zt_flow exec_macro(struct zt_env *e, const struct zt_node *n)
{
    set_name(e, e->scope, n->id, macro_value(e, n));
    return ZT_NEXT;
}

/* a: the call, b: a macro that is the caller */
static enum zt_flow exec_call_block(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val callee = zt_eval(e, n->a->a);
    struct zt_args a = zt_eval_args(e, n->a->b);

    zt_add_keyword(e, &a, zt_text(e, "caller", true), macro_value(e, n->b));
    print(e, zt_call(e, callee, &a));
    return ZT_NEXT;
}

/* After '(': parameters, and the closing bracket. */
static struct zt_node *parse_params(struct zt_parser *p)
{
    struct zt_node *params = NULL, **tail = &params;
    bool defaults = false;

    while (!zt_took(p, ')')) {
        if (params)
            zt_expect(p, ',');
        struct zt_node *param = zt_name_node(p, zt_expect(p, ZT_LEX_NAME));
        if (zt_took(p, '='))
            param->b = zt_parse_expr(p, true);
        else if (defaults)
            zt_fail(p->e, "a parameter without a default after one with it");
        defaults |= param->b != NULL;
        zt_append(&tail, param);
    }
    return params;
}

static void parse_macro_body(struct zt_parser *p, struct zt_node *n, const char *end)
{
    unsigned uses = p->uses;
    int loops = p->loops;

    p->uses = 0;
    p->loops = 0;
    n->d = parse_block_of(p, end);
    n->uses = p->uses;
    p->uses |= uses;
    p->loops = loops;
}

static void parse_macro(struct zt_parser *p, struct zt_node *n)
{
    struct zt_node *name = zt_name_node(p, zt_expect(p, ZT_LEX_NAME));

    n->exec = exec_macro;
    n->id = name->id;
    n->val = name->val;
    zt_expect(p, '(');
    n->a = parse_params(p);
    parse_macro_body(p, n, "endmacro");
}

static void parse_call_block(struct zt_parser *p, struct zt_node *n)
{
    n->exec = exec_call_block;
    n->b = zt_node(p);
    if (zt_took(p, '('))
        n->b->a = parse_params(p);
    n->a = zt_parse_expr(p, true);
    if (n->a->eval != zt_eval_call)
        zt_fail(p->e, "expected a call");
    parse_macro_body(p, n->b, "endcall");
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* After the begin of a tag. */
static struct zt_node *parse_statement(struct zt_parser *p)
{
    static const struct {
        const char *word;
        void (*parse)(struct zt_parser *, struct zt_node *);
    } tags[] = {
        {"if", parse_if},
        {"for", parse_for},
        {"set", parse_set},
        {"macro", parse_macro},
        {"call", parse_call_block},
        {"filter", parse_filter_block},
        {"with", parse_with},
        {"generation", parse_generation},
        {"break", parse_loop_control},
        {"continue", parse_loop_control},
        {"block", parse_block},
        {"autoescape", parse_autoescape},
    };

    for (unsigned i = 0; i < sizeof tags / sizeof *tags; i++)
        if (zt_at_word(p, tags[i].word)) {
            struct zt_node *n = zt_node(p);
            zt_next(p);
            tags[i].parse(p, n);
            return n;
        }
    zt_fail(p->e, "unknown tag %s", zt_here(p));
}

void zt_parse(struct zt_tmpl *t, const char *src, size_t len)
{
    static const char *const known[] = {"loop", "caller", "varargs", "kwargs"};
    struct zt_parser p = {.e = &t->env};

    p.at = zt_lex(p.e, src, len);
    p.ids = t->names = zt_dict_new(p.e);
    p.e->line = p.at->line;
    for (int i = 0; i <= ZT_ID_KWARGS; i++)
        zt_name_node(&p, zt_text(p.e, known[i], true));
    t->body = parse_body(&p, (const char *const[]){NULL});
    if (p.unknown) {
        p.e->line = p.unknown->line;
        zt_fail_unknown(p.e, p.unknown);
    }
}

void zt_run(struct zt_env *e)
{
    exec(e, e->tmpl->body);
}
