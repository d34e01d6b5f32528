/* SPDX-License-Identifier: MIT */
/* Messages as clients send them into the shape that Mistral's layout takes: order and fields are
 * checked, neighbours of one role become one, system prompts move where the version has them,
 * arguments and results that are JSON become values again. Reference: mistral-common, its validator
 * (mode "test") and request normalizer. */
#include <stdlib.h>
#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_mistral.h"

#define JOIN "\n\n" /* between texts that become one */

enum role { SYSTEM, USER, ASSISTANT, TOOL, N_ROLES };
static const char *const role_names[N_ROLES] = {"system", "user", "assistant", "tool"};

/* A normalized message. */
struct msg {
    enum role role;
    json_t *parts;         /* {text} and {thinking, closed}, no two texts beside each other */
    json_t *calls;         /* ASSISTANT: tool calls, borrowed */
    const char *id, *name; /* TOOL: or NULL */
    bool prefix;           /* ASSISTANT: the reply goes on here */
    size_t order;          /* TOOL: in which its call was made */
};

struct norm {
    int version;
    bool has_thoughts; /* the format has a place for thinking */
    struct zc_diag *dg;
    struct msg *msgs;
    size_t n;
    struct zc_buf text;   /* of the message that is normalized: what was not put into parts yet */
    struct zc_buf system; /* version < 7: all system messages */
    bool has_system;      /* there was one with content, if only an empty text in a list */
};

/* ---- one message's fields ----------------------------------------------------------------- */

static int role_of(const json_t *m)
{
    const char *role = json_string_value(json_object_get(m, "role"));
    int i = 0;

    if (role && strcmp(role, "developer") == 0) /* OpenAI's newer name of it */
        return SYSTEM;
    while (role && i < N_ROLES && strcmp(role, role_names[i]) != 0)
        i++;
    return role && i < N_ROLES ? i : -1;
}

static bool is_word(const char *s, const char *more, size_t min, size_t max)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t n = 0;

    while (s[n] && (strchr(letters, s[n]) || strchr(more, s[n])))
        n++;
    return !s[n] && n >= min && n <= max;
}

static bool is_function_name(const char *s)
{
    return s && is_word(s, "_-", 1, 64);
}

/* v3 to v11 want nine letters or digits, v13 anything but nothing. */
static int check_id(const struct norm *s, const char *id, size_t at)
{
    if (s->version < 3)
        return ZC_OK;
    if (s->version < 13 && !(id && is_word(id, "", 9, 9)))
        return zc_diag(s->dg, ZC_EINVAL,
                       "messages[%zu]: the tool call's id must be nine letters or digits", at);
    if (!id || !*id || strcmp(id, "null") == 0)
        return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: a tool call without an id", at);
    return ZC_OK;
}

/* ---- texts -------------------------------------------------------------------------------- */

static void add_text(struct zc_buf *b, const char *p, size_t n)
{
    if (n > 0 && b->len > 0)
        zc_buf_adds(b, JOIN);
    zc_buf_add(b, p, n);
}

/* What was collected becomes a part. */
static void flush_text(struct norm *s, json_t *parts)
{
    if (s->text.len > 0)
        json_array_append_new(
            parts, json_pack("{s:o}", "text", json_stringn_nocheck(s->text.data, s->text.len)));
    zc_buf_clear(&s->text);
}

static void add_thinking(struct norm *s, json_t *parts, const json_t *thinking, bool closed)
{
    flush_text(s, parts);
    json_array_append_new(parts, json_pack("{s:O, s:b}", "thinking", thinking, "closed", closed));
}

/* Clients write a field that they have nothing to say in as null. */
static const json_t *field(const json_t *m, const char *key)
{
    const json_t *v = json_object_get(m, key);
    return json_is_null(v) ? NULL : v;
}

