/* SPDX-License-Identifier: MIT */
/* The main() of a fuzz target that is not linked to libFuzzer: runs each file given, or in folders
 * given, through the target, and every small one cut at every length too. Without arguments:
 * tests/fuzz/corpus/X for the program fuzz_X. Inputs lie at the end of their own allocation, so
 * that the sanitizer sees the first byte read behind them. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CUT_BELOW 4096

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static unsigned long runs, inputs;

static void run(const uint8_t *bytes, size_t n)
{
    uint8_t *own = malloc(n ? n : 1);

    if (!own)
        abort();
    memcpy(own, bytes, n);
    LLVMFuzzerTestOneInput(own, n);
    free(own);
    runs++;
}

static int replay_file(const char *path)
{
    static uint8_t buf[1 << 20];
    FILE *f = fopen(path, "rb");

    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    size_t n = fread(buf, 1, sizeof buf, f);
    fclose(f);
    inputs++;
    run(buf, n);
    for (size_t cut = 0; n < CUT_BELOW && cut < n; cut++)
        run(buf, cut);
    return 0;
}

static int replay(const char *path)
{
    const struct dirent *e;
    struct stat st;
    int r = 0;

    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return replay_file(path);
    DIR *d = opendir(path);
    if (!d)
        return -1;
    while (r == 0 && (e = readdir(d))) {
        char sub[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
        r = replay_file(sub);
    }
    closedir(d);
    return r;
}

int main(int argc, char **argv)
{
    const char *src = getenv("top_srcdir"), *name = strstr(argv[0], "fuzz_");
    char corpus[4096];
    int r = 0;

    for (const char *more = name; more && (more = strstr(more + 1, "fuzz_"));)
        name = more;
    if (argc == 1 && name) {
        snprintf(corpus, sizeof corpus, "%s/tests/fuzz/corpus/%s", src ? src : ".", name + 5);
        r = replay(corpus);
    }
    for (int i = 1; i < argc && r == 0; i++)
        r = replay(argv[i]);
    printf("%lu runs of %lu inputs\n", runs, inputs);
    return r == 0 && inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
