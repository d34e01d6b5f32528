/* SPDX-License-Identifier: MIT */
/* Unit tests of the client: the store of conversations, and what a terminal is allowed to see. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "common/zc_mem.h"
#include "tests/unit/t_unit.h"
#include "zorac-cli/zcli_reply.h"
#include "zorac-cli/zcli_store.h"
#include "zorac-cli/zcli_term.h"

static char dir[T_DIR];
static char *db;
static struct zcli_store *s;
static struct zc_diag dg;

static void set_up(void)
{
    t_dir(dir);
    setenv("XDG_DATA_HOME", dir, 1);
    db = zc_xasprintf("%s/zorac/conversations.db", dir);
    s = NULL;
    t_assert_err(zcli_store_open(&s, NULL, &dg), ZC_OK, &dg);
}

static void tear_down(void)
{
    char *cmd = zc_xasprintf("rm -rf %s", dir);

    zcli_store_close(s);
    ck_assert_int_eq(system(cmd), 0);
    zc_free(cmd);
    zc_free(db);
}

static size_t n_messages(int64_t conv)
{
    json_t *m;
    t_assert_err(zcli_store_messages(s, conv, &m, &dg), ZC_OK, &dg);
    size_t n = json_array_size(m);
    json_decref(m);
    return n;
}

/* The content of message i of the conversation is exactly this. */
static void assert_message(int64_t conv, size_t i, const char *role, const char *content)
{
    json_t *all;
    t_assert_err(zcli_store_messages(s, conv, &all, &dg), ZC_OK, &dg);
    json_t *m = json_array_get(all, i);
    ck_assert_str_eq(json_string_value(json_object_get(m, "role")), role);
    ck_assert_str_eq(json_string_value(json_object_get(m, "content")), content);
    json_decref(all);
}

