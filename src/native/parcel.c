/* Small files on their way into one frame: read one after another, as they were listed, and hashed side by side. */
#include "native.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "entry.h"
#include "extents.h"
#include "hash.h"
#include "sha256.h"
#include "values.h"
#include "wanted.h"

struct file {
    long long index;
    size_t size;
};

#define MOST_ATTRIBUTES (512 * 1024) /* bytes that are told besides: a frame's head has room for 8 MiB */

/* `busy` while a thread is in it without the interpreter's lock; `views` look at its contents. */
typedef struct {
    PyObject_HEAD
    char *contents;
    size_t used, room;
    size_t attributes; /* bytes of those that were not listed */
    struct file *files;
    size_t count, most;
    bool busy;
    Py_ssize_t views;
} Parcel;

static void read_all(Parcel *parcel, int folder, struct wanted *wanted, size_t count);
static enum outcome read_one(Parcel *parcel, int folder, struct wanted *wanted);
static enum outcome read_open(Parcel *parcel, int handle, struct wanted *wanted);
static bool read_attributes(int handle, struct wanted *wanted);
static size_t size_of(const struct xattrs *xattrs);
static bool is_as_listed(const struct stat *state, const struct wanted *wanted);
static enum failure hash_all(const Parcel *parcel, struct strand *strands, uint8_t *hashes);
static PyObject *results_list(const Parcel *parcel, const uint8_t *hashes);

static bool
is_free(const Parcel *parcel, bool to_change)
{
    if (!parcel->busy && parcel->contents != NULL && (parcel->views == 0 || !to_change))
        return true;
    PyErr_SetString(PyExc_ValueError, "a parcel is for one thread, and not to be changed while it is looked at");
    return false;
}

static int
parcel_init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    Parcel *self = (Parcel *)object;
    long long room, most;
    if (keywords != NULL || self->contents != NULL) {
        PyErr_SetString(PyExc_TypeError, "a parcel is made once, of room and most");
        return -1;
    }
    if (!PyArg_ParseTuple(arguments, "O&O&:Parcel", to_size, &room, to_size, &most))
        return -1;
    self->files = calloc((size_t)most + 1, sizeof *self->files);
    self->contents = self->files == NULL ? NULL : malloc((size_t)room + 1);
    if (self->contents == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->room = (size_t)room;
    self->most = (size_t)most;
    return 0;
}

static void
parcel_dealloc(PyObject *object)
{
    Parcel *self = (Parcel *)object;
    PyTypeObject *type = Py_TYPE(object);
    free(self->contents);
    free(self->files);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyObject *
parcel_read(PyObject *object, PyObject *arguments)
{
    Parcel *self = (Parcel *)object;
    struct wanted_files wanted;
    struct timespec old;
    PyObject *items, *since;
    Py_ssize_t first;
    int folder;
    if (!PyArg_ParseTuple(arguments, "O&OnO:read", to_handle, &folder, &items, &first, &since) ||
        parse_ns(since, &old) < 0 || !is_free(self, true) || parse_wanted(items, first, &wanted) < 0)
        return NULL;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS
    read_all(self, folder, wanted.files, wanted.count);
    Py_END_ALLOW_THREADS
    self->busy = false;
    PyObject *answer = outcome_of(&wanted, first, old);
    free_wanted(&wanted);
    return answer;
}

static PyObject *
parcel_results(PyObject *object, PyObject *Py_UNUSED(none))
{
    Parcel *self = (Parcel *)object;
    if (!is_free(self, false))
        return NULL;
    struct strand *strands = malloc((self->count + 1) * sizeof *strands);
    uint8_t *hashes = malloc((self->count + 1) * SHA256_SIZE);
    enum failure failure = NO_MEMORY;
    if (strands != NULL && hashes != NULL) {
        self->busy = true;
        Py_BEGIN_ALLOW_THREADS
        failure = hash_all(self, strands, hashes);
        Py_END_ALLOW_THREADS
        self->busy = false;
    }
    PyObject *list = raise_failure(failure) == 0 ? results_list(self, hashes) : NULL;
    free(strands);
    free(hashes);
    return list;
}

static PyObject *
parcel_clear(PyObject *object, PyObject *Py_UNUSED(none))
{
    Parcel *self = (Parcel *)object;
    if (!is_free(self, true))
        return NULL;
    self->count = self->used = self->attributes = 0;
    Py_RETURN_NONE;
}

static int
parcel_view(PyObject *object, Py_buffer *view, int flags)
{
    Parcel *self = (Parcel *)object;
    if (!is_free(self, false)) {
        view->obj = NULL;
        return -1;
    }
    int failed = PyBuffer_FillInfo(view, object, self->contents, (Py_ssize_t)self->used, 1, flags);
    self->views += failed == 0;
    return failed;
}

static void
parcel_unview(PyObject *object, Py_buffer *Py_UNUSED(view))
{
    ((Parcel *)object)->views--;
}

/* Up to the first that has no place any more. */
static void
read_all(Parcel *parcel, int folder, struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parcel->count == parcel->most || parcel->attributes >= MOST_ATTRIBUTES ||
            (parcel->used > 0 && wanted[i].size > (long long)(parcel->room - parcel->used)))
            return;
        wanted[i].outcome = read_one(parcel, folder, &wanted[i]);
    }
}

