/* A quick look at a folder: whether anything in it changed, and what it holds. */
#include "native.h"

#define XXH_INLINE_ALL
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "names.h"
#include "values.h"

#define SEVERAL 64 /* linked names there is room for at first */

/* What is hashed of each kind of thing, after its name; the last byte keeps the kinds apart. */
struct __attribute__((packed)) entry_record {
    uint64_t inode, links, device, size;
    int64_t changed_s, modified_s;
    uint32_t changed_ns, modified_ns, mode, uid, gid;
    uint8_t elsewhere, is_what;
};

struct __attribute__((packed)) below_record {
    uint32_t format;
    uint8_t elsewhere, is_what;
};

struct __attribute__((packed)) folder_record {
    uint64_t inode;
    int64_t changed_s, modified_s;
    uint32_t changed_ns, modified_ns, mode, uid, gid;
    uint8_t is_what;
};

enum { AN_ENTRY = 1, A_FOLDER_BELOW = 2, THE_FOLDER = 3 };

struct linked {
    struct name name;
    unsigned long long inode, links, stored;
    bool is_regular;
};

struct look {
    int folder;
    dev_t device;
    XXH128_hash_t sum;
    char *record;
    size_t room;
    unsigned long long files, stored, gone;
    struct timespec newest;
    struct copies folders, linked_names, failed;
    struct linked *linked;
    size_t linked_room;
};

static PyObject *survey(PyObject *module, PyObject *arguments, PyObject *keywords);
static PyObject *names_in(PyObject *module, PyObject *arguments);
static PyObject *name_parts(PyObject *module, PyObject *arguments);
static int copy_names(int folder, struct copies *names);
static int look_around(struct look *look, const struct names *names);
static int look_at_itself(struct look *look);
static int look_at(void *context, const char *name, size_t length);
static int look_at_entry(struct look *look, const char *name, size_t length, const struct stat *state);
static int count_linked(struct look *look, const char *name, size_t length, const struct stat *state,
                        unsigned long long stored);
static int add_hash(struct look *look, const char *name, size_t length, const void *record, size_t size);
static void take_newest(struct look *look, struct timespec changed);
static PyObject *looked(struct look *look);
static PyObject *linked_list(struct look *look);
static int compare_linked(const void *one, const void *other);
static int add_name(void *context, const char *name, size_t length);

PyMethodDef survey_methods[] = {
    {"survey", (PyCFunction)(void (*)(void))survey, METH_VARARGS | METH_KEYWORDS, "A quick look at an open folder."},
    {"names", names_in, METH_VARARGS, "All names of an open folder, in byte order."},
    {"name_parts", name_parts, METH_VARARGS, "The same, many in each."},
    {NULL, NULL, 0, NULL},
};

