/* SPDX-License-Identifier: MIT */
/* Lexemes to a tree: jinja2's grammar with its precedences, the tags of its core, loop controls and
 * Hugging Face's generation block. Names become numbers, filters, tests and methods are looked up
 * here, once. Tags that need other templates (include, import, extends) are refused. */
#include "zoracd/text/zt_tmpl_internal.h"

#include <stdio.h>
#include <string.h>

struct parser {
    struct zt_env *e;
    struct zt_lexeme *at;
    struct zt_dict *ids; /* name to number */
    int loops;           /* around here, in this macro */
    unsigned uses;       /* of enum zt_name_id, as bits: by the macro around here */
    /* the last filter or test that nobody knows and no if can avoid */
    const struct zt_node *unknown;
};

static struct zt_node *parse_expr(struct parser *p);
static struct zt_node *parse_or(struct parser *p);
static struct zt_node *parse_unary(struct parser *p, bool filters);
static struct zt_node *parse_statement(struct parser *p);

/* ---- lexemes -------------------------------------------------------------------------------- */

static struct zt_node *node(struct parser *p, enum zt_node_type type)
{
    struct zt_node *n = zt_alloc(p->e, 1, sizeof *n);

    n->type = type;
    n->line = p->at->line;
    return n;
}

/* What stands here, for messages. */
static const char *here(struct parser *p)
{
    static const char *const types[] = {"text",          "a name",        "a constant", "",
                                        "a tag's begin", "the tag's end", "the end"};

    if (p->at->type != ZT_LEX_OP && p->at->type != ZT_LEX_NAME)
        return types[p->at->type];
    char *text = zt_alloc(p->e, 1, p->at->val.u.s->len + 3);
    sprintf(text, "'%.*s'", ZT_S(p->at->val.u.s));
    return text;
}

static void next(struct parser *p)
{
    if (p->at->type != ZT_LEX_END)
        p->at++;
    p->e->line = p->at->line;
}

static bool is_op(const struct parser *p, char op)
{
    return p->at->type == ZT_LEX_OP && p->at->op == op;
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->at->type == ZT_LEX_NAME && zt_str_is(p->at->val.u.s, word);
}

static bool took_op(struct parser *p, char op)
{
    bool is = is_op(p, op);

    if (is)
        next(p);
    return is;
}

static bool took_word(struct parser *p, const char *word)
{
    bool is = is_word(p, word);

    if (is)
        next(p);
    return is;
}

static void expect_op(struct parser *p, char op)
{
    if (!took_op(p, op))
        zt_fail(p->e, "expected '%c', got %s", op, here(p));
}

static void expect_close(struct parser *p)
{
    if (p->at->type != ZT_LEX_CLOSE)
        zt_fail(p->e, "expected the tag's end, got %s", here(p));
    next(p);
}

static const struct zt_str *expect_name(struct parser *p)
{
    const struct zt_str *s = p->at->val.u.s;

    if (p->at->type != ZT_LEX_NAME)
        zt_fail(p->e, "expected a name, got %s", here(p));
    next(p);
    return s;
}

/* The number of a name. */
static int intern(struct parser *p, const struct zt_str *name)
{
    const struct zt_val *id = zt_dict_get(p->e, p->ids, zt_of_str(name));

    if (id)
        return (int)id->u.i;
    zt_dict_set(p->e, p->ids, zt_of_str(name), zt_int((int64_t)p->ids->n, true));
    return (int)p->ids->n - 1;
}

/* Appends n to the list that **tail ends. */
static void append(struct zt_node ***tail, struct zt_node *n)
{
    **tail = n;
    *tail = &n->next;
}

/* ---- expressions ---------------------------------------------------------------------------- */

static struct zt_node *binary(struct parser *p, enum zt_node_type type, char op, struct zt_node *a,
                              struct zt_node *b)
{
    struct zt_node *n = node(p, type);

    n->op = op;
    n->a = a;
    n->b = b;
    return n;
}

static struct zt_node *constant(struct parser *p, struct zt_val v)
{
    struct zt_node *n = node(p, ZT_N_CONST);

    n->val = v;
    n->val.trusted = true;
    return n;
}

static struct zt_node *name_node(struct parser *p, const struct zt_str *s)
{
    struct zt_node *n = node(p, ZT_N_NAME);

    n->id = intern(p, s);
    n->val = zt_of_str(s);
    return n;
}

