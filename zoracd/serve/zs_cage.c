/* SPDX-License-Identifier: MIT */
/* A seccomp filter by hand: what it denies is a list of calls that neither the daemon nor the
 * driver of a GPU makes while it serves. A list of what is allowed would be stricter and would have
 * to know the driver's next version; the unit's SystemCallFilter= is that list. */
#include "config.h"

#include "zoracd/serve/zs_cage.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/zc_err.h"

#if defined __x86_64__
#define CAGE_ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define CAGE_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef CAGE_ARCH

/* Numbers of the newest calls, which older headers lack; they are the same on every processor. */
enum {
    NR_IO_URING_SETUP = 425,
    NR_OPEN_TREE = 428,
    NR_MOVE_MOUNT = 429,
    NR_FSOPEN = 430,
    NR_FSCONFIG = 431,
    NR_FSMOUNT = 432,
    NR_FSPICK = 433,
    NR_CLONE3 = 435,
    NR_PIDFD_GETFD = 438,
    NR_MOUNT_SETATTR = 442,
};

static const int denied[] = {
    SYS_execve,
    SYS_execveat,
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* they look at themselves */
    SYS_ptrace,
#endif
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    NR_PIDFD_GETFD,
    SYS_kcmp,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    NR_OPEN_TREE,
    NR_MOVE_MOUNT,
    NR_FSOPEN,
    NR_FSCONFIG,
    NR_FSMOUNT,
    NR_FSPICK,
    NR_MOUNT_SETATTR,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_unshare,
    SYS_setns,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_capset,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_acct,
    SYS_quotactl,
    SYS_open_by_handle_at,
    SYS_personality,
    NR_IO_URING_SETUP,
};
#define N_DENIED (sizeof denied / sizeof *denied)

#define NEW_NAMESPACES                                                                         \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
     CLONE_NEWCGROUP)

#define LOAD(field) \
    (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Skips so many instructions if the loaded value is (or, SET: has a bit of) k, others if not. */
#define IF(k, yes, no)  (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (yes), (no))
#define SET(k, yes, no) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (k), (yes), (no))
#define END(what)       (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (what))
#define DENY            END(SECCOMP_RET_ERRNO | EPERM)

/* The program; returns its length. Low words of arguments are at their own address: both processors
 * are little endian. */
static unsigned short make_filter(struct sock_filter *f)
{
    unsigned short n = 0;

    f[n++] = LOAD(arch); /* calls in the clothes of another processor are other numbers */
    f[n++] = IF(CAGE_ARCH, 1, 0);
    f[n++] = DENY;
    f[n++] = LOAD(nr);
    f[n++] = SET(0x40000000, 0, 1); /* x32 */
    f[n++] = DENY;
    for (size_t i = 0; i < N_DENIED; i++) {
        f[n++] = IF((unsigned)denied[i], 0, 1);
        f[n++] = DENY;
    }
    f[n++] = IF(NR_CLONE3, 0, 1); /* its flags are out of sight; libc then takes clone */
    f[n++] = END(SECCOMP_RET_ERRNO | ENOSYS);
    f[n++] = IF(SYS_clone, 0, 4);
    f[n++] = LOAD(args[0]);
    f[n++] = SET(NEW_NAMESPACES, 0, 1);
    f[n++] = DENY;
    f[n++] = END(SECCOMP_RET_ALLOW);
    f[n++] = IF(SYS_socket, 0, 3);
    f[n++] = LOAD(args[0]);
    f[n++] = IF(AF_UNIX, 1, 0);
    f[n++] = DENY;
    f[n++] = END(SECCOMP_RET_ALLOW);
    return n;
}

int zs_cage_close(struct zc_diag *dg)
{
    struct sock_filter filter[2 * N_DENIED + 24];
    struct sock_fprog prog = {.filter = filter};

    prog.len = make_filter(filter);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return zc_diag_sys(dg, "no filter of system calls");
    long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog);
    if (r > 0)
        return zc_diag(dg, ZC_ESYS, "no filter of system calls: thread %ld has another one", r);
    return r < 0 ? zc_diag_sys(dg, "no filter of system calls") : ZC_OK;
}

#else

int zs_cage_close(struct zc_diag *dg)
{
    return zc_diag(dg, ZC_EUNSUPPORTED, "no filter of system calls for this processor");
}

#endif