START_TEST(files_are_private)
{
    struct stat st;

    ck_assert_int_eq(stat(db, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    char *d = zc_xasprintf("%s/zorac", dir);
    ck_assert_int_eq(stat(d, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0700);
    zc_free(d);
}
END_TEST

START_TEST(last_used_conversation_is_found)
{
    struct zcli_conv a, b, c;
    int64_t reply;

    ck_assert_int_eq(zcli_store_find(s, NULL, &c, &dg), ZC_ENOTFOUND);
    t_assert_err(zcli_store_create(s, "a", "be kind", &a, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_create(s, NULL, NULL, &b, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_find(s, NULL, &c, &dg), ZC_OK, &dg);
    ck_assert_int_eq(c.id, b.id);
    sleep(1); /* the store's clock has seconds */
    t_assert_err(zcli_store_turn_begin(s, a.id, "hi", &reply, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_find(s, NULL, &c, &dg), ZC_OK, &dg);
    ck_assert_int_eq(c.id, a.id);
    assert_message(a.id, 0, "system", "be kind");
    ck_assert_int_eq(zcli_store_create(s, "a", NULL, &b, &dg), ZC_EINVAL); /* the name is taken */
}
END_TEST

/* Many at once want the same conversation, in a store that none of them has made yet: all are in
 * it.
 */
START_TEST(a_conversation_is_made_once)
{
    enum { N = 8 };
    struct zcli_conv c;
    json_t *list;
    int go[2], failed = 0, status;

    zcli_store_close(s);
    s = NULL;
    ck_assert_int_eq(remove(db), 0);
    ck_assert_int_eq(pipe(go), 0);
    for (int i = 0; i < N; i++) {
        if (fork() == 0) {
            char byte;
            close(go[1]);
            int r = read(go[0], &byte, 1) == 0 ? zcli_store_open(&s, NULL, &dg) : ZC_ESYS;
            if (r == ZC_OK)
                r = zcli_store_enter(s, "new", "be kind", &c, &dg);
            if (r < 0 && r != ZC_EINVAL)
                fprintf(stderr, "%s\n", dg.text);
            _exit(r == ZC_OK ? 0 : r == ZC_EINVAL ? 1 : 2);
        }
    }
    close(go[0]);
    close(go[1]);
    for (int i = 0; i < N; i++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        failed += WEXITSTATUS(status);
    }
    ck_assert_int_eq(failed,
                     N - 1); /* one begins it; to the others the system message is too late */
    t_assert_err(zcli_store_open(&s, NULL, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_enter(s, "new", NULL, &c, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_list(s, &list, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(json_array_size(list), 1);
    json_decref(list);
}
END_TEST

static int wal_syncs;
static sqlite3_vfs *real_vfs;
static int (*real_sync)(sqlite3_file *, int);

static int count_sync(sqlite3_file *f, int flags)
{
    wal_syncs++;
    return real_sync(f, flags);
}

static int open_counted(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
                        int *ret_flags)
{
    static sqlite3_io_methods counted;
    int rc = real_vfs->xOpen(vfs, name, f, flags, ret_flags);

    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) {
        counted = *f->pMethods;
        real_sync = counted.xSync;
        counted.xSync = count_sync;
        f->pMethods = &counted;
    }
    return rc;
}

/* What a power cut may take: what was written since the log was last waited for. */
START_TEST(a_turn_begins_and_ends_on_the_disk)
{
    struct zcli_conv c;
    int64_t reply;
    int before;

    zcli_store_close(s);
    real_vfs = sqlite3_vfs_find(NULL);
    sqlite3_vfs vfs = *real_vfs;
    vfs.zName = "counted";
    vfs.xOpen = open_counted;
    ck_assert_int_eq(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
    t_assert_err(zcli_store_open(&s, NULL, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_enter(s, "c", "be kind", &c, &dg), ZC_OK, &dg);
    for (int turn = 0; turn < 2; turn++) {
        before = wal_syncs;
        t_assert_err(zcli_store_turn_begin(s, c.id, "hi", &reply, &dg), ZC_OK, &dg);
        ck_assert_int_gt(wal_syncs, before);
        before = wal_syncs;
        t_assert_err(zcli_store_turn_append(s, reply, "hel", 3, &dg), ZC_OK, &dg);
        ck_assert_int_eq(wal_syncs, before);
        t_assert_err(zcli_store_turn_end(s, reply, NULL, "stop", &dg), ZC_OK, &dg);
        ck_assert_int_gt(wal_syncs, before);
    }
    before = wal_syncs;
    t_assert_err(zcli_store_rename(s, "c", "d", &dg), ZC_OK, &dg);
    ck_assert_int_gt(wal_syncs, before);
    zcli_store_close(s);
    s = NULL;
    sqlite3_vfs_unregister(&vfs);
}
END_TEST

START_TEST(unanswered_prompts_stay_out_of_the_transcript)
{
    struct zcli_conv c;
    int64_t reply;

    t_assert_err(zcli_store_create(s, "c", NULL, &c, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_begin(s, c.id, "lost", &reply, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n_messages(c.id), 0);
    t_assert_err(zcli_store_turn_begin(s, c.id, "hi", &reply, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_append(s, reply, "hel", 3, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_append(s, reply, "lo", 2, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n_messages(c.id), 2);
    assert_message(c.id, 1, "assistant", "hello");
    t_assert_err(zcli_store_turn_end(s, reply, "hello!", "stop", &dg), ZC_OK, &dg);
    assert_message(c.id, 0, "user", "hi");
    assert_message(c.id, 1, "assistant", "hello!");
}
END_TEST

/* The note of message i of the record; NULL for none. */
static const char *note_of(int64_t conv, size_t i)
{
    static char note[32];
    json_t *all;

    t_assert_err(zcli_store_record(s, conv, &all, &dg), ZC_OK, &dg);
    const char *text = json_string_value(json_object_get(json_array_get(all, i), "note"));
    snprintf(note, sizeof note, "%s", text ? text : "");
    json_decref(all);
    return text ? note : NULL;
}

static size_t n_recorded(int64_t conv)
{
    json_t *all;
    t_assert_err(zcli_store_record(s, conv, &all, &dg), ZC_OK, &dg);
    size_t n = json_array_size(all);
    json_decref(all);
    return n;
}

static size_t n_listed(void)
{
    json_t *list;
    t_assert_err(zcli_store_list(s, &list, &dg), ZC_OK, &dg);
    json_int_t n = json_integer_value(json_object_get(json_array_get(list, 0), "messages"));
    json_decref(list);
    return (size_t)n;
}

START_TEST(failed_prompts_are_kept_and_not_counted)
{
    struct zcli_conv c;
    int64_t reply, other;

    t_assert_err(zcli_store_create(s, "c", NULL, &c, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_begin(s, c.id, "hi", &reply, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_end(s, reply, NULL, "error", &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n_listed(), 0);
    ck_assert_uint_eq(n_recorded(c.id), 1);
    ck_assert_str_eq(note_of(c.id, 0), "no reply");
    /* asked again, and again while that is not answered yet: the failed one is replaced, the other
     * client's stays */
    t_assert_err(zcli_store_turn_begin(s, c.id, "hi", &other, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n_recorded(c.id), 1);
    t_assert_err(zcli_store_turn_begin(s, c.id, "hi", &reply, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n_recorded(c.id), 2);
    t_assert_err(zcli_store_turn_end(s, other, "hello", "stop", &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_end(s, reply, NULL, "lost", &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n_listed(), 2);
    ck_assert_uint_eq(n_messages(c.id), 2);
    ck_assert_uint_eq(n_recorded(c.id), 3);
    ck_assert_ptr_null(note_of(c.id, 1));
    ck_assert_str_eq(note_of(c.id, 2), "no reply");
}
END_TEST

static void add_turn(int64_t conv, const char *prompt)
{
    int64_t reply;

    t_assert_err(zcli_store_turn_begin(s, conv, prompt, &reply, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_end(s, reply, "yes", "stop", &dg), ZC_OK, &dg);
}

START_TEST(a_trimmed_conversation_keeps_its_record)
{
    static const struct {
        int64_t turns;
        size_t left_out;
    } steps[] = {{-1, 6}, {1, 8}, {0, 0}, {2, 4}, {9, 10}, {-1, 10}, {3, 10}};
    struct zcli_conv c;
    size_t all, left_out;

    t_assert_err(zcli_store_create(s, "c", "be kind", &c, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_trim(s, c.id, -1, &dg), ZC_OK, &dg);
    for (int i = 0; i < 5; i++)
        add_turn(c.id, (const char[]){(char)('a' + i), '\0'});
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        t_assert_err(zcli_store_trim(s, c.id, steps[i].turns, &dg), ZC_OK, &dg);
        t_assert_err(zcli_store_count(s, c.id, &all, &left_out, &dg), ZC_OK, &dg);
        ck_assert_uint_eq(all, 11);
        ck_assert_uint_eq(left_out, steps[i].left_out);
        ck_assert_uint_eq(n_messages(c.id), all - left_out);
        assert_message(c.id, 0, "system", "be kind");
    }
    ck_assert_str_eq(note_of(c.id, 1), "left out");
    ck_assert_uint_eq(n_recorded(c.id), 11);
    add_turn(c.id, "again");
    ck_assert_uint_eq(n_messages(c.id), 3);
    assert_message(c.id, 1, "user", "again");
}
END_TEST

/* A child writes a reply piece by piece, telling us through a pipe after each; it is killed at some
 * point. Every piece that it told of must be there. */
START_TEST(partial_reply_survives_kill)
{
    struct zcli_conv c;
    int told[2], n = 0;
    char byte;

    t_assert_err(zcli_store_create(s, "k", NULL, &c, &dg), ZC_OK, &dg);
    zcli_store_close(s);
    s = NULL;
    ck_assert_int_eq(pipe(told), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int64_t reply;
        if (zcli_store_open(&s, NULL, &dg) < 0 ||
            zcli_store_turn_begin(s, c.id, "count", &reply, &dg) < 0)
            _exit(1);
        for (;;)
            if (zcli_store_turn_append(s, reply, "x", 1, &dg) < 0 || write(told[1], "x", 1) != 1)
                _exit(1);
    }
    while (n < 20 && read(told[0], &byte, 1) == 1)
        n++;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(told[1]);
    while (read(told[0], &byte, 1) == 1)
        n++;
    close(told[0]);
    ck_assert_int_ge(n, 20);
    t_assert_err(zcli_store_open(&s, NULL, &dg), ZC_OK, &dg);
    json_t *m;
    t_assert_err(zcli_store_messages(s, c.id, &m, &dg), ZC_OK, &dg);
    size_t kept = json_string_length(json_object_get(json_array_get(m, 1), "content"));
    ck_assert_uint_ge(kept, (size_t)n);
    ck_assert_uint_le(kept, (size_t)n + 1);
    json_decref(m);
}
END_TEST

/* Bytes that this process has written so far; -1 where the system does not say. */
static long long written(void)
{
    char line[128];
    long long n = -1;
    FILE *f = fopen("/proc/self/io", "re");

    while (f && fgets(line, sizeof line, f))
        sscanf(line, "wchar: %lld", &n);
    if (f)
        fclose(f);
    return n;
}

/* Twice as long a reply may not cost four times as much. */
START_TEST(pieces_cost_the_same_however_long_the_reply_is)
{
    enum { N = 3000 };
    static const char piece[] = "a piece of a reply of some length, as there are many; ";
    struct zcli_conv c;
    int64_t reply;

    t_assert_err(zcli_store_create(s, "long", NULL, &c, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_begin(s, c.id, "go on", &reply, &dg), ZC_OK, &dg);
    long long before = written();
    for (int i = 0; i < N; i++)
        t_assert_err(zcli_store_turn_append(s, reply, piece, sizeof piece - 1, &dg), ZC_OK, &dg);
    if (before >= 0)
        ck_assert_int_lt(written() - before, N * 20000LL);
    for (int ended = 0; ended < 2; ended++) {
        json_t *m;
        t_assert_err(zcli_store_messages(s, c.id, &m, &dg), ZC_OK, &dg);
        const char *text = json_string_value(json_object_get(json_array_get(m, 1), "content"));
        ck_assert_uint_eq(strlen(text), N * (sizeof piece - 1));
        ck_assert(memcmp(text + 7 * (sizeof piece - 1), piece, sizeof piece - 1) == 0);
        json_decref(m);
        t_assert_err(zcli_store_turn_end(s, reply, NULL, "lost", &dg), ZC_OK, &dg);
    }
}
END_TEST

/* A store of the first version, with a reply that a kill cut off. */
START_TEST(an_older_store_is_taken_over)
{
    sqlite3 *old;
    json_t *m;
    struct zcli_conv c;

    zcli_store_close(s);
    remove(db);
    ck_assert_int_eq(sqlite3_open(db, &old), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(
            old,
            "CREATE TABLE conversation (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
            " updated INTEGER NOT NULL); CREATE TABLE message (id INTEGER PRIMARY KEY,"
            " conversation INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,"
            " role TEXT NOT NULL, content TEXT NOT NULL, finish TEXT, created INTEGER NOT NULL);"
            "CREATE INDEX message_by_conversation ON message(conversation, id);"
            "INSERT INTO conversation VALUES(1, 'old', 0);"
            "INSERT INTO message VALUES(1, 1, 'user', 'hi', NULL, 0);"
            "INSERT INTO message VALUES(2, 1, 'assistant', 'he', NULL, 0);"
            "PRAGMA user_version=1",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(old);
    t_assert_err(zcli_store_open(&s, NULL, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_find(s, "old", &c, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n_messages(c.id), 2);
    t_assert_err(zcli_store_turn_append(s, 2, "llo", 3, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_messages(s, c.id, &m, &dg), ZC_OK, &dg);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(m, 1), "content")), "hello");
    json_decref(m);
}
END_TEST

START_TEST(names_change_and_go)
{
    struct zcli_conv c;
    json_t *list;

    t_assert_err(zcli_store_create(s, "one", NULL, &c, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_create(s, "two", NULL, &c, &dg), ZC_OK, &dg);
    ck_assert_int_eq(zcli_store_rename(s, "one", "two", &dg), ZC_EINVAL);
    t_assert_err(zcli_store_rename(s, "one", "three", &dg), ZC_OK, &dg);
    ck_assert_int_eq(zcli_store_delete(s, "one", &dg), ZC_ENOTFOUND);
    t_assert_err(zcli_store_delete(s, "two", &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_list(s, &list, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(json_array_size(list), 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "name")), "three");
    json_decref(list);
    ck_assert_int_eq(zcli_store_create(s, "", NULL, &c, &dg), ZC_EINVAL);
}
END_TEST

/* However a name comes in, it is text that a terminal shows as it is. */
START_TEST(names_are_checked_wherever_they_come_in)
{
    static const char *const bad[] = {"x\xff", "\xc3",      "a\x1b[31m", "a\nb",
                                      "a\x7f", "a\xc2\x9b", ""};
    struct zcli_conv c;
    char longest[sizeof c.name + 1];

    t_assert_err(zcli_store_create(s, "one", NULL, &c, &dg), ZC_OK, &dg);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(zcli_store_create(s, bad[i], NULL, &c, &dg), ZC_EINVAL);
        ck_assert_int_eq(zcli_store_enter(s, bad[i], NULL, &c, &dg), ZC_EINVAL);
        ck_assert_int_eq(zcli_store_rename(s, "one", bad[i], &dg), ZC_EINVAL);
    }
    memset(longest, 'n', sizeof longest);
    longest[sizeof c.name] = '\0';
    ck_assert_int_eq(zcli_store_rename(s, "one", longest, &dg), ZC_EINVAL);
    longest[sizeof c.name - 1] = '\0';
    t_assert_err(zcli_store_rename(s, "one", longest, &dg), ZC_OK, &dg);
}
END_TEST

/* Older versions let names pass that are no text; they are shown clean, and found by that. */
START_TEST(a_name_of_an_older_store_is_shown_clean)
{
    static const char clean[] = "x\xef\xbf\xbd?[31my?"
                                "?";
    struct zcli_conv c;
    json_t *list;
    sqlite3 *raw;

    ck_assert_int_eq(sqlite3_open(db, &raw), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(raw,
                                  "INSERT INTO conversation(id, name, updated) VALUES(7, "
                                  "CAST(x'78ff1b5b33316d79c29b' AS TEXT), 0);"
                                  "INSERT INTO message(conversation, role, content, created) "
                                  "VALUES(7, 'user', CAST(x'68ff' AS TEXT), 0)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(raw);
    t_assert_err(zcli_store_list(s, &list, &dg), ZC_OK, &dg);
    json_t *row = json_array_get(list, 0);
    ck_assert_str_eq(json_string_value(json_object_get(row, "name")), clean);
    ck_assert_str_eq(json_string_value(json_object_get(row, "begins")), "h\xef\xbf\xbd");
    char *text = json_dumps(list, 0);
    ck_assert_ptr_nonnull(text);
    zc_free(text);
    json_decref(list);
    t_assert_err(zcli_store_find(s, NULL, &c, &dg), ZC_OK, &dg);
    ck_assert_str_eq(c.name, clean);
    t_assert_err(zcli_store_find(s, "x\xff\x1b[31my\xc2\x9b", &c, &dg), ZC_OK, &dg);
    ck_assert_str_eq(c.name, clean);
    t_assert_err(zcli_store_rename(s, clean, "y", &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_find(s, "y", &c, &dg), ZC_OK, &dg);
    ck_assert_int_eq(c.id, 7);
}
END_TEST

/* Another client deletes the conversation that this one is in, also in the middle of a reply. */
START_TEST(a_conversation_that_was_deleted_is_called_so)
{
    struct zcli_conv c;
    int64_t reply, other;

    t_assert_err(zcli_store_create(s, "c", NULL, &c, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_begin(s, c.id, "hi", &reply, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_delete(s, "c", &dg), ZC_OK, &dg);
    ck_assert_int_eq(zcli_store_turn_append(s, reply, "x", 1, &dg), ZC_ESYS);
    ck_assert_int_eq(zcli_store_trim(s, c.id, -1, &dg), ZC_ESYS);
    dg.text[0] = '\0';
    ck_assert_int_eq(zcli_store_turn_begin(s, c.id, "hi", &other, &dg), ZC_ESYS);
    ck_assert_ptr_nonnull(strstr(dg.text, "has been deleted"));
    t_assert_err(zcli_store_create(s, "d", NULL, &c, &dg), ZC_OK, &dg);
    t_assert_err(zcli_store_turn_begin(s, c.id, "hi", &reply, &dg), ZC_OK, &dg);
}
END_TEST

START_TEST(newer_and_broken_files_are_refused)
{
    sqlite3 *raw;

    zcli_store_close(s);
    s = NULL;
    ck_assert_int_eq(sqlite3_open(db, &raw), SQLITE_OK);
    sqlite3_exec(raw, "PRAGMA user_version=99", NULL, NULL, NULL);
    sqlite3_close(raw);
    ck_assert_int_eq(zcli_store_open(&s, NULL, &dg), ZC_EVERSION);
    ck_assert_ptr_null(s);
    FILE *f = fopen(db, "w");
    fputs("this is no database, but it is long enough to be looked at as if it were one", f);
    fclose(f);
    ck_assert_int_eq(zcli_store_open(&s, NULL, &dg), ZC_ESYS);
    ck_assert_ptr_null(s);
}
END_TEST

/* What a terminal may not see goes into a pipe unchanged. */
START_TEST(pipes_get_the_bytes_unchanged)
{
    static const char text[] = "a\x1b[31mb\xc2\x9b\n";
    char got[32] = {0};
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    int saved = dup(STDOUT_FILENO);
    dup2(fds[1], STDOUT_FILENO);
    zcli_term_init(false);
    int r = zcli_term_text(text, sizeof text - 1, &dg);
    dup2(saved, STDOUT_FILENO);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(read(fds[0], got, sizeof got), (int)sizeof text - 1);
    ck_assert_mem_eq(got, text, sizeof text - 1);
}
END_TEST

static int master = -1, slave = -1, saved_out;

/* Standard output is a pseudo-terminal of its own; 0 where the system has none. */
static int begin_terminal(void)
{
    master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0) {
        puts("no pseudo-terminals here: terminals were not looked at");
        return 0;
    }
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(slave, 0);
    fflush(stdout);
    saved_out = dup(STDOUT_FILENO);
    dup2(slave, STDOUT_FILENO);
    return 1;
}

static void end_terminal(void)
{
    dup2(saved_out, STDOUT_FILENO);
    close(saved_out);
    close(slave);
    close(master);
}

START_TEST(colours_are_for_a_terminal_that_has_a_name)
{
    static const struct {
        const char *term, *no_color;
        bool plain, colours;
    } cases[] = {{"xterm", "", false, true},
                 {"", "", false, false},
                 {"dumb", "", false, false},
                 {"xterm", "1", false, false},
                 {"xterm", "", true, false}};

    if (!begin_terminal())
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("TERM", cases[i].term, 1);
        setenv("NO_COLOR", cases[i].no_color, 1);
        zcli_term_init(cases[i].plain);
        ck_assert(zcli_term_is_tty());
        ck_assert_int_eq(zcli_term_bold()[0] != '\0', cases[i].colours);
    }
    unsetenv("TERM");
    unsetenv("NO_COLOR");
    zcli_term_init(false);
    ck_assert_str_eq(zcli_term_bold(), "");
    end_terminal();
}
END_TEST

/* Text and lines, which may be JSON: its writer leaves DEL and C1 as they are. */
START_TEST(a_terminal_is_not_commanded)
{
    static const char bad[] = "a\x1b[31m\x7f"
                              "b\xc2\x9b"
                              "c\xc3\xa9";
    static const char good[] = "a\xef\xbf\xbd[31m\xef\xbf\xbd"
                               "b\xef\xbf\xbd"
                               "c\xc3\xa9\r\n";
    char got[2 * sizeof good] = {0};

    if (!begin_terminal())
        return;
    zcli_term_init(true);
    int r = zcli_term_text(bad, sizeof bad - 1, &dg);
    zcli_term_end_line();
    if (r == ZC_OK)
        r = zcli_term_line(bad, &dg);
    for (size_t n = 0; r == ZC_OK && n < 2 * (sizeof good - 1);) {
        ssize_t k = read(master, got + n, sizeof got - 1 - n);
        ck_assert_int_gt(k, 0);
        n += (size_t)k;
    }
    end_terminal();
    t_assert_err(r, ZC_OK, &dg);
    ck_assert_mem_eq(got, good, sizeof good - 1);
    ck_assert_str_eq(got + sizeof good - 1, good);
}
END_TEST

START_TEST(exit_statuses_are_as_promised)
{
    ck_assert_int_eq(zcli_exit_of_code("busy"), 4);
    ck_assert_int_eq(zcli_exit_of_code("limit"), 4);
    ck_assert_int_eq(zcli_exit_of_code("permission"), 4);
    ck_assert_int_eq(zcli_exit_of_code("internal"), 1);
    ck_assert_int_eq(zcli_exit_of_error(ZC_ENOTFOUND), 3);
    ck_assert_int_eq(zcli_exit_of_error(ZC_EPERM), 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *tc = tcase_create("store");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, files_are_private);
    tcase_add_test(tc, last_used_conversation_is_found);
    tcase_add_test(tc, a_conversation_is_made_once);
    tcase_add_test(tc, a_turn_begins_and_ends_on_the_disk);
    tcase_add_test(tc, unanswered_prompts_stay_out_of_the_transcript);
    tcase_add_test(tc, failed_prompts_are_kept_and_not_counted);
    tcase_add_test(tc, a_trimmed_conversation_keeps_its_record);
    tcase_add_test(tc, partial_reply_survives_kill);
    tcase_add_test(tc, pieces_cost_the_same_however_long_the_reply_is);
    tcase_add_test(tc, an_older_store_is_taken_over);
    tcase_add_test(tc, names_change_and_go);
    tcase_add_test(tc, names_are_checked_wherever_they_come_in);
    tcase_add_test(tc, a_name_of_an_older_store_is_shown_clean);
    tcase_add_test(tc, a_conversation_that_was_deleted_is_called_so);
    tcase_add_test(tc, newer_and_broken_files_are_refused);
    suite_add_tcase(suite, tc);
    tc = tcase_create("terminal");
    tcase_add_test(tc, pipes_get_the_bytes_unchanged);
    tcase_add_test(tc, colours_are_for_a_terminal_that_has_a_name);
    tcase_add_test(tc, a_terminal_is_not_commanded);
    tcase_add_test(tc, exit_statuses_are_as_promised);
    suite_add_tcase(suite, tc);
    return t_run(suite);
}
