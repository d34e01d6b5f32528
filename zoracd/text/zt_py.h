/* SPDX-License-Identifier: MIT */
/* Python and jinja2's library, as the interpreter of templates sees it: what operators do with
 * values, and the filters, tests, methods and global functions that a template can call. All of it
 * takes its memory from the arena of e and fails through zt_fail (zt_tmpl_internal.h).
 *   zt_py_values.c    strings, lists, dicts (zt_tmpl_internal.h has them)
 *   zt_py_ops.c       operators
 *   zt_py_char.c      classes of characters, upper and lower case
 *   zt_py_literal.c   numbers and strings of Python's source
 *   zt_py_json.c      JSON to values
 *   zt_py_repr.c      str(), repr(), json.dumps(), pprint
 *   zt_py_format.c    "%" and "{}"
 *   zt_py_big.c       integers beyond 64 bits
 *   zt_py_number.c    int(), float() and what else concerns numbers
 *   zt_py_call.c      how a function gets its arguments
 *   zt_py_str.c, zt_py_objects.c, zt_py_filters.c, zt_py_text.c, zt_py_html.c, zt_py_globals.c
 *                     the functions: methods of str, those of other types, jinja2's filters, those
 *                     that work on text and on HTML, tests and global functions */
#ifndef ZORACD_TEXT_ZT_PY_H
#define ZORACD_TEXT_ZT_PY_H

#include "zoracd/text/zt_tmpl_internal.h"

/* ---- operators ------------------------------------------------------------------------------ */

bool zt_py_is_true(struct zt_val v);
bool zt_py_is_equal(struct zt_env *e, struct zt_val a, struct zt_val b);
/* a op b for comparisons; fails where Python has no order. */
bool zt_py_holds(struct zt_env *e, int op, struct zt_val a, struct zt_val b);
struct zt_val zt_py_binary(struct zt_env *e, int op, struct zt_val a, struct zt_val b);
struct zt_val zt_py_sign(struct zt_env *e, struct zt_val v, int sign);
/* v[k], undefined where Python has a LookupError or TypeError. */
struct zt_val zt_py_item(struct zt_env *e, struct zt_val v, struct zt_val k);
/* v[from:to:step], each of them an integer, None or ZT_UNSET. */
struct zt_val zt_py_slice(struct zt_env *e, struct zt_val v, struct zt_val from, struct zt_val to,
                          struct zt_val step);
/* Everything that iterating v gives; an iterator is used up by it. */
struct zt_list *zt_py_items(struct zt_env *e, struct zt_val v);
/* str(v), as printed. */
struct zt_val zt_py_str(struct zt_env *e, struct zt_val v);
/* HTML-escaped, as Markup; what is Markup already stays. */
struct zt_val zt_py_escape(struct zt_env *e, struct zt_val s);
const char *zt_py_type_name(struct zt_val v);
/* The failure that using an undefined value is; nothing for others. */
void zt_py_need_defined(struct zt_env *e, struct zt_val v);
struct zt_val zt_py_need_str(struct zt_env *e, struct zt_val v);

/* ---- text ----------------------------------------------------------------------------------- */

bool zt_py_is_space(uint32_t c);
/* Half a character of UTF-16, which only an escape in a string makes; it has no UTF-8. */
static inline bool zt_py_is_surrogate(uint32_t c)
{
    return c >= 0xd800 && c < 0xe000;
}
/* The number or quoted string as in Python's source that begins at offset *at of s, which moves
 * behind it; integer: a point ends the number. */
struct zt_val zt_py_number_at(struct zt_env *e, struct zt_val s, size_t *at, bool integer);
struct zt_val zt_py_string_at(struct zt_env *e, struct zt_val s, size_t *at);

/* The variables of a rendering, which are an object. JSON text is read as Python reads it: integers
 * of any size, the last of equal keys. A tree of jansson's has neither those nor keys with a NUL.
 */
struct zt_dict *zt_py_json_text(struct zt_env *e, const char *text, size_t len);
struct zt_dict *zt_py_json_tree(struct zt_env *e, json_t *tree, bool trusted);

/* ---- functions ------------------------------------------------------------------------------ */

/* The arguments of a call. For a function with a parameter list they are bound to it: v[i] is
 * parameter i. self is what a filter, test or method works on, x is the function's. */
struct zt_py_args {
    struct zt_val self, *v;
    int n;
    struct zt_dict *kw; /* NULL if there are none */
    int x;
};

/* NULL if it is not there. */
const struct zt_py_fn *zt_py_find_filter(struct zt_val name);
const struct zt_py_fn *zt_py_find_test(struct zt_val name);
const struct zt_py_fn *zt_py_find_global(struct zt_val name);
/* The attribute of a value that Python and jinja2 give it, ZT_UNSET if there is none; what the
 * sandbox refuses is undefined, and says so when it is used. */
struct zt_val zt_py_attr(struct zt_env *e, struct zt_val obj, struct zt_val name);
/* The value that calling fn with self is. */
struct zt_val zt_py_bind(struct zt_env *e, struct zt_val self, const struct zt_py_fn *fn);
/* Binds the arguments and calls. */
struct zt_val zt_py_call(struct zt_env *e, const struct zt_py_fn *fn, const struct zt_py_args *a);

#endif
