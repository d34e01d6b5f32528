/* SPDX-License-Identifier: MIT */
/* Expressions: for each construct how it is evaluated and, below, how it is read, with jinja2's
 * precedences. Names become numbers, filters and tests are looked up while reading, once. */
#include "zoracd/text/zt_tmpl_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- calls ---------------------------------------------------------------------------------- */

/* "name[:kind][=default|?|!]" of zt_builtin.params. */
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
static struct zt_val default_of(struct zt_env *e, const struct zt_builtin *fn,
                                const struct param *x)
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
        zt_add_ascii(&b, (char[]){x->dflt[i] == '_' ? ' ' : x->dflt[i], '\0'}, true);
    return zt_take(&b);
}

/* The value that a parameter gets, of its kind. */
static struct zt_val bind(struct zt_env *e, const struct zt_builtin *fn, const struct param *x,
                          struct zt_val v)
{
    bool optional = x->dflt && *x->dflt == '?';

    if (v.kind == ZT_UNSET || (optional && v.kind == ZT_NONE))
        return default_of(e, fn, x);
    switch (x->kind) {
    case 's':
        return zt_need_str(e, v);
    case 't':
        return zt_to_str(e, v);
    case 'i':
        return zt_int(zt_need_int(e, v), v.trusted);
    case 'b':
        return zt_bool(zt_is_true(v));
    default:
        return v;
    }
}

struct zt_val zt_call_builtin(struct zt_env *e, const struct zt_builtin *fn,
                              const struct zt_args *a)
{
    enum { MAX_PARAMS = 5 };
    struct zt_val v[MAX_PARAMS] = {{0}};
    struct zt_args bound = {.self = a->self, .v = v, .x = fn->x};
    size_t used = 0;

    if (!fn->params) {
        bound = *a;
        bound.x = fn->x;
        return fn->call(e, &bound);
    }
    for (const char *p = fn->params; *p; bound.n++) {
        struct param x = take_param(&p);
        ZC_BUG_ON(bound.n == MAX_PARAMS);
        struct zt_val given = bound.n < a->n ? a->v[bound.n] : ZT_NO_VALUE;
        for (size_t i = 0; a->kw && i < a->kw->n; i++) {
            char *name = zt_utf8(e, a->kw->e[i].k);
            if ((int)strlen(name) != x.name_len || memcmp(name, x.name, strlen(name)) != 0)
                continue;
            if (bound.n < a->n)
                zt_fail(e, "%s takes '%s' once", fn->name, name);
            given = a->kw->e[i].v;
            used++;
        }
        v[bound.n] = bind(e, fn, &x, given);
    }
    if (a->n > bound.n)
        zt_fail(e, "%s takes no more than %d arguments", fn->name, bound.n);
    if (a->kw && used < a->kw->n)
        zt_fail(e, "%s takes no argument of this name", fn->name);
    return fn->call(e, &bound);
}

void zt_add_keyword(struct zt_env *e, struct zt_args *a, struct zt_val name, struct zt_val v)
{
    a->kw = a->kw ? a->kw : zt_dict_new(e);
    if (zt_dict_get(e, a->kw, zt_need_str(e, name)))
        zt_fail(e, "the keyword argument '%s' is given twice", zt_utf8(e, name));
    zt_dict_set(e, a->kw, name, v);
}

/* An argument has its value in a; op: 0 positional, '=' keyword val, '*', ZT_LEX_POW for **. */
struct zt_args zt_eval_args(struct zt_env *e, const struct zt_node *arg)
{
    struct zt_list *l = zt_list_new(e, arg ? 4 : 0);
    struct zt_args a = {.self = {.kind = ZT_UNSET}};

    for (; arg; arg = arg->next) {
        struct zt_val v = zt_eval(e, arg->a);
        if (arg->op == 0)
            zt_push(e, l, v);
        else if (arg->op == '=')
            zt_add_keyword(e, &a, arg->val, v);
        else if (arg->op == ZT_LEX_POW && v.kind != ZT_DICT)
            zt_fail(e, "** needs a dict, got %s", zt_type_name(v));
        else if (arg->op == ZT_LEX_POW)
            for (size_t i = 0; i < v.u.d->n; i++)
                zt_add_keyword(e, &a, v.u.d->e[i].k, v.u.d->e[i].v);
        else
            for (size_t i = 0, n = (v = zt_of_list(ZT_LIST, zt_items(e, v))).u.l->n; i < n; i++)
                zt_push(e, l, v.u.l->v[i]);
    }
    a.v = l->v;
    a.n = (int)l->n;
    return a;
}

