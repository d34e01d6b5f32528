/* SPDX-License-Identifier: MIT */
/* Finds the tensor files of a directory, reads their headers and keeps all tensors sorted by name.
 * The files stay open, so that replacing one on disk changes nothing for a store that is open. */
#include "config.h"

#include "zoracd/weights/zw_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/weights/zw_file.h"
#include "zoracd/weights/zw_json.h"

#define INDEX_NAME  "model.safetensors.index.json"
#define SINGLE_NAME "model.safetensors"
#define MAX_TENSORS 1000000 /* in all shards */

static const struct zw_json_limits index_limits = {
    .bytes = 256u << 20, .values = MAX_TENSORS + 1000, .depth = 8};

struct shard {
    char *name;
    int fd;
    uint64_t size;
};

struct zw_store {
    struct shard *shards;
    uint32_t n_shards;
    struct zw_tensor *tensors;
    size_t n_tensors, cap;
    uint64_t total;
    size_t n_ignored;
};

/* What taking in one shard needs to know. */
struct shard_scan {
    struct zw_store *store;
    const json_t *map; /* of the index; NULL: every tensor counts */
    uint32_t file;
};

static int grow_tensors(struct zw_store *s, struct zc_diag *dg)
{
    size_t cap = s->cap ? s->cap * 2 : 512;
    void *p = NULL;
    int r;

    if (s->n_tensors < s->cap)
        return ZC_OK;
    if (s->n_tensors >= MAX_TENSORS)
        return zc_diag(dg, ZC_ELIMIT, "more than %d tensors", MAX_TENSORS);
    if ((r = zc_try_malloc(&p, cap, sizeof *s->tensors, SIZE_MAX)) < 0)
        return zc_diag(dg, r, "no memory for %zu tensors", cap);
    if (s->n_tensors > 0)
        memcpy(p, s->tensors, s->n_tensors * sizeof *s->tensors);
    zc_free(s->tensors);
    s->tensors = p;
    s->cap = cap;
    return ZC_OK;
}

/* A zw_header_cb: keeps a copy of the tensor if it belongs to this shard. */
static int add_tensor(const struct zw_tensor *t, void *arg, struct zc_diag *dg)
{
    struct shard_scan *scan = arg;
    struct zw_store *s = scan->store;
    void *name = NULL;
    int r;

    if (scan->map) {
        const char *in = json_string_value(json_object_get(scan->map, t->name));
        if (!in || strcmp(in, s->shards[scan->file].name)) {
            s->n_ignored++;
            return ZC_OK;
        }
    }
    if ((r = grow_tensors(s, dg)) < 0)
        return r;
    if ((r = zc_try_malloc(&name, strlen(t->name) + 1, 1, ZW_MAX_NAME + 1)) < 0)
        return zc_diag(dg, r, "no memory for a tensor's name");
    struct zw_tensor *mine = &s->tensors[s->n_tensors++];
    *mine = *t;
    mine->name = strcpy(name, t->name);
    mine->file = scan->file;
    s->total += t->bytes;
    return ZC_OK;
}

/* Opens shard number scan->file, whose name is set, and takes its tensors in. */
static int read_shard(struct shard_scan *scan, const char *dir, struct zc_diag *dg)
{
    struct shard *sh = &scan->store->shards[scan->file];
    uint8_t head[8];
    void *buf = NULL;
    uint64_t len;
    int r;

    if ((r = zw_file_open(&sh->fd, &sh->size, dir, sh->name, dg)) < 0)
        return r;
    size_t n = sh->size < sizeof head ? sh->size : sizeof head;
    if ((r = zw_file_read(sh->fd, 0, head, n, dg)) < 0 ||
        (r = zw_header_length(&len, head, n, sh->size, dg)) < 0)
        goto out;
    if ((r = zc_try_malloc(&buf, len + 8, 1, ZW_MAX_HEADER_BYTES + 8)) < 0) {
        zc_diag(dg, r, "no memory for a header of %llu bytes", (unsigned long long)len);
        goto out;
    }
    if ((r = zw_file_read(sh->fd, 0, buf, len + 8, dg)) < 0)
        goto out;
    r = zw_header_parse(buf, len + 8, sh->size, add_tensor, scan, dg);
out:
    if (r < 0)
        zc_diag_prefix(dg, r, "%s", sh->name);
    zc_free(buf);
    return r;
}

static int add_shard(struct zw_store *s, const char *dir, const char *name, const json_t *map,
                     struct zc_diag *dg)
{
    struct shard_scan scan = {s, map, s->n_shards};

