"""A seccomp filter for a process that only computes: no network, no programs, no other processes (seccomp(2), Linux).

The filter is a table of system calls and what is looked at in their arguments, assembled here to classic BPF; there is
nothing to install. Numbers are those of the kernel's ``syscall_64.tbl`` (x86-64) and ``asm-generic/unistd.h`` (arm64).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_X86_64, _ARM64 = "x86_64", "aarch64"

_AUDIT_ARCH: Mapping[str, int] = {_X86_64: 0xC000003E, _ARM64: 0xC00000B7}
_SECCOMP: Mapping[str, int] = {_X86_64: 317, _ARM64: 277}
_X32_CALLS = 0x40000000  # another ABI of x86-64, with numbers of its own

# Denied whatever their arguments are: (x86-64, arm64), None where there is no such call.
_DENIED: Mapping[str, tuple[int | None, int | None]] = {
    # the network; what is open already stays usable: the pipe to the parent
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept4": (288, 242),
    # other programs and other processes
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "tkill": (200, 130),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    # ways around this filter
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "userfaultfd": (323, 282),
    # privileges, file systems, the machine
    "setuid": (105, 146),
    "setgid": (106, 144),
    "setreuid": (113, 145),
    "setregid": (114, 143),
    "setgroups": (116, 159),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "setfsuid": (122, 151),
    "setfsgid": (123, 152),
    "capset": (126, 91),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "settimeofday": (164, 170),
    "adjtimex": (159, 171),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
}

# Looked at: the same two numbers.
_CLONE, _CLONE3 = (56, 220), (435, 435)
_MMAP, _MPROTECT, _PKEY_MPROTECT = (9, 222), (10, 226), (329, 288)
_SHMAT = (30, 196)
_KILL, _TGKILL, _QUEUE, _QUEUE_THREAD = (62, 129), (234, 131), (129, 138), (297, 240)
_PRLIMIT, _PRCTL, _IOCTL = (302, 261), (157, 167), (16, 29)

_CLONE_THREAD = 0x00010000
_PROT_WRITE, _PROT_EXEC, _SHM_EXEC = 2, 4, 0o100000
_PR_SET_DUMPABLE = 4
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

# linux/bpf_common.h and linux/seccomp.h
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_AT_LEAST = 0x15, 0x35
_NUMBER_AT, _ARCH_AT = 0, 4
_ALLOW, _FAIL, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_SET_MODE_FILTER, _ALL_THREADS = 1, 1


@dataclass(frozen=True, slots=True)
class _Look:
    """What is looked at in one argument of a call: the call fails unless the argument, masked, is as it should be.

    Attributes
    ----------
    values
        of which it has to be one, or with `is_denied` none
    """

    call: tuple[int, int]
    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    is_denied: bool = False


def _looks(pid: int) -> tuple[_Look, ...]:
    return (
        _Look(_CLONE, 0, (_CLONE_THREAD,), _CLONE_THREAD),  # threads, but no processes
        # Never writable and executable at once, nor the one after the other; a library is mapped as it is in its file.
        _Look(_MMAP, 2, (_PROT_WRITE | _PROT_EXEC,), _PROT_WRITE | _PROT_EXEC, is_denied=True),
        _Look(_MPROTECT, 2, (_PROT_EXEC,), _PROT_EXEC, is_denied=True),
        _Look(_PKEY_MPROTECT, 2, (_PROT_EXEC,), _PROT_EXEC, is_denied=True),
        _Look(_SHMAT, 2, (_SHM_EXEC,), _SHM_EXEC, is_denied=True),
        # Signals to itself alone: abort() and the tests need them.
        *(_Look(call, 0, (pid,)) for call in (_KILL, _TGKILL, _QUEUE, _QUEUE_THREAD)),
        _Look(_PRLIMIT, 0, (0, pid)),
        _Look(_PRCTL, 0, (_PR_SET_DUMPABLE,), is_denied=True),
        _Look(_IOCTL, 1, (_TIOCSTI, _TIOCLINUX), is_denied=True),
    )


def program(machine: str, pid: int) -> bytes:
    """Assemble the filter.

    Parameters
    ----------
    machine
        as ``os.uname().machine`` names it
    pid
        of the process that it is for

    Returns
    -------
    an array of ``struct sock_filter``

    Raises
    ------
    KeyError
        if the numbers of this machine are not known
    """
    arch, column = _AUDIT_ARCH[machine], int(machine == _ARM64)
    code = [_word(_LOAD, _ARCH_AT), _word(_IF_EQUAL, arch, 1, 0), _word(_RETURN, _KILL_PROCESS)]
    code.append(_word(_LOAD, _NUMBER_AT))
    if machine == _X86_64:
        code += [_word(_IF_AT_LEAST, _X32_CALLS, 0, 1), _word(_RETURN, _FAIL | errno.ENOSYS)]
    # glibc falls back to clone, whose flags can be seen; those of clone3 are behind a pointer
    code += _guarded(_CLONE3[column], [_word(_RETURN, _FAIL | errno.ENOSYS)])
    for look in _looks(pid):
        code += _guarded(look.call[column], list(_checked(look)))
    for numbers in _DENIED.values():
        number = numbers[column]
        if number is not None:
            code += _guarded(number, [_word(_RETURN, _FAIL | errno.EPERM)])
    code.append(_word(_RETURN, _ALLOW))
    return b"".join(code)


def _guarded(number: int, block: Sequence[bytes]) -> list[bytes]:
    """Run a block, which returns in any case, for one call only."""
    return [_word(_IF_EQUAL, number, 0, len(block)), *block]


def _checked(look: _Look) -> Iterator[bytes]:
    """Look at the lower half of an argument (both machines are little-endian, and the kernel ignores the upper)."""
    found, otherwise = _word(_RETURN, _FAIL | errno.EPERM), _word(_RETURN, _ALLOW)
    if not look.is_denied:
        found, otherwise = otherwise, found
    yield _word(_LOAD, 16 + 8 * look.argument)
    yield _word(_AND, look.mask)
    for left, value in zip(range(len(look.values), 0, -1), look.values, strict=True):
        yield _word(_IF_EQUAL, value, left, 0)
    yield otherwise
    yield found


def _word(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def confine() -> None:
    """Put all threads of this process behind the filter, for good; no-new-privileges has to be set before.

    Raises
    ------
    OSError
        if the kernel refuses, or this machine's system calls are not known
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _AUDIT_ARCH:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    code = program(machine, os.getpid())
    given = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (ctypes.c_long(_SECCOMP[machine]), ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(_ALL_THREADS))
    result = libc.syscall(*arguments, ctypes.byref(given))
    if result != 0:  # positive: a thread that has a filter of its own
        number = ctypes.get_errno() if result < 0 else errno.EBUSY
        raise OSError(number, os.strerror(number))
