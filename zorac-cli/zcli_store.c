/* SPDX-License-Identifier: MIT */
/* The SQLite store of conversations. One connection, WAL, so that appending a piece of a reply
 * costs no fsync and yet survives the process. */
#include "zorac-cli/zcli_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <sqlite3.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

/* What each version of the schema added to the one before. */
static const char *const schemas[] = {
    "CREATE TABLE conversation ("
    "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, updated INTEGER NOT NULL);"
    "CREATE TABLE message ("
    "  id INTEGER PRIMARY KEY,"
    "  conversation INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,"
    "  role TEXT NOT NULL, content TEXT NOT NULL,"
    "  finish TEXT," /* of a reply: NULL while it is being written */
    "  created INTEGER NOT NULL);"
    "CREATE INDEX message_by_conversation ON message(conversation, id);",
    /* What came of a reply that has not ended, a row each: a longer content would be written anew
     * with every piece. */
    "CREATE TABLE piece ("
    "  id INTEGER PRIMARY KEY,"
    "  message INTEGER NOT NULL REFERENCES message(id) ON DELETE CASCADE,"
    "  text TEXT NOT NULL);"
    "CREATE INDEX piece_by_message ON piece(message, id);"
    "CREATE VIEW whole AS SELECT id, conversation, role, content ||"
    "  coalesce((SELECT group_concat(text, '') FROM"
    "    (SELECT text FROM piece WHERE message = m.id ORDER BY id)), '') AS content"
    "  FROM message m;",
    /* What was said, without replies that stayed empty; whether a prompt has a reply, and which.
     * Of a conversation the messages before its `first` stay in the record, but are not sent. */
    "ALTER TABLE conversation ADD COLUMN first INTEGER NOT NULL DEFAULT 0;"
    "CREATE VIEW said AS SELECT m.id AS id, m.conversation AS conversation, m.role AS role,"
    "  m.content AS content, r.id AS reply,"
    "  coalesce(r.content <> '', m.role <> 'user') AS answered"
    "  FROM whole m LEFT JOIN whole r ON m.role = 'user' AND r.role = 'assistant' AND r.id ="
    "    (SELECT min(id) FROM message WHERE conversation = m.conversation AND id > m.id)"
    "  WHERE NOT (m.role = 'assistant' AND m.content = '');"
    "CREATE VIEW sent AS SELECT said.id AS id, conversation, role, content"
    "  FROM said JOIN conversation c ON conversation = c.id"
    "  WHERE answered AND (role = 'system' OR said.id >= first);",
};
#define SCHEMA_VERSION (int)(sizeof schemas / sizeof *schemas)
/* How long another client is waited for. */
#define BUSY_MS 5000

struct zcli_store {
    sqlite3 *db;
};

/* With what the system said, where SQLite asked it: of a full disk SQLite itself may say no more
 * than "disk I/O error". */
static int db_error(struct zcli_store *s, struct zc_diag *dg, const char *what)
{
    int rc = s->db ? sqlite3_errcode(s->db) : SQLITE_NOMEM;
    bool asked = rc == SQLITE_IOERR || rc == SQLITE_CANTOPEN || rc == SQLITE_FULL;
    int e = asked ? sqlite3_system_errno(s->db) : 0;

    return zc_diag(dg, ZC_ESYS, "conversations: %s: %s%s%s%s", what,
                   s->db ? sqlite3_errmsg(s->db) : "no memory", e ? " (" : "", e ? strerror(e) : "",
                   e ? ")" : "");
}

/* Makes the directory and its parents, all private. */
static int make_dirs(char *path, struct zc_diag *dg)
{
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char c = *p;
        *p = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return zc_diag_sys(dg, "cannot make the directory %s", path);
        *p = c;
        if (c == '\0')
            return ZC_OK;
    }
}

int zcli_store_path(const char *name, char **ret_path, struct zc_diag *dg)
{
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    char *dir;

    if (data && data[0] == '/')
        dir = zc_xasprintf("%s/zorac", data);
    else if (home && home[0] == '/')
        dir = zc_xasprintf("%s/.local/share/zorac", home);
    else
        return zc_diag(dg, ZC_ESYS, "neither XDG_DATA_HOME nor HOME is set");
    int r = make_dirs(dir, dg);
    if (r == ZC_OK)
        *ret_path = zc_xasprintf("%s/%s", dir, name);
    zc_free(dir);
    return r;
}

