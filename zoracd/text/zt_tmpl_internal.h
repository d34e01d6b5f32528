/* SPDX-License-Identifier: MIT */
/* What the files of the template interpreter share:
 *   zt_tmpl_value.c                    memory, failure, strings, lists, dicts
 *   zt_tmpl_lex.c, zt_tmpl_parse.c     source to tree
 *   zt_tmpl_eval.c                     tree to text
 *   zt_tmpl.c                          the two of them for the outside
 *   zt_tmpl_ops.c, zt_tmpl_format.c    what Python's operators and its str() do
 *   zt_tmpl_methods.c, _filters.c,
 *   _wrap.c, _globals.c                the functions that a template can call
 *
 * Compiling and rendering each own one arena and one way out: whatever fails, at any depth, calls
 * zt_fail, which writes the diagnostic and jumps back to zt_tmpl_new or zt_tmpl_render, and these
 * drop the arena whole. So nothing in between has an error path or frees anything, and nothing in
 * between may own memory outside the arena. */
#ifndef ZORACD_TEXT_ZT_TMPL_INTERNAL_H
#define ZORACD_TEXT_ZT_TMPL_INTERNAL_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/zc_err.h"
#include "zoracd/text/zt_tmpl.h"

/* ---- values --------------------------------------------------------------------------------- */

enum zt_kind {
    ZT_UNSET, /* no value at all: an argument that was not given, a name nobody defined */
    ZT_UNDEF,
    ZT_NONE,
    ZT_BOOL,
    ZT_INT,
    ZT_BIG, /* an integer that does not fit, as its digits: it can be printed, no more */
    ZT_FLOAT,
    ZT_STR,
    ZT_LIST, /* from here to ZT_ITER: struct zt_list */
    ZT_TUPLE,
    ZT_RANGE,
    ZT_VIEW, /* keys(), values(), items() of a dict */
    ZT_ITER, /* what lazy filters give: can be read once, has no length */
    ZT_DICT,
    ZT_NAMESPACE,
    ZT_FUNC,
    ZT_MACRO,
    ZT_LOOP,
    ZT_SELF,   /* what jinja2 calls self, which has no members here */
    ZT_CYCLER, /* a zt_list and a position in it */
    ZT_JOINER, /* a zt_list with the separator; its position says whether it was called */
    ZT_N_KINDS
};

struct zt_val {
    uint8_t kind;
    bool trusted; /* scalars: made by the template alone, so that their text is trusted */
    uint8_t of;   /* ZT_UNDEF: the kind of the object that lacks name; ZT_UNSET: it is a variable */
    bool unsafe;  /* ZT_UNDEF: refused by the sandbox */
    union {
        bool b;
        int64_t i;
        double f;
        const struct zt_str *s;
        struct zt_list *l;
        struct zt_dict *d;
        const struct zt_func *fn;
        const struct zt_macro *macro;
        struct zt_loop *loop;
        const struct zt_str *name; /* ZT_UNDEF */
    } u;
};

/* Immutable UTF-8 bytes. mask says for each byte whether it is trusted; NULL: all as `trusted`. */
struct zt_str {
    const char *p;
    const uint8_t *mask;
    size_t len;
    size_t chars; /* number of code points; equal to len for ASCII */
    /* What concatenation made: where the next one may append in place, so that text which is built
     * piece by piece takes linear time. */
    struct zt_sb *tail;
    bool trusted;
    bool markup; /* Python's Markup: escaped text; what is added to it is escaped */
    bool bytes;  /* Python's bytes, which only encode() makes */
};

struct zt_list {
    struct zt_val *v;
    size_t n, cap;
    size_t pos;       /* ZT_ITER: how much was read */
    const char *text; /* ZT_VIEW: Python's name of the type; ZT_RANGE: the whole repr */
    bool group;       /* ZT_TUPLE: of groupby, with attributes grouper and list */
};

struct zt_pair {
    struct zt_val k, v;
};

/* Keeps insertion order; index is there from the ninth key on. */
struct zt_dict {
    struct zt_pair *e;
    size_t n, cap;
    uint32_t *index; /* open addressing: entry number + 1 */
    size_t n_index;  /* power of two */
};

/* Growing text. The mask appears with the first byte whose trust differs from the others'. */
struct zt_sb {
    struct zt_env *e;
    char *p;
    uint8_t *mask;
    size_t len, cap, mask_cap;
    bool trusted;
};

/* ---- the tree ------------------------------------------------------------------------------- */

