/* One entry of a folder: opened without a trace, its inode flags and extended attributes. */
#include "native.h"

#include "entry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPEN (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define KEPT_FLAGS (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)
#define MOST 65536 /* bytes of a list of attributes or of a value: XATTR_LIST_MAX, XATTR_SIZE_MAX */
#define USUAL 256  /* bytes tried first */

static const char *const KEPT[] = {"user.", "trusted.", "security.", "system.posix_acl_"};

static int list_names(struct place place, char **list, size_t *length);
static int collect_names(struct xattrs *xattrs, size_t length);
static int read_values(struct place place, struct xattrs *xattrs);
static int read_value(struct place place, struct xattr *xattr);
static bool is_kept(const char *name);
static int compare_xattrs(const void *one, const void *other);
static const struct xattr *find(const struct xattrs *xattrs, const char *name);

int
open_quietly(int folder, const char *name, int flags)
{
    int handle;
    do
        handle = openat(folder, name, OPEN | O_NOATIME | flags);
    while (handle < 0 && errno == EINTR);
    if (handle < 0 && (errno == EPERM || errno == EACCES)) /* O_NOATIME is for the owner and for CAP_FOWNER */
        do
            handle = openat(folder, name, OPEN | flags);
        while (handle < 0 && errno == EINTR);
    return handle < 0 ? -errno : handle;
}

int
read_flags(int handle, unsigned *flags)
{
    unsigned answer[2] = {0, 0}; /* the kernel names it a long and fills an int */
    *flags = 0;
    if (ioctl(handle, FS_IOC_GETFLAGS, answer) == 0) {
        *flags = answer[0] & KEPT_FLAGS;
        return 0;
    }
    bool none = errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS;
    return none ? 0 : errno;
}

int
read_xattrs(struct place place, struct xattrs *xattrs)
{
    size_t length;
    memset(xattrs, 0, sizeof *xattrs);
    int error = list_names(place, &xattrs->list, &length);
    if (error == 0 && length > 0)
        error = collect_names(xattrs, length);
    if (error == 0 && xattrs->count > 0)
        error = read_values(place, xattrs);
    if (error != 0)
        free_xattrs(xattrs);
    return error;
}

void
free_xattrs(struct xattrs *xattrs)
{
    for (size_t i = 0; i < xattrs->count; i++)
        free((char *)xattrs->items[i].value);
    free(xattrs->items);
    free(xattrs->list);
    memset(xattrs, 0, sizeof *xattrs);
}

int
write_xattrs(int handle, const struct xattrs *wanted)
{
    struct xattrs present; /* a new file has those of its folder's default ACL, and a label */
    int error = read_xattrs((struct place){handle, NULL}, &present);
    if (error != 0)
        return error;
    for (size_t i = 0; error == 0 && i < present.count; i++)
        if (find(wanted, present.items[i].name) == NULL && fremovexattr(handle, present.items[i].name) < 0)
            error = errno;
    for (size_t i = 0; error == 0 && i < wanted->count; i++) {
        const struct xattr *want = &wanted->items[i], *have = find(&present, want->name);
        if (have != NULL && have->size == want->size && memcmp(have->value, want->value, want->size) == 0)
            continue;
        if (fsetxattr(handle, want->name, want->value, want->size, 0) < 0)
            error = errno;
    }
    free_xattrs(&present);
    return error;
}

/* `list` stays NULL and `length` 0 where there are no attributes, as nearly everywhere. */
static int
list_names(struct place place, char **list, size_t *length)
{
    char usual[USUAL];
    char *buffer = usual;
    size_t room = sizeof usual;
    ssize_t got;
    *list = NULL;
    *length = 0;
    for (;;) {
        got = place.handle >= 0 ? flistxattr(place.handle, buffer, room) : llistxattr(place.path, buffer, room);
        if (got >= 0 || errno != ERANGE || room == MOST)
            break;
        buffer = malloc(room = MOST);
        if (buffer == NULL)
            return ENOMEM;
    }
    int error = got < 0 && errno != EOPNOTSUPP ? errno : 0;
    if (got > 0 && buffer == usual && (buffer = malloc((size_t)got)) != NULL)
        memcpy(buffer, usual, (size_t)got);
    if (got > 0 && buffer != NULL) {
        buffer[got - 1] = 0; /* it is, but a filesystem in user space may have its own idea */
        *list = buffer;
        *length = (size_t)got;
    } else if (got > 0) {
        error = ENOMEM;
    } else if (buffer != usual) {
        free(buffer);
    }
    return error;
}

static int
collect_names(struct xattrs *xattrs, size_t length)
{
    size_t most = 0;
    for (const char *name = xattrs->list; name < xattrs->list + length; name += strlen(name) + 1)
        most += is_kept(name);
    if (most == 0)
        return 0;
    xattrs->items = calloc(most, sizeof *xattrs->items);
    if (xattrs->items == NULL)
        return ENOMEM;
    for (const char *name = xattrs->list; name < xattrs->list + length; name += strlen(name) + 1)
        if (is_kept(name)) {
            xattrs->items[xattrs->count].name = name;
            xattrs->items[xattrs->count++].name_length = strlen(name);
        }
    qsort(xattrs->items, xattrs->count, sizeof *xattrs->items, compare_xattrs);
    return 0;
}

/* What was removed since it was listed is left out. */
static int
read_values(struct place place, struct xattrs *xattrs)
{
    size_t kept = 0;
    int error = 0;
    for (size_t i = 0; error == 0 && i < xattrs->count; i++) {
        struct xattr *xattr = &xattrs->items[i];
        error = read_value(place, xattr);
        if (error == ENODATA) {
            error = 0;
        } else if (error == 0) {
            struct xattr moved = *xattr;
            xattr->value = NULL; /* has one owner only */
            xattrs->items[kept++] = moved;
        }
    }
    xattrs->count = kept;
    return error;
}

static int
read_value(struct place place, struct xattr *xattr)
{
    char usual[USUAL];
    char *buffer = usual;
    size_t room = sizeof usual;
    ssize_t got;
    for (;;) {
        got = place.handle >= 0 ? fgetxattr(place.handle, xattr->name, buffer, room)
                                : lgetxattr(place.path, xattr->name, buffer, room);
        if (got >= 0 || errno != ERANGE || room == MOST)
            break;
        buffer = malloc(room = MOST);
        if (buffer == NULL)
            return ENOMEM;
    }
    int error = got < 0 ? errno : 0;
    char *value = error == 0 ? malloc((size_t)got + 1) : NULL;
    if (value != NULL)
        memcpy(value, buffer, (size_t)got);
    else if (error == 0)
        error = ENOMEM;
    if (buffer != usual)
        free(buffer);
    xattr->value = value;
    xattr->size = error == 0 ? (size_t)got : 0;
    return error;
}

static bool
is_kept(const char *name)
{
    for (size_t i = 0; i < sizeof KEPT / sizeof *KEPT; i++)
        if (strncmp(name, KEPT[i], strlen(KEPT[i])) == 0)
            return true;
    return false;
}

static int
compare_xattrs(const void *one, const void *other)
{
    return strcmp(((const struct xattr *)one)->name, ((const struct xattr *)other)->name);
}

static const struct xattr *
find(const struct xattrs *xattrs, const char *name)
{
    for (size_t i = 0; i < xattrs->count; i++)
        if (strcmp(xattrs->items[i].name, name) == 0)
            return &xattrs->items[i];
    return NULL;
}