/* expr, expr, ... up to a closing bracket (0: as far as there are expressions): a tuple, or the
 * one expression when there is no comma. */
static struct zt_node *parse_tuple(struct parser *p, char close, bool conditional)
{
    struct zt_node *tuple = node(p, ZT_N_TUPLE), **tail = &tuple->a;
    bool comma = false;

    for (;;) {
        bool ends = close ? is_op(p, close)
                          : p->at->type == ZT_LEX_CLOSE || is_op(p, '=') || is_word(p, "in") ||
                                is_word(p, "recursive");
        if (ends)
            break;
        append(&tail, conditional ? parse_expr(p) : parse_or(p));
        if (!took_op(p, ','))
            break;
        comma = true;
    }
    if (!comma && tuple->a)
        return tuple->a;
    if (!tuple->a && close != ')')
        zt_fail(p->e, "expected an expression, got %s", here(p));
    return tuple;
}

static struct zt_node *parse_list(struct parser *p, enum zt_node_type type, char close)
{
    struct zt_node *list = node(p, type), **tail = &list->a;

    while (!is_op(p, close)) {
        if (list->a) {
            expect_op(p, ',');
            if (is_op(p, close))
                break;
        }
        append(&tail, parse_expr(p));
        if (type == ZT_N_DICT) {
            expect_op(p, ':');
            append(&tail, parse_expr(p));
        }
    }
    next(p);
    return list;
}

static struct zt_node *parse_name(struct parser *p)
{
    static const char *const words[] = {"true", "True", "false", "False", "none", "None"};
    const struct zt_str *s = p->at->val.u.s;
    struct zt_node *n = NULL;

    for (unsigned i = 0; i < 6 && !n; i++)
        if (zt_str_is(s, words[i]))
            n = constant(p, i < 4 ? zt_bool(i < 2) : zt_none());
    if (!n)
        n = name_node(p, s);
    if (n->type == ZT_N_NAME && n->id <= ZT_ID_KWARGS)
        p->uses |= 1 << n->id;
    next(p);
    return n;
}

static struct zt_node *parse_primary(struct parser *p)
{
    struct zt_node *n;
    struct zt_sb b;

    if (p->at->type == ZT_LEX_NAME)
        return parse_name(p);
    if (p->at->type == ZT_LEX_CONST && p->at->val.kind == ZT_STR) {
        zt_sb_init(&b, p->e);
        for (; p->at->type == ZT_LEX_CONST && p->at->val.kind == ZT_STR; next(p))
            zt_sb_add_str(&b, p->at->val.u.s); /* 'a' 'b' is one string */
        return constant(p, zt_sb_take_val(&b));
    }
    if (p->at->type == ZT_LEX_CONST) {
        n = constant(p, p->at->val);
        next(p);
        return n;
    }
    if (took_op(p, '(')) {
        n = parse_tuple(p, ')', true);
        expect_op(p, ')');
        return n;
    }
    if (took_op(p, '['))
        return parse_list(p, ZT_N_LIST, ']');
    if (took_op(p, '{'))
        return parse_list(p, ZT_N_DICT, '}');
    zt_fail(p->e, "expected an expression, got %s", here(p));
}

/* After '(': arguments, and the closing bracket. */
static struct zt_node *parse_args(struct parser *p)
{
    struct zt_node *args = NULL, **tail = &args;
    bool keywords = false;

    while (!is_op(p, ')')) {
        if (args) {
            expect_op(p, ',');
            if (is_op(p, ')'))
                break;
        }
        struct zt_node *arg = node(p, ZT_N_ARG);
        if (is_op(p, '*') || is_op(p, ZT_OP_POW)) {
            arg->op = p->at->op;
            next(p);
        } else if (p->at->type == ZT_LEX_NAME && p->at[1].type == ZT_LEX_OP && p->at[1].op == '=') {
            arg->op = '=';
            arg->val = p->at->val;
            next(p);
            next(p);
        }
        if (keywords && (arg->op == 0 || arg->op == '*'))
            zt_fail(p->e, "a positional argument after a keyword argument");
        keywords |= arg->op == '=' || arg->op == ZT_OP_POW;
        arg->a = parse_expr(p);
        append(&tail, arg);
    }
    next(p);
    return args;
}