static int exec(struct zcli_store *s, const char *sql, struct zc_diag *dg)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_error(s, dg, "database");
    return ZC_OK;
}

static int get_version(struct zcli_store *s, int *ret_version, struct zc_diag *dg)
{
    sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        sqlite3_finalize(st);
        return db_error(s, dg, "cannot read it");
    }
    *ret_version = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return ZC_OK;
}

/* Of two clients that turn a new file to WAL at once SQLite refuses one without the wait that
 * busy_timeout asks for, since each would wait for the other. */
static int use_wal(struct zcli_store *s, struct zc_diag *dg)
{
    int rc = SQLITE_BUSY;

    for (int i = 0; rc == SQLITE_BUSY && i < BUSY_MS / 10; i++) {
        rc = sqlite3_exec(s->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if (rc == SQLITE_BUSY)
            sqlite3_sleep(10);
    }
    return rc == SQLITE_OK ? ZC_OK : db_error(s, dg, "database");
}

/* SQL's shown(name): the name as UTF-8 without control characters. Names are checked when they come
 * in, but older versions let some pass: they are listed, and found, under what is shown of them. */
static void shown(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const char *name = (const char *)sqlite3_value_text(argv[0]);
    struct zc_buf b;

    (void)argc;
    zc_buf_init(&b, 4 * (size_t)sqlite3_value_bytes(argv[0]) + 1);
    if (!name || zc_utf8_lossy(&b, name, (size_t)sqlite3_value_bytes(argv[0])) < 0) {
        sqlite3_result_error_nomem(ctx);
    } else {
        char *text = zc_buf_take(&b, NULL);
        zc_diag_clean(text);
        sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
        zc_free(text);
    }
    zc_buf_release(&b);
}

static int set_up(struct zcli_store *s, struct zc_diag *dg)
{
    int version, r;

    sqlite3_busy_timeout(s->db, BUSY_MS);
    if (sqlite3_create_function(s->db, "shown", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, shown,
                                NULL, NULL) != SQLITE_OK)
        return db_error(s, dg, "database");
    if ((r = get_version(s, &version, dg)) < 0)
        return r;
    if (version > SCHEMA_VERSION)
        return zc_diag(dg, ZC_EVERSION, "conversations: written by a newer zorac (schema %d)",
                       version);
    if ((r = use_wal(s, dg)) < 0 ||
        (r = exec(s, "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;", dg)) < 0)
        return r;
    if (version == SCHEMA_VERSION)
        return ZC_OK;
    /* Another client may be making the tables at the same moment: looked at again under the lock.
     */
    if ((r = exec(s, "BEGIN IMMEDIATE", dg)) < 0 || (r = get_version(s, &version, dg)) < 0)
        return r;
    while (r == ZC_OK && version < SCHEMA_VERSION) {
        char sql[64];
        r = exec(s, schemas[version++], dg);
        snprintf(sql, sizeof sql, "PRAGMA user_version=%d", version);
        if (r == ZC_OK)
            r = exec(s, sql, dg);
    }
    return r < 0 ? r : exec(s, "COMMIT", dg);
}

int zcli_store_open(struct zcli_store **ret_s, const char *path, struct zc_diag *dg)
{
    char *own = NULL;
    struct zcli_store *s = zc_xcalloc(1, sizeof *s);
    int r = ZC_OK;

    if (!path) {
        if ((r = zcli_store_path("conversations.db", &own, dg)) < 0)
            goto out;
        path = own;
    }
    mode_t old = umask(0077);
    int rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    umask(old);
    if (rc != SQLITE_OK) {
        r = db_error(s, dg, path);
        goto out;
    }
    r = set_up(s, dg);
out:
    zc_free(own);
    if (r < 0)
        zcli_store_close(s);
    else
        *ret_s = s;
    return r;
}

void zcli_store_close(struct zcli_store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    zc_free(s);
}

/* Prepares sql and binds its arguments: one letter each, i int64, s string (NULL allowed),
 * b pointer and size_t of text. */
static int prepare(struct zcli_store *s, sqlite3_stmt **ret_st, struct zc_diag *dg, const char *sql,
                   const char *types, ...)
{
    va_list ap;
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

    va_start(ap, types);
    for (int i = 1; rc == SQLITE_OK && *types; i++, types++) {
        if (*types == 'i') {
            rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
        } else if (*types == 's') {
            rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
        } else {
            const char *p = va_arg(ap, const char *);
            rc = sqlite3_bind_text64(st, i, p, va_arg(ap, size_t), SQLITE_TRANSIENT, SQLITE_UTF8);
        }
    }
    va_end(ap);
    if (rc != SQLITE_OK) {
        sqlite3_finalize(st);
        return db_error(s, dg, "database");
    }
    *ret_st = st;
    return ZC_OK;
}

/* Another client may delete a conversation that this one is in. */
static int deleted(struct zc_diag *dg)
{
    return zc_diag(dg, ZC_ESYS,
                   "this conversation has been deleted meanwhile: begin or open another one (in a "
                   "chat: /new, /open)");
}

/* Runs a statement that returns no rows. */
static int finish(struct zcli_store *s, sqlite3_stmt *st, struct zc_diag *dg)
{
    int rc = sqlite3_step(st);

    sqlite3_finalize(st);
    if (rc == SQLITE_DONE)
        return ZC_OK;
    /* A message of no conversation, or a piece of no message. */
    if (sqlite3_extended_errcode(s->db) == SQLITE_CONSTRAINT_FOREIGNKEY)
        return deleted(dg);
    return db_error(s, dg, "cannot write");
}

/* As above, of an UPDATE of the conversation's own row. */
static int finish_update(struct zcli_store *s, sqlite3_stmt *st, struct zc_diag *dg)
{
    int r = finish(s, st, dg);

    return r == ZC_OK && sqlite3_changes(s->db) == 0 ? deleted(dg) : r;
}

int zcli_store_find(struct zcli_store *s, const char *name, struct zcli_conv *ret_c,
                    struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r = name ? prepare(s, &st, dg,
                           "SELECT id, shown(name) FROM conversation WHERE name = ?1 "
                           "OR shown(name) = ?1 ORDER BY name <> ?1, id LIMIT 1",
                           "s", name)
                 : prepare(s, &st, dg,
                           "SELECT id, shown(name) FROM conversation "
                           "ORDER BY updated DESC, id DESC LIMIT 1",
                           "");
    if (r < 0)
        return r;
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        ret_c->id = sqlite3_column_int64(st, 0);
        snprintf(ret_c->name, sizeof ret_c->name, "%s", (const char *)sqlite3_column_text(st, 1));
    }
    sqlite3_finalize(st);
    if (rc == SQLITE_ROW)
        return ZC_OK;
    if (rc != SQLITE_DONE)
        return db_error(s, dg, "cannot read");
    return name ? zc_diag(dg, ZC_ENOTFOUND, "no conversation is called '%s'", name)
                : zc_diag(dg, ZC_ENOTFOUND, "there is no conversation yet");
}