struct zt_val zt_call(struct zt_env *e, struct zt_val callee, const struct zt_args *a)
{
    struct zt_args with_self = *a;
    struct zt_val v;

    zt_enter(e);
    zt_need_defined(e, callee);
    if (callee.kind == ZT_FUNC) {
        with_self.self = callee.u.fn->self;
        v = zt_call_builtin(e, callee.u.fn->builtin, &with_self);
    } else if (callee.kind == ZT_MACRO) {
        v = zt_call_macro(e, callee.u.macro, a);
    } else if (callee.kind == ZT_LOOP) {
        v = zt_call_loop(e, callee.u.loop, a);
    } else if (callee.kind == ZT_JOINER) {
        /* the separator, but for the first time */
        v = callee.u.l->pos++ ? callee.u.l->v[0] : zt_text(e, "", true);
    } else {
        zt_fail(e, "%s cannot be called", zt_type_name(callee));
    }
    zt_leave(e);
    return v;
}

/* a ( b: arguments ) */
struct zt_val zt_eval_call(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val callee = zt_eval(e, n->a);
    struct zt_args a = zt_eval_args(e, n->b);

    e->line = n->line;
    return zt_call(e, callee, &a);
}

/* A filter or a test: fn with a (NULL in a filter block) and b: arguments. */
static struct zt_val eval_applied(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val self = n->a ? zt_eval(e, n->a) : e->block;
    struct zt_args a = zt_eval_args(e, n->b);

    if (!n->fn)
        zt_fail_unknown(e, n);
    a.self = self;
    return zt_call_builtin(e, n->fn, &a);
}

/* ---- members -------------------------------------------------------------------------------- */

struct zt_val zt_bind_method(struct zt_env *e, struct zt_val self, const struct zt_builtin *fn)
{
    struct zt_func *f = zt_alloc(e, 1, sizeof *f);

    if (!fn->call) {
        struct zt_val refused = zt_undef(self.kind, zt_text(e, fn->name, true));
        refused.unsafe = true;
        return refused;
    }
    *f = (struct zt_func){.builtin = fn, .self = self};
    return (struct zt_val){.kind = ZT_FUNC, .u.fn = f};
}

struct zt_val zt_get_attr(struct zt_env *e, struct zt_val obj, struct zt_val name, bool item)
{
    const struct zt_builtin *fn = zt_find_method(obj.kind, name);

    if (fn)
        return zt_bind_method(e, obj, fn);
    if (obj.kind == ZT_LOOP)
        return zt_loop_attr(e, obj.u.loop, name);
    if (obj.kind == ZT_MACRO && zt_is(name, "name"))
        return obj.u.macro->node->val;
    if (obj.kind == ZT_CYCLER && zt_is(name, "current"))
        return obj.u.l->v[obj.u.l->pos];
    if (obj.kind == ZT_TUPLE && obj.u.l->group && (zt_is(name, "grouper") || zt_is(name, "list")))
        return obj.u.l->v[zt_is(name, "list")];
    if (obj.kind == ZT_UNDEF && name.n > 1 && zt_is(zt_sub(name, 0, 2), "__"))
        return zt_undef(ZT_UNDEF, name);
    if (item || obj.kind == ZT_NAMESPACE)
        return zt_get_item(e, obj, name);
    return zt_undef(obj.kind, name);
}

/* a . val */
static struct zt_val eval_attr(struct zt_env *e, const struct zt_node *n)
{
    return zt_get_attr(e, zt_eval(e, n->a), n->val, true);
}

/* a [ b ] */
static struct zt_val eval_item(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val obj = zt_eval(e, n->a), k = zt_eval(e, n->b), v = zt_get_item(e, obj, k);

    return v.kind == ZT_UNDEF && k.kind == ZT_STR ? zt_get_attr(e, obj, k, false) : v;
}