    if (s->n_shards == ZW_MAX_SHARDS)
        return zc_diag(dg, ZC_ELIMIT, "more than %d shards", ZW_MAX_SHARDS);
    s->shards = zc_xreallocarray(s->shards, s->n_shards + 1, sizeof *s->shards);
    s->shards[s->n_shards++] = (struct shard){.name = zc_xstrdup(name), .fd = -1};
    return read_shard(&scan, dir, dg);
}

/* A shard is a file of the same directory and nothing else. (A NUL never comes out of jansson.) */
static bool name_is_safe(const char *name)
{
    return *name && strlen(name) < 256 && !strpbrk(name, "/\\") && !strstr(name, "..");
}

static int by_string(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The shards' names, sorted, each once; borrowed from map, the array is the caller's. */
static int shard_names(const char ***ret_names, size_t *ret_n, json_t *map, struct zc_diag *dg)
{
    const char *key;
    json_t *v;
    void *mem = NULL;
    size_t n = 0, unique = 0;
    int r;

    if ((r = zc_try_malloc(&mem, json_object_size(map), sizeof(char *), SIZE_MAX)) < 0)
        return zc_diag(dg, r, "no memory for the index");
    const char **names = mem;
    json_object_foreach (map, key, v) {
        const char *name = json_string_value(v);
        if (!name || !name_is_safe(name)) {
            zc_free(mem);
            return zc_diag(dg, ZC_EFORMAT, INDEX_NAME ": tensor %s: \"%s\" is no name of a shard",
                           key, name ? name : "");
        }
        names[n++] = name;
    }
    qsort(names, n, sizeof *names, by_string);
    for (size_t i = 0; i < n; i++)
        if (unique == 0 || strcmp(names[unique - 1], names[i]))
            names[unique++] = names[i];
    *ret_names = names;
    *ret_n = unique;
    return ZC_OK;
}

static int by_name(const void *pa, const void *pb)
{
    const struct zw_tensor *a = pa, *b = pb;

    return strcmp(a->name, b->name);
}

/* Every tensor of the index was found in its shard: keys are unique, so counting is enough. */
static int check_complete(const struct zw_store *s, json_t *map, struct zc_diag *dg)
{
    const char *key;
    json_t *v;

    if (s->n_tensors == json_object_size(map))
        return ZC_OK;
    json_object_foreach (map, key, v) {
        if (!zw_store_find(s, key))
            return zc_diag(dg, ZC_EFORMAT,
                           "%s: tensor %s is missing, which the index says it holds",
                           json_string_value(v), key);
    }
    return zc_diag(dg, ZC_EINTERNAL, "tensors of the index do not add up");
}

static void sort_tensors(struct zw_store *s)
{
    if (s->n_tensors > 0)
        qsort(s->tensors, s->n_tensors, sizeof *s->tensors, by_name);
}

static int open_sharded(struct zw_store *s, const char *dir, const json_t *index,
                        struct zc_diag *dg)
{
    json_t *map = json_object_get(index, "weight_map");
    const char **names = NULL;
    size_t n = 0;
    int r;

    if (!json_is_object(map) || json_object_size(map) == 0)
        return zc_diag(dg, ZC_EFORMAT, INDEX_NAME ": weight_map is no object with tensors");
    if ((r = shard_names(&names, &n, map, dg)) < 0)
        return r;
    for (size_t i = 0; i < n && r >= 0; i++)
        if ((r = add_shard(s, dir, names[i], map, dg)) == ZC_ENOTFOUND)
            r = zc_diag_prefix(dg, ZC_EFORMAT, INDEX_NAME " names a shard that is missing");
    zc_free(names);
    if (r < 0)
        return r;
    sort_tensors(s);
    return check_complete(s, map, dg);
}

/* What else a directory of weights may hold; all of it is refused by name. */
static const char *foreign_format(const char *file)
{
    static const struct {
        const char *prefix, *suffix, *format;
    } known[] = {
        {"", ".gguf", "a GGUF file"},
        {"consolidated", ".safetensors", "a file with Mistral's own tensor names"},
        {"consolidated", ".pth", "a pickled PyTorch file"},
        {"pytorch_model", ".bin", "a pickled PyTorch file"},
        {"pytorch_model", ".bin.index.json", "an index of pickled PyTorch files"},
        {"", ".pt", "a pickled PyTorch file"},
        {"", ".pth", "a pickled PyTorch file"},
        {"tf_model", ".h5", "a TensorFlow file"},
        {"flax_model", ".msgpack", "a Flax file"},
        {"", ".onnx", "an ONNX file"},
        {"", ".ggml", "a GGML file"},
        {"model-", ".safetensors", "a shard without " INDEX_NAME},
        {"", ".safetensors", "a file that is not called " SINGLE_NAME},
    };
    size_t len = strlen(file);

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i].suffix);
        if (!strncmp(file, known[i].prefix, strlen(known[i].prefix)) && len >= n &&
            !strcmp(file + len - n, known[i].suffix))
            return known[i].format;
    }
    return NULL;
}

