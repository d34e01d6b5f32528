/* SPDX-License-Identifier: MIT */
/* The wire by hand, for the end-to-end scripts. Reads one JSON object per line from standard input:
 *     {"id": 1, "method": "status", "params": {...}}    sends a request
 *     {"raw": "93c0"}                                   sends bytes
 *     {"repeat": 1000, "raw": "c0"}                     sends them often
 *     {"wait": 1}                                       until the response to request 1 is here
 *     {"event": "delta", "of": 1}                       until such an event is here
 *     {"closed": true}                                  until the daemon has closed the connection
 *     {"hold": "/path"}                                 reads nothing until that file is there
 *     {"shut": true}                                    no more will be sent; printed, too
 * Prints what comes as lines of JSON with sorted keys: {"event", "params"}, {"id", "result"} or
 * {"id", "error"}, {"closed": true}. At the end of its input it waits for what was asked. Exit
 * status: 0; 1 something never came; 3 no daemon. Options: -S SOCKET, -t SECONDS (default 60), -q
 * prints only responses. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_json.h"
#include "common/zc_mem.h"
#include "common/zc_rpc.h"
#include "common/zc_scan.h"
#include "common/zc_sock.h"

#define MAX_IDS 4096

static int fd = -1, quiet;
static double deadline;
static struct zc_buf in;
static int64_t asked[MAX_IDS];
static int n_asked;
static int is_closed;

/* What came last, for the waits to look at. */
static int64_t last_response, last_event_of;
static char last_event[64];

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void print(json_t *v)
{
    json_dumpf(v, stdout, JSON_COMPACT | JSON_SORT_KEYS);
    putchar('\n');
    fflush(stdout);
    json_decref(v);
}

static json_t *to_json(const msgpack_object *o)
{
    struct zc_diag dg;
    json_t *v;

    if (!o)
        return json_null();
    if (zc_json_unpack(&v, o, "value", &dg) < 0)
        return json_pack("{s:s}", "not json", dg.text);
    return v;
}

static void forget(int64_t id)
{
    for (int i = 0; i < n_asked; i++)
        if (asked[i] == id)
            asked[i--] = asked[--n_asked];
}

static void take_message(const char *p, size_t n)
{
    struct zc_rpc m;
    struct zc_diag dg;

    last_response = last_event_of = -2;
    last_event[0] = '\0';
    if (zc_rpc_read(&m, p, n, &dg) < 0) {
        fprintf(stderr, "rpc: the daemon sent nonsense: %s\n", dg.text);
        exit(1);
    }
    if (m.type == ZC_RPC_NOTIFICATION) {
        snprintf(last_event, sizeof last_event, "%.*s", (int)m.method_len, m.method);
        last_event_of = zc_rpc_get_int(m.params, "id", -1);
        if (!quiet)
            print(json_pack("{s:s, s:o}", "event", last_event, "params", to_json(m.params)));
    } else {
        last_response = m.id;
        forget(m.id);
        print(json_pack("{s:I, s:o}", "id", (json_int_t)m.id, m.error ? "error" : "result",
                        to_json(m.error ? m.error : m.result)));
    }
    zc_rpc_release(&m);
}

/* One message from what has been read; 0 if there is none yet. */
static int take_one(void)
{
    static const struct zc_scan_limits lim = {
        .bytes = 1u << 30, .items = 1u << 28, .str = 1u << 30, .depth = ZC_SCAN_MAX_DEPTH};
    struct zc_scan scan;
    struct zc_diag dg;
    size_t used;

    zc_scan_init(&scan, &lim);
    int r = in.len ? zc_scan_feed(&scan, in.data, in.len, &used, &dg) : ZC_EAGAIN;
    if (r == ZC_EAGAIN)
        return 0;
    if (r < 0) {
        fprintf(stderr, "rpc: the daemon sent nonsense: %s\n", dg.text);
        exit(1);
    }
    take_message(in.data, used);
    zc_buf_drain(&in, used);
    return 1;
}

/* Takes one message, reading as needed. 0: nothing more will come. */
static int next_message(const char *what)
{
    static char chunk[65536];

    while (!take_one()) {
        if (is_closed)
            return 0;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ms = (int)((deadline - now()) * 1000);
        if (ms <= 0 || poll(&p, 1, ms) == 0) {
            fprintf(stderr, "rpc: waited in vain for %s\n", what);
            exit(1);
        }
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n <= 0) {
            is_closed = 1;
            print(json_pack("{s:b}", "closed", 1));
            continue;
        }
        zc_buf_add(&in, chunk, (size_t)n);
    }
    return 1;
}

