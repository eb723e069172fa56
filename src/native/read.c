/* The contents of many small files, read in one go. */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entry.h"
#include "extents.h"
#include "names.h"
#include "values.h"

#define NOT_TAKEN (-1)
#define FIRST_ROOM (256 * 1024) /* bytes; doubled when they do not suffice */
#define SPARES 4                /* as many threads read at once at most, as a rule */
#define LARGEST_SPARE (1 << 20)

struct taken {
    int error;
    size_t length;
    struct stat before, after;
};

/* The limited API cannot shorten bytes: they are copied once, while the processor still has them at hand. */
struct contents {
    char *bytes;
    size_t used, room;
};

/* Kept for the next reading: memory that is new costs a third of the time, by its page faults. Each has
   one owner, for it is taken and given back under the interpreter's lock. */
static struct contents spares[SPARES];

static PyObject *read_files(PyObject *module, PyObject *arguments, PyObject *keywords);
static struct contents take_spare(void);
static void keep_spare(struct contents contents);
static size_t read_all(int folder, const struct names *names, long long most, long long limit, struct taken *taken,
                       struct contents *contents);
static bool read_one(int handle, long long most, long long left, struct taken *taken, struct contents *contents);
static int read_content(int handle, struct taken *taken, struct contents *contents);
static int make_room(struct contents *contents, size_t needed);
static PyObject *taken_list(const struct taken *taken, size_t count);
static PyObject *state_tuple(const struct stat *state);

PyMethodDef read_methods[] = {
    {"read_files", (PyCFunction)(void (*)(void))read_files, METH_VARARGS | METH_KEYWORDS, "Contents of small files."},
    {NULL, NULL, 0, NULL},
};

static PyObject *
read_files(PyObject *Py_UNUSED(module), PyObject *arguments, PyObject *keywords)
{
    static char *words[] = {"folder", "names", "most", "limit", NULL};
    struct names names;
    PyObject *wanted;
    long long most, limit;
    size_t count;
    int folder;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O&OO&O&:read_files", words, to_handle, &folder, &wanted,
                                     to_size, &most, to_size, &limit) ||
        parse_names(wanted, &names) < 0)
        return NULL;
    struct taken *taken = calloc(names.count + 1, sizeof *taken);
    if (taken == NULL) {
        free_names(&names);
        return PyErr_NoMemory();
    }
    struct contents contents = take_spare();
    Py_BEGIN_ALLOW_THREADS
    count = read_all(folder, &names, most, limit, taken, &contents);
    Py_END_ALLOW_THREADS
    PyObject *result = tuple_of(2, taken_list(taken, count), bytes_of(contents.bytes, contents.used));
    keep_spare(contents);
    free(taken);
    free_names(&names);
    return result;
}

static struct contents
take_spare(void)
{
    struct contents taken = {0};
    for (size_t i = 0; i < SPARES && taken.bytes == NULL; i++) {
        taken = spares[i];
        spares[i] = (struct contents){0};
    }
    return taken;
}

static void
keep_spare(struct contents contents)
{
    contents.used = 0;
    for (size_t i = 0; i < SPARES && contents.room <= LARGEST_SPARE; i++)
        if (spares[i].bytes == NULL) {
            spares[i] = contents;
            return;
        }
    free(contents.bytes);
}

/* Returns how many files were seen to before the limit; one at least. */
static size_t
read_all(int folder, const struct names *names, long long most, long long limit, struct taken *taken,
         struct contents *contents)
{
    for (size_t i = 0; i < names->count; i++) {
        int handle = open_quietly(folder, names->items[i].bytes, 0);
        if (handle < 0) {
            taken[i].error = -handle;
            continue;
        }
        long long left = limit < (long long)contents->used ? 0 : limit - (long long)contents->used;
        bool fits = read_one(handle, most, i == 0 ? most : left, &taken[i], contents);
        close(handle);
        if (!fits)
            return i;
    }
    return names->count;
}

/* False when the file must wait because it is larger than `left`. */
static bool
read_one(int handle, long long most, long long left, struct taken *taken, struct contents *contents)
{
    struct stat *before = &taken->before;
    if (fstat(handle, before) < 0) {
        taken->error = errno;
        return true;
    }
    taken->after = *before;
    taken->error = NOT_TAKEN;
    if (!S_ISREG(before->st_mode) || before->st_size > most)
        return true;
    int full = is_full(handle, before->st_size);
    if (full < 0)
        taken->error = -full;
    if (full <= 0)
        return true;
    if (before->st_size > left)
        return false;
    taken->error = read_content(handle, taken, contents);
    if (taken->error == 0 && fstat(handle, &taken->after) < 0)
        taken->error = errno;
    if (taken->error == 0)
        contents->used += taken->length;
    else
        taken->length = 0;
    return true;
}

/* Up to the size that it had, or to its end. */
static int
read_content(int handle, struct taken *taken, struct contents *contents)
{
    size_t size = (size_t)taken->before.st_size;
    int error = make_room(contents, size);
    if (error != 0)
        return error;
    char *into = contents->bytes + contents->used;
    ssize_t got = read_range(handle, into, size, 0);
    if (got < 0)
        return (int)-got;
    taken->length = (size_t)got;
    return 0;
}

static int
make_room(struct contents *contents, size_t needed)
{
    if (needed <= contents->room - contents->used)
        return 0;
    size_t larger = contents->room == 0 ? FIRST_ROOM : contents->room * 2;
    if (larger < contents->used + needed)
        larger = contents->used + needed;
    char *moved = realloc(contents->bytes, larger);
    if (moved == NULL)
        return ENOMEM;
    contents->bytes = moved;
    contents->room = larger;
    return 0;
}

static PyObject *
taken_list(const struct taken *taken, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *before = state_tuple(&taken[i].before), *after = before;
        if (memcmp(&taken[i].before, &taken[i].after, sizeof taken[i].before) != 0)
            after = state_tuple(&taken[i].after);
        else
            Py_XINCREF(after);
        PyObject *tuple =
            tuple_of(4, PyLong_FromLong(taken[i].error), PyLong_FromSize_t(taken[i].length), before, after);
        if (tuple == NULL || PyList_SetItem(list, (Py_ssize_t)i, tuple) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *
state_tuple(const struct stat *state)
{
    return tuple_of(
        7, PyLong_FromLongLong(state->st_size), ns_of(state->st_mtim), ns_of(state->st_ctim),
        PyLong_FromUnsignedLong(state->st_mode), PyLong_FromUnsignedLongLong(state->st_ino),
        PyLong_FromUnsignedLongLong(state->st_nlink), PyLong_FromLongLong(state->st_blocks));
}
