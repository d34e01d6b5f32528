/* SPDX-License-Identifier: MIT */
/* Lines of JSON in, lines of JSON out. */
#include <stdio.h>
#include <stdlib.h>

#include "common/zc_mem.h"
#include "zoracd/tools/zi.h"

#define MAX_LINE (256u << 20)
#define MAX_IDS  (1u << 24)

void zi_print(json_t *o)
{
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9) | JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(o);
}

struct line_answer {
    zi_answer *answer;
    void *state;
};

static int answer_line(void *state, const char *text, size_t len, json_t **ret_answer,
                       struct zc_diag *dg)
{
    const struct line_answer *a = state;
    json_error_t e;

    json_t *line = json_loadb(text, len, JSON_ALLOW_NUL, &e);
    if (!line)
        return zc_diag(dg, ZC_EFORMAT, "not JSON: %s at %d", e.text, e.position);
    int r = json_is_object(line) ? a->answer(a->state, line, ret_answer, dg)
                                 : zc_diag(dg, ZC_EFORMAT, "not an object");
    json_decref(line);
    return r;
}

int zi_each_line(zi_answer *answer, void *state)
{
    struct line_answer a = {.answer = answer, .state = state};

    return zi_each_text(answer_line, &a);
}

int zi_each_text(zi_text_answer *answer, void *state)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    int status = ZO_OK;

    while ((len = getline(&text, &cap, stdin)) > 0) {
        struct zc_diag dg = {""};
        json_t *out = NULL;
        int r = len > MAX_LINE ? zc_diag(&dg, ZC_ELIMIT, "a line of over %u bytes", MAX_LINE)
                               : answer(state, text, (size_t)len, &out, &dg);
        if (r < 0) {
            out = json_pack("{s:s}", "error", dg.text[0] ? dg.text : zc_err_name(r));
            status = ZO_FAILED;
        }
        zi_print(out);
    }
    free(text);
    return status;
}

int zi_ids(const json_t *line, int32_t **ret_ids, size_t *ret_n, struct zc_diag *dg)
{
    const json_t *list = json_object_get(line, "ids"), *item;
    size_t i;
    void *mem;
    int r;

    if (!json_is_array(list))
        return zc_diag(dg, ZC_EFORMAT, "no list of \"ids\"");
    if ((r = zc_try_malloc(&mem, json_array_size(list), sizeof(int32_t), MAX_IDS)) < 0)
        return zc_diag(dg, r, "%zu ids are too many", json_array_size(list));
    int32_t *ids = mem;
    json_array_foreach (list, i, item) {
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id > INT32_MAX) {
            zc_free(ids);
            return zc_diag(dg, ZC_EFORMAT, "ids[%zu] is no token", i);
        }
        ids[i] = (int32_t)id;
    }
    *ret_ids = ids;
    *ret_n = json_array_size(list);
    return ZC_OK;
}