static enum outcome
read_one(Parcel *parcel, int folder, struct wanted *wanted)
{
    int handle = open_quietly(folder, wanted->name.bytes, 0);
    if (handle < 0)
        return OTHERWISE;
    enum outcome outcome = read_open(parcel, handle, wanted);
    close(handle);
    return outcome;
}

/* Only what is whole and was, before and after, what the listing says. */
static enum outcome
read_open(Parcel *parcel, int handle, struct wanted *wanted)
{
    struct stat before, after;
    if (fstat(handle, &before) < 0 || !S_ISREG(before.st_mode) || !is_as_listed(&before, wanted))
        return OTHERWISE;
    size_t size = (size_t)before.st_size;
    if (size > PIECE || size > parcel->room - parcel->used || is_full(handle, before.st_size) != 1)
        return OTHERWISE;
    if (!read_attributes(handle, wanted) ||
        read_range(handle, parcel->contents + parcel->used, size, 0) != (ssize_t)size ||
        fstat(handle, &after) < 0 || !is_as_listed(&after, wanted))
        return OTHERWISE;
    parcel->files[parcel->count++] = (struct file){wanted->index, size};
    parcel->used += size;
    parcel->attributes += size_of(&wanted->xattrs);
    return TAKEN;
}

static bool
read_attributes(int handle, struct wanted *wanted)
{
    return !wanted->is_plain || (read_flags(handle, &wanted->flags) == 0 &&
                                 read_xattrs((struct place){handle, NULL}, &wanted->xattrs) == 0);
}

static size_t
size_of(const struct xattrs *xattrs)
{
    size_t size = 0;
    for (size_t i = 0; i < xattrs->count; i++)
        size += xattrs->items[i].name_length + xattrs->items[i].size;
    return size;
}

static bool
is_as_listed(const struct stat *state, const struct wanted *wanted)
{
    return state->st_size == wanted->size && state->st_ino == wanted->inode &&
           is_same_time(state->st_mtim, wanted->modified) && is_same_time(state->st_ctim, wanted->changed);
}

static enum failure
hash_all(const Parcel *parcel, struct strand *strands, uint8_t *hashes)
{
    const uint8_t *at = (const uint8_t *)parcel->contents;
    for (size_t i = 0; i < parcel->count; i++) {
        strands[i] = (struct strand){at, parcel->files[i].size, hashes + i * SHA256_SIZE};
        at += parcel->files[i].size;
    }
    return hash_contents_at(strands, parcel->count, BEST);
}

static PyObject *
results_list(const Parcel *parcel, const uint8_t *hashes)
{
    PyObject *list = PyList_New((Py_ssize_t)parcel->count);
    for (size_t i = 0; list != NULL && i < parcel->count; i++) {
        PyObject *result =
            tuple_of(3, PyLong_FromLongLong(parcel->files[i].index), PyLong_FromSize_t(parcel->files[i].size),
                     bytes_of((const char *)hashes + i * SHA256_SIZE, SHA256_SIZE));
        if (result == NULL || PyList_SetItem(list, (Py_ssize_t)i, result) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyMethodDef parcel_methods[] = {
    {"read", parcel_read, METH_VARARGS, NULL},
    {"results", parcel_results, METH_NOARGS, NULL},
    {"clear", parcel_clear, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot parcel_slots[] = {
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, parcel_init},
    {Py_tp_dealloc, parcel_dealloc},
    {Py_tp_methods, parcel_methods},
    {Py_bf_getbuffer, parcel_view},
    {Py_bf_releasebuffer, parcel_unview},
    {0, NULL},
};

PyType_Spec parcel_spec = {
    .name = "smc.transfer.native.Parcel",
    .basicsize = sizeof(Parcel),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, /* tests let readings fail */
    .slots = parcel_slots,
};
