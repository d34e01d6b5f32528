/* SPDX-License-Identifier: MIT */
/* The filter of system calls, tried in a child: what it denies fails with EPERM in every thread,
 * and what a daemon does goes on. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/t_unit.h"
#include "zoracd/serve/zs_cage.h"

#define DENIED(call) (errno = 0, (call) < 0 && errno == EPERM)

static int ready[2], go[2];

static int deny_all(void)
{
    static char name[] = "true", *const argv[] = {name, NULL};

    if (!DENIED(execve("/bin/true", argv, argv)))
        return 1;
    if (!DENIED(socket(AF_INET, SOCK_STREAM, 0)) || !DENIED(socket(AF_INET6, SOCK_DGRAM, 0)))
        return 2;
    if (!DENIED(socket(AF_NETLINK, SOCK_RAW, 0)))
        return 3;
    if (!DENIED(unshare(CLONE_NEWUSER)) || !DENIED(setuid(getuid())))
        return 4;
    if (!DENIED(mount("none", "/", "tmpfs", MS_REMOUNT, NULL)) ||
        !DENIED(syscall(430, "tmpfs", 0))) /* fsopen */
        return 5;
    if (!DENIED(syscall(SYS_bpf, 0, NULL, 0)) || !DENIED(syscall(SYS_keyctl, 0, 0, 0, 0, 0)))
        return 6;
    if (!DENIED(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)))
        return 7;
    if (!DENIED(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL)))
        return 8;
    return 0;
}

/* A thread that was there before the filter. */
static void *older(void *arg)
{
    char c;

    if (write(ready[1], "", 1) != 1 || read(go[0], &c, 1) != 1)
        return (void *)9;
    return (void *)(intptr_t)deny_all();
}

static void *younger(void *arg)
{
    return (void *)(intptr_t)deny_all();
}

static int in_child(void)
{
    pthread_t a, b;
    void *ra, *rb;
    char c;
    struct zc_diag dg;
    int fds[2], r;

    if (pipe(ready) < 0 || pipe(go) < 0 || pthread_create(&a, NULL, older, NULL) != 0)
        return 20;
    if (read(ready[0], &c, 1) != 1)
        return 21;
    r = zs_cage_close(&dg);
    if (r == ZC_EUNSUPPORTED)
        return 77;
    if (r < 0)
        return 22;
    if ((r = deny_all()) != 0)
        return r;
    if (write(go[1], "", 1) != 1 || pthread_join(a, &ra) != 0 || ra)
        return 23;
    if (pthread_create(&b, NULL, younger, NULL) != 0 || pthread_join(b, &rb) != 0 || rb)
        return 24;
    /* what it needs */
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || close(fd) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return 25;
    return zs_cage_close(&dg) == ZC_OK ? 0 : 26; /* a second one is no error */
}

START_TEST(the_filter_holds_in_every_thread)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(in_child());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) != 77)
        ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cage");
    TCase *tc = tcase_create("cage");

    tcase_add_test(tc, the_filter_holds_in_every_thread);
    suite_add_tcase(s, tc);
    return t_run(s);
}