enum zt_lex_type {
    ZT_LEX_DATA,
    ZT_LEX_NAME,
    ZT_LEX_CONST,
    ZT_LEX_OP,
    ZT_LEX_OPEN,
    ZT_LEX_CLOSE,
    ZT_LEX_END
};

/* An operator is its character, or one of the letters below. */
struct zt_lexeme {
    uint8_t type;
    char op; /* LEX_OP: the operator; LEX_OPEN, LEX_CLOSE: '%' or '{' */
    uint32_t line;
    struct zt_val val; /* CONST: the value; DATA, NAME, OP: the text */
};
enum {
    ZT_OP_EQ = 'e',
    ZT_OP_NE = 'n',
    ZT_OP_GE = 'G',
    ZT_OP_LE = 'L',
    ZT_OP_POW = 'p',
    ZT_OP_FLOORDIV = 'f',
    ZT_OP_IN = 'i',
    ZT_OP_NOT_IN = 'o'
};

enum zt_node_type {
    /* expressions */
    ZT_N_CONST,   /* val */
    ZT_N_NAME,    /* id */
    ZT_N_LIST,    /* a: items */
    ZT_N_TUPLE,   /* a: items */
    ZT_N_DICT,    /* a: keys and values in turn */
    ZT_N_ATTR,    /* a . val */
    ZT_N_ITEM,    /* a [ b ] */
    ZT_N_SLICE,   /* a [ b : c : d ], each of b, c, d NULL if not given */
    ZT_N_CALL,    /* a ( b: arguments ) */
    ZT_N_FILTER,  /* a | fn ( b ), a NULL in a filter block */
    ZT_N_TEST,    /* a is fn ( b ) */
    ZT_N_NOT,     /* a */
    ZT_N_SIGN,    /* op a */
    ZT_N_AND,     /* a, b */
    ZT_N_OR,      /* a, b */
    ZT_N_IF_ELSE, /* b if a else c, c may be NULL */
    ZT_N_COMPARE, /* a, then b: operands, each with its op and expression a */
    ZT_N_BINARY,  /* a op b */
    ZT_N_ARG,     /* a: value; op: 0 positional, '=' keyword val, '*', ZT_OP_POW for ** */
    /* statements */
    ZT_N_DATA,       /* val */
    ZT_N_PRINT,      /* a */
    ZT_N_IF,         /* a: test, b: body, c: else */
    ZT_N_FOR,        /* target a in b if c, d: body, f: else; flag: recursive */
    ZT_N_SET,        /* target a = b */
    ZT_N_SET_BLOCK,  /* target a, filter b or NULL, d: body */
    ZT_N_WITH,       /* a: targets, b: values, d: body */
    ZT_N_MACRO,      /* id, a: parameters (NAME, default in b), d: body, uses */
    ZT_N_CALL_BLOCK, /* a: the call, b: a ZT_N_MACRO that is the caller */
    ZT_N_FILTERED,   /* b: filter, d: body */
    ZT_N_SCOPE,      /* d: body, in a scope of its own; flag: which sees the outermost names only */
    ZT_N_AUTOESCAPE, /* a, d: body */
    ZT_N_BREAK,
    ZT_N_CONTINUE,
    ZT_N_NS_TARGET /* as a target only: id . val */
};

/* The names that the evaluator gives a meaning have the first numbers. */
enum zt_name_id { ZT_ID_LOOP, ZT_ID_CALLER, ZT_ID_VARARGS, ZT_ID_KWARGS };

struct zt_node {
    uint8_t type;
    char op;
    bool flag;
    uint32_t line;
    unsigned uses; /* MACRO: of enum zt_name_id, as bits: what its body names */
    int id;        /* of a name: index of zt_tmpl.names */
    struct zt_node *next, *a, *b, *c, *d, *f;
    const struct zt_builtin *fn; /* FILTER, TEST; NULL: unknown, which fails when it is used */
    struct zt_val val;
    const struct zt_builtin *of_str, *of_dict; /* ATTR: the methods of that name */
};

/* ---- compiling and rendering ---------------------------------------------------------------- */

enum { ZT_MAX_DEPTH = 1500 };

struct zt_bind {
    int id;
    struct zt_val v;
};

struct zt_scope {
    struct zt_scope *parent; /* NULL: the outermost, whose names are in zt_env.vars */
    struct zt_bind *b;
    int n, cap;
    bool captured; /* a macro refers to it: it must outlive its block */
};

struct zt_macro {
    const struct zt_node *node;
    struct zt_scope *scope; /* where it was defined */
};

