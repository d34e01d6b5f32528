/* SPDX-License-Identifier: MIT */
/* What the files of the template interpreter share:
 *   zt_tmpl_env.c               memory and failure
 *   zt_tmpl_lex.c, _parse.c     source to tree
 *   zt_tmpl_frame.c             which names a scope hides at first
 *   zt_tmpl_eval.c              tree to text
 *   zt_tmpl.c                   the two of them for the outside
 * What a template can call and what its operators do is Python's and jinja2's library: zt_py.h.
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
    ZT_UNSET, /* no value at all: an argument that was not given, a name that nobody defined */
    ZT_UNDEF,
    ZT_NONE,
    ZT_BOOL,
    ZT_INT,
    ZT_BIG, /* an integer that does not fit, as its digits */
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
    ZT_SELF,   /* what jinja2 calls self: its members are the blocks */
    ZT_CYCLER, /* a zt_list and a position in it */
    ZT_JOINER, /* a zt_list with the separator; its position says whether it was called */
    ZT_N_KINDS
};

/* A string is n characters at u.s, which never change: a part of it is another value that points
 * into them. A character is its code point and, in the highest bit, who wrote it: whatever is done
 * with characters, each of them remembers that. */
#define ZT_TRUSTED 0x80000000u

struct zt_val {
    uint8_t kind;
    uint8_t of; /* ZT_UNDEF: the kind of what lacks the name u.s; ZT_UNSET: it is a variable */
    bool trusted : 1; /* numbers: made by the template alone, so that their digits are trusted */
    bool markup : 1;  /* ZT_STR: Python's Markup: escaped; what is added to it is escaped */
    bool bytes : 1;   /* ZT_STR: Python's bytes, which only encode() makes; ZT_UNDEF: of those */
    bool grows : 1;   /* ZT_STR: zt_concat made it */
    bool unsafe : 1;  /* ZT_UNDEF: refused by the sandbox */
    uint32_t n;
    union {
        bool b;
        int64_t i;
        double f;
        const uint32_t *s;
        uint32_t *growing; /* if grows */
        struct zt_list *l;
        struct zt_dict *d;
        const struct zt_func *fn;
        const struct zt_macro *macro;
        struct zt_loop *loop;
    } u;
};

struct zt_list {
    struct zt_val *v;
    size_t n, cap;
    size_t pos;            /* ZT_ITER: how much was read */
    const int64_t *bounds; /* ZT_RANGE: start, stop, step */
    char view;             /* ZT_VIEW: of 'k'eys, 'v'alues or 'i'tems */
    bool group;            /* ZT_TUPLE: of groupby, with attributes grouper and list */
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

/* Growing text; {.e = e} is empty. */
struct zt_sb {
    struct zt_env *e;
    uint32_t *p;
    size_t n, cap;
};

struct zt_func {
    const struct zt_py_fn *fn;
    struct zt_val self;
};

/* ---- the tree ------------------------------------------------------------------------------- */

enum zt_lex { ZT_LEX_END, ZT_LEX_DATA, ZT_LEX_NUMBER, ZT_LEX_STRING, ZT_LEX_NAME, ZT_LEX_OP };

struct zt_lexeme {
    enum zt_lex is;
    uint32_t line;
    struct zt_val val; /* of a number its value, else the text; "{{", "%}" ... are operators */
};

/* Operators of more than one character; the others are their character. */
enum zt_op { ZT_EQ = 1, ZT_NE, ZT_LE, ZT_GE, ZT_IN, ZT_NOT_IN, ZT_POW, ZT_FLOORDIV };

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
    ZT_N_ARG,     /* a: value; op: 0 positional, '=' keyword val, '*', ZT_POW for ** */
    /* statements */
    ZT_N_DATA,       /* val */
    ZT_N_PRINT,      /* a */
    ZT_N_IF,         /* a: test, b: body, c: else */
    ZT_N_FOR,        /* target a in b if c, d: body, f: else; op: recursive */
    ZT_N_SET,        /* target a = b */
    ZT_N_CAPTURE,    /* d: body, through filter b or NULL, to target a or printed */
    ZT_N_MACRO,      /* id, a: parameters (NAME, default in b), d: body, uses */
    ZT_N_CALL_BLOCK, /* a: the call, b: a ZT_N_MACRO that is the caller; a NULL: b is called */
    ZT_N_SCOPE,      /* d: body with names a set to b; op: which sees the outermost names only */
    ZT_N_AUTOESCAPE, /* a, d: body */
    ZT_N_REFUSED,    /* needs other templates, or a block that they would have */
    ZT_N_BREAK,
    ZT_N_CONTINUE,
    ZT_N_NS_TARGET /* as a target only: id . val */
};

/* The names that the evaluator gives a meaning have the first numbers. */
enum zt_name_id { ZT_ID_LOOP, ZT_ID_CALLER, ZT_ID_VARARGS, ZT_ID_KWARGS };

