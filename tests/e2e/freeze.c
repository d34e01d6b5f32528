/* SPDX-License-Identifier: MIT */
/* freeze PID NAME: holds the thread of that name of a process until standard input ends, the others
 * run on. What a hanging device looks like from outside. Status 77: not permitted here. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The id of the thread of that name; 0 if there is none. */
static pid_t find_thread(const char *pid, const char *name)
{
    char path[128], comm[64];
    const struct dirent *e;
    pid_t tid = 0;

    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *d = opendir(path);
    while (d && !tid && (e = readdir(d))) {
        snprintf(path, sizeof path, "/proc/%s/task/%.20s/comm", pid, e->d_name);
        FILE *f = fopen(path, "r");
        if (!f)
            continue;
        if (fgets(comm, sizeof comm, f) && strcspn(comm, "\n") == strlen(name) &&
            strncmp(comm, name, strlen(name)) == 0)
            tid = (pid_t)atoi(e->d_name);
        fclose(f);
    }
    if (d)
        closedir(d);
    return tid;
}

int main(int argc, char **argv)
{
    char c;
    int status;
    pid_t tid = argc == 3 ? find_thread(argv[1], argv[2]) : 0;

    if (!tid) {
        fprintf(stderr, "usage: freeze PID THREAD, and the thread must be there\n");
        return 2;
    }
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0)
        return errno == EPERM ? 77 : 1;
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 || waitpid(tid, &status, __WALL) != tid)
        return 1;
    puts("frozen");
    fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    return ptrace(PTRACE_DETACH, tid, NULL, NULL) < 0;
}