struct zt_loop {
    const struct zt_node *node;
    struct zt_scope *scope;         /* around the loop */
    struct zt_list *source, *items; /* different if the loop has a filter: what it has passed */
    size_t pos;                     /* how much of source went through the filter */
    size_t i;
    int64_t depth0;
    struct zt_list *changed; /* what changed() saw last */
};

/* One compilation or one rendering. */
struct zt_env {
    struct zt_chunk *chunks;
    char *at, *end; /* free part of the newest chunk */
    size_t used, max;
    jmp_buf on_fail;
    int err;
    struct zc_diag *dg;
    const char *name; /* of the template, and the line that is compiled or rendered */
    uint32_t line;
    uint32_t depth; /* of nested constructs, values and calls: bounds the C stack */
    uint64_t steps; /* left */
    /* rendering only */
    const struct zt_tmpl *tmpl;
    struct zc_buf scratch; /* of the JSON reader */
    struct zt_val *vars;   /* of the outermost scope, by name id */
    struct zt_scope root, *scope;
    struct zt_sb *out;
    struct zt_val block; /* what the filter of a filter or set block works on */
    bool autoescape;
    int64_t now;
};

struct zt_tmpl {
    struct zt_env env;
    char *name;
    struct zt_node *body;
    const struct zt_str **names;
    int n_names;
};

/* The arguments of a call. For a builtin with a parameter list they are bound to it: v[i] is
 * parameter i, ZT_UNSET if it was not given. self is what a filter, test or method works on. */
struct zt_args {
    struct zt_val self;
    struct zt_val *v;
    int n;
    struct zt_dict *kw; /* NULL if there are none */
};

struct zt_builtin {
    const char *name;
    struct zt_val (*call)(struct zt_env *e, const struct zt_args *a);
    const char *params; /* "a,b,c"; NULL: takes all as they come */
    int required;
};

struct zt_func {
    const struct zt_builtin *builtin;
    struct zt_val self;
};

/* ---- memory and failure (zt_tmpl_value.c) --------------------------------------------------- */

