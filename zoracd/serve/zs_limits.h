/* SPDX-License-Identifier: MIT */
/* The limits that `hello` announces and the daemon enforces before it takes memory. Plain data. */
#ifndef ZORACD_SERVE_ZS_LIMITS_H
#define ZORACD_SERVE_ZS_LIMITS_H

#include <stddef.h>

#include "common/zc_scan.h"

/* ZS_LIMIT(field, name, default, lowest, highest, text). On the wire a limit has the field's name,
 * in the configuration it is limit- and the name. */
#define ZS_LIMITS(ZS_LIMIT)                                                                        \
    ZS_LIMIT(message_bytes, "message-bytes", 16777216, 65536, 268435456, "bytes of one message")   \
    ZS_LIMIT(message_items, "message-items", 262144, 1024, 16777216, "values in one message")      \
    ZS_LIMIT(requests_per_connection, "requests-per-connection", 64, 1, 4096,                      \
             "requests at once on one connection")                                                 \
    ZS_LIMIT(requests_per_user, "requests-per-user", 256, 1, 4096, "requests at once of one user") \
    ZS_LIMIT(connections_per_user, "connections-per-user", 256, 1, 65536,                          \
             "connections of one user")                                                            \
    ZS_LIMIT(sessions_per_user, "sessions-per-user", 256, 1, 65536, "sessions of one user")        \
    ZS_LIMIT(transcript_bytes, "transcript-bytes", 8388608, 4096, 268435456,                       \
             "bytes of one session's messages")                                                    \
    ZS_LIMIT(transcripts_per_user_bytes, "transcripts-per-user-bytes", 67108864, 4096, 4294967296, \
             "bytes of all sessions of one user")                                                  \
    ZS_LIMIT(input_per_user_bytes, "input-per-user-bytes", 67108864, 65536, 4294967296,            \
             "bytes of one user's unfinished messages and running requests")                       \
    ZS_LIMIT(unsent_bytes, "unsent-bytes", 262144, 4096, 67108864,                                 \
             "unsent bytes at which a connection's work rests")                                    \
    ZS_LIMIT(unsent_per_user_bytes, "unsent-per-user-bytes", 134217728, 65536, 4294967296,         \
             "unsent bytes of one user at which the connection with the most is cut off")

struct zs_limits {
#define ZS_LIMIT(field, name, dflt, lo, hi, text) size_t field;
    ZS_LIMITS(ZS_LIMIT)
#undef ZS_LIMIT
};

#define ZS_MAX_JOBS         512 /* requests of all users that are being worked on */
#define ZS_STOP_MAX_BYTES   1024
#define ZS_PROMPT_MAX_BYTES 67108864 /* of a rendered prompt */
#define ZS_PROMPT_MAX_IDS   4194304

/* Those that nobody can change: ZS_FIXED(name on the wire, value, text). */
#define ZS_FIXED_LIMITS(ZS_FIXED)                                                         \
    ZS_FIXED(message_depth, ZC_SCAN_MAX_DEPTH, "arrays and maps inside each other")       \
    ZS_FIXED(requests, ZS_MAX_JOBS,                                                       \
             "requests at once of all users; one user has no more of them than are free") \
    ZS_FIXED(stop_bytes, ZS_STOP_MAX_BYTES, "bytes of one stop text")                     \
    ZS_FIXED(text_tokens, ZS_PROMPT_MAX_IDS,                                              \
             "tokens of one text or prompt, whatever the model's context")                \
    ZS_FIXED(text_bytes, ZS_PROMPT_MAX_BYTES, "bytes of a rendered prompt or of a detokenized text")

#endif
