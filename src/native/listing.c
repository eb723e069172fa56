/* All metadata of many entries of a folder, as smc/transfer/files/entry.py reads those of one. */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entry.h"
#include "names.h"
#include "values.h"

#define FIELDS 18
#define PERMISSIONS 07777
#define UNKNOWN (-1)

/* What a mode says, by the numbers of smc.wire.messages.Kind. */
enum kind { FILE_KIND, FOLDER_KIND, SYMLINK_KIND, CHARACTER_KIND, BLOCK_KIND, FIFO_KIND, SOCKET_KIND };

struct described {
    int error;
    bool stated; /* `state` and `kind` are there */
    int kind;
    struct stat state;
    unsigned flags;
    char *target;
    size_t target_length;
    struct xattrs xattrs;
};

static PyObject *listing(PyObject *module, PyObject *arguments, PyObject *keywords);
static PyObject *described(PyObject *module, PyObject *arguments);
static dev_t device_of(int folder);
static void describe(int folder, const struct name *name, const dev_t *bare, struct described *entry);
static int describe_handle(int handle, struct described *entry);
static int describe_open(int folder, const struct name *name, struct described *entry);
static int describe_by_name(int folder, const struct name *name, struct described *entry);
static int read_target(int folder, const struct name *name, struct described *entry);
static int kind_of(mode_t mode);
static PyObject *described_tuple(PyObject *name, const struct described *entry);

PyMethodDef listing_methods[] = {
    {"listing", (PyCFunction)(void (*)(void))listing, METH_VARARGS | METH_KEYWORDS, "All metadata of names."},
    {"described", described, METH_VARARGS, "All metadata of what is open."},
    {NULL, NULL, 0, NULL},
};

static PyObject *
listing(PyObject *Py_UNUSED(module), PyObject *arguments, PyObject *keywords)
{
    static char *words[] = {"folder", "names", "bare", NULL};
    struct names names;
    PyObject *wanted;
    int folder, bare = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O&O|p:listing", words, to_handle, &folder, &wanted, &bare) ||
        parse_names(wanted, &names) < 0)
        return NULL;
    struct described *entries = calloc(names.count + 1, sizeof *entries);
    if (entries == NULL) {
        free_names(&names);
        return PyErr_NoMemory();
    }
    Py_BEGIN_ALLOW_THREADS
    const dev_t device = bare ? device_of(folder) : 0;
    for (size_t i = 0; i < names.count; i++)
        describe(folder, &names.items[i], bare ? &device : NULL, &entries[i]);
    Py_END_ALLOW_THREADS
    PyObject *list = PyList_New((Py_ssize_t)names.count);
    for (size_t i = 0; list != NULL && i < names.count; i++) {
        PyObject *name = PyTuple_GetItem(names.held, (Py_ssize_t)i);
        PyObject *tuple = described_tuple(name, &entries[i]);
        if (tuple == NULL || PyList_SetItem(list, (Py_ssize_t)i, tuple) < 0)
            Py_CLEAR(list);
    }
    for (size_t i = 0; i < names.count; i++) {
        free(entries[i].target);
        free_xattrs(&entries[i].xattrs);
    }
    free(entries);
    free_names(&names);
    return list;
}

static PyObject *
described(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct described entry = {0};
    int handle;
    if (!PyArg_ParseTuple(arguments, "O&:described", to_handle, &handle))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (fstat(handle, &entry.state) < 0)
        entry.error = errno;
    else if ((entry.kind = kind_of(entry.state.st_mode)) == UNKNOWN)
        entry.error = EUCLEAN;
    else
        entry.error = describe_handle(handle, &entry);
    Py_END_ALLOW_THREADS
    if (entry.error != 0)
        return raise_errno(entry.error, NULL, 0);
    entry.stated = true;
    PyObject *name = bytes_of(NULL, 0);
    PyObject *tuple = name == NULL ? NULL : described_tuple(name, &entry);
    Py_XDECREF(name);
    free_xattrs(&entry.xattrs);
    return tuple;
}

/* 0 when it has none to tell: then nothing is on it. */
static dev_t
device_of(int folder)
{
    struct stat state;
    return fstat(folder, &state) == 0 ? state.st_dev : 0;
}

/* What cannot be opened is still described by its state alone, so that it is not taken for deleted; what has a name
   that no copy can have is not. With `bare`, so
   are files, and folders on that device. */
