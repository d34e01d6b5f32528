/* SPDX-License-Identifier: MIT */
/* JSON to values: from text, or from a tree of jansson's without the way through text. */
#include "zoracd/text/zt_py_internal.h"

#include <string.h>

#include "common/zc_utf8.h"
#include "zoracd/text/zt_json.h"

_Noreturn static void fail_json(struct zt_env *e, int err)
{
    zt_fail_err(e, err == ZC_ENOMEM ? err : ZC_EFORMAT,
                err == ZC_ENOMEM ? "out of memory" : "the variables are not valid JSON");
}

_Noreturn static void fail_utf8(struct zt_env *e)
{
    zt_fail_err(e, ZC_EFORMAT, "the variables are not valid UTF-8");
}

/* ---- text ----------------------------------------------------------------------------------- */

static struct zt_val text_string(struct zt_env *e, struct zt_json *j)
{
    int r = zt_json_string(j, &e->scratch);

    if (r < 0)
        fail_json(e, r);
    return zt_decode(e, zc_buf_str(&e->scratch), e->scratch.len, false);
}

static struct zt_val text_scalar(struct zt_env *e, struct zt_json *j)
{
    const char *start = j->p;
    char *end;

    if (zt_json_skip(j) < 0)
        fail_json(e, ZC_EFORMAT);
    struct zt_val s = zt_decode(e, start, (size_t)(j->p - start), false), v;
    if (zt_is(s, "null"))
        return ZT_NONE_VALUE;
    if (zt_is(s, "true") || zt_is(s, "false"))
        return zt_bool(s.n == 4);
    v = zt_py_number(e, zt_utf8(e, s), &end);
    if (!ZT_IS_GIVEN(v) || *end)
        fail_json(e, ZC_EFORMAT);
    return v;
}

static struct zt_val text_value(struct zt_env *e, struct zt_json *j)
{
    struct zt_val v;
    int first = 1, more, c = zt_json_peek(j);

    if (c == '"')
        return text_string(e, j);
    if (c != '{' && c != '[')
        return text_scalar(e, j);
    zt_enter(e);
    v = c == '{' ? zt_of_dict(ZT_DICT, zt_dict_new(e)) : zt_of_list(ZT_LIST, zt_list_new(e, 4));
    zt_json_enter(j, (char)c);
    while ((more = zt_json_next(j, c == '{' ? '}' : ']', &first)) > 0) {
        if (c == '[') {
            zt_push(e, v.u.l, text_value(e, j));
            continue;
        }
        struct zt_val key = text_string(e, j);
        if (zt_json_peek(j) != ':')
            fail_json(e, ZC_EFORMAT);
        j->p++;
        zt_dict_set(e, v.u.d, key, text_value(e, j));
    }
    if (more < 0)
        fail_json(e, ZC_EFORMAT);
    zt_leave(e);
    return v;
}

struct zt_dict *zt_py_json_text(struct zt_env *e, const char *text, size_t len)
{
    struct zt_json j;

    if (!zc_utf8_is_valid(text, len))
        fail_utf8(e);
    zt_json_init(&j, text, len, NULL);
    struct zt_val v = text_value(e, &j);
    if (zt_json_end(&j) < 0 || v.kind != ZT_DICT)
        fail_json(e, ZC_EFORMAT);
    return v.u.d;
}

/* ---- trees ---------------------------------------------------------------------------------- */

static struct zt_val tree_value(struct zt_env *e, json_t *tree, bool trusted);

static struct zt_val tree_string(struct zt_env *e, const char *p, size_t len, bool trusted)
{
    if (!zc_utf8_is_valid(p, len))
        fail_utf8(e);
    return zt_decode(e, p, len, trusted);
}

static struct zt_val tree_list(struct zt_env *e, const json_t *tree, bool trusted)
{
    struct zt_list *l = zt_list_new(e, json_array_size(tree));

    for (size_t i = 0; i < json_array_size(tree); i++)
        zt_push(e, l, tree_value(e, json_array_get(tree, i), trusted));
    return zt_of_list(ZT_LIST, l);
}

static struct zt_val tree_dict(struct zt_env *e, json_t *tree, bool trusted)
{
    struct zt_dict *d = zt_dict_new(e);
    const char *key;
    json_t *v;

    json_object_foreach (tree, key, v) {
        struct zt_val k = tree_string(e, key, strlen(key), trusted);
        zt_dict_set(e, d, k, tree_value(e, v, trusted));
    }
    return zt_of_dict(ZT_DICT, d);
}

static struct zt_val tree_value(struct zt_env *e, json_t *tree, bool trusted)
{
    struct zt_val v;

    switch (json_typeof(tree)) {
    case JSON_NULL:
        return ZT_NONE_VALUE;
    case JSON_TRUE:
    case JSON_FALSE:
        return zt_bool(json_is_true(tree));
    case JSON_INTEGER:
        return zt_int(json_integer_value(tree), trusted);
    case JSON_REAL:
        return zt_float(json_real_value(tree), trusted);
    case JSON_STRING:
        return tree_string(e, json_string_value(tree), json_string_length(tree), trusted);
    default:
        zt_enter(e);
        v = json_is_array(tree) ? tree_list(e, tree, trusted) : tree_dict(e, tree, trusted);
        zt_leave(e);
        return v;
    }
}

struct zt_dict *zt_py_json_tree(struct zt_env *e, json_t *tree, bool trusted)
{
    if (!json_is_object(tree))
        fail_json(e, ZC_EFORMAT);
    return tree_value(e, tree, trusted).u.d;
}