static void must_come(int came, const char *what)
{
    if (came)
        return;
    fprintf(stderr, "rpc: the daemon closed the connection before %s came\n", what);
    exit(1);
}

/* Everything goes out, also when the daemon reads slowly; what it says meanwhile is kept. */
static void send_all(const char *p, size_t n)
{
    while (n && !is_closed) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return; /* the daemon has closed: reading will say so */
        p += k;
        n -= (size_t)k;
    }
}

static void send_request(json_t *line)
{
    struct zc_buf b;
    msgpack_packer pk;
    const char *key;
    json_t *v, *params = json_object_get(line, "params");
    int64_t id = json_integer_value(json_object_get(line, "id"));

    zc_buf_init(&b, 1u << 30);
    zc_rpc_packer(&pk, &b);
    zc_rpc_request(&pk, id, json_string_value(json_object_get(line, "method")),
                   json_object_size(params));
    json_object_foreach (params, key, v) {
        zc_rpc_put_str(&pk, key);
        zc_json_pack(&pk, v, NULL);
    }
    if (n_asked < MAX_IDS)
        asked[n_asked++] = id;
    send_all(b.data, b.len);
    zc_buf_release(&b);
}

static void send_raw(const char *hex, json_int_t repeat)
{
    struct zc_buf b;

    zc_buf_init(&b, 1u << 30);
    do
        for (size_t i = 0; hex[i] && hex[i + 1]; i += 2) {
            char two[3] = {hex[i], hex[i + 1], 0};
            zc_buf_addc(&b, (char)strtol(two, NULL, 16));
        }
    while (--repeat > 0);
    send_all(zc_buf_str(&b), b.len);
    zc_buf_release(&b);
}

static void wait_for(json_t *line)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    int64_t of = json_integer_value(json_object_get(line, event ? "of" : "wait"));

    do
        must_come(next_message("an answer or event"), "an answer or event");
    while (event ? strcmp(last_event, event) != 0 || last_event_of != of : last_response != of);
}

static void hold(const char *path)
{
    while (access(path, F_OK) < 0) {
        if (now() > deadline) {
            fprintf(stderr, "rpc: waited in vain for the file %s\n", path);
            exit(1);
        }
        usleep(10000);
    }
}

static void shut(void)
{
    shutdown(fd, SHUT_WR);
    if (!quiet)
        print(json_pack("{s:b}", "shut", 1));
}

static void obey(json_t *line)
{
    if (json_object_get(line, "method"))
        send_request(line);
    else if (json_object_get(line, "raw"))
        send_raw(json_string_value(json_object_get(line, "raw")),
                 json_integer_value(json_object_get(line, "repeat")));
    else if (json_object_get(line, "wait") || json_object_get(line, "event"))
        wait_for(line);
    else if (json_object_get(line, "hold"))
        hold(json_string_value(json_object_get(line, "hold")));
    else if (json_object_get(line, "shut"))
        shut();
    else
        while (next_message("the end of the connection"))
            ;
}

int main(int argc, char **argv)
{
    char path[ZC_SOCK_MAX], *text = NULL;
    const char *given = NULL;
    struct zc_diag dg;
    double seconds = 60;
    size_t cap = 0;
    int opt;

    while ((opt = getopt(argc, argv, "S:t:q")) != -1) {
        if (opt == 'S')
            given = optarg;
        else if (opt == 't')
            seconds = atof(optarg);
        else if (opt == 'q')
            quiet = 1;
        else
            return 2;
    }
    deadline = now() + seconds;
    if (zc_sock_find(given, &fd, path, &dg) < 0) {
        fprintf(stderr, "rpc: %s\n", dg.text);
        return 3;
    }
    zc_buf_init(&in, 1u << 30);
    while (getline(&text, &cap, stdin) > 0) {
        json_error_t e;
        json_t *line = json_loads(text, 0, &e);
        if (!line) {
            fprintf(stderr, "rpc: %s: %s", e.text, text);
            return 2;
        }
        obey(line);
        json_decref(line);
    }
    while (n_asked > 0)
        must_come(next_message("the rest of the answers"), "the rest of the answers");
    free(text);
    zc_buf_release(&in);
    return 0;
}
