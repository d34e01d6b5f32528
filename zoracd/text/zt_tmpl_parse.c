/* SPDX-License-Identifier: MIT */
/* Lexemes to a tree: jinja2's grammar with its precedences, the tags of its core, loop controls and
 * Hugging Face's generation block. Names become numbers, filters and tests are looked up here,
 * once. Tags that need other templates (include, import, extends) fail where they are reached. */
#include "zoracd/text/zt_py.h"

#include <string.h>

struct parser {
    struct zt_env *e;
    struct zt_tmpl *t;
    struct zt_lexeme *at;
    struct zt_dict *ids; /* name to number */
    struct zt_frames frames;
    int loops;                     /* around here, in this macro */
    unsigned uses;                 /* of enum zt_name_id, as bits: by the macro around here */
    const struct zt_node *unknown; /* the last filter or test nobody knows and no if can avoid */
};

static struct zt_node *parse_expr(struct parser *p, bool conditional);
static struct zt_node *parse_postfix(struct parser *p, struct zt_node *n);
static struct zt_node *parse_statement(struct parser *p);

/* ---- lexemes -------------------------------------------------------------------------------- */

static struct zt_node *make(struct parser *p, enum zt_node_type type, struct zt_node *a,
                            struct zt_node *b)
{
    struct zt_node *n = zt_alloc(p->e, 1, sizeof *n);

    *n = (struct zt_node){.type = type, .line = p->at->line, .a = a, .b = b};
    return n;
}

/* Appends n to the list that **tail ends. */
static void append(struct zt_node ***tail, struct zt_node *n)
{
    **tail = n;
    *tail = &n->next;
}

/* What stands here, for messages. */
static const char *here(struct parser *p)
{
    static const char *const names[] = {"the end", "text", "a constant", "a constant"};
    struct zt_sb b = {.e = p->e};

    if (p->at->is < ZT_LEX_NAME)
        return names[p->at->is];
    if (zt_is(p->at->val, "}}") || zt_is(p->at->val, "%}"))
        return "the tag's end";
    zt_addf(&b, true, "'%s'", zt_utf8(p->e, p->at->val));
    return zt_utf8(p->e, zt_take(&b));
}

static bool at(const struct parser *p, const char *text)
{
    return p->at->is >= ZT_LEX_NAME && zt_is(p->at->val, text);
}

static struct zt_val next(struct parser *p)
{
    struct zt_val v = p->at->val;

    p->at += p->at->is != ZT_LEX_END;
    p->e->line = p->at->line;
    return v;
}

/* Whether this name or operator stands here; then it is taken. */
static bool took(struct parser *p, const char *text)
{
    bool is = at(p, text);

    if (is)
        next(p);
    return is;
}

static void expect(struct parser *p, const char *text)
{
    if (!took(p, text))
        zt_fail(p->e, "expected '%s', got %s", text, here(p));
}

static struct zt_val expect_name(struct parser *p)
{
    if (p->at->is != ZT_LEX_NAME)
        zt_fail(p->e, "expected a name, got %s", here(p));
    return next(p);
}

/* ---- expressions: what stands alone --------------------------------------------------------- */

static struct zt_node *constant(struct parser *p, struct zt_val v)
{
    struct zt_node *n = make(p, ZT_N_CONST, NULL, NULL);

    n->val = v;
    n->val.trusted = true;
    return n;
}

static struct zt_node *name_node(struct parser *p, struct zt_val name)
{
    const struct zt_val *id = zt_dict_get(p->e, p->ids, name);
    struct zt_node *n = make(p, ZT_N_NAME, NULL, NULL);

    n->id = id ? (int)id->u.i : (int)p->ids->n;
    n->val = name;
    if (!id)
        zt_dict_set(p->e, p->ids, name, zt_int(n->id, true));
    return n;
}

/* expr, expr, ... up to the tag's end or what closes them (may be NULL): a tuple, or the one
 * expression when there is no comma. */
static struct zt_node *parse_tuple(struct parser *p, const char *close, bool conditional)
{
    struct zt_node *tuple = make(p, ZT_N_TUPLE, NULL, NULL), **tail = &tuple->a;
    bool comma = false, more = true;