/* One element of a list of contents. */
static int add_chunk(struct norm *s, const json_t *chunk, enum role role, json_t *parts, size_t at)
{
    const char *type = json_string_value(json_object_get(chunk, "type"));
    const json_t *text = json_object_get(chunk, "text");
    const json_t *thinking = json_object_get(chunk, "thinking");

    if (type && strcmp(type, "text") == 0 && json_is_string(text)) {
        add_text(&s->text, json_string_value(text), json_string_length(text));
        return ZC_OK;
    }
    if (type && strcmp(type, "thinking") == 0 && json_is_string(thinking) && s->has_thoughts &&
        (role == ASSISTANT || role == SYSTEM)) {
        add_thinking(s, parts, thinking, !json_is_false(json_object_get(chunk, "closed")));
        return ZC_OK;
    }
    return zc_diag(
        s->dg, ZC_EINVAL,
        "messages[%zu]: content of type '%.40s' has no place in what the %s says, in v%d", at,
        type ? type : "?", role_names[role], s->version);
}

/* What the assistant thought, under either of two names; NULL if nothing. */
static const json_t *reasoning_of(const json_t *m)
{
    const json_t *one = field(m, "reasoning_content");
    return one ? one : field(m, "reasoning");
}

static int add_reasoning(struct norm *s, const json_t *m, json_t *parts, size_t at)
{
    const json_t *thinking = reasoning_of(m), *other = field(m, "reasoning");
    const json_t *chunk;
    size_t i;

    if (!thinking)
        return ZC_OK;
    if (!s->has_thoughts)
        return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: v%d has no place for reasoning", at,
                       s->version);
    if (!json_is_string(thinking) || (other && !json_equal(thinking, other)))
        return zc_diag(s->dg, ZC_EINVAL,
                       "messages[%zu]: reasoning and reasoning_content must be one text", at);
    json_array_foreach (json_object_get(m, "content"), i, chunk) {
        if (json_object_get(chunk, "thinking"))
            return zc_diag(s->dg, ZC_EINVAL,
                           "messages[%zu]: reasoning beside thinking in the content", at);
    }
    add_thinking(s, parts, thinking, true);
    return ZC_OK;
}

static int add_content(struct norm *s, const json_t *m, json_t *parts, size_t at)
{
    const json_t *content = field(m, "content"), *chunk;
    enum role role = (enum role)role_of(m);
    int r = role == ASSISTANT ? add_reasoning(s, m, parts, at) : ZC_OK;
    size_t i;

    if (r < 0)
        return r;
    if (json_is_string(content))
        add_text(&s->text, json_string_value(content), json_string_length(content));
    else if (!json_is_array(content) && (content || role != ASSISTANT))
        return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: content must be text or a list", at);
    json_array_foreach (content, i, chunk) {
        if ((r = add_chunk(s, chunk, role, parts, at)) < 0)
            return r;
    }
    return ZC_OK;
}

/* ---- checking ----------------------------------------------------------------------------- */

static int check_call(const struct norm *s, const json_t *call, size_t at)
{
    const json_t *function = json_object_get(call, "function");
    const json_t *args = json_object_get(function, "arguments");

    if (!is_function_name(json_string_value(json_object_get(function, "name"))))
        return zc_diag(s->dg, ZC_EINVAL,
                       "messages[%zu]: a function's name must be 1 to 64 letters, digits, _ or -",
                       at);
    if (args && !json_is_null(args) && !json_is_string(args) && !json_is_object(args))
        return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: arguments must be text or an object", at);
    return check_id(s, json_string_value(json_object_get(call, "id")), at);
}