static PyObject *
survey(PyObject *Py_UNUSED(module), PyObject *arguments, PyObject *keywords)
{
    static char *words[] = {"folder", "names", NULL};
    struct look look = {0};
    struct names names = {0};
    PyObject *wanted = Py_None, *result = NULL;
    int error;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O&|O:survey", words, to_handle, &look.folder, &wanted))
        return NULL;
    if (wanted != Py_None && parse_names(wanted, &names) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = look_around(&look, names.held == NULL ? NULL : &names);
    Py_END_ALLOW_THREADS
    if (error == 0)
        result = looked(&look);
    else if (look.failed.count > 0)
        raise_errno(error, look.failed.bytes, look.failed.used - 1);
    else
        raise_errno(error, NULL, 0);
    free_names(&names);
    free(look.record);
    free(look.linked);
    free_copies(&look.folders);
    free_copies(&look.linked_names);
    free_copies(&look.failed);
    return result;
}

static PyObject *
names_in(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct copies names = {0};
    int folder;
    if (!PyArg_ParseTuple(arguments, "O&:names", to_handle, &folder))
        return NULL;
    PyObject *list = copy_names(folder, &names) == 0 ? sorted_copies(&names) : NULL;
    free_copies(&names);
    return list;
}

static PyObject *
name_parts(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    struct copies names = {0};
    Py_ssize_t most;
    int folder;
    if (!PyArg_ParseTuple(arguments, "O&n:name_parts", to_handle, &folder, &most))
        return NULL;
    if (most < 1)
        return PyErr_Format(PyExc_ValueError, "a part has at least one name");
    PyObject *list = copy_names(folder, &names) == 0 ? sorted_parts(&names, (size_t)most) : NULL;
    free_copies(&names);
    return list;
}

/* -1 with OSError. */
static int
copy_names(int folder, struct copies *names)
{
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = each_name(folder, add_name, names);
    Py_END_ALLOW_THREADS
    if (error != 0)
        raise_errno(error, NULL, 0);
    return error == 0 ? 0 : -1;
}

static int
look_around(struct look *look, const struct names *names)
{
    int error = look_at_itself(look);
    if (error != 0)
        return error;
    if (names == NULL)
        return each_name(look->folder, look_at, look);
    for (size_t i = 0; error == 0 && i < names->count; i++)
        error = look_at(look, names->items[i].bytes, names->items[i].length);
    return error;
}

static int
look_at_itself(struct look *look)
{
    struct stat state;
    if (fstat(look->folder, &state) < 0)
        return errno;
    if (!S_ISDIR(state.st_mode))
        return ENOTDIR;
    look->device = state.st_dev;
    look->newest = state.st_ctim;
    struct folder_record record = {
        .inode = state.st_ino,
        .changed_s = state.st_ctim.tv_sec,
        .modified_s = state.st_mtim.tv_sec,
        .changed_ns = (uint32_t)state.st_ctim.tv_nsec,
        .modified_ns = (uint32_t)state.st_mtim.tv_nsec,
        .mode = state.st_mode,
        .uid = state.st_uid,
        .gid = state.st_gid,
        .is_what = THE_FOLDER,
    };
    return add_hash(look, "", 0, &record, sizeof record);
}

static int
look_at(void *context, const char *name, size_t length)
{
    struct look *look = context;
    struct stat state;
    if (fstatat(look->folder, name, &state, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISDIR(state.st_mode))
            return look_at_entry(look, name, length, &state);
        struct below_record record = {state.st_mode & S_IFMT, state.st_dev != look->device, A_FOLDER_BELOW};
        int error = add_hash(look, name, length, &record, sizeof record);
        if (error == 0 && state.st_dev == look->device)
            error = add_copy(&look->folders, name, length);
        return error;
    }
    if (errno == ENOENT) {
        look->gone++;
        return 0;
    }
    int error = errno;
    return add_copy(&look->failed, name, length) == 0 ? error : ENOMEM;
}

static int
look_at_entry(struct look *look, const char *name, size_t length, const struct stat *state)
{
    struct entry_record record = {
        .inode = state->st_ino,
        .links = state->st_nlink,
        .device = state->st_rdev,
        .size = (uint64_t)state->st_size,
        .changed_s = state->st_ctim.tv_sec,
        .modified_s = state->st_mtim.tv_sec,
        .changed_ns = (uint32_t)state->st_ctim.tv_nsec,
        .modified_ns = (uint32_t)state->st_mtim.tv_nsec,
        .mode = state->st_mode,
        .uid = state->st_uid,
        .gid = state->st_gid,
        .elsewhere = state->st_dev != look->device,
        .is_what = AN_ENTRY,
    };
    unsigned long long size = (unsigned long long)state->st_size;
    unsigned long long blocks = (unsigned long long)state->st_blocks * SECTOR;
    unsigned long long stored = !S_ISREG(state->st_mode) ? 0 : size < blocks ? size : blocks;
    take_newest(look, state->st_ctim);
    if (state->st_nlink > 1) {
        int error = count_linked(look, name, length, state, stored);
        if (error != 0)
            return error;
    } else if (S_ISREG(state->st_mode)) {
        look->files++;
        look->stored += stored;
    }
    return add_hash(look, name, length, &record, sizeof record);
}

static int
count_linked(struct look *look, const char *name, size_t length, const struct stat *state,
             unsigned long long stored)
{
    size_t count = look->linked_names.count;
    if (count == look->linked_room) {
        size_t larger = count == 0 ? SEVERAL : count * 2;
        struct linked *moved = realloc(look->linked, larger * sizeof *moved);
        if (moved == NULL)
            return ENOMEM;
        look->linked = moved;
        look->linked_room = larger;
    }
    look->linked[count] = (struct linked){
        .name.length = length, /* where it lies is known when all are there */
        .inode = state->st_ino,
        .links = state->st_nlink,
        .stored = stored,
        .is_regular = S_ISREG(state->st_mode),
    };
    return add_copy(&look->linked_names, name, length);
}

/* A sum has no order, as the names of a folder have none. */
static int
add_hash(struct look *look, const char *name, size_t length, const void *record, size_t size)
{
    if (length + size > look->room) {
        size_t larger = length + size + 512;
        char *moved = realloc(look->record, larger);
        if (moved == NULL)
            return ENOMEM;
        look->record = moved;
        look->room = larger;
    }
    memcpy(look->record, name, length);
    memcpy(look->record + length, record, size);
    XXH128_hash_t hash = XXH3_128bits(look->record, length + size);
    look->sum.low64 += hash.low64;
    look->sum.high64 += hash.high64 + (look->sum.low64 < hash.low64);
    return 0;
}

static void
take_newest(struct look *look, struct timespec changed)
{
    struct timespec newest = look->newest;
    if (changed.tv_sec > newest.tv_sec || (changed.tv_sec == newest.tv_sec && changed.tv_nsec > newest.tv_nsec))
        look->newest = changed;
}

static PyObject *
looked(struct look *look)
{
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, look->sum);
    return tuple_of(
        7, bytes_of((const char *)digest.digest, sizeof digest.digest), PyLong_FromUnsignedLongLong(look->files),
        PyLong_FromUnsignedLongLong(look->stored), ns_of(look->newest), sorted_copies(&look->folders),
        linked_list(look), PyLong_FromUnsignedLongLong(look->gone));
}

static PyObject *
linked_list(struct look *look)
{
    size_t count = look->linked_names.count;
    for (size_t i = 0; i < count; i++)
        look->linked[i].name.bytes = look->linked_names.bytes + look->linked_names.starts[i];
    if (count > 1)
        qsort(look->linked, count, sizeof *look->linked, compare_linked);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        const struct linked *one = &look->linked[i];
        PyObject *tuple = tuple_of(
            5, bytes_of(one->name.bytes, one->name.length), PyLong_FromUnsignedLongLong(one->inode),
            PyLong_FromUnsignedLongLong(one->links), PyLong_FromUnsignedLongLong(one->stored),
            PyBool_FromLong(one->is_regular));
        if (tuple == NULL || PyList_SetItem(list, (Py_ssize_t)i, tuple) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static int
compare_linked(const void *one, const void *other)
{
    return compare_names(&((const struct linked *)one)->name, &((const struct linked *)other)->name);
}

static int
add_name(void *context, const char *name, size_t length)
{
    return add_copy(context, name, length);
}