    while (more) {
        if (at(p, "%}") || at(p, "}}") || (close && at(p, close)))
            break;
        append(&tail, parse_expr(p, conditional));
        more = took(p, ",");
        comma |= more;
    }
    if (!comma && tuple->a)
        return tuple->a;
    if (!tuple->a && !(close && *close == ')'))
        zt_fail(p->e, "expected an expression, got %s", here(p));
    return tuple;
}

/* Whether the list goes on after n items (n NULL: none), up to close, which is taken. */
static bool goes_on(struct parser *p, const struct zt_node *n, const char *close)
{
    if (n && !at(p, close))
        expect(p, ",");
    return !took(p, close);
}

static struct zt_node *parse_items(struct parser *p, enum zt_node_type type, const char *close)
{
    struct zt_node *list = make(p, type, NULL, NULL), **tail = &list->a;

    while (goes_on(p, list->a, close)) {
        append(&tail, parse_expr(p, true));
        if (type != ZT_N_DICT)
            continue;
        expect(p, ":");
        append(&tail, parse_expr(p, true));
    }
    return list;
}

static struct zt_node *parse_name(struct parser *p)
{
    static const char *const words[] = {"true", "True", "false", "False", "none", "None"};
    struct zt_val name = expect_name(p);

    for (unsigned i = 0; i < 6; i++)
        if (zt_is(name, words[i]))
            return constant(p, i < 4 ? zt_bool(i < 2) : ZT_NONE_VALUE);
    struct zt_node *n = name_node(p, name);
    if (n->id <= ZT_ID_KWARGS)
        p->uses |= 1u << n->id;
    zt_frame_see(&p->frames, n->id, false);
    return n;
}

static struct zt_node *parse_primary(struct parser *p)
{
    struct zt_sb b = {.e = p->e};
    struct zt_node *n;

    if (p->at->is == ZT_LEX_NAME)
        return parse_name(p);
    if (p->at->is == ZT_LEX_NUMBER)
        return constant(p, next(p));
    if (p->at->is == ZT_LEX_STRING) {
        while (p->at->is == ZT_LEX_STRING) /* 'a' 'b' is one string */
            zt_add(&b, next(p));
        return constant(p, zt_take(&b));
    }
    if (took(p, "[") || took(p, "{"))
        return zt_is(p->at[-1].val, "[") ? parse_items(p, ZT_N_LIST, "]")
                                         : parse_items(p, ZT_N_DICT, "}");
    if (!took(p, "("))
        zt_fail(p->e, "expected an expression, got %s", here(p));
    n = parse_tuple(p, ")", true);
    expect(p, ")");
    return n;
}

/* ---- expressions: what follows -------------------------------------------------------------- */

/* Arguments in brackets, if there are any. */
static struct zt_node *parse_args(struct parser *p)
{
    struct zt_node *args = NULL, **tail = &args;
    bool keywords = false;

    if (!took(p, "("))
        return NULL;
    while (goes_on(p, args, ")")) {
        struct zt_node *arg = make(p, ZT_N_ARG, NULL, NULL);
        if (p->at->is == ZT_LEX_NAME && zt_is(p->at[1].val, "=") && p->at[1].is == ZT_LEX_OP) {
            arg->op = '=';
            arg->val = next(p);
            next(p);
        } else {
            arg->op = took(p, "*") ? '*' : took(p, "**") ? ZT_POW : 0;
        }
        if (keywords && (arg->op == 0 || arg->op == '*'))
            zt_fail(p->e, "a positional argument after a keyword argument");
        keywords |= arg->op == '=' || arg->op == ZT_POW;
        arg->a = parse_expr(p, true);
        append(&tail, arg);
    }
    return args;
}

/* After '[': an index, a slice, or a tuple of indexes. */
static struct zt_node *parse_subscript(struct parser *p, struct zt_node *of)
{
    struct zt_node *parts[3] = {NULL}, *n;
    uint32_t line = p->at[-1].line;
    int n_parts = 0;

