/* SPDX-License-Identifier: MIT */
/* What the files of Python's library share (zt_py.h names them). */
#ifndef ZORACD_TEXT_ZT_PY_INTERNAL_H
#define ZORACD_TEXT_ZT_PY_INTERNAL_H

#include "zoracd/text/zt_py.h"

/* ---- how functions are declared ------------------------------------------------------------- */

/* A filter, test, method or global function. params: parameters with a blank between them, each
 * "name[:kind][=default|?|!]". kind: s a string, t anything as its text, i an integer, b a truth
 * value; without one any value. '?': may be left out or None, '!': may be left out, then ZT_UNSET.
 * In a default string '_' stands for a blank. A '/' before them: none can be given by its name.
 * NULL: the function takes what is given. */
struct zt_py_fn {
    const char *name, *params;
    struct zt_val (*call)(struct zt_env *, const struct zt_py_args *); /* NULL: refused */
    int x; /* which of several that share a function */
};

/* A function whose body is one expression of e and a. */
#define ZT_FN(name, value)                                           \
    struct zt_val name(struct zt_env *e, const struct zt_py_args *a) \
    {                                                                \
        (void)e, (void)a;                                            \
        return value;                                                \
    }

/* The first of this name in a table that ends with a name of NULL; NULL if it is not there. */
const struct zt_py_fn *zt_py_find_in(const struct zt_py_fn *table, struct zt_val name);
/* What a filter or method works on, as a string. */
static inline struct zt_val zt_py_self(struct zt_env *e, const struct zt_py_args *a)
{
    return zt_py_str(e, a->self);
}

/* ---- values --------------------------------------------------------------------------------- */

/* list(v) */
struct zt_val zt_py_list(struct zt_env *e, struct zt_val v);
/* len(); fails where there is none. */
size_t zt_py_len(struct zt_env *e, struct zt_val v);
int64_t zt_py_need_int(struct zt_env *e, struct zt_val v);
/* range(from, to, step), as the sandbox limits it. */
struct zt_val zt_py_range(struct zt_env *e, int64_t from, int64_t to, int64_t step, bool trusted);
/* The whole backwards. */
struct zt_val zt_py_reversed(struct zt_env *e, struct zt_val v);
/* repr(), or ascii(), which escapes all but ASCII. */
struct zt_val zt_py_repr(struct zt_env *e, struct zt_val v, bool ascii);
/* The shortest digits that give f back, in Python's notation. */
void zt_py_write_float(char *text, size_t cap, double f);
/* (key, value) of all. */
struct zt_list *zt_py_pairs(struct zt_env *e, const struct zt_dict *d);
/* With the keys in order. */
struct zt_dict *zt_py_sorted_dict(struct zt_env *e, const struct zt_dict *d);

/* The float nearest to a number; fails where an integer has none. */
double zt_py_to_float(struct zt_env *e, struct zt_val v);
/* A finite float without its fraction. */
struct zt_val zt_py_truncated(struct zt_env *e, double f, bool trusted);

/* Integers that may not fit 64 bits: from decimal digits with a sign; from the digits of a base up
 * to 16 without one; the digits of |v| in a base. */
struct zt_val zt_py_big_or_int(struct zt_env *e, const char *digits, size_t len, bool trusted);
struct zt_val zt_py_big_parse(struct zt_env *e, const char *digits, size_t len, uint32_t base);
char *zt_py_big_digits(struct zt_env *e, struct zt_val v, uint32_t base);
/* a op b of two integers; no quotient but that of //, b is not 0, and not negative for **. */
struct zt_val zt_py_big_binary(struct zt_env *e, int op, struct zt_val a, struct zt_val b);
int zt_py_big_compare(struct zt_env *e, struct zt_val a, struct zt_val b);

/* The integer or float that ASCII text begins with, without underscores, and where it ends;
 * ZT_UNSET if there is none. */
struct zt_val zt_py_number(struct zt_env *e, const char *text, char **ret_end);

/* ---- characters and strings ----------------------------------------------------------------- */

/* What a character can be, and a string whose characters all are; the last three are of strings
 * only, whose cased letters are upper, lower, or each word's first upper and the others lower. */
enum zt_py_class {
    ZT_PY_SPACE,
    ZT_PY_ASCII,
    ZT_PY_PRINTABLE,
    ZT_PY_ALPHA,
    ZT_PY_ALNUM,
    ZT_PY_DECIMAL,
    ZT_PY_DIGIT,
    ZT_PY_NUMERIC,
    ZT_PY_UPPER,
    ZT_PY_LOWER,
    ZT_PY_TITLE
};
/* The value of a decimal digit of any script, -1 for what is none. */
int zt_py_digit(uint32_t c);
bool zt_py_is_of(uint32_t c, enum zt_py_class class);
bool zt_py_is_all(struct zt_env *e, struct zt_val s, enum zt_py_class class);
enum zt_py_letters { ZT_UPPER, ZT_LOWER, ZT_TITLE, ZT_CAPITALIZE, ZT_SWAPCASE, ZT_CASEFOLD };
struct zt_val zt_py_in_case(struct zt_env *e, struct zt_val s, enum zt_py_letters to);

/* fill n times, which counts as work; none for n < 0. */
void zt_py_add_times(struct zt_sb *b, struct zt_val fill, int64_t n);
/* Where sub begins in s, first or last; SIZE_MAX if it does not. */
size_t zt_py_find(struct zt_env *e, struct zt_val s, struct zt_val sub, bool last);
/* The parts of s between at most max separators (-1: all) from the left or the right; sep ZT_UNSET:
 * runs of white space, and none at the ends. */
struct zt_list *zt_py_split(struct zt_env *e, struct zt_val s, struct zt_val sep, int64_t max,
                            bool right);
/* s without the characters of set (ZT_UNSET: white space) at its sides; its lines, with their ends
 * if keep; the strings of l with sep between them. */
enum zt_py_side { ZT_LEFT = 1, ZT_RIGHT = 2, ZT_BOTH = 3 };
struct zt_val zt_py_strip(struct zt_env *e, struct zt_val s, struct zt_val set,
                          enum zt_py_side sides);
struct zt_list *zt_py_lines(struct zt_env *e, struct zt_val s, bool keep);
struct zt_val zt_py_joined(struct zt_env *e, const struct zt_list *l, struct zt_val sep);
/* fmt % args. */
struct zt_val zt_py_percent(struct zt_env *e, struct zt_val fmt, struct zt_val args);

/* ---- functions that tables of other files name ---------------------------------------------- */

typedef struct zt_val zt_py_call_fn(struct zt_env *e, const struct zt_py_args *a);
zt_py_call_fn zt_py_case, zt_py_m_strip, zt_py_pad, zt_py_replace, zt_py_braces, zt_py_format_map,
    zt_py_tojson, zt_py_pprint;
extern const struct zt_py_fn zt_py_str_methods[], zt_py_bytes_methods[], zt_py_int_methods[],
    zt_py_float_methods[], zt_py_number_filters[], zt_py_text_filters[], zt_py_html_filters[];

#endif