/* a [ b : c : d ], each of b, c, d NULL if not given */
static struct zt_val eval_slice(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val v = zt_eval(e, n->a), from = n->b ? zt_eval(e, n->b) : ZT_NO_VALUE;
    struct zt_val to = n->c ? zt_eval(e, n->c) : ZT_NO_VALUE;

    return zt_get_slice(e, v, from, to, n->d ? zt_eval(e, n->d) : ZT_NO_VALUE);
}

/* ---- constants and operators ---------------------------------------------------------------- */

static struct zt_val eval_const(struct zt_env *e, const struct zt_node *n)
{
    (void)e;
    return n->val;
}

static struct zt_val eval_name(struct zt_env *e, const struct zt_node *n)
{
    return zt_get_name(e, n->id);
}

/* a: items */
static struct zt_val eval_list(struct zt_env *e, const struct zt_node *n)
{
    struct zt_list *l = zt_list_new(e, 4);

    for (const struct zt_node *item = n->a; item; item = item->next)
        zt_push(e, l, zt_eval(e, item));
    return zt_of_list(n->op == '[' ? ZT_LIST : ZT_TUPLE, l);
}

/* a: keys and values in turn */
static struct zt_val eval_dict(struct zt_env *e, const struct zt_node *n)
{
    struct zt_dict *d = zt_dict_new(e);

    for (const struct zt_node *k = n->a; k; k = k->next->next) {
        struct zt_val key = zt_eval(e, k);
        zt_dict_set(e, d, key, zt_eval(e, k->next));
    }
    return zt_of_dict(ZT_DICT, d);
}

static struct zt_val eval_not(struct zt_env *e, const struct zt_node *n)
{
    return zt_bool(!zt_is_true(zt_eval(e, n->a)));
}

static struct zt_val eval_sign(struct zt_env *e, const struct zt_node *n)
{
    return zt_sign(e, zt_eval(e, n->a), n->op);
}

static struct zt_val eval_and(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val v = zt_eval(e, n->a);

    return zt_is_true(v) ? zt_eval(e, n->b) : v;
}

static struct zt_val eval_or(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val v = zt_eval(e, n->a);

    return zt_is_true(v) ? v : zt_eval(e, n->b);
}

/* b if a else c, c may be NULL */
static struct zt_val eval_if_else(struct zt_env *e, const struct zt_node *n)
{
    if (zt_is_true(zt_eval(e, n->a)))
        return zt_eval(e, n->b);
    return n->c ? zt_eval(e, n->c) : zt_undef(ZT_UNSET, zt_text(e, "else", true));
}

static struct zt_val eval_binary(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val a = zt_eval(e, n->a);

    return zt_binary(e, n->op, a, zt_eval(e, n->b));
}

static struct zt_val eval_concat(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val a = zt_to_str(e, zt_eval(e, n->a)), b = zt_to_str(e, zt_eval(e, n->b));

    return e->autoescape ? zt_binary(e, '+', a, b) : zt_concat(e, a, b);
}

/* a, then b: operands, each with its op ('i' in, 'o' not in) and expression a */
static struct zt_val eval_compare(struct zt_env *e, const struct zt_node *n)
{
    struct zt_val a = zt_eval(e, n->a);
    bool is = true;

    for (const struct zt_node *op = n->b; op && is; op = op->next) {
        struct zt_val b = zt_eval(e, op->a);
        is = op->op == 'i' || op->op == 'o' ? zt_is_in(e, a, b) == (op->op == 'i')
                                            : zt_is_ordered(e, op->op, a, b);
        a = b;
    }
    return zt_bool(is);
}

struct zt_val zt_eval(struct zt_env *e, const struct zt_node *n)
{
    if (n->eval == eval_const)
        return n->val;
    zt_step(e, 1);
    zt_enter(e);
    struct zt_val v = n->eval(e, n);
    zt_leave(e);
    return v;
}

/* ---- reading: what stands alone ------------------------------------------------------------- */

typedef struct zt_val eval_fn(struct zt_env *, const struct zt_node *);

static struct zt_node *make(struct zt_parser *p, eval_fn *eval, struct zt_node *a,
                            struct zt_node *b)
{
    struct zt_node *n = zt_node(p);

    n->eval = eval;
    n->a = a;
    n->b = b;
    return n;
}

static struct zt_node *constant(struct zt_parser *p, struct zt_val v)
{
    struct zt_node *n = make(p, eval_const, NULL, NULL);