    for (bool more = true; more && n_parts < 3; n_parts++) {
        if (!at(p, ":") && !at(p, "]"))
            parts[n_parts] = n_parts ? parse_expr(p, true) : parse_tuple(p, "]", true);
        more = took(p, ":");
    }
    expect(p, "]");
    if (n_parts == 1 && !parts[0])
        zt_fail(p->e, "expected an expression, got ']'");
    n = make(p, n_parts == 1 ? ZT_N_ITEM : ZT_N_SLICE, of, parts[0]);
    n->line = line;
    n->c = parts[1];
    n->d = parts[2];
    return n;
}

/* A filter or a test, whose name may have dots. One that is unknown is an error at once only where
 * no if can avoid it, as in jinja2. */
static struct zt_node *parse_applied(struct parser *p, enum zt_node_type type, struct zt_node *of)
{
    struct zt_node *n = make(p, type, of, NULL);

    n->val = expect_name(p);
    while (took(p, "."))
        n->val = zt_concat(p->e, zt_concat(p->e, n->val, zt_text(p->e, ".", true)), expect_name(p));
    n->fn = type == ZT_N_FILTER ? zt_py_find_filter(n->val) : zt_py_find_test(n->val);
    if (!n->fn)
        p->unknown = n;
    n->b = parse_args(p);
    return n;
}

/* After "is". */
static struct zt_node *parse_test(struct parser *p, struct zt_node *of)
{
    bool negated = took(p, "not");
    struct zt_node *n = parse_applied(p, ZT_N_TEST, of);
    bool ends = p->at->is == ZT_LEX_OP ? !at(p, "[") && !at(p, "{")
                                       : at(p, "else") || at(p, "or") || at(p, "and");

    if (at(p, "is"))
        zt_fail(p->e, "tests with 'is' cannot be chained");
    if (!ends && !zt_is(p->at[-1].val, ")")) { /* one argument without brackets */
        n->b = make(p, ZT_N_ARG, NULL, NULL);
        n->b->a = parse_postfix(p, parse_primary(p));
    }
    return negated ? make(p, ZT_N_NOT, n, NULL) : n;
}

static struct zt_node *parse_postfix(struct parser *p, struct zt_node *n)
{
    for (;;) {
        if (took(p, "[")) {
            n = parse_subscript(p, n);
        } else if (at(p, "(")) {
            n = make(p, ZT_N_CALL, n, NULL);
            n->b = parse_args(p);
        } else if (!took(p, ".")) {
            return n;
        } else if (p->at->is == ZT_LEX_NUMBER && p->at->val.kind == ZT_INT) {
            n = make(p, ZT_N_ITEM, n, constant(p, p->at->val));
            next(p);
        } else {
            n = make(p, ZT_N_ATTR, n, NULL);
            n->val = expect_name(p);
        }
    }
}

static struct zt_node *parse_unary(struct parser *p, bool filters)
{
    struct zt_node *n;

    zt_enter(p->e);
    if (took(p, "-") || took(p, "+")) {
        n = make(p, ZT_N_SIGN, NULL, NULL);
        n->op = (int)zt_char(p->at[-1].val, 0);
        n->a = parse_unary(p, false);
    } else {
        n = parse_primary(p);
    }
    n = parse_postfix(p, n);
    while (filters) {
        if (took(p, "|"))
            n = parse_applied(p, ZT_N_FILTER, n);
        else if (took(p, "is"))
            n = parse_test(p, n);
        else if (at(p, "("))
            n = parse_postfix(p, n);
        else
            break;
    }
    zt_leave(p->e);
    return n;
}

/* Operators between two operands, from the loosest level to the tightest; all group to the left. */
enum { LEVEL_NOT = 3, LEVEL_COMPARE = 4, LEVEL_UNARY = 9 };
static const struct infix {
    int level;
    const char *text;
    enum zt_node_type type;
    int op;
} infixes[] = {
    {1, "or", ZT_N_OR, 0},
    {2, "and", ZT_N_AND, 0},
    {4, "==", ZT_N_COMPARE, ZT_EQ},
    {4, "!=", ZT_N_COMPARE, ZT_NE},
    {4, "<=", ZT_N_COMPARE, ZT_LE},
    {4, ">=", ZT_N_COMPARE, ZT_GE},
    {4, "<", ZT_N_COMPARE, '<'},
    {4, ">", ZT_N_COMPARE, '>'},
    {4, "in", ZT_N_COMPARE, ZT_IN},
    {5, "+", ZT_N_BINARY, '+'},
    {5, "-", ZT_N_BINARY, '-'},
    {6, "~", ZT_N_BINARY, '~'},
    {7, "*", ZT_N_BINARY, '*'},
    {7, "/", ZT_N_BINARY, '/'},
    {7, "//", ZT_N_BINARY, ZT_FLOORDIV},
    {7, "%", ZT_N_BINARY, '%'},
    {8, "**", ZT_N_BINARY, ZT_POW},
};