struct zt_node {
    enum zt_node_type type;
    int op;
    int id; /* of a name: index of zt_tmpl.names */
    uint32_t line;
    const char *tag;       /* of a statement: what messages call it */
    unsigned uses;         /* MACRO: of enum zt_name_id, as bits: what its body names */
    struct zt_list *hides; /* of what has a scope: numbers of names without a value at first */
    struct zt_node *next, *a, *b, *c, *d, *f;
    const struct zt_py_fn *fn; /* NULL: unknown, which fails when it is used */
    struct zt_val val;
};

/* ---- compiling and rendering ---------------------------------------------------------------- */

struct zt_bind {
    int id;
    struct zt_val v;
};

struct zt_scope {
    struct zt_scope *parent; /* NULL: the outermost, whose names are in zt_env.vars */
    struct zt_bind *b;
    size_t n, cap;
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
    struct zt_val changed; /* what changed() saw last */
};

enum { ZT_MAX_DEPTH = 1500 };

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
    const char *doing;     /* the tag or function that was begun last, NULL: none */
    uint32_t depth;        /* of nested constructs, values and calls: bounds the C stack */
    uint64_t steps;        /* left */
    struct zc_buf scratch; /* of the JSON reader */
    /* rendering only */
    const struct zt_tmpl *tmpl;
    struct zt_val *vars; /* of the outermost scope, by name id */
    struct zt_scope root, *scope;
    struct zt_text *text; /* where the text goes */
    struct zt_sb *out;    /* or where it is captured, NULL if it is not */
    struct zt_val block;  /* what the filter of a filter or set block works on */
    bool autoescape;
    int64_t now;
};

struct zt_tmpl {
    struct zt_env env;
    char *name;
    struct zt_node *body;
    struct zt_dict *names;             /* their numbers, in order */
    struct zt_node *blocks;            /* as macros without parameters */
    struct zt_list *hides;             /* as of a node */
    _Atomic(struct zt_chunk *) *spare; /* memory that a rendering has left for the next */
};

/* While a template is parsed: a frame of variables (a scope of the evaluator), which an if is not,
 * but what is set in an if may not be. */
struct zt_frame {
    struct zt_frame *around; /* whose names it sees too, NULL: none */
    struct zt_frame *before; /* the one that goes on after it */
    struct zt_frame *next;   /* of all */
    struct zt_dict *seen;    /* by number of a name: whether it was set first */
    struct zt_list *hides;   /* filled at the end: numbers of names without a value at first */
    int ifs;                 /* around here */
};
struct zt_frames {
    struct zt_env *e;
    struct zt_frame *now, *all;
};

/* Begins a frame; its list of hidden names. */
struct zt_list *zt_frame_open(struct zt_frames *fs, bool sees_around);
void zt_frame_close(struct zt_frames *fs);
/* The frame reads this name, or sets it; a parameter counts as read. */
void zt_frame_see(struct zt_frames *fs, int id, bool sets);
void zt_frame_see_targets(struct zt_frames *fs, const struct zt_node *target, bool sets);
/* Fills the lists. */
void zt_frames_end(struct zt_frames *fs);

/* Cuts source into lexemes, the last one ZT_LEX_END. */
struct zt_lexeme *zt_lex(struct zt_env *e, const char *src, size_t len);
/* Fills body and names. */
void zt_parse(struct zt_tmpl *t, const char *src, size_t len);
/* Fails for a filter or test that does not exist. */
_Noreturn void zt_fail_unknown(struct zt_env *e, const struct zt_node *n);
/* Runs the statements of e->tmpl. */
void zt_run(struct zt_env *e);
/* A string to wherever the text goes (zt_tmpl.c). */
void zt_print(struct zt_env *e, struct zt_val s);
/* obj.name; item: whether obj["name"] may answer too. */
struct zt_val zt_get_attr(struct zt_env *e, struct zt_val obj, struct zt_val name, bool item);

/* ---- memory and failure (zt_tmpl_env.c) ----------------------------------------------------- */