static int add_message(struct zcli_store *s, int64_t conv, const char *role, const char *content,
                       const char *end, struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r = prepare(s, &st, dg,
                    "INSERT INTO message(conversation, role, content, finish, created) "
                    "VALUES(?, ?, ?, ?, ?)",
                    "isssi", conv, role, content, end, (int64_t)time(NULL));
    return r < 0 ? r : finish(s, st, dg);
}

static int touch(struct zcli_store *s, int64_t conv, struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r = prepare(s, &st, dg, "UPDATE conversation SET updated = ? WHERE id = ?", "ii",
                    (int64_t)time(NULL), conv);
    return r < 0 ? r : finish(s, st, dg);
}

/* "2026-01-31", then "2026-01-31 (2)": the first that is free. */
static int free_name(struct zcli_store *s, char *name, size_t size, struct zc_diag *dg)
{
    struct zcli_conv c;
    char day[32];
    time_t now = time(NULL);
    struct tm tm;

    localtime_r(&now, &tm);
    strftime(day, sizeof day, "%Y-%m-%d", &tm);
    for (int i = 1;; i++) {
        if (i == 1)
            snprintf(name, size, "%s", day);
        else
            snprintf(name, size, "%s (%d)", day, i);
        int r = zcli_store_find(s, name, &c, dg);
        if (r < 0)
            return r == ZC_ENOTFOUND ? ZC_OK : r;
    }
}