/* The operator of this level that stands here, taken; NULL if none does. */
static const struct infix *took_infix(struct parser *p, int level)
{
    static const struct infix not_in = {LEVEL_COMPARE, "not", ZT_N_COMPARE, ZT_NOT_IN};

    for (unsigned i = 0; i < sizeof infixes / sizeof *infixes; i++)
        if (infixes[i].level == level && took(p, infixes[i].text))
            return &infixes[i];
    if (level != LEVEL_COMPARE || !at(p, "not") || !zt_is(p->at[1].val, "in"))
        return NULL;
    next(p);
    next(p);
    return &not_in;
}

static struct zt_node *parse_level(struct parser *p, int level)
{
    const struct infix *x;
    struct zt_node *n, *chain = NULL, **tail = NULL;

    if (level == LEVEL_UNARY)
        return parse_unary(p, true);
    if (level == LEVEL_NOT && took(p, "not")) {
        zt_enter(p->e);
        n = make(p, ZT_N_NOT, parse_level(p, LEVEL_NOT), NULL);
        zt_leave(p->e);
        return n;
    }
    for (n = parse_level(p, level + 1); (x = took_infix(p, level));) {
        uint32_t line = p->at[-1].line;
        struct zt_node *right = parse_level(p, level + 1);
        if (level == LEVEL_COMPARE) { /* a < b < c is one node */
            if (!chain)
                n = chain = make(p, x->type, n, NULL), tail = &chain->b;
            right = make(p, ZT_N_ARG, right, NULL);
            right->op = x->op;
            append(&tail, right);
        } else {
            n = make(p, x->type, n, right);
            n->op = x->op;
        }
        n->line = line;
    }
    return n;
}

static struct zt_node *parse_expr(struct parser *p, bool conditional)
{
    const struct zt_node *unknown = p->unknown;

    zt_enter(p->e);
    struct zt_node *n = parse_level(p, 1);
    while (conditional && took(p, "if")) {
        n = make(p, ZT_N_IF_ELSE, parse_level(p, 1), n);
        n->c = took(p, "else") ? parse_expr(p, true) : NULL;
        p->unknown = unknown;
    }
    zt_leave(p->e);
    return n;
}

/* ---- statements ----------------------------------------------------------------------------- */

/* What can be assigned to: a name, a member of a namespace, or a tuple of these. */
static struct zt_node *parse_target(struct parser *p)
{
    struct zt_node *tuple = make(p, ZT_N_TUPLE, NULL, NULL), **tail = &tuple->a, *n;
    bool comma = false;

    do {
        if (took(p, "(")) {
            n = parse_target(p);
            expect(p, ")");
        } else if (tuple->a && p->at->is != ZT_LEX_NAME) {
            break; /* a comma at the end */
        } else {
            n = name_node(p, expect_name(p));
            if (took(p, ".")) {
                n->type = ZT_N_NS_TARGET;
                n->val = expect_name(p);
            } else if (zt_is(n->val, "true") || zt_is(n->val, "false") || zt_is(n->val, "none")) {
                zt_fail(p->e, "a constant cannot be assigned to");
            }
        }
        append(&tail, n);
    } while (took(p, ",") && (comma = true) && !at(p, "in"));
    return comma ? tuple : tuple->a;
}

/* Statements up to the tag that is one of the words, which is left as the current lexeme. */
static struct zt_node *parse_body(struct parser *p, const char *const *ends)
{
    struct zt_node *body = NULL, **tail = &body, *n;