    n->val = v;
    n->val.trusted = true;
    return n;
}

struct zt_node *zt_parse_tuple(struct zt_parser *p, int close, bool conditional)
{
    struct zt_node *tuple = make(p, eval_list, NULL, NULL), **tail = &tuple->a;
    bool comma = false;

    for (;;) {
        bool ends = close ? zt_at(p, close)
                          : zt_at(p, ZT_LEX_CLOSE) || zt_at(p, '=') || zt_at_word(p, "in") ||
                                zt_at_word(p, "recursive");
        if (ends)
            break;
        zt_append(&tail, zt_parse_expr(p, conditional));
        if (!zt_took(p, ','))
            break;
        comma = true;
    }
    if (!comma && tuple->a)
        return tuple->a;
    if (!tuple->a && close != ')')
        zt_fail(p->e, "expected an expression, got %s", zt_here(p));
    return tuple;
}

/* After '[' or '{': items up to the closing bracket. */
static struct zt_node *parse_items(struct zt_parser *p, eval_fn *eval, int close)
{
    struct zt_node *list = make(p, eval, NULL, NULL), **tail = &list->a;

    list->op = '[';
    while (!zt_took(p, close)) {
        if (list->a) {
            zt_expect(p, ',');
            if (zt_took(p, close))
                break;
        }
        zt_append(&tail, zt_parse_expr(p, true));
        if (close == '}') {
            zt_expect(p, ':');
            zt_append(&tail, zt_parse_expr(p, true));
        }
    }
    return list;
}

struct zt_node *zt_name_node(struct zt_parser *p, struct zt_val name)
{
    const struct zt_val *id = zt_dict_get(p->e, p->ids, name);
    struct zt_node *n = make(p, eval_name, NULL, NULL);

    n->id = id ? (int)id->u.i : (int)p->ids->n;
    n->val = name;
    if (!id)
        zt_dict_set(p->e, p->ids, name, zt_int(n->id, true));
    return n;
}

static struct zt_node *parse_name(struct zt_parser *p)
{
    static const char *const words[] = {"true", "True", "false", "False", "none", "None"};
    struct zt_val name = zt_expect(p, ZT_LEX_NAME);

    for (unsigned i = 0; i < 6; i++)
        if (zt_is(name, words[i]))
            return constant(p, i < 4 ? zt_bool(i < 2) : ZT_NONE_VALUE);
    struct zt_node *n = zt_name_node(p, name);
    if (n->id <= ZT_ID_KWARGS)
        p->uses |= 1u << n->id;
    return n;
}

static struct zt_node *parse_primary(struct zt_parser *p)
{
    struct zt_sb b = {.e = p->e};
    struct zt_node *n;

    if (zt_at(p, ZT_LEX_NAME))
        return parse_name(p);
    if (zt_at(p, ZT_LEX_STRING)) {
        for (; zt_at(p, ZT_LEX_STRING); zt_next(p))
            zt_add(&b, p->at->val); /* 'a' 'b' is one string */
        return constant(p, zt_take(&b));
    }
    if (zt_at(p, ZT_LEX_NUMBER)) {
        n = constant(p, p->at->val);
        zt_next(p);
        return n;
    }
    if (zt_took(p, '(')) {
        n = zt_parse_tuple(p, ')', true);
        zt_expect(p, ')');
        return n;
    }
    if (zt_took(p, '['))
        return parse_items(p, eval_list, ']');
    if (zt_took(p, '{'))
        return parse_items(p, eval_dict, '}');
    zt_fail(p->e, "expected an expression, got %s", zt_here(p));
}

/* ---- reading: what follows ------------------------------------------------------------------ */

/* After '(': arguments, and the closing bracket. */
static struct zt_node *parse_args(struct zt_parser *p)
{
    struct zt_node *args = NULL, **tail = &args;
    bool keywords = false;

    while (!zt_took(p, ')')) {
        if (args) {
            zt_expect(p, ',');
            if (zt_took(p, ')'))
                break;
        }
        struct zt_node *arg = zt_node(p);
        if (zt_at(p, '*') || zt_at(p, ZT_LEX_POW)) {
            arg->op = p->at->is;
            zt_next(p);
        } else if (zt_at(p, ZT_LEX_NAME) && p->at[1].is == '=') {
            arg->op = '=';
            arg->val = zt_expect(p, ZT_LEX_NAME);
            zt_next(p);
        }
        if (keywords && (arg->op == 0 || arg->op == '*'))
            zt_fail(p->e, "a positional argument after a keyword argument");
        keywords |= arg->op == '=' || arg->op == ZT_LEX_POW;
        arg->a = zt_parse_expr(p, true);
        zt_append(&tail, arg);
    }
    return args;
}