/* Every name that comes in goes through here. */
static int check_name(const char *name, struct zc_diag *dg)
{
    char copy[sizeof((struct zcli_conv *)NULL)->name];
    size_t n = strlen(name);

    if (n == 0 || n >= sizeof copy)
        return zc_diag(dg, ZC_EINVAL, "a conversation's name has 1 to %zu bytes", sizeof copy - 1);
    memcpy(copy, name, n + 1);
    if (!zc_utf8_is_valid(name, n) || zc_diag_clean(copy) > 0)
        return zc_diag(dg, ZC_EINVAL, "a conversation's name is text without control characters");
    return ZC_OK;
}

/* In a transaction. */
static int insert(struct zcli_store *s, const char *name, const char *system,
                  struct zcli_conv *ret_c, struct zc_diag *dg)
{
    struct zcli_conv c;
    sqlite3_stmt *st;
    int r;

    if (!name)
        r = free_name(s, c.name, sizeof c.name, dg);
    else if ((r = check_name(name, dg)) == ZC_OK)
        snprintf(c.name, sizeof c.name, "%s", name);
    if (r < 0 ||
        (r = prepare(s, &st, dg, "INSERT INTO conversation(name, updated) VALUES(?, ?)", "si",
                     c.name, (int64_t)time(NULL))) < 0 ||
        (r = finish(s, st, dg)) < 0)
        return r;
    c.id = sqlite3_last_insert_rowid(s->db);
    if (system && (r = add_message(s, c.id, "system", system, NULL, dg)) < 0)
        return r;
    *ret_c = c;
    return ZC_OK;
}

/* Ends the transaction, one way or the other. */
static int commit(struct zcli_store *s, int r, struct zc_diag *dg)
{
    if (r == ZC_OK)
        r = exec(s, "COMMIT", dg);
    if (r < 0)
        exec(s, "ROLLBACK", NULL);
    return r;
}

int zcli_store_create(struct zcli_store *s, const char *name, const char *system,
                      struct zcli_conv *ret_c, struct zc_diag *dg)
{
    struct zcli_conv other;
    int r = exec(s, "BEGIN IMMEDIATE", dg);

    if (r < 0)
        return r;
    r = name ? zcli_store_find(s, name, &other, NULL) : ZC_ENOTFOUND;
    if (r == ZC_OK)
        r = zc_diag(dg, ZC_EINVAL, "a conversation is called '%s' already", name);
    else
        r = insert(s, name, system, ret_c, dg);
    return commit(s, r, dg);
}

int zcli_store_enter(struct zcli_store *s, const char *name, const char *system,
                     struct zcli_conv *ret_c, struct zc_diag *dg)
{
    int r = exec(s, "BEGIN IMMEDIATE", dg);

    if (r < 0)
        return r;
    r = zcli_store_find(s, name, ret_c, dg);
    if (r == ZC_ENOTFOUND)
        r = insert(s, name, system, ret_c, dg);
    else if (r == ZC_OK && system)
        r = zc_diag(dg, ZC_EINVAL,
                    "--system begins a conversation, and '%s' has begun (-s NAME for a new one)",
                    ret_c->name);
    return commit(s, r, dg);
}

int zcli_store_rename(struct zcli_store *s, const char *from, const char *to, struct zc_diag *dg)
{
    struct zcli_conv c, other;
    sqlite3_stmt *st;
    int r;

    if ((r = zcli_store_find(s, from, &c, dg)) < 0 || (r = check_name(to, dg)) < 0)
        return r;
    if (zcli_store_find(s, to, &other, NULL) == ZC_OK && other.id != c.id)
        return zc_diag(dg, ZC_EINVAL, "a conversation is called '%s' already", to);
    r = prepare(s, &st, dg, "UPDATE conversation SET name = ? WHERE id = ?", "si", to, c.id);
    return r < 0 ? r : finish(s, st, dg);
}

