/* Where the data of an open file lies, and reading of it. */
#include "native.h"

#include "extents.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

static bool
cannot_tell(int error)
{
    return error == EINVAL || error == EOPNOTSUPP || error == ENOTTY;
}

off_t
next_data(int handle, off_t offset)
{
    off_t data = lseek(handle, offset, SEEK_DATA);
    if (data >= 0)
        return data;
    if (errno == ENXIO)
        return NO_DATA;
    return cannot_tell(errno) ? offset : -errno - 1;
}

int
is_full(int handle, off_t size)
{
    if (size == 0)
        return 1;
    off_t hole = lseek(handle, 0, SEEK_HOLE);
    if (hole < 0)
        return errno == ENXIO || cannot_tell(errno) ? 1 : -errno; /* ENXIO: it is empty by now */
    return hole >= size;
}

off_t
next_hole(int handle, off_t offset, off_t end)
{
    off_t hole = lseek(handle, offset, SEEK_HOLE);
    if (hole < 0)
        return errno == ENXIO || cannot_tell(errno) ? end : -errno;
    if (hole <= offset) /* the data was removed since it was found */
        hole = offset + 1;
    return hole < end ? hole : end;
}

ssize_t
read_range(int handle, char *into, size_t length, off_t offset)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(handle, into + done, length - done, offset + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}