static int check_assistant(const struct norm *s, const json_t *m, size_t at, size_t n)
{
    const json_t *calls = json_object_get(m, "tool_calls"),
                 *content = json_object_get(m, "content");
    const json_t *call;
    size_t i;

    bool has_content =
        json_string_length(content) > 0 || json_array_size(content) > 0 || reasoning_of(m);
    if (calls && !json_is_array(calls) && !json_is_null(calls))
        return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: tool_calls must be a list", at);
    if (s->version < 7 && has_content == (json_array_size(calls) > 0))
        return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: either content or tool_calls, in v%d", at,
                       s->version);
    if (s->version == 1 && json_array_size(calls) > 0)
        return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: v1 has no tools", at);
    if (json_is_true(json_object_get(m, "prefix")) && at + 1 < n)
        return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: only the last one can be a prefix", at);
    json_array_foreach (calls, i, call) {
        int r = check_call(s, call, at);
        if (r < 0)
            return r;
    }
    return ZC_OK;
}

static int check_tool(const struct norm *s, const json_t *m, size_t at)
{
    const json_t *name = json_object_get(m, "name");

    if (s->version == 1)
        return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: v1 has no tools", at);
    if (name && !json_is_null(name) && !is_function_name(json_string_value(name)))
        return zc_diag(s->dg, ZC_EINVAL,
                       "messages[%zu]: a function's name must be 1 to 64 letters, digits, _ or -",
                       at);
    return check_id(s, json_string_value(json_object_get(m, "tool_call_id")), at);
}

/* Which role may follow which, and who may come last. */
static int check_order(const struct norm *s, const json_t *messages)
{
    static const unsigned char next[N_ROLES] = {
        [SYSTEM] = 1 << USER | 1 << ASSISTANT | 1 << SYSTEM,
        [USER] = 1 << ASSISTANT | 1 << SYSTEM | 1 << USER,
        [ASSISTANT] = 1 << ASSISTANT | 1 << USER | 1 << TOOL,
        [TOOL] = 1 << ASSISTANT | 1 << TOOL | 1 << USER,
    };
    size_t n = json_array_size(messages);
    int before = -1, role = -1;

    for (size_t i = 0; i < n; i++, before = role) {
        role = role_of(json_array_get(messages, i));
        if (role < 0)
            return zc_diag(s->dg, ZC_EINVAL,
                           "messages[%zu]: role is not system, user, assistant "
                           "or tool",
                           i);
        if (before >= 0 && !(next[before] & 1 << role))
            return zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: role '%s' after '%s'", i,
                           role_names[role], role_names[before]);
    }
    if (n == 0)
        return zc_diag(s->dg, ZC_EINVAL, "there are no messages");
    const json_t *last = json_array_get(messages, n - 1);
    if (n == 1 && role != USER && role != SYSTEM)
        return zc_diag(s->dg, ZC_EINVAL, "a conversation begins with a user or system message");
    if (role == ASSISTANT && !json_is_true(json_object_get(last, "prefix")))
        return zc_diag(s->dg, ZC_EINVAL,
                       "messages[%zu]: the last message is the assistant's and no prefix", n - 1);
    return ZC_OK;
}

/* As many results as calls before the assistant speaks again; from v11 on each for one of them. */
static int check_results(const struct norm *s, const json_t *messages)
{
    json_t *due = json_object(), *seen = json_object(), *m, *call;
    long n_due = 0;
    int r = ZC_OK;
    size_t i, k;

    json_array_foreach (messages, i, m) {
        const char *id = json_string_value(json_object_get(m, "tool_call_id"));
        int role = role_of(m);
        if (i > 0 && role == TOOL) {
            n_due--;
            if (s->version >= 11 && (!json_object_get(due, id) || json_object_get(seen, id)))
                r = zc_diag(s->dg, ZC_EINVAL,
                            "messages[%zu]: a result of no call, or the second one of it", i);
            json_object_set_new(seen, id ? id : "", json_true());
        } else if (i > 0 && role == ASSISTANT) {
            if (n_due != 0)
                r = zc_diag(s->dg, ZC_EINVAL,
                            "messages[%zu]: not as many tool results as calls before it", i);
            json_object_clear(due);
            json_object_clear(seen);
            json_array_foreach (json_object_get(m, "tool_calls"), k, call) {
                id = json_string_value(json_object_get(call, "id"));
                if (s->version >= 11 && json_object_get(due, id))
                    r = zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: two tool calls with one id", i);
                json_object_set_new(due, id ? id : "", json_true());
            }
            n_due = (long)k;
        }
        if (r < 0)
            break;
    }
    json_decref(due);
    json_decref(seen);
    return r;
}

