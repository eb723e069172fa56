/* Names of entries: those that Python gives, and those that a folder has. */
#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "entry.h"
#include "values.h"

#define LONGEST 4000 /* of a name: below PATH_MAX; filesystems have 255, some more; the kernel tells */
#define AT_ONCE (32 * 1024) /* bytes of names read in one call; as the C library does */

struct kernel_name { /* getdents64(2) */
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t kind;
    char name[];
};

static void sort_copies(struct copies *copies);
static int compare_starts(const void *one, const void *other, void *bytes);
static PyObject *join(const struct copies *copies, size_t first, size_t count);
static int from_the_start(int folder);
static bool grow(void **memory, size_t *room, size_t needed, size_t each);

int
parse_names(PyObject *sequence, struct names *names)
{
    names->count = 0;
    names->items = NULL;
    names->held = PySequence_Tuple(sequence);
    if (names->held == NULL)
        return -1;
    Py_ssize_t count = PyTuple_Size(names->held);
    names->items = calloc((size_t)count + 1, sizeof *names->items);
    if (names->items == NULL) {
        free_names(names);
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (parse_name(PyTuple_GetItem(names->held, i), &names->items[i]) < 0) {
            free_names(names);
            return -1;
        }
    names->count = (size_t)count;
    return 0;
}

int
parse_name(PyObject *value, struct name *name)
{
    char *bytes;
    Py_ssize_t length;
    if (!PyBytes_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a name must be bytes");
        return -1;
    }
    if (PyBytes_AsStringAndSize(value, &bytes, &length) < 0)
        return -1;
    if (length == 0 || length > LONGEST || memchr(bytes, 0, (size_t)length) || memchr(bytes, '/', (size_t)length) ||
        strcmp(bytes, ".") == 0 || strcmp(bytes, "..") == 0) {
        PyErr_SetString(PyExc_ValueError, "not a name of one entry");
        return -1;
    }
    name->bytes = bytes;
    name->length = (size_t)length;
    return 0;
}

void
free_names(struct names *names)
{
    Py_CLEAR(names->held);
    free(names->items);
    names->items = NULL;
}

int
add_copy(struct copies *copies, const char *name, size_t length)
{
    if (!grow((void **)&copies->bytes, &copies->room, copies->used + length + 1, 1) ||
        !grow((void **)&copies->starts, &copies->slots, copies->count + 1, sizeof *copies->starts))
        return ENOMEM;
    memcpy(copies->bytes + copies->used, name, length);
    copies->bytes[copies->used + length] = 0;
    copies->starts[copies->count++] = copies->used;
    copies->used += length + 1;
    return 0;
}

void
free_copies(struct copies *copies)
{
    free(copies->bytes);
    free(copies->starts);
    memset(copies, 0, sizeof *copies);
}

PyObject *
sorted_copies(struct copies *copies)
{
    sort_copies(copies);
    PyObject *list = PyList_New((Py_ssize_t)copies->count);
    for (size_t i = 0; list != NULL && i < copies->count; i++) {
        const char *bytes = copies->bytes + copies->starts[i];
        PyObject *name = bytes_of(bytes, strlen(bytes));
        if (name == NULL || PyList_SetItem(list, (Py_ssize_t)i, name) < 0)
            Py_CLEAR(list);
    }
    return list;
}

PyObject *
sorted_parts(struct copies *copies, size_t most)
{
    sort_copies(copies);
    PyObject *list = PyList_New((Py_ssize_t)((copies->count + most - 1) / most));
    for (size_t i = 0, first = 0; list != NULL && first < copies->count; i++, first += most) {
        const size_t left = copies->count - first;
        PyObject *part = join(copies, first, left < most ? left : most);
        if (part == NULL || PyList_SetItem(list, (Py_ssize_t)i, part) < 0)
            Py_CLEAR(list);
    }
    return list;
}

int
compare_names(const struct name *one, const struct name *other)
{
    size_t shorter = one->length < other->length ? one->length : other->length;
    int order = memcmp(one->bytes, other->bytes, shorter);
    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

int
each_name(int folder, int (*each)(void *context, const char *name, size_t length), void *context)
{
    char *buffer = malloc(AT_ONCE);
    if (buffer == NULL)
        return ENOMEM;
    int handle = from_the_start(folder);
    int error = handle < 0 ? -handle : 0;
    while (error == 0) {
        long got = syscall(SYS_getdents64, handle, buffer, AT_ONCE);
        if (got < 0)
            error = errno;
        if (got <= 0)
            break;
        for (long at = 0; error == 0 && at < got;) {
            const struct kernel_name *found = (const struct kernel_name *)(buffer + at);
            at += found->size;
            if (strcmp(found->name, ".") != 0 && strcmp(found->name, "..") != 0)
                error = each(context, found->name, strlen(found->name));
        }
    }
    if (handle >= 0 && handle != folder)
        close(handle);
    free(buffer);
    return error;
}

/* A handle that reading leaves no trace of: the folder's own, or a new one; -errno. */
static int
from_the_start(int folder)
{
    int flags = fcntl(folder, F_GETFL);
    if (flags >= 0 && flags & O_NOATIME && lseek(folder, 0, SEEK_SET) == 0)
        return folder;
    return open_quietly(folder, ".", O_DIRECTORY);
}

/* In place: there may be a million. */
static void
sort_copies(struct copies *copies)
{
    if (copies->count > 1)
        qsort_r(copies->starts, copies->count, sizeof *copies->starts, compare_starts, copies->bytes);
}

static int
compare_starts(const void *one, const void *other, void *bytes)
{
    return strcmp((const char *)bytes + *(const size_t *)one, (const char *)bytes + *(const size_t *)other);
}

/* Names with a NUL between them. */
static PyObject *
join(const struct copies *copies, size_t first, size_t count)
{
    size_t size = 0;
    for (size_t i = first; i < first + count; i++)
        size += strlen(copies->bytes + copies->starts[i]) + 1;
    PyObject *part = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size - 1);
    if (part == NULL)
        return NULL;
    char *into = PyBytes_AsString(part); /* it has room for a NUL at its end */
    for (size_t i = first; i < first + count; i++)
        into = stpcpy(into, copies->bytes + copies->starts[i]) + 1;
    return part;
}

static bool
grow(void **memory, size_t *room, size_t needed, size_t each)
{
    if (needed <= *room)
        return true;
    size_t larger = *room * 2 > needed ? *room * 2 : needed + 64;
    void *moved = realloc(*memory, larger * each);
    if (moved == NULL)
        return false;
    *memory = moved;
    *room = larger;
    return true;
}