/* n * size bytes, zeroed, aligned for any value. */
void *zt_alloc(struct zt_env *e, size_t n, size_t size);
void zt_env_release(struct zt_env *e);
/* ZC_EINVAL with "name:line: " and the sentence. */
_Noreturn void zt_fail(struct zt_env *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void zt_fail_err(struct zt_env *e, int err, const char *what);
/* Length and bytes for "%.*s". */
#define ZT_S(s) (int)((s)->len < 300 ? (s)->len : 300), (s)->p
/* Counts n units of work; fails when too many. */
void zt_step(struct zt_env *e, uint64_t n);
/* Around what may nest. */
void zt_enter(struct zt_env *e);
static inline void zt_leave(struct zt_env *e)
{
    e->depth--;
}

/* ---- making and reading values (zt_tmpl_value.c) -------------------------------------------- */

static inline struct zt_val zt_undef(enum zt_kind of, const struct zt_str *name)
{
    return (struct zt_val){.kind = ZT_UNDEF, .of = of, .u.name = name};
}
static inline struct zt_val zt_none(void)
{
    return (struct zt_val){.kind = ZT_NONE};
}
static inline struct zt_val zt_bool(bool b)
{
    return (struct zt_val){.kind = ZT_BOOL, .u.b = b};
}
static inline struct zt_val zt_int(int64_t i, bool trusted)
{
    return (struct zt_val){.kind = ZT_INT, .trusted = trusted, .u.i = i};
}
static inline struct zt_val zt_float(double f, bool trusted)
{
    return (struct zt_val){.kind = ZT_FLOAT, .trusted = trusted, .u.f = f};
}
static inline struct zt_val zt_of_str(const struct zt_str *s)
{
    return (struct zt_val){.kind = ZT_STR, .u.s = s};
}
static inline struct zt_val zt_of_list(enum zt_kind kind, struct zt_list *l)
{
    return (struct zt_val){.kind = kind, .u.l = l};
}
static inline struct zt_val zt_of_dict(enum zt_kind kind, struct zt_dict *d)
{
    return (struct zt_val){.kind = kind, .u.d = d};
}

/* Strings. What p and literal point to is borrowed for as long as the arena lives. */
struct zt_str *zt_str_new(struct zt_env *e, const char *p, size_t len, bool trusted);
const struct zt_str *zt_str_of(struct zt_env *e, const char *literal, bool trusted);
struct zt_val zt_text_of(struct zt_env *e, const char *literal, bool trusted);
/* Bytes off .. off + len of s: shares them. */
const struct zt_str *zt_str_sub(struct zt_env *e, const struct zt_str *s, size_t off, size_t len);
const struct zt_str *zt_str_concat(struct zt_env *e, const struct zt_str *a,
                                   const struct zt_str *b);
const struct zt_str *zt_str_markup(struct zt_env *e, const struct zt_str *s, bool markup);
/* HTML-escaped, as Markup; what is Markup already stays. */
const struct zt_str *zt_str_escape(struct zt_env *e, const struct zt_str *s);
bool zt_str_is(const struct zt_str *s, const char *literal);
int zt_str_cmp(const struct zt_str *a, const struct zt_str *b);
bool zt_str_is_trusted_at(const struct zt_str *s, size_t i);
/* Byte offset of code point number i. */
size_t zt_str_offset(const struct zt_str *s, size_t i);
/* A copy with a NUL at its end. */
char *zt_c_string(struct zt_env *e, const struct zt_str *s);
size_t zt_count_chars(const char *p, size_t len);
/* The code point at p (len > 0) and its length in bytes; a stray byte stands for itself. */
uint32_t zt_char_at(const char *p, size_t len, size_t *ret_n);
bool zt_char_is_space(uint32_t c);

void zt_sb_init(struct zt_sb *b, struct zt_env *e);
void zt_sb_add(struct zt_sb *b, const char *p, size_t len, bool trusted);
void zt_sb_adds(struct zt_sb *b, const char *literal, bool trusted);
void zt_sb_addf(struct zt_sb *b, bool trusted, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void zt_sb_add_str(struct zt_sb *b, const struct zt_str *s);
void zt_sb_add_sub(struct zt_sb *b, const struct zt_str *s, size_t off, size_t len);
void zt_sb_add_char(struct zt_sb *b, uint32_t c, bool trusted);
void zt_sb_pad(struct zt_sb *b, size_t n, const struct zt_str *fill);
const struct zt_str *zt_sb_take(struct zt_sb *b);
struct zt_val zt_sb_take_val(struct zt_sb *b);

struct zt_list *zt_list_new(struct zt_env *e, size_t cap);
void zt_list_add(struct zt_env *e, struct zt_list *l, struct zt_val v);
struct zt_val zt_tuple2(struct zt_env *e, struct zt_val a, struct zt_val b);
struct zt_val zt_args_tuple(struct zt_env *e, const struct zt_args *a);
struct zt_dict *zt_dict_new(struct zt_env *e);
/* Fails for a key that Python could not hash. */
void zt_dict_set(struct zt_env *e, struct zt_dict *d, struct zt_val k, struct zt_val v);
/* NULL if it is not there or could not be a key. */
const struct zt_val *zt_dict_get(struct zt_env *e, const struct zt_dict *d, struct zt_val k);
struct zt_val zt_of_json(struct zt_env *e, json_t *j, bool trusted);
/* JSON text, as Python reads it: integers of any size, the last of equal keys. */
struct zt_val zt_of_json_text(struct zt_env *e, const char *text, size_t len);

/* ---- what Python does with values (zt_tmpl_ops.c) ------------------------------------------- */

const char *zt_type_name(struct zt_val v);
bool zt_is_true(struct zt_val v);
bool zt_is_equal(struct zt_env *e, struct zt_val a, struct zt_val b);
/* a < b; fails where Python has no order. */
bool zt_is_less(struct zt_env *e, struct zt_val a, struct zt_val b);
bool zt_is_in(struct zt_env *e, struct zt_val item, struct zt_val in);
/* Everything that iterating v gives; an iterator is used up by it. */
struct zt_list *zt_items(struct zt_env *e, struct zt_val v);
/* len(); fails where there is none. */
size_t zt_length(struct zt_env *e, struct zt_val v);
int64_t zt_need_int(struct zt_env *e, struct zt_val v);
const struct zt_str *zt_need_str(struct zt_env *e, struct zt_val v);
/* The failure that using an undefined value is. */
_Noreturn void zt_fail_undef(struct zt_env *e, struct zt_val v);
struct zt_val zt_binary(struct zt_env *e, char op, struct zt_val a, struct zt_val b);
struct zt_val zt_negate(struct zt_env *e, struct zt_val v, char sign);
/* v[k], undefined where Python has a LookupError or TypeError. */
struct zt_val zt_get_item(struct zt_env *e, struct zt_val v, struct zt_val k);
/* v[from:to:step], each of them an integer, None or ZT_UNSET. */
struct zt_val zt_get_slice(struct zt_env *e, struct zt_val v, struct zt_val from, struct zt_val to,
                           struct zt_val step);

/* ---- text of values (zt_tmpl_format.c) ------------------------------------------------------ */

/* str(v), as printed. */
const struct zt_str *zt_to_str(struct zt_env *e, struct zt_val v);
struct zt_json_style {
    const struct zt_str *indent; /* NULL: on one line */
    const struct zt_str *item_sep, *key_sep;
    bool ascii, sorted;
};
void zt_add_json(struct zt_sb *b, struct zt_val v, const struct zt_json_style *style);
/* "..." % args and "...".format(args). */
struct zt_val zt_format_percent(struct zt_env *e, const struct zt_str *fmt, struct zt_val args);
struct zt_val zt_format_braces(struct zt_env *e, const struct zt_str *fmt, const struct zt_args *a);

/* ---- functions (zt_tmpl_methods.c, zt_tmpl_filters.c) --------------------------------------- */

/* A builtin whose body is one expression of e and a. */
#define ZT_FN(name, value)                                        \
    struct zt_val name(struct zt_env *e, const struct zt_args *a) \
    {                                                             \
        return value;                                             \
    }

/* In a table that ends with a name of NULL; NULL if it is not there. */
const struct zt_builtin *zt_find_builtin(const struct zt_builtin *table, const struct zt_str *name);
const struct zt_builtin *zt_find_filter(const struct zt_str *name);
const struct zt_builtin *zt_find_test(const struct zt_str *name);
const struct zt_builtin *zt_find_global(const struct zt_str *name);
/* A method of values of this kind, NULL if there is none. What would change the value is there with
 * call NULL: the sandbox refuses it. */
const struct zt_builtin *zt_find_method(enum zt_kind kind, const struct zt_str *name);

/* Argument i, or what stands for one that is not given or None. */
const struct zt_str *zt_arg_str(struct zt_env *e, const struct zt_args *a, int i, const char *dflt);
int64_t zt_arg_int(struct zt_env *e, const struct zt_args *a, int i, int64_t dflt);

/* Methods that are filters too, and what one file's filters need of another. */
struct zt_val zt_m_upper(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_m_lower(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_m_capitalize(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_m_split(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_m_strip(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_m_rstrip(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_m_replace(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_m_center(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_m_items(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_f_join(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_f_truncate(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_f_wordcount(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_f_wordwrap(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_f_striptags(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_f_urlencode(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_f_xmlattr(struct zt_env *e, const struct zt_args *a);
struct zt_val zt_f_filesizeformat(struct zt_env *e, const struct zt_args *a);
/* float(v); false if it has no number. */
bool zt_parse_float(struct zt_env *e, struct zt_val v, double *ret);
struct zt_list *zt_split_lines(struct zt_env *e, const struct zt_str *s, bool keep);
/* A cased letter, and none of the other case. */
bool zt_str_is_case(const struct zt_str *s, bool upper);
bool zt_char_is_alnum(uint32_t c);
bool zt_char_is_printable(uint32_t c);
/* With the keys in order. */
struct zt_dict *zt_sorted_dict(struct zt_env *e, const struct zt_dict *d);

/* ---- compiling (zt_tmpl_lex.c, zt_tmpl_parse.c) and rendering (zt_tmpl_eval.c) -------------- */

/* Cuts source into lexemes, the last one ZT_LEX_END. */
struct zt_lexeme *zt_lex(struct zt_env *e, const char *src, size_t len);
/* Fills body and names. */
void zt_parse(struct zt_tmpl *t, const char *src, size_t len);
/* Fails for a filter or test that does not exist. */
_Noreturn void zt_fail_unknown(struct zt_env *e, const struct zt_node *n);
/* Runs the statements of e->tmpl; what they print goes to e->out. */
void zt_run(struct zt_env *e);
/* The value that calling fn with self is; what the sandbox refuses is undefined. */
struct zt_val zt_bind_method(struct zt_env *e, struct zt_val obj, const struct zt_builtin *fn,
                             const struct zt_str *name);
/* Binds the arguments and calls. */
struct zt_val zt_call_builtin(struct zt_env *e, const struct zt_builtin *fn,
                              const struct zt_args *a);
/* obj.name; item: whether obj["name"] may answer too. */
struct zt_val zt_get_attr(struct zt_env *e, struct zt_val obj, const struct zt_str *name,
                          bool item);

#endif