static int check(const struct norm *s, const json_t *messages)
{
    size_t n = json_array_size(messages);
    int r = check_order(s, messages);

    for (size_t i = 0; i < n && r >= 0; i++) {
        const json_t *m = json_array_get(messages, i);
        int role = role_of(m);
        if (role != ASSISTANT && json_is_true(json_object_get(m, "prefix")))
            r = zc_diag(s->dg, ZC_EINVAL, "messages[%zu]: only the assistant's can be a prefix", i);
        else if (role == ASSISTANT)
            r = check_assistant(s, m, i, n);
        else if (role == TOOL)
            r = check_tool(s, m, i);
    }
    return r < 0 ? r : check_results(s, messages);
}

/* ---- neighbours become one ---------------------------------------------------------------- */

static struct msg *new_msg(struct norm *s, enum role role)
{
    struct msg *m = &s->msgs[s->n++];

    *m = (struct msg){.role = role, .parts = json_array(), .calls = json_array()};
    return m;
}

static int add_system(struct norm *s, const json_t *m, size_t at)
{
    json_t *none = json_array();
    int r = add_content(s, m, none, at);

    if (s->text.len > 0 || json_array_size(json_object_get(m, "content")) > 0) {
        zc_buf_adds(&s->system, s->has_system ? JOIN : "");
        zc_buf_add(&s->system, zc_buf_str(&s->text), s->text.len);
        s->has_system = true;
    }
    zc_buf_clear(&s->text);
    json_decref(none);
    return r;
}

