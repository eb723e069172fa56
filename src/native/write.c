/* Many small files written in one go: each whole under a temporary name, then renamed; or in its place,
   where nobody can miss an older content and the caller says so.

   The order is that of smc/transfer/files/place.py: owner before mode (chown clears setuid), mode before
   attributes (an ACL holds the mode; chown and writing clear capabilities), times after all of these.
   Whatever has inode flags is left to Python. */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "order.h"
#include "values.h"

#define CREATE (O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)
#define PRIVATE 0600 /* until its owner and mode are set */
#define PERMISSIONS 07777
#define READ_WRITE_EXECUTE 0777

/* How the last file came to be that was looked at. Files that one thread makes in one folder with one mode
   are alike: its set-group-ID bit, its default ACL and the labels of a security module work on each. */
struct made {
    bool known, bare; /* bare: without attributes */
    mode_t asked, mode;
    uid_t uid;
    gid_t gid;
};

static PyObject *write_files(PyObject *module, PyObject *arguments, PyObject *keywords);
static void write_all(int folder, struct orders *orders, const char *data);
static void write_one(int folder, struct order *order, const char *data, mode_t first, struct made *made);
static int fill(int handle, const struct order *order, const char *data, const struct made *made, enum step *step);
static int look_at_made(int handle, mode_t asked, struct made *made);
static mode_t first_mode(const struct order *order, uid_t uid, gid_t gid);
static int create(int folder, const char *temporary, mode_t mode, int *handle);
static int write_content(int handle, const char *data, size_t size);
static bool is_same_name(const struct name *one, const struct name *other);
static bool is_full_or_broken(int error);

PyMethodDef write_methods[] = {
    {"write_files", (PyCFunction)(void (*)(void))write_files, METH_VARARGS | METH_KEYWORDS, "Small files, whole."},
    {NULL, NULL, 0, NULL},
};

static PyObject *
write_files(PyObject *Py_UNUSED(module), PyObject *arguments, PyObject *keywords)
{
    static char *words[] = {"folder", "files", "data", NULL};
    struct orders orders;
    PyObject *files, *list = NULL;
    Py_buffer data;
    int folder;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O&Oy*:write_files", words, to_handle, &folder, &files,
                                     &data))
        return NULL;
    if (parse_orders(files, data.len, &orders) == 0) {
        Py_BEGIN_ALLOW_THREADS
        write_all(folder, &orders, data.buf);
        Py_END_ALLOW_THREADS
        list = answers_list(&orders);
        free_orders(&orders);
    }
    PyBuffer_Release(&data);
    return list;
}

/* A full or broken disk would fail the others too. */
static void
write_all(int folder, struct orders *orders, const char *data)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    bool stopped = false;
    struct made made = {0};
    for (size_t i = 0; i < orders->count; i++) {
        struct order *order = &orders->items[i];
        if (stopped) {
            order->error = ECANCELED;
            order->step = NOTHING;
            continue;
        }
        write_one(folder, order, data + order->offset, first_mode(order, uid, gid), &made);
        stopped = is_full_or_broken(order->error);
    }
}

static void
write_one(int folder, struct order *order, const char *data, mode_t first, struct made *made)
{
    const char *temporary = order->temporary.bytes;
    int handle;
    order->step = CREATING;
    order->error = create(folder, temporary, first, &handle);
    if (order->error != 0)
        return;
    order->step = OWNING;
    order->error = made->known && made->asked == first ? 0 : look_at_made(handle, first, made);
    if (order->error == 0)
        order->error = fill(handle, order, data, made, &order->step);
    if (close(handle) < 0 && order->error == 0 && errno != EINTR) { /* a network's filesystem writes only now */
        order->error = errno;
        order->step = WRITING;
    }
    if (order->error == 0 && !is_same_name(&order->temporary, &order->name)) {
        order->step = RENAMING;
        if (renameat(folder, temporary, folder, order->name.bytes) < 0)
            order->error = errno;
    }
    if (order->error != 0)
        unlinkat(folder, temporary, 0);
    else
        order->step = NOTHING;
}

static int
look_at_made(int handle, mode_t asked, struct made *made)
{
    struct stat state;
    made->known = false;
    if (fstat(handle, &state) < 0)
        return errno;
    ssize_t attributes = flistxattr(handle, NULL, 0);
    bool bare = attributes == 0 || (attributes < 0 && errno == EOPNOTSUPP);
    *made = (struct made){true, bare, asked, state.st_mode & PERMISSIONS, state.st_uid, state.st_gid};
    return 0;
}

/* What is ours and stays so may have its mode at once; others must not look into another's file. */
static mode_t
first_mode(const struct order *order, uid_t uid, gid_t gid)
{
    bool ours = order->uid == uid && order->gid == gid && order->xattrs.count == 0;
    return ours ? (order->mode & READ_WRITE_EXECUTE) | PRIVATE : PRIVATE;
}

static int
create(int folder, const char *temporary, mode_t mode, int *handle)
{
    for (bool again = false;; again = true) {
        do
            *handle = openat(folder, temporary, CREATE, mode);
        while (*handle < 0 && errno == EINTR);
        if (*handle >= 0)
            return 0;
        if (errno != EEXIST || again)
            return errno;
        if (unlinkat(folder, temporary, 0) < 0) /* left by a connection that was cut */
            return errno;
    }
}

/* Content and metadata. The owner or mode that it already has is not set again: of a file that was just
   made there is nothing else that this would clear. */
static int
fill(int handle, const struct order *order, const char *data, const struct made *made, enum step *step)
{
    *step = WRITING;
    int error = write_content(handle, data, order->size);
    if (error != 0)
        return error;
    *step = OWNING;
    bool chowned = made->uid != order->uid || made->gid != order->gid;
    if (chowned && fchown(handle, order->uid, order->gid) < 0)
        return errno;
    *step = CHANGING_MODE;
    if ((chowned || made->mode != order->mode) && fchmod(handle, order->mode) < 0)
        return errno;
    *step = ATTRIBUTING;
    if (!made->bare || order->xattrs.count > 0)
        error = write_xattrs(handle, &order->xattrs);
    if (error != 0)
        return error;
    *step = TIMING;
    const struct timespec times[2] = {order->modified, order->modified};
    return futimens(handle, times) < 0 ? errno : 0;
}

static int
write_content(int handle, const char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put_down = pwrite(handle, data + done, size - done, (off_t)done);
        if (put_down < 0 && errno == EINTR)
            continue;
        if (put_down <= 0)
            return put_down < 0 ? errno : EIO;
        done += (size_t)put_down;
    }
    return 0;
}

static bool
is_same_name(const struct name *one, const struct name *other)
{
    return one->length == other->length && memcmp(one->bytes, other->bytes, one->length) == 0;
}

static bool
is_full_or_broken(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EIO;
}