    zt_enter(p->e);
    while (p->at->is != ZT_LEX_END) {
        if (p->at->is == ZT_LEX_DATA) {
            n = make(p, ZT_N_DATA, NULL, NULL);
            n->tag = "text";
            n->val = next(p);
        } else if (took(p, "{{")) {
            n = make(p, ZT_N_PRINT, NULL, NULL);
            n->tag = "{{";
            n->a = parse_tuple(p, NULL, true);
            expect(p, "}}");
        } else {
            expect(p, "{%");
            for (const char *const *end = ends; *end; end++)
                if (at(p, *end))
                    goto out;
            n = parse_statement(p);
        }
        append(&tail, n);
    }
    if (ends[0])
        zt_fail(p->e, "the template ends before '%s'", ends[0]);
out:
    zt_leave(p->e);
    return body;
}

/* The rest of a tag, the statements up to the tag end, and that tag. */
static struct zt_node *parse_block_of(struct parser *p, const char *end)
{
    expect(p, "%}");
    struct zt_node *body = parse_body(p, (const char *const[]){end, NULL});
    next(p);
    expect(p, "%}");
    return body;
}

/* The same in a frame of its own, where the names of n->a have values. */
static struct zt_node *parse_scope(struct parser *p, struct zt_node *n, const char *end)
{
    n->hides = zt_frame_open(&p->frames, true);
    for (const struct zt_node *t = n->type == ZT_N_SCOPE ? n->a : NULL; t; t = t->next)
        zt_frame_see(&p->frames, t->id, false);
    struct zt_node *body = parse_block_of(p, end);
    zt_frame_close(&p->frames);
    return body;
}

/* The same where jinja2 makes a function of the body, so that no loop around it can be left from
 * it; name, if not NULL, may follow the end's. */
static struct zt_node *parse_function(struct parser *p, const char *end, const struct zt_val *name)
{
    int loops = p->loops;

    p->loops = 0;
    expect(p, "%}");
    struct zt_node *body = parse_body(p, (const char *const[]){end, NULL});
    next(p);
    if (name && p->at->is == ZT_LEX_NAME && zt_is_same(p->at->val, *name))
        next(p);
    expect(p, "%}");
    p->loops = loops;
    return body;
}

/* At the end of a body that may have an else: the statements after that, NULL if it has none. */
static struct zt_node *parse_else(struct parser *p, const char *end)
{
    if (took(p, "else"))
        return parse_block_of(p, end);
    next(p);
    expect(p, "%}");
    return NULL;
}

static void parse_if(struct parser *p, struct zt_node *n)
{
    const struct zt_node *unknown = p->unknown;

    n->a = parse_tuple(p, NULL, false);
    expect(p, "%}");
    p->frames.now->ifs++;
    n->b = parse_body(p, (const char *const[]){"endif", "else", "elif", NULL});
    if (at(p, "elif")) {
        zt_enter(p->e);
        n->c = make(p, ZT_N_IF, NULL, NULL);
        next(p);
        parse_if(p, n->c);
        zt_leave(p->e);
    } else {
        n->c = parse_else(p, "endif");
    }
    p->frames.now->ifs--;
    p->unknown = unknown;
}

static void parse_for(struct parser *p, struct zt_node *n)
{
    int outer = p->loops;

    n->a = parse_target(p);
    expect(p, "in");
    n->b = parse_tuple(p, "recursive", false);
    zt_frame_open(&p->frames, true); /* of the filter */
    if (took(p, "if"))
        n->c = parse_expr(p, true);
    zt_frame_close(&p->frames);
    n->op = took(p, "recursive");
    expect(p, "%}");
    n->hides = zt_frame_open(&p->frames, true);
    zt_frame_see_targets(&p->frames, n->a, false);
    p->loops++;
    n->d = parse_body(p, (const char *const[]){"endfor", "else", NULL});
    p->loops = n->op ? 0 : p->loops - 1; /* one that is called is no part of the loop around it */
    zt_frame_close(&p->frames);
    zt_frame_open(&p->frames, true);
    n->f = parse_else(p, "endfor");
    zt_frame_close(&p->frames);
    p->loops = outer;
}