static int by_order(const void *a, const void *b)
{
    const struct msg *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

/* Results in the order of their calls, which are those of the message before (v11 on). */
static void order_results(struct norm *s, size_t first)
{
    const json_t *calls = first ? s->msgs[first - 1].calls : NULL, *call;
    json_t *places = json_object();
    size_t i;

    json_array_foreach (calls, i, call)
        json_object_set_new(places, json_string_value(json_object_get(call, "id")),
                            json_integer((json_int_t)i));
    for (i = first; i < s->n; i++)
        s->msgs[i].order = (size_t)json_integer_value(json_object_get(places, s->msgs[i].id));
    qsort(s->msgs + first, s->n - first, sizeof *s->msgs, by_order);
    json_decref(places);
}

/* Message at, which belongs to the one before if merge. */
static int add_message(struct norm *s, const json_t *m, size_t at, bool merge)
{
    enum role role = (enum role)role_of(m);
    const json_t *calls = json_object_get(m, "tool_calls");
    size_t i;
    json_t *call;

    if (role == SYSTEM && s->version < 7)
        return add_system(s, m, at);
    struct msg *to =
        merge && (role == USER || role == ASSISTANT) ? &s->msgs[s->n - 1] : new_msg(s, role);
    to->id = json_string_value(json_object_get(m, "tool_call_id"));
    to->name = json_string_value(json_object_get(m, "name"));
    to->prefix |= json_is_true(json_object_get(m, "prefix"));
    for (i = 0; role == ASSISTANT && (call = json_array_get(calls, i)); i++)
        json_array_append(to->calls, call);
    return add_content(s, m, to->parts, at);
}

/* Messages *at and on, as long as they are of one role: a user's and an assistant's become one,
 * what systems and tools say stays apart. *at is the next of another role then. */
static int add_run(struct norm *s, const json_t *messages, size_t *at)
{
    int role = role_of(json_array_get(messages, *at)), r;
    size_t first = s->n, from = *at;

    do {
        r = add_message(s, json_array_get(messages, *at), *at, *at > from);
        if (s->n > 0 && (role == TOOL || role == SYSTEM))
            flush_text(s, s->msgs[s->n - 1].parts);
        ++*at;
    } while (r >= 0 && role_of(json_array_get(messages, *at)) == role);
    if (s->n > 0)
        flush_text(s, s->msgs[s->n - 1].parts);
    if (role == TOOL && s->version >= 11)
        order_results(s, first);
    return r;
}

static int aggregate(struct norm *s, const json_t *messages)
{
    size_t n = json_array_size(messages), speaker = 0;
    int r = ZC_OK;

    while (speaker < n && role_of(json_array_get(messages, speaker)) == SYSTEM)
        speaker++;
    if (s->version < 7 && role_of(json_array_get(messages, speaker)) != USER)
        new_msg(s, USER); /* before v7 the user speaks first */
    for (size_t i = 0; i < n && r >= 0;)
        r = add_run(s, messages, &i);
    return r;
}

/* ---- writing ------------------------------------------------------------------------------ */

static void put(struct zc_buf *b, const json_t *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

    zc_buf_adds(b, text ? text : "null");
    free(text); /* jansson's own malloc */
}

static void put_string(struct zc_buf *b, const char *p, size_t n)
{
    json_t *v = json_stringn_nocheck(p, n);

    put(b, v);
    json_decref(v);
}

/* Text that is JSON as the value it says, other text as text, none as an empty object. */
static void put_parsed(struct zc_buf *b, const char *p, size_t n)
{
    json_t *v = json_loadb(p, n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);

    if (n == 0)
        zc_buf_adds(b, "{}");
    else if (v)
        zc_buf_add(b, p, n); /* not v: it would round integers */
    else
        put_string(b, p, n);
    json_decref(v);
}

static void put_text(struct zc_buf *b, const struct msg *m)
{
    const json_t *text = json_object_get(json_array_get(m->parts, 0), "text");
    put_string(b, text ? json_string_value(text) : "", json_string_length(text));
}

static void put_call(const struct norm *s, struct zc_buf *b, const json_t *call)
{
    const json_t *function = json_object_get(call, "function");
    const json_t *args = json_object_get(function, "arguments"), *id = json_object_get(call, "id");

    zc_buf_adds(b, "{\"name\":");
    put(b, json_object_get(function, "name"));
    zc_buf_adds(b, ",\"arguments\":");
    if (json_is_object(args))
        put(b, args);
    else
        put_parsed(b, json_is_string(args) ? json_string_value(args) : "",
                   json_string_length(args));
    if (s->version >= 3 && json_is_string(id)) {
        zc_buf_adds(b, ",\"id\":");
        put(b, id);
    }
    zc_buf_adds(b, "}");
}

/* The assistant's text loses the spaces at its end; v1 and texts beside thoughts keep them. */
static void put_parts(const struct norm *s, struct zc_buf *b, const struct msg *m)
{
    const json_t *text = json_object_get(json_array_get(m->parts, 0), "text");
    size_t n = json_string_length(text);

    if (s->version == 1 || !text || json_array_size(m->parts) > 1) {
        put(b, m->parts);
        return;
    }
    while (n > 0 && json_string_value(text)[n - 1] == ' ')
        n--;
    zc_buf_adds(b, "[{\"text\":");
    put_string(b, json_string_value(text), n);
    zc_buf_adds(b, "}]");
}

/* The reference takes it and encodes the two apart, which no text does. */
static int check_thoughts(const struct norm *s, const struct msg *m)
{
    for (size_t i = 0; i + 1 < json_array_size(m->parts); i++) {
        if (json_is_false(json_object_get(json_array_get(m->parts, i), "closed")))
            return zc_diag(s->dg, ZC_EINVAL, "a thought that is not closed, and content behind it");
    }
    return ZC_OK;
}

static int put_assistant(const struct norm *s, struct zc_buf *b, const struct msg *m)
{
    size_t n_calls = json_array_size(m->calls), n_parts = json_array_size(m->parts);

    if (n_calls == 0 && n_parts == 0)
        return zc_diag(s->dg, ZC_EINVAL, "an assistant's message without content and tool calls");
    if (s->version < 7 && n_calls > 0 && n_parts > 0)
        return zc_diag(s->dg, ZC_EINVAL, "content and tool calls beside each other, in v%d",
                       s->version);
    zc_buf_adds(b, ",\"parts\":");
    put_parts(s, b, m);
    zc_buf_adds(b, ",\"calls\":[");
    for (size_t i = 0; i < n_calls; i++) {
        zc_buf_adds(b, i ? "," : "");
        put_call(s, b, json_array_get(m->calls, i));
    }
    zc_buf_addf(b, "],\"prefix\":%s", m->prefix ? "true" : "false");
    return ZC_OK;
}

static void put_tool(const struct norm *s, struct zc_buf *b, const struct msg *m)
{
    const json_t *text = json_object_get(json_array_get(m->parts, 0), "text");

    zc_buf_adds(b, ",\"content\":");
    put_text(b, m);
    if (m->id) {
        zc_buf_adds(b, ",\"id\":");
        put_string(b, m->id, strlen(m->id));
    }
    if (s->version > 3)
        return;
    zc_buf_adds(b, s->version == 2 ? ",\"result\":[{\"name\":" : ",\"result\":{\"content\":");
    if (s->version == 2) {
        if (m->name)
            put_string(b, m->name, strlen(m->name));
        else
            zc_buf_adds(b, "null");
        zc_buf_adds(b, ",\"content\":");
    }
    put_parsed(b, text ? json_string_value(text) : "", json_string_length(text));
    if (s->version == 3) {
        zc_buf_adds(b, ",\"call_id\":");
        put_string(b, m->id, strlen(m->id));
    }
    zc_buf_adds(b, s->version == 2 ? "}]" : "}");
}

/* A user's message; the system prompt is in the first one in v1, in the last one in v2 and v3. */
static void put_user(struct norm *s, struct zc_buf *b, const struct msg *m, bool is_first,
                     bool is_last, bool has_tools)
{
    const json_t *text = json_object_get(json_array_get(m->parts, 0), "text");

    if (s->system.len > 0 && (s->version == 1 ? is_first : is_last)) {
        zc_buf_adds(&s->system, JOIN);
        zc_buf_add(&s->system, text ? json_string_value(text) : "", json_string_length(text));
        zc_buf_adds(b, ",\"content\":");
        put_string(b, s->system.data, s->system.len);
    } else {
        zc_buf_adds(b, ",\"content\":");
        put_text(b, m);
    }
    if (has_tools && s->version > 1 && (s->version >= 13 ? is_first : is_last))
        zc_buf_adds(b, ",\"tools\":true");
}

/* v2 forgets calls and results before the user's last message. */
static bool is_forgotten(const struct norm *s, size_t i, size_t last_user)
{
    const struct msg *m = &s->msgs[i];
    bool calls_only = json_array_size(m->calls) > 0 && json_array_size(m->parts) == 0;

    return s->version == 2 && i < last_user && last_user < s->n &&
           (m->role == TOOL || (m->role == ASSISTANT && calls_only));
}

static int put_messages(struct norm *s, struct zc_buf *b, bool has_tools)
{
    size_t first = s->n, last = s->n, written = 0;
    int r = ZC_OK;

    for (size_t i = 0; i < s->n; i++) {
        if (s->msgs[i].role == USER && first == s->n)
            first = i;
        if (s->msgs[i].role == USER)
            last = i;
    }
    for (size_t i = 0; i < s->n && r >= 0; i++) {
        const struct msg *m = &s->msgs[i];
        if (is_forgotten(s, i, last))
            continue;
        if (s->version == 2 && i > 0 && m->role == TOOL && m[-1].role == TOOL)
            return zc_diag(s->dg, ZC_EINVAL, "more than one tool result after a call, in v2");
        if ((r = check_thoughts(s, m)) < 0)
            return r;
        zc_buf_addf(b, "%s{\"role\":\"%s\"", written++ ? "," : "", role_names[m->role]);
        if (m->role == USER) {
            put_user(s, b, m, i == first, i == last, has_tools);
        } else if (m->role == SYSTEM) {
            zc_buf_adds(b, ",\"parts\":");
            put(b, m->parts);
        } else if (m->role == TOOL) {
            put_tool(s, b, m);
        } else {
            r = put_assistant(s, b, m);
        }
        zc_buf_adds(b, "}");
    }
    return r;
}

/* Name, description and parameters of each function; what else is there does not count. */
static int put_tools(const struct norm *s, struct zc_buf *b, const json_t *tools)
{
    const json_t *tool;
    size_t i;

    json_array_foreach (tools, i, tool) {
        const json_t *f = json_object_get(tool, "function");
        const json_t *what = json_object_get(f, "description");
        const json_t *parameters = json_object_get(f, "parameters");
        if (!is_function_name(json_string_value(json_object_get(f, "name"))))
            return zc_diag(s->dg, ZC_EINVAL,
                           "tools[%zu]: no function with a name of 1 to 64 letters, digits, _ or -",
                           i);
        if ((what && !json_is_string(what) && !json_is_null(what)) ||
            (parameters && !json_is_object(parameters) && !json_is_null(parameters)))
            return zc_diag(s->dg, ZC_EINVAL,
                           "tools[%zu]: description must be text, parameters an object", i);
        zc_buf_addf(b, "%s{\"type\":\"function\",\"function\":{\"name\":", i ? "," : "");
        put(b, json_object_get(f, "name"));
        zc_buf_adds(b, ",\"description\":");
        put_string(b, json_is_string(what) ? json_string_value(what) : "",
                   json_string_length(what));
        zc_buf_adds(b, ",\"parameters\":");
        if (json_is_object(parameters))
            put(b, parameters);
        else
            zc_buf_adds(b, "{}");
        zc_buf_adds(b, "}}");
    }
    return ZC_OK;
}

int zt_mistral_normalize(int version, bool has_thoughts, const json_t *messages,
                         const json_t *tools, struct zc_buf *out, struct zc_diag *dg)
{
    struct norm s = {.version = version, .has_thoughts = has_thoughts, .dg = dg};
    void *msgs;
    int r;

    zc_buf_init(&s.text, out->max);
    zc_buf_init(&s.system, out->max);
    r = zc_try_calloc(&msgs, json_array_size(messages) + 1, sizeof *s.msgs, SIZE_MAX);
    if (r < 0)
        return zc_diag(dg, r, "no memory for %zu messages", json_array_size(messages));
    s.msgs = msgs;
    if (!json_is_array(messages) || (tools && !json_is_array(tools) && !json_is_null(tools)))
        r = zc_diag(dg, ZC_EINVAL, "messages and tools must be lists");
    else
        r = check(&s, messages);
    zc_buf_addf(out, "{\"v\":%d,\"tools\":[", version);
    if (r >= 0 && (r = put_tools(&s, out, tools)) >= 0 && (r = aggregate(&s, messages)) >= 0) {
        zc_buf_adds(out, "],\"messages\":[");
        r = put_messages(&s, out, json_array_size(tools) > 0);
        zc_buf_adds(out, "]}");
    }
    if (r >= 0 &&
        (zc_buf_error(&s.text) < 0 || zc_buf_error(&s.system) < 0 || zc_buf_error(out) < 0))
        r = zc_diag(dg, ZC_ELIMIT, "the messages are over %zu bytes, or memory is out", out->max);
    for (size_t i = 0; i < s.n; i++) {
        json_decref(s.msgs[i].parts);
        json_decref(s.msgs[i].calls);
    }
    zc_free(s.msgs);
    zc_buf_release(&s.text);
    zc_buf_release(&s.system);
    return r;
}