/* n * size bytes, zeroed, aligned for any value. */
void *zt_alloc(struct zt_env *e, size_t n, size_t size);
/* bytes that are not zeroed, and back from them what is behind to, if nothing was taken since. */
void *zt_alloc_raw(struct zt_env *e, size_t bytes);
void zt_give_back(struct zt_env *e, const uint32_t *end, uint32_t *to);
/* An array p with room for more than its n items: the same one while it has *cap of them. */
void *zt_grow(struct zt_env *e, void *p, size_t n, size_t *cap, size_t size);
/* Begins with a chunk that zt_env_end has left, or NULL. */
void zt_env_begin(struct zt_env *e, struct zt_chunk *spare);
/* Drops everything, but for one chunk (zc_free), or NULL. */
struct zt_chunk *zt_env_end(struct zt_env *e);
/* ZC_EINVAL with "name:line: " and the sentence. */
_Noreturn void zt_fail(struct zt_env *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void zt_fail_err(struct zt_env *e, int err, const char *what);
/* The same for a limit, with what the template was doing. */
_Noreturn void zt_fail_limit(struct zt_env *e, const char *what);
/* Counts n units of work; fails when too many. */
static inline void zt_step(struct zt_env *e, uint64_t n)
{
    if (n > e->steps)
        zt_fail_limit(e, "the template takes too many steps");
    e->steps -= n;
}
/* Around what may nest. */
static inline void zt_enter(struct zt_env *e)
{
    if (++e->depth > ZT_MAX_DEPTH)
        zt_fail_limit(e, "nested too deep");
}
static inline void zt_leave(struct zt_env *e)
{
    e->depth--;
}

/* ---- making and reading values (zt_py_values.c) --------------------------------------------- */

#define ZT_NO_VALUE    ((struct zt_val){.kind = ZT_UNSET})
#define ZT_NONE_VALUE  ((struct zt_val){.kind = ZT_NONE})
#define ZT_IS_GIVEN(v) ((v).kind != ZT_UNSET)
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
static inline struct zt_val zt_of_list(enum zt_kind kind, struct zt_list *l)
{
    return (struct zt_val){.kind = kind, .u.l = l};
}
static inline struct zt_val zt_of_dict(enum zt_kind kind, struct zt_dict *d)
{
    return (struct zt_val){.kind = kind, .u.d = d};
}
static inline struct zt_val zt_undef(enum zt_kind of, struct zt_val name)
{
    return (struct zt_val){.kind = ZT_UNDEF, .of = of, .n = name.n, .u.s = name.u.s};
}
/* Character i of a string, without who wrote it. */
static inline uint32_t zt_char(struct zt_val s, size_t i)
{
    return s.u.s[i] & ~ZT_TRUSTED;
}
static inline bool zt_is_trusted(struct zt_val s, size_t i)
{
    return s.u.s[i] & ZT_TRUSTED;
}
/* Whether two strings have the same characters, whoever wrote them. */
static inline bool zt_is_same(struct zt_val a, struct zt_val b)
{
    size_t i = 0;

    while (a.n == b.n && i < a.n && zt_char(a, i) == zt_char(b, i))
        i++;
    return a.n == b.n && i == a.n;
}
/* Characters from .. to of a string. */
static inline struct zt_val zt_sub(struct zt_val s, size_t from, size_t to)
{
    s.u.s += from;
    s.n = (uint32_t)(to - from);
    s.grows = false;
    return s;
}
static inline struct zt_val zt_markup(struct zt_val s, bool markup)
{
    s.markup = markup;
    return s;
}

/* A string of a C string that is ASCII; of valid UTF-8. */
struct zt_val zt_text(struct zt_env *e, const char *ascii, bool trusted);
struct zt_val zt_decode(struct zt_env *e, const char *p, size_t len, bool trusted);
/* A string as UTF-8 with a NUL at its end. */
char *zt_utf8(struct zt_env *e, struct zt_val s);
bool zt_is(struct zt_val s, const char *ascii);
/* Whether c is one of these ASCII characters; 0 is not. */
bool zt_is_one_of(uint32_t c, const char *set);
int zt_compare(struct zt_val a, struct zt_val b);
struct zt_val zt_concat(struct zt_env *e, struct zt_val a, struct zt_val b);

void zt_add(struct zt_sb *b, struct zt_val s);
void zt_add_char(struct zt_sb *b, uint32_t c);
void zt_add_ascii(struct zt_sb *b, const char *ascii, bool trusted);
void zt_addf(struct zt_sb *b, bool trusted, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The text; b is empty again. */
struct zt_val zt_take(struct zt_sb *b);

struct zt_list *zt_list_new(struct zt_env *e, size_t cap);
void zt_push(struct zt_env *e, struct zt_list *l, struct zt_val v);
void zt_push_all(struct zt_env *e, struct zt_list *to, const struct zt_list *from);
/* Of the n values at v. */
struct zt_val zt_tuple(struct zt_env *e, const struct zt_val *v, size_t n);
struct zt_dict *zt_dict_new(struct zt_env *e);
/* Fails for a key that Python could not hash. */
void zt_dict_set(struct zt_env *e, struct zt_dict *d, struct zt_val k, struct zt_val v);
/* NULL if it is not there; fails as zt_dict_set. d may be NULL. */
const struct zt_val *zt_dict_get(struct zt_env *e, const struct zt_dict *d, struct zt_val k);
/* The value of an ASCII key, ZT_UNSET if it is not there. */
struct zt_val zt_dict_value(struct zt_env *e, const struct zt_dict *d, const char *key);

#endif