/* No safetensors: says what there is instead. */
static int refuse_directory(const char *dir, struct zc_diag *dg)
{
    const struct dirent *e;
    struct stat st;
    int r;

    if (stat(dir, &st) == 0 && S_ISREG(st.st_mode))
        return zc_diag(dg, ZC_EUNSUPPORTED, "%s is %s; a model is a directory here", dir,
                       foreign_format(dir) ? foreign_format(dir) : "a file");
    DIR *d = opendir(dir);
    if (!d && errno == ENOENT)
        return zc_diag(dg, ZC_ENOTFOUND, "%s: no such directory", dir);
    if (!d)
        return zc_diag_sys(dg, "%s: opendir", dir);
    r = zc_diag(dg, ZC_ENOTFOUND, "%s holds no " SINGLE_NAME " and no " INDEX_NAME, dir);
    while ((e = readdir(d))) {
        const char *format = foreign_format(e->d_name);
        if (!format)
            continue;
        r = zc_diag(dg, ZC_EUNSUPPORTED, "%s: %s is %s, which is not read", dir, e->d_name, format);
        break;
    }
    closedir(d);
    return r;
}

int zw_store_open(struct zw_store **ret_store, const char *dir, struct zc_diag *dg)
{
    struct zw_store *s = zc_xcalloc(1, sizeof *s);
    json_t *index = NULL;
    struct stat st;
    int r;

    r = zw_json_read(&index, dir, INDEX_NAME, &index_limits, dg);
    if (r == ZC_OK) {
        r = open_sharded(s, dir, index, dg);
    } else if (r == ZC_ENOTFOUND) {
        char *single = zc_xasprintf("%s/" SINGLE_NAME, dir);
        bool is_there = lstat(single, &st) == 0;
        zc_free(single);
        r = is_there ? add_shard(s, dir, SINGLE_NAME, NULL, dg) : refuse_directory(dir, dg);
        sort_tensors(s);
    }
    json_decref(index);
    if (r < 0) {
        zw_store_free(s);
        return r;
    }
    *ret_store = s;
    return ZC_OK;
}

void zw_store_free(struct zw_store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_tensors; i++)
        zc_free((char *)(uintptr_t)s->tensors[i].name);
    for (uint32_t i = 0; i < s->n_shards; i++) {
        if (s->shards[i].fd >= 0)
            close(s->shards[i].fd);
        zc_free(s->shards[i].name);
    }
    zc_free(s->tensors);
    zc_free(s->shards);
    zc_free(s);
}

size_t zw_store_n_tensors(const struct zw_store *s)
{
    return s->n_tensors;
}

const struct zw_tensor *zw_store_tensor(const struct zw_store *s, size_t i)
{
    return &s->tensors[i];
}

const struct zw_tensor *zw_store_find(const struct zw_store *s, const char *name)
{
    const struct zw_tensor key = {.name = name};

    return s->n_tensors ? bsearch(&key, s->tensors, s->n_tensors, sizeof key, by_name) : NULL;
}

const char *zw_store_file_name(const struct zw_store *s, uint32_t file)
{
    return s->shards[file].name;
}

uint64_t zw_store_total_bytes(const struct zw_store *s)
{
    return s->total;
}

size_t zw_store_n_ignored(const struct zw_store *s)
{
    return s->n_ignored;
}

int zw_store_read(const struct zw_store *s, const struct zw_tensor *t, uint64_t off, void *dst,
                  size_t len, struct zc_diag *dg)
{
    ZC_BUG_ON(off > t->bytes || len > t->bytes - off);
    int r = zw_file_read(s->shards[t->file].fd, t->offset + off, dst, len, dg);
    if (r < 0)
        zc_diag_prefix(dg, r, "%s: tensor %s", s->shards[t->file].name, t->name);
    return r;
}

void zw_store_advise(const struct zw_store *s, const struct zw_tensor *t, uint64_t off,
                     uint64_t len)
{
    if (off < t->bytes)
        posix_fadvise(s->shards[t->file].fd, (off_t)(t->offset + off),
                      (off_t)(len < t->bytes - off ? len : t->bytes - off), POSIX_FADV_WILLNEED);
}
