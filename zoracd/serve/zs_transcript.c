/* SPDX-License-Identifier: MIT */
/* Messages with their generated ids, counted in bytes. */
#include "zoracd/serve/zs_transcript.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_json.h"
#include "common/zc_mem.h"

int zs_transcript_new(struct zs_transcript **ret_t, size_t max_bytes)
{
    json_t *messages = json_array();
    if (!messages)
        return ZC_ENOMEM;
    struct zs_transcript *t = zc_xcalloc(1, sizeof *t);
    t->messages = messages;
    t->max_bytes = max_bytes;
    *ret_t = t;
    return ZC_OK;
}

void zs_transcript_free(struct zs_transcript *t)
{
    if (!t)
        return;
    zs_transcript_truncate(t, 0);
    json_decref(t->messages);
    zc_free(t->reply);
    zc_free(t);
}

/* What jansson's values take from the allocator beside their text, rounded up: an empty object has
 * room for eight entries, an array for eight items, and what they outgrow is doubled.
 * tests/unit/test_serve.c compares it with what is taken. */
enum {
    NUMBER_BYTES = 32,
    STRING_BYTES = 80,
    ARRAY_BYTES = 144,
    ITEM_BYTES = 16,
    OBJECT_BYTES = 240,
    ENTRY_BYTES = 112
};

size_t zs_json_bytes(const json_t *v)
{
    size_t n = 0, i;
    const char *key;
    json_t *item;

    switch (json_typeof(v)) {
    case JSON_STRING:
        return STRING_BYTES + json_string_length(v);
    case JSON_INTEGER:
    case JSON_REAL:
        return NUMBER_BYTES;
    case JSON_ARRAY:
        json_array_foreach (v, i, item)
            n += ITEM_BYTES + zs_json_bytes(item);
        return ARRAY_BYTES + n;
    case JSON_OBJECT:
        json_object_foreach ((json_t *)(uintptr_t)v, key, item)
            n += ENTRY_BYTES + strlen(key) + zs_json_bytes(item);
        return OBJECT_BYTES + n;
    default: /* null, true and false: there is one of each */
        return 0;
    }
}

/* What a message takes with n ids, and its place among the others. */
static size_t message_bytes(const json_t *m, size_t n)
{
    return zs_json_bytes(m) + ITEM_BYTES + 2 * sizeof(struct zs_reply_ids) + n * sizeof(int32_t);
}

size_t zs_transcript_len(const struct zs_transcript *t)
{
    return json_array_size(t->messages);
}

/* Room for one more message's ids. */
static int make_room(struct zs_transcript *t)
{
    size_t len = zs_transcript_len(t), cap = t->cap ? 2 * t->cap : 8;
    void *p;

    if (len < t->cap)
        return ZC_OK;
    int r = zc_try_malloc(&p, cap, sizeof *t->reply, SIZE_MAX);
    if (r < 0)
        return r;
    if (len)
        memcpy(p, t->reply, len * sizeof *t->reply);
    zc_free(t->reply);
    t->reply = p;
    t->cap = cap;
    return ZC_OK;
}

/* A copy of ids; NULL for none. */
static int copy_ids(int32_t **ret_ids, const int32_t *ids, size_t n)
{
    void *p = NULL;
    int r = n ? zc_try_malloc(&p, n, sizeof *ids, SIZE_MAX) : ZC_OK;

    if (r < 0)
        return r;
    if (n)
        memcpy(p, ids, n * sizeof *ids);
    *ret_ids = p;
    return ZC_OK;
}

/* Appends one message (its reference is taken over in every case) and its ids. */
static int add_one(struct zs_transcript *t, json_t *m, const int32_t *ids, size_t n,
                   struct zc_diag *dg)
{
    size_t len = zs_transcript_len(t);
    size_t bytes = message_bytes(m, n);
    struct zs_reply_ids reply = {NULL, n};

    int r = make_room(t);
    if (r == ZC_OK)
        r = copy_ids(&reply.ids, ids, n);
    if (r < 0) {
        json_decref(m);
        return zc_diag(dg, r, "no memory for a message");
    }
    if (json_array_append_new(t->messages, m) < 0) {
        zc_free(reply.ids);
        return zc_diag(dg, ZC_ENOMEM, "no memory for a message");
    }
    t->reply[len] = reply;
    t->bytes += bytes;
    return ZC_OK;
}

int zs_transcript_append(struct zs_transcript *t, const msgpack_object *msgs, struct zc_diag *dg)
{
    size_t before = zs_transcript_len(t);
    json_t *array;

    if (!msgs)
        return ZC_OK;
    int r = zc_json_unpack(&array, msgs, "messages", dg);
    if (r < 0)
        return r;
    for (size_t i = 0; r == ZC_OK && i < json_array_size(array); i++)
        r = add_one(t, json_incref(json_array_get(array, i)), NULL, 0, dg);
    json_decref(array);
    if (r == ZC_OK && t->bytes > t->max_bytes)
        r = zc_diag(dg, ZC_ELIMIT, "the conversation would have %zu bytes, the limit is %zu",
                    t->bytes, t->max_bytes);
    if (r < 0)
        zs_transcript_truncate(t, before);
    return r;
}

int zs_transcript_add_reply(struct zs_transcript *t, const char *text, size_t len,
                            const int32_t *ids, size_t n, struct zc_diag *dg)
{
    json_t *content = json_stringn(text, len);
    json_t *m = content ? json_pack("{s:s, s:o}", "role", "assistant", "content", content) : NULL;

    if (!m)
        return zc_diag(dg, ZC_ENOMEM, "no memory for a reply");
    return add_one(t, m, ids, n, dg);
}

void zs_transcript_truncate(struct zs_transcript *t, size_t n)
{
    for (size_t i = zs_transcript_len(t); i > n; i--) {
        t->bytes -= message_bytes(json_array_get(t->messages, i - 1), t->reply[i - 1].n);
        zc_free(t->reply[i - 1].ids);
        json_array_remove(t->messages, i - 1);
    }
}

int zs_transcript_copy(struct zs_transcript **ret_t, const struct zs_transcript *t)
{
    struct zs_transcript *c = NULL;
    int r = zs_transcript_new(&c, t->max_bytes);

    for (size_t i = 0; r == ZC_OK && i < zs_transcript_len(t); i++) {
        json_t *m = json_deep_copy(json_array_get(t->messages, i));
        r = m ? add_one(c, m, t->reply[i].ids, t->reply[i].n, NULL) : ZC_ENOMEM;
    }
    if (r < 0)
        zs_transcript_free(c);
    else
        *ret_t = c;
    return r;
}