/* After '[': an index, a slice, or a tuple of indexes. */
static struct zt_node *parse_subscript(struct parser *p, struct zt_node *of)
{
    struct zt_node *parts[3] = {NULL}, *n;
    int n_parts = 0;

    for (bool more = true; more && n_parts < 3; n_parts++) {
        if (!is_op(p, ':') && !is_op(p, ']'))
            parts[n_parts] = n_parts ? parse_expr(p) : parse_tuple(p, ']', true);
        more = took_op(p, ':');
    }
    expect_op(p, ']');
    if (n_parts == 1 && !parts[0])
        zt_fail(p->e, "expected an expression, got ']'");
    if (n_parts == 1)
        return binary(p, ZT_N_ITEM, 0, of, parts[0]);
    n = binary(p, ZT_N_SLICE, 0, of, parts[0]);
    n->c = parts[1];
    n->d = parts[2];
    return n;
}

static struct zt_node *parse_attr(struct parser *p, struct zt_node *of)
{
    if (p->at->type == ZT_LEX_CONST && p->at->val.kind == ZT_INT) {
        struct zt_node *index = constant(p, p->at->val);
        next(p);
        return binary(p, ZT_N_ITEM, 0, of, index);
    }
    struct zt_node *n = binary(p, ZT_N_ATTR, 0, of, NULL);
    n->val = zt_of_str(expect_name(p));
    n->of_dict = zt_find_method(ZT_DICT, n->val.u.s);
    n->of_str = zt_find_method(ZT_STR, n->val.u.s);
    return n;
}

static struct zt_node *parse_call(struct parser *p, struct zt_node *callee)
{
    struct zt_node *n = binary(p, ZT_N_CALL, 0, callee, NULL);

    n->b = parse_args(p);
    return n;
}

static struct zt_node *parse_postfix(struct parser *p, struct zt_node *n)
{
    for (;;) {
        if (took_op(p, '.'))
            n = parse_attr(p, n);
        else if (took_op(p, '['))
            n = parse_subscript(p, n);
        else if (took_op(p, '('))
            n = parse_call(p, n);
        else
            return n;
    }
}

/* The name of a filter or test, which may have dots. One that is unknown is an error at once only
 * where no if can avoid it, as in jinja2. */
static void parse_fn(struct parser *p, struct zt_node *n,
                     const struct zt_builtin *(*find)(const struct zt_str *))
{
    struct zt_sb name;

    zt_sb_init(&name, p->e);
    zt_sb_add_str(&name, expect_name(p));
    while (took_op(p, '.')) {
        zt_sb_adds(&name, ".", true);
        zt_sb_add_str(&name, expect_name(p));
    }
    n->val = zt_sb_take_val(&name);
    n->fn = find(n->val.u.s);
    if (!n->fn)
        p->unknown = n;
}

static struct zt_node *parse_test(struct parser *p, struct zt_node *of)
{
    bool negated = took_word(p, "not");
    struct zt_node *n = binary(p, ZT_N_TEST, 0, of, NULL);

    parse_fn(p, n, zt_find_test);
    if (took_op(p, '(')) {
        n->b = parse_args(p);
    } else if (p->at->type == ZT_LEX_CONST || is_op(p, '(') || is_op(p, '[') || is_op(p, '{') ||
               (p->at->type == ZT_LEX_NAME && !is_word(p, "else") && !is_word(p, "or") &&
                !is_word(p, "and"))) {
        if (is_word(p, "is"))
            zt_fail(p->e, "tests with 'is' cannot be chained");
        n->b = node(p, ZT_N_ARG);
        n->b->a = parse_postfix(p, parse_primary(p));
    }
    return negated ? binary(p, ZT_N_NOT, 0, n, NULL) : n;
}

/* After '|': one filter. */
static struct zt_node *parse_filter(struct parser *p, struct zt_node *of)
{
    struct zt_node *n = binary(p, ZT_N_FILTER, 0, of, NULL);

    parse_fn(p, n, zt_find_filter);
    if (took_op(p, '('))
        n->b = parse_args(p);
    return n;
}

static struct zt_node *parse_filters(struct parser *p, struct zt_node *n)
{
    for (;;) {
        if (took_op(p, '|'))
            n = parse_filter(p, n);
        else if (took_word(p, "is"))
            n = parse_test(p, n);
        else if (took_op(p, '('))
            n = parse_call(p, n);
        else
            return n;
    }
}

