/* SPDX-License-Identifier: MIT */
/* Conversations on disk: SQLite in $XDG_DATA_HOME/zorac/conversations.db. This store is the record;
 * the daemon's session is only a cache of it. Every function commits before it returns, so that a
 * kill at any moment loses at most the piece of a reply that was not handed over yet. A power cut
 * may also lose the last pieces of a reply that had not ended: all else waits for the disk. */
#ifndef ZORAC_CLI_ZCLI_STORE_H
#define ZORAC_CLI_ZCLI_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct zc_diag;
struct zcli_store;

/* Opens (and makes, mode 0600) the store. path NULL: the default place. A file written by a newer
 * version is refused, never changed. */
int zcli_store_open(struct zcli_store **ret_s, const char *path, struct zc_diag *dg);
void zcli_store_close(struct zcli_store *s);

struct zcli_conv {
    int64_t id;
    char name[128];
};

/* The conversation of that name, or (name NULL) the one used last. ZC_ENOTFOUND. What is given out
 * of a name is always text without control characters, and finds its conversation. */
int zcli_store_find(struct zcli_store *s, const char *name, struct zcli_conv *ret_c,
                    struct zc_diag *dg);
/* A new one; name NULL: the date and a number. system: the system message, or NULL. ZC_EINVAL: the
 * name is taken or is none. */
int zcli_store_create(struct zcli_store *s, const char *name, const char *system,
                      struct zcli_conv *ret_c, struct zc_diag *dg);
/* zcli_store_find, and zcli_store_create if there is none: in one step, as others may be doing the
 * same. ZC_EINVAL also for a system message where the conversation has begun. */
int zcli_store_enter(struct zcli_store *s, const char *name, const char *system,
                     struct zcli_conv *ret_c, struct zc_diag *dg);
int zcli_store_rename(struct zcli_store *s, const char *from, const char *to, struct zc_diag *dg);
int zcli_store_delete(struct zcli_store *s, const char *name, struct zc_diag *dg);

/* What is sent of it, [{"role", "content"}, ...], as the daemon takes them: every prompt with its
 * reply, from the first that was not trimmed away. A new reference. */
int zcli_store_messages(struct zcli_store *s, int64_t conv, json_t **ret_messages,
                        struct zc_diag *dg);
/* All of it, in the same form; what is not sent has a "note": "no reply" or "left out". */
int zcli_store_record(struct zcli_store *s, int64_t conv, json_t **ret_messages,
                      struct zc_diag *dg);
/* How many messages it has, prompts without a reply not counted, and how many of them are left out
 * by trimming. */
int zcli_store_count(struct zcli_store *s, int64_t conv, size_t *ret_all, size_t *ret_left_out,
                     struct zc_diag *dg);
/* From now on so many more of its oldest turns are not sent (negative: half of those that are), or
 * (0) all are again. The system message always is, and the record keeps everything. */
int zcli_store_trim(struct zcli_store *s, int64_t conv, int64_t turns, struct zc_diag *dg);
/* [{"name", "messages", "updated", "begins"}, ...], counted as above, the last used first; a new
 * reference. */
int zcli_store_list(struct zcli_store *s, json_t **ret_list, struct zc_diag *dg);

/* A turn: the prompt and an empty reply are stored at once; pieces are appended as they come,
 * each a row of its own; the end puts the whole text in their place (NULL: what they say). finish:
 * "stop", "length", "canceled", "error", "lost". A prompt whose reply stayed empty is kept in the
 * record until the same one is asked again, and never sent: templates want an answer to every
 * prompt. */
int zcli_store_turn_begin(struct zcli_store *s, int64_t conv, const char *prompt,
                          int64_t *ret_reply, struct zc_diag *dg);
int zcli_store_turn_append(struct zcli_store *s, int64_t reply, const char *piece, size_t n,
                           struct zc_diag *dg);
int zcli_store_turn_end(struct zcli_store *s, int64_t reply, const char *text, const char *finish,
                        struct zc_diag *dg);

/* $XDG_DATA_HOME/zorac (made with mode 0700) + "/" + name, to be freed. */
int zcli_store_path(const char *name, char **ret_path, struct zc_diag *dg);

#endif