static void parse_set(struct parser *p, struct zt_node *n)
{
    n->a = parse_target(p);
    if (took(p, "=")) {
        n->b = parse_tuple(p, NULL, true);
        expect(p, "%}");
        zt_frame_see_targets(&p->frames, n->a, true);
        return;
    }
    n->type = ZT_N_CAPTURE;
    zt_frame_see_targets(&p->frames, n->a, true);
    while (took(p, "|"))
        n->b = parse_applied(p, ZT_N_FILTER, n->b);
    n->d = parse_scope(p, n, "endset");
}

static void parse_filtered(struct parser *p, struct zt_node *n)
{
    do
        n->b = parse_applied(p, ZT_N_FILTER, n->b);
    while (took(p, "|"));
    n->d = parse_scope(p, n, "endfilter");
}

static void parse_with(struct parser *p, struct zt_node *n)
{
    struct zt_node **targets = &n->a, **values = &n->b;

    while (!at(p, "%}")) {
        if (n->a)
            expect(p, ",");
        append(&targets, name_node(p, expect_name(p)));
        expect(p, "=");
        append(&values, parse_expr(p, true));
    }
    n->d = parse_scope(p, n, "endwith");
}

static void parse_autoescape(struct parser *p, struct zt_node *n)
{
    n->a = parse_expr(p, true);
    n->d = parse_scope(p, n, "endautoescape");
}

/* A block prints its body where it stands, and can be called as self.name(). A required one has its
 * body in another template. */
static void parse_block(struct parser *p, struct zt_node *n)
{
    struct zt_node *macro = make(p, ZT_N_MACRO, NULL, NULL);

    macro->val = expect_name(p);
    for (const struct zt_node *other = p->t->blocks; other; other = other->next)
        if (zt_is_same(other->val, macro->val))
            zt_fail(p->e, "the block '%s' is defined twice", zt_utf8(p->e, macro->val));
    macro->next = p->t->blocks;
    p->t->blocks = macro;
    n->op = !took(p, "scoped");
    bool required = took(p, "required");
    unsigned uses = p->uses; /* a macro around the block does not see what the block names */
    n->hides = macro->hides = zt_frame_open(&p->frames, false);
    n->d = macro->d = parse_function(p, "endblock", &macro->val);
    zt_frame_close(&p->frames);
    p->uses = uses;
    n->type = required ? ZT_N_REFUSED : n->type;
}

/* include, import, from and extends: what they say after the template's name means nothing. */
static void parse_refused(struct parser *p, struct zt_node *n)
{
    (void)n;
    parse_expr(p, true);
    while (p->at->is >= ZT_LEX_NAME && !at(p, "%}"))
        next(p);
    expect(p, "%}");
}

/* Parameters in brackets: of a macro or of the caller of a call block. */
static void parse_params(struct parser *p, struct zt_node *n)
{
    struct zt_node **tail = &n->a, *param = NULL;

    while (goes_on(p, n->a, ")")) {
        bool defaults = param && param->b;
        param = name_node(p, expect_name(p));
        zt_frame_see(&p->frames, param->id, false);
        if (took(p, "="))
            param->b = parse_expr(p, true);
        else if (defaults)
            zt_fail(p->e, "a parameter without a default after one with it");
        for (const struct zt_node *other = n->a; other; other = other->next)
            if (other->id == param->id)
                zt_fail(p->e, "the parameter '%s' is there twice", zt_utf8(p->e, param->val));
        append(&tail, param);
    }
}

/* The rest of a macro, whose frame is open. */
static void parse_macro_body(struct parser *p, struct zt_node *n, const char *end)
{
    unsigned outer = p->uses;

    p->uses = 0;
    n->d = parse_function(p, end, NULL);
    zt_frame_close(&p->frames);
    n->uses = p->uses;
    p->uses |= outer;
    for (const struct zt_node *param = n->a; param; param = param->next) {
        if (param->id == ZT_ID_CALLER && !param->b && (n->uses & 1u << ZT_ID_CALLER))
            zt_fail(p->e, "a parameter 'caller' without a default");
        if (param->id <= ZT_ID_KWARGS)
            n->uses &= ~(1u << param->id);
    }
}

static void parse_macro(struct parser *p, struct zt_node *n)
{
    n->val = expect_name(p);
    n->id = name_node(p, n->val)->id;
    zt_frame_see(&p->frames, n->id, true);
    expect(p, "(");
    n->hides = zt_frame_open(&p->frames, true);
    parse_params(p, n);
    parse_macro_body(p, n, "endmacro");
}

