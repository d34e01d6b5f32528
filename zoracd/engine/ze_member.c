/* SPDX-License-Identifier: MIT */
/* Typed, ranged members of a model's JSON objects. What is wrong is said with file, key and value,
 * and the first error stays, so that a reader of many members looks once. Any thread. */
#include <math.h>
#include <stdio.h>

#include "common/zc_err.h"
#include "zoracd/engine/ze_internal.h"

/* null means absent, as the reference has it */
const json_t *ze_json_get(const struct ze_json *j, const char *key)
{
    const json_t *v = json_object_get(j->o, key);
    if (!v || json_is_null(v))
        v = j->outer ? json_object_get(j->outer, key) : NULL;
    return v && !json_is_null(v) ? v : NULL;
}

static void json_fail(struct ze_json *j, int err, const char *key, const char *what)
{
    if (j->err == ZC_OK)
        j->err = zc_diag(j->dg, err, "%s: %s %s", j->file, key, what);
}

int64_t ze_json_int(struct ze_json *j, const char *key, int64_t min, int64_t max, int64_t fallback)
{
    const json_t *v = ze_json_get(j, key);
    if (!v && fallback == ZE_REQUIRED) {
        json_fail(j, ZC_EFORMAT, key, "is missing");
        return min;
    }
    if (!v)
        return fallback;
    if (!json_is_integer(v)) {
        json_fail(j, ZC_EFORMAT, key, "is not an integer");
        return min;
    }
    json_int_t n = json_integer_value(v);
    if (n < min || n > max) {
        char text[96];
        snprintf(text, sizeof text, "is %lld, outside %lld to %lld", (long long)n, (long long)min,
                 (long long)max);
        json_fail(j, ZC_EFORMAT, key, text);
        return min;
    }
    return n;
}

double ze_json_real(struct ze_json *j, const char *key, double min, double max, double fallback)
{
    const json_t *v = ze_json_get(j, key);
    if (!v && isnan(fallback)) {
        json_fail(j, ZC_EFORMAT, key, "is missing");
        return min;
    }
    if (!v)
        return fallback;
    if (!json_is_number(v)) {
        json_fail(j, ZC_EFORMAT, key, "is not a number");
        return min;
    }
    double d = json_number_value(v);
    if (!(d >= min && d <= max)) {
        char text[96];
        snprintf(text, sizeof text, "is %g, outside %g to %g", d, min, max);
        json_fail(j, ZC_EFORMAT, key, text);
        return min;
    }
    return d;
}

bool ze_json_is_true(struct ze_json *j, const char *key, bool fallback)
{
    const json_t *v = ze_json_get(j, key);
    if (!v)
        return fallback;
    if (!json_is_boolean(v))
        json_fail(j, ZC_EFORMAT, key, "is not true or false");
    return json_is_true(v);
}

const char *ze_json_string(struct ze_json *j, const char *key, const char *fallback)
{
    const json_t *v = ze_json_get(j, key);
    if (!v)
        return fallback;
    if (!json_is_string(v)) {
        json_fail(j, ZC_EFORMAT, key, "is not a string");
        return fallback;
    }
    return json_string_value(v);
}
