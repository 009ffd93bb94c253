"""The numbers of the system calls that a reader of documents never needs, per architecture."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SystemCalls:
    """The calls of one architecture. `audit` is the kernel's name for it."""

    audit: int
    clone: int
    openat: int
    tgkill: int
    execve: int
    prlimit64: int
    fcntl: int
    ioctl: int
    prctl: int
    unknown: tuple[int, ...]  # answered as if the kernel were older, so that the C library asks in the old way
    denied: tuple[int, ...]
    open: int | None = None  # only where openat is not the one way


# clone3, openat2
_UNKNOWN = (435, 437)
# io_uring_setup, _enter, _register, open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, pidfd_open,
# pidfd_getfd, process_madvise, mount_setattr, quotactl_fd, memfd_secret, process_mrelease: numbered alike since 2019.
_DENIED_EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 438, 440, 442, 443, 447, 448)

_X86_64 = SystemCalls(
    audit=0xC000003E,
    clone=56,
    openat=257,
    open=2,
    tgkill=234,
    execve=59,
    prlimit64=302,
    fcntl=72,
    ioctl=16,
    prctl=157,
    unknown=_UNKNOWN,
    denied=(
        *(41, 42, 43, 49, 50, 53, 288),  # socket, connect, accept, bind, listen, socketpair, accept4
        *(57, 58, 322),  # fork, vfork, execveat
        *(62, 200, 129, 297, 424),  # kill, tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal
        *(101, 310, 311, 312),  # ptrace, process_vm_readv, process_vm_writev, kcmp
        *(76, 77, 82, 83, 84, 85, 86, 87, 88, 133),  # truncate, ftruncate, rename, mkdir, rmdir, creat, link …
        *(258, 259, 263, 264, 265, 266, 316),  # mkdirat, mknodat, unlinkat, renameat, linkat, symlinkat, renameat2
        *(90, 91, 92, 93, 94, 260, 268, 132, 235, 261, 280),  # chmod and chown in all forms, utime in all forms
        *(188, 189, 190, 197, 198, 199),  # setxattr and removexattr in all forms
        *(155, 161, 165, 166, 167, 168, 169, 272, 308, 304),  # pivot_root, chroot, mount …, unshare, setns, by handle
        *(175, 176, 313, 246, 320, 248, 249, 250),  # modules, kexec, keys
        *(298, 321, 323, 319),  # perf_event_open, bpf, userfaultfd, memfd_create
        *(141, 142, 144, 203, 314, 251, 256, 279),  # setpriority, sched_set… , ioprio_set, migrate_pages, move_pages
        *(29, 30, 31, 64, 65, 66, 220, 68, 69, 70, 71, 240, 241),  # shared memory, semaphores and message queues
        *_DENIED_EVERYWHERE,
    ),
)
_AARCH64 = SystemCalls(
    audit=0xC00000B7,
    clone=220,
    openat=56,
    tgkill=131,
    execve=221,
    prlimit64=261,
    fcntl=25,
    ioctl=29,
    prctl=167,
    unknown=_UNKNOWN,
    denied=(
        *(198, 199, 200, 201, 202, 203, 242),  # socket, socketpair, bind, listen, accept, connect, accept4
        281,  # execveat
        *(129, 130, 138, 240, 424),  # kill, tkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal
        *(117, 270, 271, 272),  # ptrace, process_vm_readv, process_vm_writev, kcmp
        *(45, 46, 33, 34, 35, 36, 37, 38, 276),  # truncate, ftruncate, mknodat, mkdirat, unlinkat, symlinkat, linkat …
        *(52, 53, 54, 55, 88),  # fchmod, fchmodat, fchownat, fchown, utimensat
        *(5, 6, 7, 14, 15, 16),  # setxattr and removexattr in all forms
        *(41, 51, 40, 39, 224, 225, 142, 97, 268, 265),  # pivot_root, chroot, mount …, unshare, setns, by handle
        *(105, 106, 273, 104, 294, 217, 218, 219),  # modules, kexec, keys
        *(241, 280, 282, 279),  # perf_event_open, bpf, userfaultfd, memfd_create
        *(140, 118, 119, 122, 274, 30, 238, 239),  # setpriority, sched_set… , ioprio_set, migrate_pages, move_pages
        *(194, 195, 196, 190, 191, 192, 193, 186, 187, 188, 189, 180, 181),  # shared memory, semaphores, queues
        *_DENIED_EVERYWHERE,
    ),
)
BY_MACHINE: Mapping[str, SystemCalls] = {"x86_64": _X86_64, "aarch64": _AARCH64}