/* After '[': an index, a slice, or a tuple of indexes. */
static struct zt_node *parse_subscript(struct zt_parser *p, struct zt_node *of)
{
    struct zt_node *parts[3] = {NULL}, *n;
    int n_parts = 0;

    for (bool more = true; more && n_parts < 3; n_parts++) {
        if (!zt_at(p, ':') && !zt_at(p, ']'))
            parts[n_parts] = n_parts ? zt_parse_expr(p, true) : zt_parse_tuple(p, ']', true);
        more = zt_took(p, ':');
    }
    zt_expect(p, ']');
    if (n_parts == 1 && !parts[0])
        zt_fail(p->e, "expected an expression, got ']'");
    n = make(p, n_parts == 1 ? eval_item : eval_slice, of, parts[0]);
    n->c = parts[1];
    n->d = parts[2];
    return n;
}

static struct zt_node *parse_postfix(struct zt_parser *p, struct zt_node *n)
{
    for (;;) {
        if (zt_took(p, '[')) {
            n = parse_subscript(p, n);
        } else if (zt_took(p, '(')) {
            n = make(p, zt_eval_call, n, NULL);
            n->b = parse_args(p);
        } else if (!zt_took(p, '.')) {
            return n;
        } else if (zt_at(p, ZT_LEX_NUMBER) && p->at->val.kind == ZT_INT) {
            n = make(p, eval_item, n, constant(p, p->at->val));
            zt_next(p);
        } else {
            n = make(p, eval_attr, n, NULL);
            n->val = zt_expect(p, ZT_LEX_NAME);
        }
    }
}

/* The name of a filter or test, which may have dots. One that is unknown is an error at once only
 * where no if can avoid it, as in jinja2. */
static struct zt_node *parse_applied(struct zt_parser *p, struct zt_node *of,
                                     const struct zt_builtin *(*find)(struct zt_val))
{
    struct zt_node *n = make(p, eval_applied, of, NULL);
    struct zt_val dot = zt_text(p->e, ".", true);

    n->op = find == zt_find_filter ? '|' : '?';
    n->val = zt_expect(p, ZT_LEX_NAME);
    while (zt_took(p, '.'))
        n->val = zt_concat(p->e, zt_concat(p->e, n->val, dot), zt_expect(p, ZT_LEX_NAME));
    n->fn = find(n->val);
    if (!n->fn)
        p->unknown = n;
    return n;
}

void zt_fail_unknown(struct zt_env *e, const struct zt_node *n)
{
    zt_fail(e, "unknown %s '%s'", n->op == '|' ? "filter" : "test", zt_utf8(e, n->val));
}

struct zt_node *zt_parse_filter(struct zt_parser *p, struct zt_node *of)
{
    struct zt_node *n = parse_applied(p, of, zt_find_filter);

    if (zt_took(p, '('))
        n->b = parse_args(p);
    return n;
}

/* After "is": one argument may follow without brackets. */
static struct zt_node *parse_test(struct zt_parser *p, struct zt_node *of)
{
    bool negated = zt_took_word(p, "not");
    struct zt_node *n = parse_applied(p, of, zt_find_test);

    if (zt_took(p, '(')) {
        n->b = parse_args(p);
    } else if (zt_at(p, ZT_LEX_STRING) || zt_at(p, ZT_LEX_NUMBER) || zt_at(p, '[') ||
               zt_at(p, '{') ||
               (zt_at(p, ZT_LEX_NAME) && !zt_at_word(p, "else") && !zt_at_word(p, "or") &&
                !zt_at_word(p, "and"))) {
        if (zt_at_word(p, "is"))
            zt_fail(p->e, "tests with 'is' cannot be chained");
        n->b = zt_node(p);
        n->b->a = parse_postfix(p, parse_primary(p));
    }
    return negated ? make(p, eval_not, n, NULL) : n;
}

