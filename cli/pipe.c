/* Descriptors that make their users wait; see pipe.h. */
#include "pipe.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

bool cli_pipe_may_wait(int fd)
{
    struct stat st;
    return fstat(fd, &st) != 0 || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(fd) == 1;
}

/* For a pipe that is PIPE_BUF, or all it holds when it is empty. */
size_t cli_pipe_room(int fd, bool may_wait, size_t len)
{
    int filled = 0;
    if (!may_wait)
        return len;
    size_t room = 4096;
    int pipe_len = fcntl(fd, F_GETPIPE_SZ);
    if (pipe_len > 0 && ioctl(fd, FIONREAD, &filled) == 0 && filled == 0)
        room = (size_t)pipe_len;
    return len < room ? len : room;
}