static struct zt_node *parse_unary(struct parser *p, bool filters)
{
    struct zt_node *n;

    zt_enter(p->e);
    if (is_op(p, '-') || is_op(p, '+')) {
        n = node(p, ZT_N_SIGN);
        n->op = p->at->op;
        next(p);
        n->a = parse_unary(p, false);
    } else {
        n = parse_primary(p);
    }
    n = parse_postfix(p, n);
    zt_leave(p->e);
    return filters ? parse_filters(p, n) : n;
}

/* Left-associative operators from the loosest level to the tightest. */
static struct zt_node *parse_binary(struct parser *p, int level)
{
    static const char levels[][4] = {
        {'+', '-'}, {'~'}, {'*', '/', ZT_OP_FLOORDIV, '%'}, {ZT_OP_POW}};
    enum { N_LEVELS = sizeof levels / sizeof *levels };

    if (level == N_LEVELS)
        return parse_unary(p, true);
    struct zt_node *n = parse_binary(p, level + 1);
    while (p->at->type == ZT_LEX_OP && memchr(levels[level], p->at->op, sizeof *levels)) {
        char op = p->at->op;
        next(p);
        n = binary(p, ZT_N_BINARY, op, n, parse_binary(p, level + 1));
    }
    return n;
}

/* The comparison operator that stands here, taken; 0 if none does. */
static char took_comparison(struct parser *p)
{
    static const char ops[] = {ZT_OP_EQ, ZT_OP_NE, ZT_OP_LE, ZT_OP_GE, '<', '>'};

    for (unsigned i = 0; i < sizeof ops; i++)
        if (took_op(p, ops[i]))
            return ops[i];
    if (took_word(p, "in"))
        return ZT_OP_IN;
    if (is_word(p, "not") && p->at[1].type == ZT_LEX_NAME && zt_str_is(p->at[1].val.u.s, "in")) {
        next(p);
        next(p);
        return ZT_OP_NOT_IN;
    }
    return 0;
}

static struct zt_node *parse_comparison(struct parser *p)
{
    struct zt_node *first = parse_binary(p, 0), *n = NULL, **tail = NULL;

    for (char op; (op = took_comparison(p));) {
        if (!n) {
            n = binary(p, ZT_N_COMPARE, 0, first, NULL);
            tail = &n->b;
        }
        append(&tail, binary(p, ZT_N_ARG, op, parse_binary(p, 0), NULL));
    }
    return n ? n : first;
}

static struct zt_node *parse_not(struct parser *p)
{
    if (!took_word(p, "not"))
        return parse_comparison(p);
    zt_enter(p->e);
    struct zt_node *n = binary(p, ZT_N_NOT, 0, parse_not(p), NULL);
    zt_leave(p->e);
    return n;
}

static struct zt_node *parse_and(struct parser *p)
{
    struct zt_node *n = parse_not(p);

    while (took_word(p, "and"))
        n = binary(p, ZT_N_AND, 0, n, parse_not(p));
    return n;
}

static struct zt_node *parse_or(struct parser *p)
{
    struct zt_node *n = parse_and(p);

    while (took_word(p, "or"))
        n = binary(p, ZT_N_OR, 0, n, parse_and(p));
    return n;
}

static struct zt_node *parse_expr(struct parser *p)
{
    const struct zt_node *unknown = p->unknown;

    zt_enter(p->e);
    struct zt_node *n = parse_or(p);
    while (took_word(p, "if")) {
        struct zt_node *test = parse_or(p);
        n = binary(p, ZT_N_IF_ELSE, 0, test, n);
        n->c = took_word(p, "else") ? parse_expr(p) : NULL;
        p->unknown = unknown;
    }
    zt_leave(p->e);
    return n;
}

/* ---- statements ----------------------------------------------------------------------------- */

/* What can be assigned to: a name, a member of a namespace, or a tuple of these. */
static struct zt_node *parse_target(struct parser *p)
{
    struct zt_node *tuple = node(p, ZT_N_TUPLE), **tail = &tuple->a, *n;
    bool comma = false;