int zcli_store_delete(struct zcli_store *s, const char *name, struct zc_diag *dg)
{
    struct zcli_conv c;
    sqlite3_stmt *st;
    int r;

    if ((r = zcli_store_find(s, name, &c, dg)) < 0)
        return r;
    r = prepare(s, &st, dg, "DELETE FROM conversation WHERE id = ?", "i", c.id);
    return r < 0 ? r : finish(s, st, dg);
}

/* The text of a column; what an older version stored of bytes that are no UTF-8 is U+FFFD. */
static json_t *text_of(sqlite3_stmt *st, int column)
{
    const char *p = (const char *)sqlite3_column_text(st, column);
    size_t n = (size_t)sqlite3_column_bytes(st, column);
    json_t *v = json_stringn(p, n);
    struct zc_buf b;

    if (v)
        return v;
    zc_buf_init(&b, 4 * n + 1);
    if (zc_utf8_lossy(&b, p, n) == ZC_OK)
        v = json_stringn_nocheck(b.data, b.len);
    zc_buf_release(&b);
    return v;
}

/* Runs st to its end, making one object of each row from the columns' names; NULL is left out. */
static int collect(struct zcli_store *s, sqlite3_stmt *st, json_t **ret_rows, struct zc_diag *dg)
{
    json_t *rows = json_array();
    int rc;

    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        json_t *row = json_object();
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            if (sqlite3_column_type(st, i) == SQLITE_NULL)
                continue;
            json_t *v = sqlite3_column_type(st, i) == SQLITE_INTEGER
                            ? json_integer(sqlite3_column_int64(st, i))
                            : text_of(st, i);
            json_object_set_new_nocheck(row, sqlite3_column_name(st, i), v);
        }
        json_array_append_new(rows, row);
    }
    sqlite3_finalize(st);
    if (rc != SQLITE_DONE) {
        json_decref(rows);
        return db_error(s, dg, "cannot read");
    }
    *ret_rows = rows;
    return ZC_OK;
}

int zcli_store_messages(struct zcli_store *s, int64_t conv, json_t **ret_messages,
                        struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r = prepare(s, &st, dg, "SELECT role, content FROM sent WHERE conversation = ? ORDER BY id",
                    "i", conv);
    return r < 0 ? r : collect(s, st, ret_messages, dg);
}

int zcli_store_record(struct zcli_store *s, int64_t conv, json_t **ret_messages, struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r = prepare(s, &st, dg,
                    "SELECT role, content, CASE WHEN NOT answered THEN 'no reply' "
                    "WHEN id NOT IN (SELECT id FROM sent WHERE conversation = ?1) THEN 'left out' "
                    "END AS note FROM said WHERE conversation = ?1 ORDER BY id",
                    "i", conv);
    return r < 0 ? r : collect(s, st, ret_messages, dg);
}

int zcli_store_count(struct zcli_store *s, int64_t conv, size_t *ret_all, size_t *ret_left_out,
                     struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r = prepare(s, &st, dg,
                    "SELECT (SELECT count(*) FROM said WHERE conversation = ?1 AND answered), "
                    "(SELECT count(*) FROM sent WHERE conversation = ?1)",
                    "i", conv);
    if (r < 0)
        return r;
    if (sqlite3_step(st) == SQLITE_ROW) {
        *ret_all = (size_t)sqlite3_column_int64(st, 0);
        *ret_left_out = *ret_all - (size_t)sqlite3_column_int64(st, 1);
    } else {
        r = db_error(s, dg, "cannot read");
    }
    sqlite3_finalize(st);
    return r;
}

int zcli_store_trim(struct zcli_store *s, int64_t conv, int64_t turns, struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r = prepare(s, &st, dg,
                    "UPDATE conversation SET first = CASE ?2 WHEN 0 THEN 0 ELSE coalesce("
                    "(SELECT id FROM sent WHERE conversation = ?1 AND role = 'user' ORDER BY id "
                    "LIMIT 1 OFFSET CASE WHEN ?2 > 0 THEN ?2 ELSE (SELECT (count(*) + 1) / 2 "
                    "FROM sent WHERE conversation = ?1 AND role = 'user') END), "
                    "(SELECT max(id) + 1 FROM sent WHERE conversation = ?1 AND role <> 'system'), "
                    "first) END WHERE id = ?1",
                    "ii", conv, turns);
    return r < 0 ? r : finish_update(s, st, dg);
}

