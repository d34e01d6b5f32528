/* SPDX-License-Identifier: MIT */
/* A disk that gives as much as it is told to: preloaded, each pread of a large piece, and each
 * opening of the file that SLOW_FILE names (of that alone, if it does), first takes a byte from the
 * pipe that SLOW_DISK names, and waits for it. Once nobody has the pipe open for writing, all goes
 * through. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE 32768 /* weights, not headers */

static int pipe_fd = -1;
static const char *slow_file;
static int (*real_open)(const char *, int, ...);
static ssize_t (*real_pread)(int, void *, size_t, off_t);

/* The library's name for a function, behind ours. */
static void find_real(void *ret_fn, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    memcpy(ret_fn, &symbol, sizeof symbol);
}

static void find_all(void)
{
    find_real(&real_open, "open");
    find_real(&real_pread, "pread");
    slow_file = getenv("SLOW_FILE");
}

static void prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, find_all);
}

static void open_pipe(void)
{
    const char *path = getenv("SLOW_DISK");

    if (path)
        pipe_fd = real_open(path, O_RDONLY | O_CLOEXEC);
}

static void take_byte(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char c;

    pthread_once(&once, open_pipe);
    while (pipe_fd >= 0 && read(pipe_fd, &c, 1) < 0 && errno == EINTR)
        ;
}

ssize_t pread(int fd, void *dst, size_t n, off_t off)
{
    prepare();
    if (n >= LARGE && !slow_file)
        take_byte();
    return real_pread(fd, dst, n, off);
}

int open(const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, int) : 0;
    va_end(ap);
    prepare();
    if (slow_file && strcmp(path, slow_file) == 0)
        take_byte();
    return real_open(path, flags, mode);
}