    do {
        if (took_op(p, '(')) {
            n = parse_target(p);
            expect_op(p, ')');
        } else if (tuple->a && p->at->type != ZT_LEX_NAME) {
            break; /* a comma at the end */
        } else {
            n = name_node(p, expect_name(p));
            if (took_op(p, '.')) {
                n->type = ZT_N_NS_TARGET;
                n->val = zt_of_str(expect_name(p));
            } else if (zt_str_is(n->val.u.s, "true") || zt_str_is(n->val.u.s, "false") ||
                       zt_str_is(n->val.u.s, "none")) {
                zt_fail(p->e, "a constant cannot be assigned to");
            }
        }
        append(&tail, n);
    } while (took_op(p, ',') && (comma = true) && !is_word(p, "in"));
    return comma ? tuple : tuple->a;
}

/* Statements up to the tag that is one of the words, which is left as the current lexeme. */
static struct zt_node *parse_body(struct parser *p, const char *const *ends)
{
    struct zt_node *body = NULL, **tail = &body;

    zt_enter(p->e);
    for (;;) {
        if (p->at->type == ZT_LEX_END) {
            if (ends[0])
                zt_fail(p->e, "the template ends before '%s'", ends[0]);
            break;
        }
        struct zt_node *n = NULL;
        if (p->at->type == ZT_LEX_DATA) {
            n = constant(p, p->at->val);
            n->type = ZT_N_DATA;
            next(p);
        } else if (p->at->op == '{') {
            next(p);
            n = node(p, ZT_N_PRINT);
            n->a = parse_tuple(p, 0, true);
            expect_close(p);
        } else {
            next(p);
            for (const char *const *end = ends; *end; end++)
                if (is_word(p, *end))
                    goto out;
            n = parse_statement(p);
        }
        append(&tail, n);
    }
out:
    zt_leave(p->e);
    return body;
}

/* The rest of a tag, the statements up to the tag end, and that tag. */
static struct zt_node *parse_block_of(struct parser *p, const char *end)
{
    expect_close(p);
    struct zt_node *body = parse_body(p, (const char *const[]){end, NULL});
    next(p);
    if (strcmp(end, "endblock") == 0 && p->at->type == ZT_LEX_NAME)
        next(p);
    expect_close(p);
    return body;
}

static void parse_if(struct parser *p, struct zt_node *n)
{
    const struct zt_node *unknown = p->unknown;
    static const char *const ends[] = {"endif", "else", "elif", NULL};

    n->a = parse_tuple(p, 0, false);
    expect_close(p);
    n->b = parse_body(p, ends);
    if (is_word(p, "elif")) {
        zt_enter(p->e);
        n->c = node(p, ZT_N_IF);
        next(p);
        parse_if(p, n->c);
        zt_leave(p->e);
    } else if (took_word(p, "else")) {
        n->c = parse_block_of(p, "endif");
    } else {
        next(p);
        expect_close(p);
    }
    p->unknown = unknown;
}

static void parse_for(struct parser *p, struct zt_node *n)
{
    n->a = parse_target(p);
    if (!took_word(p, "in"))
        zt_fail(p->e, "expected 'in', got %s", here(p));
    n->b = parse_tuple(p, 0, false);
    if (took_word(p, "if"))
        n->c = parse_expr(p);
    n->flag = took_word(p, "recursive");
    expect_close(p);
    p->loops++;
    n->d = parse_body(p, (const char *const[]){"endfor", "else", NULL});
    p->loops--;
    if (took_word(p, "else")) {
        n->f = parse_block_of(p, "endfor");
    } else {
        next(p);
        expect_close(p);
    }
}

static void parse_set(struct parser *p, struct zt_node *n)
{
    n->a = parse_target(p);
    if (took_op(p, '=')) {
        n->b = parse_tuple(p, 0, true);
        expect_close(p);
        return;
    }
    n->type = ZT_N_SET_BLOCK;
    while (took_op(p, '|'))
        n->b = parse_filter(p, n->b);
    n->d = parse_block_of(p, "endset");
}

static void parse_with(struct parser *p, struct zt_node *n)
{
    struct zt_node **targets = &n->a, **values = &n->b;

    while (p->at->type != ZT_LEX_CLOSE) {
        if (n->a)
            expect_op(p, ',');
        append(&targets, name_node(p, expect_name(p)));
        expect_op(p, '=');
        append(&values, parse_expr(p));
    }
    n->d = parse_block_of(p, "endwith");
}

