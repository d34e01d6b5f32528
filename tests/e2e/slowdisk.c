/* SPDX-License-Identifier: MIT */
/* A disk that gives as many pieces as it is told to: preloaded, each pread of a large piece first
 * takes a byte from the pipe that SLOW_DISK names, and waits for it. Once nobody has the pipe open
 * for writing, every read goes through. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE 32768 /* weights, not headers */

static int pipe_fd = -1;

static void open_pipe(void)
{
    const char *path = getenv("SLOW_DISK");

    if (path)
        pipe_fd = open(path, O_RDONLY | O_CLOEXEC);
}

ssize_t pread(int fd, void *dst, size_t n, off_t off)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ssize_t (*real)(int, void *, size_t, off_t);
    void *symbol = dlsym(RTLD_NEXT, "pread");
    char c;

    memcpy(&real, &symbol, sizeof real);
    pthread_once(&once, open_pipe);
    while (n >= LARGE && pipe_fd >= 0 && read(pipe_fd, &c, 1) < 0 && errno == EINTR)
        ;
    return real(fd, dst, n, off);
}