static void parse_call_block(struct parser *p, struct zt_node *n)
{
    n->b = make(p, ZT_N_MACRO, NULL, NULL);
    n->b->hides = zt_frame_open(&p->frames, true);
    struct zt_frame *own = p->frames.now;
    if (took(p, "("))
        parse_params(p, n->b);
    zt_frame_close(&p->frames);
    n->a = parse_expr(p, true); /* which belongs to the frame around */
    p->frames.now = own;
    if (n->a->type != ZT_N_CALL)
        zt_fail(p->e, "expected a call");
    parse_macro_body(p, n->b, "endcall");
}

/* Hugging Face's: for jinja2 a call of the body, which prints what that gives. */
static void parse_generation(struct parser *p, struct zt_node *n)
{
    n->b = make(p, ZT_N_MACRO, NULL, NULL);
    n->b->hides = zt_frame_open(&p->frames, true);
    parse_macro_body(p, n->b, "endgeneration");
}

static void parse_loop_control(struct parser *p, struct zt_node *n)
{
    (void)n;
    if (p->loops == 0)
        zt_fail(p->e, "a break or continue outside of a loop");
    expect(p, "%}");
}

/* After the begin of a tag. */
static struct zt_node *parse_statement(struct parser *p)
{
    static const struct {
        const char *word;
        enum zt_node_type type;
        int op;
        void (*parse)(struct parser *, struct zt_node *);
    } tags[] = {
        {"if", ZT_N_IF, 0, parse_if},
        {"for", ZT_N_FOR, 0, parse_for},
        {"set", ZT_N_SET, 0, parse_set},
        {"macro", ZT_N_MACRO, 0, parse_macro},
        {"call", ZT_N_CALL_BLOCK, 0, parse_call_block},
        {"filter", ZT_N_CAPTURE, 0, parse_filtered},
        {"with", ZT_N_SCOPE, 0, parse_with},
        {"generation", ZT_N_CALL_BLOCK, 0, parse_generation},
        {"block", ZT_N_SCOPE, 0, parse_block},
        {"autoescape", ZT_N_AUTOESCAPE, 0, parse_autoescape},
        {"include", ZT_N_REFUSED, 0, parse_refused},
        {"import", ZT_N_REFUSED, 0, parse_refused},
        {"from", ZT_N_REFUSED, 0, parse_refused},
        {"extends", ZT_N_REFUSED, 0, parse_refused},
        {"break", ZT_N_BREAK, 0, parse_loop_control},
        {"continue", ZT_N_CONTINUE, 0, parse_loop_control},
    };

    for (unsigned i = 0; i < sizeof tags / sizeof *tags; i++)
        if (at(p, tags[i].word)) {
            struct zt_node *n = make(p, tags[i].type, NULL, NULL);
            n->op = tags[i].op;
            n->tag = tags[i].word;
            n->val = next(p);
            tags[i].parse(p, n);
            return n;
        }
    zt_fail(p->e, "unknown tag %s", here(p));
}

void zt_fail_unknown(struct zt_env *e, const struct zt_node *n)
{
    zt_fail(e, "unknown %s '%s'", n->type == ZT_N_FILTER ? "filter" : "test", zt_utf8(e, n->val));
}

void zt_parse(struct zt_tmpl *t, const char *src, size_t len)
{
    static const char *const known[] = {"loop", "caller", "varargs", "kwargs"};
    struct parser p = {.e = &t->env, .t = t, .frames.e = &t->env};

    p.at = zt_lex(p.e, src, len);
    p.ids = t->names = zt_dict_new(p.e);
    p.e->line = p.at->line;
    for (int i = 0; i <= ZT_ID_KWARGS; i++)
        name_node(&p, zt_text(p.e, known[i], true));
    t->hides = zt_frame_open(&p.frames, false);
    t->body = parse_body(&p, (const char *const[]){NULL});
    zt_frames_end(&p.frames);
    if (!p.unknown)
        return;
    p.e->line = p.unknown->line;
    zt_fail_unknown(p.e, p.unknown);
}