static void
describe(int folder, const struct name *name, const dev_t *bare, struct described *entry)
{
    if (name->length > LONGEST_NAME) {
        entry->error = ENAMETOOLONG;
        return;
    }
    if (fstatat(folder, name->bytes, &entry->state, AT_SYMLINK_NOFOLLOW) < 0) {
        entry->error = errno;
        return;
    }
    entry->kind = kind_of(entry->state.st_mode);
    if (entry->kind == UNKNOWN) { /* a filesystem that is broken */
        entry->error = EUCLEAN;
        return;
    }
    entry->stated = true;
    if (bare != NULL && (entry->kind == FILE_KIND || (entry->kind == FOLDER_KIND && entry->state.st_dev == *bare)))
        return;
    if (entry->kind == FILE_KIND || entry->kind == FOLDER_KIND)
        entry->error = describe_open(folder, name, entry);
    else
        entry->error = describe_by_name(folder, name, entry);
    if (entry->error != 0)
        entry->flags = 0;
}

static int
describe_open(int folder, const struct name *name, struct described *entry)
{
    int handle = open_quietly(folder, name->bytes, entry->kind == FOLDER_KIND ? O_DIRECTORY : 0);
    if (handle < 0)
        return -handle;
    int error = describe_handle(handle, entry);
    close(handle);
    return error;
}

static int
describe_handle(int handle, struct described *entry)
{
    int error = read_flags(handle, &entry->flags);
    return error != 0 ? error : read_xattrs((struct place){handle, NULL}, &entry->xattrs);
}

/* A path for the calls on attributes, which know no folder handle; as short as the name. */
static int
describe_by_name(int folder, const struct name *name, struct described *entry)
{
    int error = entry->kind == SYMLINK_KIND ? read_target(folder, name, entry) : 0;
    if (error != 0)
        return error;
    size_t room = sizeof "/proc/self/fd//" + 3 * sizeof folder + name->length;
    char *path = malloc(room);
    if (path == NULL)
        return ENOMEM;
    snprintf(path, room, "/proc/self/fd/%d/%s", folder, name->bytes);
    error = read_xattrs((struct place){-1, path}, &entry->xattrs);
    free(path);
    return error;
}

static int
read_target(int folder, const struct name *name, struct described *entry)
{
    for (size_t room = PATH_MAX;; room *= 2) {
        char *target = malloc(room);
        if (target == NULL)
            return ENOMEM;
        ssize_t length = readlinkat(folder, name->bytes, target, room);
        int error = length < 0 ? errno : 0;
        if (error == 0 && (size_t)length < room) {
            entry->target = target;
            entry->target_length = (size_t)length;
            return 0;
        }
        free(target);
        if (error != 0)
            return error;
    }
}

static int
kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return FILE_KIND;
    case S_IFDIR:
        return FOLDER_KIND;
    case S_IFLNK:
        return SYMLINK_KIND;
    case S_IFCHR:
        return CHARACTER_KIND;
    case S_IFBLK:
        return BLOCK_KIND;
    case S_IFIFO:
        return FIFO_KIND;
    case S_IFSOCK:
        return SOCKET_KIND;
    default:
        return UNKNOWN;
    }
}

static PyObject *
described_tuple(PyObject *name, const struct described *entry)
{
    static const struct stat nothing;
    const struct stat *state = entry->stated ? &entry->state : &nothing;
    bool is_device = entry->kind == CHARACTER_KIND || entry->kind == BLOCK_KIND;
    bool is_whole = entry->error == 0;
    unsigned long long size = entry->kind == FILE_KIND ? (unsigned long long)state->st_size : 0;
    unsigned long long blocks = (unsigned long long)state->st_blocks * SECTOR;
    static const struct xattrs none;
    Py_INCREF(name);
    return tuple_of(
        FIELDS, name, PyLong_FromLong(entry->error), PyBool_FromLong(!is_whole && entry->stated),
        PyLong_FromLong(entry->stated ? entry->kind : 0), PyLong_FromUnsignedLong(state->st_mode & PERMISSIONS),
        PyLong_FromUnsignedLong(state->st_uid), PyLong_FromUnsignedLong(state->st_gid), ns_of(state->st_mtim),
        PyLong_FromUnsignedLongLong(size), PyLong_FromUnsignedLongLong(size < blocks ? size : blocks),
        ns_of(state->st_ctim), PyLong_FromUnsignedLongLong(is_device ? state->st_rdev : 0),
        bytes_of(is_whole ? entry->target : NULL, is_whole ? entry->target_length : 0),
        PyLong_FromUnsignedLong(entry->flags), xattrs_tuple(is_whole ? &entry->xattrs : &none),
        PyLong_FromUnsignedLongLong(state->st_ino), PyLong_FromUnsignedLongLong(state->st_nlink),
        PyLong_FromUnsignedLongLong(state->st_dev));
}
