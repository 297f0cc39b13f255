/*
 * Writes down the calls by which a process makes files durable, in the order in which they begin and end, and makes
 * one of its syncs fail, or its last. Loaded by LD_PRELOAD; `tests/support/src/syncs.rs` builds it and reads its log.
 *
 * Seen are calls through the C library, as Rust's standard library makes them. A raw system call is not seen: a sync
 * that is made so is missing from the log and fails the test that looks for it, it never passes for one that was made.
 *
 * SYNCS_LOG    gets one line a call, in one append: BEGIN END CALL ERRNO PATH TO, with tabs between. BEGIN and END come
 *              from one counter; a call that ended before another began has the lower number. ERRNO is 0 for success.
 * SYNCS_BELOW  only what is below this directory is written down; answers over HTTP always are, before they are sent.
 * SYNCS_ORDER  a file that holds `NTH fail|kill PART`: the NTH sync of a path that contains PART, counted from now,
 *              answers EIO and does nothing, or the process is killed in its place. The order is carried out once, and
 *              its file is gone then.
 */
#define _GNU_SOURCE
/* Some compilers define it, and then `open` is an inline function that can't be defined here. */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_ulong now;
static int log_fd = -1;
static const char *below, *order;
static pthread_mutex_t ordering = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void start(void)
{
    const char *log = getenv("SYNCS_LOG");
    below = getenv("SYNCS_BELOW");
    order = getenv("SYNCS_ORDER");
    if (log)
        log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static unsigned long tick(void)
{
    return atomic_fetch_add(&now, 1);
}

static int is_below(const char *path)
{
    size_t length = below ? strlen(below) : 0;
    return length && !strncmp(path, below, length) && (path[length] == '/' || !path[length]);
}

/* The path of an open file or directory, if it is one below the directory. */
static int path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return is_below(path);
}

/* Ends a call: its line is in the log before its caller goes on. */
static void note(unsigned long begin, const char *call, int error, const char *path, const char *to)
{
    char line[2 * PATH_MAX + 128];
    int length = snprintf(line, sizeof line, "%lu\t%lu\t%s\t%d\t%s\t%s\n", begin, tick(), call, error, path, to);
    if (log_fd >= 0 && syscall(SYS_write, log_fd, line, (size_t)length) != length)
        abort();
}

/* The same for a call that gave `result`, and keeps errno for its caller. */
static long noted(long result, unsigned long begin, const char *call, const char *path, const char *to)
{
    int error = errno;
    if (is_below(path))
        note(begin, call, result < 0 ? error : 0, path, to);
    errno = error;
    return result;
}

/* What the order says to do with this sync: 0, 'f' for fail, or 'k' for kill. */
static char ordered(const char *path)
{
    char text[PATH_MAX + 64] = "", what[8] = "", part[PATH_MAX] = "";
    unsigned long nth = 0;
    char found = 0;
    if (!order)
        return 0;
    pthread_mutex_lock(&ordering);
    int fd = syscall(SYS_openat, AT_FDCWD, order, O_RDWR | O_CLOEXEC, 0);
    if (fd >= 0) {
        ssize_t length = syscall(SYS_read, fd, text, sizeof text - 1);
        if (length > 0 && sscanf(text, "%lu %7s %4095s", &nth, what, part) == 3 && strstr(path, part)) {
            if (nth <= 1) {
                found = what[0];
                syscall(SYS_unlinkat, AT_FDCWD, order, 0);
            } else {
                int left = snprintf(text, sizeof text, "%lu %s %s\n", nth - 1, what, part);
                if (syscall(SYS_ftruncate, fd, 0L) || syscall(SYS_pwrite64, fd, text, (size_t)left, 0L) != left)
                    abort();
            }
        }
        syscall(SYS_close, fd);
    }
    pthread_mutex_unlock(&ordering);
    return found;
}

static int sync_with(long number, const char *call, int fd)
{
    char path[PATH_MAX];
    int error = errno, seen = path_of(fd, path);
    errno = error;
    if (!seen)
        return syscall(number, fd);
    unsigned long begin = tick();
    char what = ordered(path);
    if (what == 'k') {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
    if (what == 'f') {
        errno = EIO;
        return noted(-1, begin, call, path, "");
    }
    return noted(syscall(number, fd), begin, call, path, "");
}

int fsync(int fd)
{
    return sync_with(SYS_fsync, "fsync", fd);
}

int fdatasync(int fd)
{
    return sync_with(SYS_fdatasync, "fdatasync", fd);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    unsigned long begin = tick();
    return noted(syscall(SYS_renameat2, from_fd, from, to_fd, to, flags), begin, "rename", from, to);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return renameat2(from_fd, from, to_fd, to, 0);
}

int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int mkdir(const char *path, mode_t mode)
{
    unsigned long begin = tick();
    return noted(syscall(SYS_mkdirat, AT_FDCWD, path, mode), begin, "mkdir", path, "");
}

static int has_mode(int flags)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

/* Only those that may make a name are written down. */
int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = has_mode(flags) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    unsigned long begin = tick();
    long fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    return flags & O_CREAT ? noted(fd, begin, "create", path, "") : fd;
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = has_mode(flags) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open(path, flags | O_LARGEFILE, mode);
}

/* An answer is written down before its first byte can be read, with its status. */
static int answers(const void *bytes, size_t length)
{
    if (length < 12 || memcmp(bytes, "HTTP/1.1 ", 9))
        return 0;
    char status[4] = "";
    memcpy(status, (const char *)bytes + 9, 3);
    int error = errno;
    note(tick(), "answer", 0, status, "");
    errno = error;
    return 1;
}

static ssize_t write_with(long number, int fd, const void *bytes, size_t count, const void *first, size_t length)
{
    char path[PATH_MAX];
    int error = errno, seen = !answers(first, length) && path_of(fd, path);
    errno = error;
    if (!seen)
        return syscall(number, fd, bytes, count);
    unsigned long begin = tick();
    return noted(syscall(number, fd, bytes, count), begin, "write", path, "");
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return write_with(SYS_write, fd, bytes, length, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    const struct iovec none = {0}, *first = count > 0 ? parts : &none;
    return write_with(SYS_writev, fd, parts, (size_t)count, first->iov_base, first->iov_len);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    answers(bytes, length);
    return syscall(SYS_sendto, fd, bytes, length, flags, to, to_length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    return sendto(fd, bytes, length, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (message->msg_iovlen)
        answers(message->msg_iov->iov_base, message->msg_iov->iov_len);
    return syscall(SYS_sendmsg, fd, message, flags);
}