/* ---- reading: operators --------------------------------------------------------------------- */

static struct zt_node *parse_unary(struct zt_parser *p, bool filters)
{
    struct zt_node *n;
    int sign = zt_took(p, '-') ? '-' : zt_took(p, '+') ? '+' : 0;

    zt_enter(p->e);
    if (sign) {
        n = make(p, eval_sign, parse_unary(p, false), NULL);
        n->op = sign;
    } else {
        n = parse_primary(p);
    }
    n = parse_postfix(p, n);
    while (filters) {
        if (zt_took(p, '|'))
            n = zt_parse_filter(p, n);
        else if (zt_took_word(p, "is"))
            n = parse_test(p, n);
        else if (zt_at(p, '('))
            n = parse_postfix(p, n);
        else
            break;
    }
    zt_leave(p->e);
    return n;
}

enum { LEVEL_NOT = 3, LEVEL_COMPARISON = 4, LEVEL_UNARY = 9 };

/* Left-associative operators, from the loosest level to the tightest. */
static const struct infix {
    int level;
    const char *word; /* NULL: op */
    int op;
    eval_fn *eval;
} infixes[] = {
    {1, "or", 0, eval_or},       {2, "and", 0, eval_and},
    {5, NULL, '+', eval_binary}, {5, NULL, '-', eval_binary},
    {6, NULL, '~', eval_concat}, {7, NULL, '*', eval_binary},
    {7, NULL, '/', eval_binary}, {7, NULL, ZT_LEX_FLOORDIV, eval_binary},
    {7, NULL, '%', eval_binary}, {8, NULL, ZT_LEX_POW, eval_binary},
};

/* The operator of this level that stands here, taken; NULL if none does. */
static const struct infix *took_infix(struct zt_parser *p, int level)
{
    for (unsigned i = 0; i < sizeof infixes / sizeof *infixes; i++) {
        const struct infix *x = &infixes[i];
        if (x->level == level && (x->word ? zt_took_word(p, x->word) : zt_took(p, x->op)))
            return x;
    }
    return NULL;
}

/* The comparison that stands here, taken; 0 if none does. */
static int took_comparison(struct zt_parser *p)
{
    static const int ops[] = {ZT_LEX_EQ, ZT_LEX_NE, ZT_LEX_LE, ZT_LEX_GE, '<', '>'};

    for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++)
        if (zt_took(p, ops[i]))
            return ops[i];
    if (zt_took_word(p, "in"))
        return 'i';
    if (!zt_at_word(p, "not") || p->at[1].is != ZT_LEX_NAME || !zt_is(p->at[1].val, "in"))
        return 0;
    zt_next(p);
    zt_next(p);
    return 'o';
}

static struct zt_node *parse_level(struct zt_parser *p, int level)
{
    const struct infix *x;
    struct zt_node *n, **tail;

    if (level == LEVEL_UNARY)
        return parse_unary(p, true);
    if (level == LEVEL_NOT && zt_took_word(p, "not")) {
        zt_enter(p->e);
        n = make(p, eval_not, parse_level(p, LEVEL_NOT), NULL);
        zt_leave(p->e);
        return n;
    }
    n = parse_level(p, level + 1);
    if (level == LEVEL_COMPARISON) {
        int op = took_comparison(p);
        n = op ? make(p, eval_compare, n, NULL) : n;
        for (tail = &n->b; op; op = took_comparison(p)) {
            struct zt_node *operand = make(p, NULL, parse_level(p, level + 1), NULL);
            operand->op = op;
            zt_append(&tail, operand);
        }
    }
    while ((x = took_infix(p, level))) {
        n = make(p, x->eval, n, parse_level(p, level + 1));
        n->op = x->op;
    }
    return n;
}

struct zt_node *zt_parse_expr(struct zt_parser *p, bool conditional)
{
    const struct zt_node *unknown = p->unknown;

    zt_enter(p->e);
    struct zt_node *n = parse_level(p, 1);
    while (conditional && zt_took_word(p, "if")) {
        struct zt_node *test = parse_level(p, 1);
        n = make(p, eval_if_else, test, n);
        n->c = zt_took_word(p, "else") ? zt_parse_expr(p, true) : NULL;
        p->unknown = unknown;
    }
    zt_leave(p->e);
    return n;
}
