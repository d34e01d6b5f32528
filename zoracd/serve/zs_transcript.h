/* SPDX-License-Identifier: MIT */
/* The messages of a conversation, and the token ids that were generated for its replies. It has one
 * owner at a time: a session, or the job that works on it. Any thread, one owner. */
#ifndef ZORACD_SERVE_ZS_TRANSCRIPT_H
#define ZORACD_SERVE_ZS_TRANSCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <msgpack.h>

struct zc_diag;

/* Ids of one message; n is 0 for messages that were not generated here. */
struct zs_reply_ids {
    int32_t *ids;
    size_t n;
};

struct zs_transcript {
    json_t *messages;           /* array of objects */
    struct zs_reply_ids *reply; /* [json_array_size(messages)] */
    size_t cap;                 /* of reply */
    size_t bytes;               /* of memory that messages and ids take, about */
    size_t max_bytes;
};

/* The memory that a value takes, about. */
size_t zs_json_bytes(const json_t *v);

int zs_transcript_new(struct zs_transcript **ret_t, size_t max_bytes);
void zs_transcript_free(struct zs_transcript *t);
size_t zs_transcript_len(const struct zs_transcript *t);

/* Appends msgs, an array of message maps (or NULL for none). All or nothing. ZC_EFORMAT names what
 * is no text; ZC_ELIMIT: over max_bytes. */
int zs_transcript_append(struct zs_transcript *t, const msgpack_object *msgs, struct zc_diag *dg);
/* Appends an assistant message of text, with the ids that it was generated as (n 0: unknown). Also
 * over max_bytes: a reply that was given is never forgotten, the next message is refused instead.
 */
int zs_transcript_add_reply(struct zs_transcript *t, const char *text, size_t len,
                            const int32_t *ids, size_t n, struct zc_diag *dg);
/* Keeps the first n messages. */
void zs_transcript_truncate(struct zs_transcript *t, size_t n);
int zs_transcript_copy(struct zs_transcript **ret_t, const struct zs_transcript *t);

#endif