/* Parameters in brackets, then the body: of a macro or of the caller of a call block. */
static void parse_signature(struct parser *p, struct zt_node *n)
{
    struct zt_node **tail = &n->a;
    bool defaults = false;

    while (!took_op(p, ')')) {
        if (n->a)
            expect_op(p, ',');
        struct zt_node *param = name_node(p, expect_name(p));
        if (took_op(p, '='))
            param->b = parse_expr(p);
        else if (defaults)
            zt_fail(p->e, "a parameter without a default after one with it");
        defaults |= param->b != NULL;
        append(&tail, param);
    }
}

static void parse_macro_body(struct parser *p, struct zt_node *n, const char *end)
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

static void parse_macro(struct parser *p, struct zt_node *n)
{
    n->val = zt_of_str(expect_name(p));
    n->id = intern(p, n->val.u.s);
    expect_op(p, '(');
    parse_signature(p, n);
    parse_macro_body(p, n, "endmacro");
}

static void parse_call_block(struct parser *p, struct zt_node *n)
{
    n->b = node(p, ZT_N_MACRO);
    if (took_op(p, '('))
        parse_signature(p, n->b);
    n->a = parse_expr(p);
    if (n->a->type != ZT_N_CALL)
        zt_fail(p->e, "expected a call");
    parse_macro_body(p, n->b, "endcall");
}

static void parse_filtered(struct parser *p, struct zt_node *n)
{
    do
        n->b = parse_filter(p, n->b);
    while (took_op(p, '|'));
    n->d = parse_block_of(p, "endfilter");
}

static void parse_block(struct parser *p, struct zt_node *n)
{
    expect_name(p);
    n->flag = !took_word(p, "scoped");
    took_word(p, "required");
    n->d = parse_block_of(p, "endblock");
}

static void parse_generation(struct parser *p, struct zt_node *n)
{
    n->d = parse_block_of(p, "endgeneration");
}

static void parse_autoescape(struct parser *p, struct zt_node *n)
{
    n->a = parse_expr(p);
    n->d = parse_block_of(p, "endautoescape");
}

static void parse_loop_control(struct parser *p, struct zt_node *n)
{
    if (p->loops == 0)
        zt_fail(p->e, "a break or continue outside of a loop");
    expect_close(p);
}

/* After the begin of a tag. */
static struct zt_node *parse_statement(struct parser *p)
{
    static const struct {
        const char *word;
        enum zt_node_type type;
        void (*parse)(struct parser *, struct zt_node *);
    } tags[] = {
        {"if", ZT_N_IF, parse_if},
        {"for", ZT_N_FOR, parse_for},
        {"set", ZT_N_SET, parse_set},
        {"macro", ZT_N_MACRO, parse_macro},
        {"call", ZT_N_CALL_BLOCK, parse_call_block},
        {"filter", ZT_N_FILTERED, parse_filtered},
        {"with", ZT_N_WITH, parse_with},
        {"generation", ZT_N_SCOPE, parse_generation},
        {"break", ZT_N_BREAK, parse_loop_control},
        {"continue", ZT_N_CONTINUE, parse_loop_control},
        {"block", ZT_N_SCOPE, parse_block},
        {"autoescape", ZT_N_AUTOESCAPE, parse_autoescape},
    };

    for (unsigned i = 0; i < sizeof tags / sizeof *tags; i++)
        if (is_word(p, tags[i].word)) {
            struct zt_node *n = node(p, tags[i].type);
            next(p);
            tags[i].parse(p, n);
            return n;
        }
    zt_fail(p->e, "unknown tag %s", here(p));
}

void zt_parse(struct zt_tmpl *t, const char *src, size_t len)
{
    static const char *const known[] = {"loop", "caller", "varargs", "kwargs"};
    struct parser p = {.e = &t->env};

    p.at = zt_lex(p.e, src, len);
    p.ids = zt_dict_new(p.e);
    p.e->line = p.at->line;
    for (int i = 0; i <= ZT_ID_KWARGS; i++)
        intern(&p, zt_str_of(p.e, known[i], true));
    t->body = parse_body(&p, (const char *const[]){NULL});
    if (p.unknown) {
        p.e->line = p.unknown->line;
        zt_fail_unknown(p.e, p.unknown);
    }
    t->n_names = (int)p.ids->n;
    t->names = zt_alloc(p.e, p.ids->n, sizeof *t->names);
    for (size_t i = 0; i < p.ids->n; i++)
        t->names[i] = p.ids->e[i].k.u.s;
}