int zcli_store_list(struct zcli_store *s, json_t **ret_list, struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r =
        prepare(s, &st, dg,
                "SELECT shown(name) AS name, (SELECT count(*) FROM said WHERE conversation = c.id "
                "AND answered) AS messages, updated, coalesce((SELECT content FROM message "
                "WHERE conversation = c.id AND role = 'user' ORDER BY id LIMIT 1), '') "
                "AS begins FROM conversation c ORDER BY updated DESC, id DESC",
                "");
    return r < 0 ? r : collect(s, st, ret_list, dg);
}

/* The same prompt again takes the place of the one that got no reply. One whose reply is still
 * awaited, by another client, stays. */
static int drop_failed(struct zcli_store *s, int64_t conv, const char *prompt, struct zc_diag *dg)
{
    static const char *const sql[] = {
        "DELETE FROM message WHERE finish IS NOT NULL AND id IN (SELECT reply FROM said "
        "WHERE conversation = ? AND NOT answered AND content = ?)",
        "DELETE FROM message WHERE id IN (SELECT id FROM said "
        "WHERE conversation = ? AND NOT answered AND content = ? AND reply IS NULL)",
    };
    sqlite3_stmt *st;
    int r = ZC_OK;

    for (size_t i = 0; r == ZC_OK && i < sizeof sql / sizeof *sql; i++)
        if ((r = prepare(s, &st, dg, sql[i], "is", conv, prompt)) == ZC_OK)
            r = finish(s, st, dg);
    return r;
}

int zcli_store_turn_begin(struct zcli_store *s, int64_t conv, const char *prompt,
                          int64_t *ret_reply, struct zc_diag *dg)
{
    int r;

    if ((r = exec(s, "BEGIN IMMEDIATE", dg)) < 0)
        return r;
    if ((r = drop_failed(s, conv, prompt, dg)) < 0 ||
        (r = add_message(s, conv, "user", prompt, NULL, dg)) < 0 ||
        (r = add_message(s, conv, "assistant", "", NULL, dg)) < 0)
        goto fail;
    int64_t reply = sqlite3_last_insert_rowid(s->db);
    if ((r = touch(s, conv, dg)) < 0 || (r = exec(s, "COMMIT", dg)) < 0)
        goto fail;
    /* Pieces come too fast to wait for the disk with each. */
    if ((r = exec(s, "PRAGMA synchronous=NORMAL", dg)) < 0)
        return r;
    *ret_reply = reply;
    return ZC_OK;
fail:
    exec(s, "ROLLBACK", NULL);
    return r;
}

int zcli_store_turn_append(struct zcli_store *s, int64_t reply, const char *piece, size_t n,
                           struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r =
        prepare(s, &st, dg, "INSERT INTO piece(message, text) VALUES(?, ?)", "ib", reply, piece, n);
    return r < 0 ? r : finish(s, st, dg);
}

int zcli_store_turn_end(struct zcli_store *s, int64_t reply, const char *text, const char *end,
                        struct zc_diag *dg)
{
    sqlite3_stmt *st;
    int r;

    if ((r = exec(s, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", dg)) < 0)
        return r;
    if ((r = prepare(s, &st, dg,
                     "UPDATE message SET content = coalesce(?, (SELECT content FROM whole "
                     "WHERE whole.id = message.id)), finish = ? WHERE id = ?",
                     "ssi", text, end, reply)) < 0 ||
        (r = finish(s, st, dg)) < 0 ||
        (r = prepare(s, &st, dg, "DELETE FROM piece WHERE message = ?", "i", reply)) < 0 ||
        (r = finish(s, st, dg)) < 0 || (r = exec(s, "COMMIT", dg)) < 0)
        exec(s, "ROLLBACK", NULL);
    return r;
}
