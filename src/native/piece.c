/* One block of an open file without its holes, and the way over large ones. */
#include "native.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "extents.h"
#include "values.h"

#define LARGEST (1LL << 30) /* bytes of a block: they are held in memory */
#define SEVERAL 16          /* extents there is room for at first */

struct extent {
    off_t offset, length; /* in the block */
};

struct piece {
    char *data;
    off_t offset, length; /* of what the file has there */
    off_t first;          /* data in it */
    struct extent *extents;
    size_t count, room;
};

static PyObject *read_piece(PyObject *module, PyObject *arguments, PyObject *keywords);
static PyObject *next_data_of(PyObject *module, PyObject *arguments, PyObject *keywords);
static int find_data(int handle, struct piece *piece);
static int read_extents(int handle, struct piece *piece);
static int read_extent(int handle, struct piece *piece, off_t start, off_t end);
static PyObject *extents_tuple(const struct piece *piece);

PyMethodDef piece_methods[] = {
    {"read_piece", (PyCFunction)(void (*)(void))read_piece, METH_VARARGS | METH_KEYWORDS, "A block and its extents."},
    {"next_data", (PyCFunction)(void (*)(void))next_data_of, METH_VARARGS | METH_KEYWORDS, "Where data goes on."},
    {NULL, NULL, 0, NULL},
};

static PyObject *
read_piece(PyObject *Py_UNUSED(module), PyObject *arguments, PyObject *keywords)
{
    static char *words[] = {"fd", "offset", "length", NULL};
    struct piece piece = {0};
    long long offset, length;
    int handle, error;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O&O&O&:read_piece", words, to_handle, &handle, to_size,
                                     &offset, to_size, &length))
        return NULL;
    if (length > LARGEST || offset > INT64_MAX - length) {
        PyErr_SetString(PyExc_ValueError, "a piece is at most 1 GiB");
        return NULL;
    }
    piece.offset = offset;
    piece.length = length;
    Py_BEGIN_ALLOW_THREADS
    error = find_data(handle, &piece);
    Py_END_ALLOW_THREADS
    if (error != 0)
        return raise_errno(error, NULL, 0);
    length = piece.length;
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length), *extents = NULL;
    if (data == NULL)
        return NULL;
    piece.data = PyBytes_AsString(data);
    Py_BEGIN_ALLOW_THREADS
    error = read_extents(handle, &piece);
    Py_END_ALLOW_THREADS
    if (error != 0)
        raise_errno(error, NULL, 0);
    else
        extents = extents_tuple(&piece);
    if (piece.length < length) { /* seldom: the file became shorter meanwhile */
        PyObject *shorter = bytes_of(piece.data, (size_t)piece.length);
        Py_DECREF(data);
        data = shorter;
    }
    free(piece.extents);
    return tuple_of(2, data, extents);
}

static PyObject *
next_data_of(PyObject *Py_UNUSED(module), PyObject *arguments, PyObject *keywords)
{
    static char *words[] = {"fd", "offset", NULL};
    long long offset;
    off_t data;
    int handle;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O&O&:next_data", words, to_handle, &handle, to_size,
                                     &offset))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    data = next_data(handle, offset);
    Py_END_ALLOW_THREADS
    return data < NO_DATA ? raise_errno((int)(-data - 1), NULL, 0) : PyLong_FromLongLong(data);
}

/* How much the file has there (0 when all of that is a hole), and the first data of it. */
static int
find_data(int handle, struct piece *piece)
{
    struct stat state;
    if (fstat(handle, &state) < 0)
        return errno;
    off_t end = piece->offset + piece->length;
    if (S_ISREG(state.st_mode) && end > state.st_size)
        end = state.st_size;
    piece->first = end > piece->offset ? next_data(handle, piece->offset) : NO_DATA;
    if (piece->first < NO_DATA)
        return (int)(-piece->first - 1);
    piece->length = piece->first == NO_DATA || piece->first >= end ? 0 : end - piece->offset;
    return 0;
}

static int
read_extents(int handle, struct piece *piece)
{
    off_t end = piece->offset + piece->length, filled = piece->offset, start = piece->first;
    while (filled < end && start != NO_DATA && start < end) {
        off_t hole = next_hole(handle, start, end);
        if (hole < 0)
            return (int)-hole;
        memset(piece->data + (filled - piece->offset), 0, (size_t)(start - filled));
        int error = read_extent(handle, piece, start, hole);
        if (error != 0 || piece->offset + piece->length < end)
            return error;
        filled = hole;
        start = filled < end ? next_data(handle, filled) : end;
        if (start < NO_DATA)
            return (int)(-start - 1);
    }
    memset(piece->data + (filled - piece->offset), 0, (size_t)(end - filled));
    return 0;
}

/* Shortens the piece when the file has become shorter. */
static int
read_extent(int handle, struct piece *piece, off_t start, off_t end)
{
    ssize_t got = read_range(handle, piece->data + (start - piece->offset), (size_t)(end - start), start);
    if (got < 0)
        return (int)-got;
    if (got < end - start)
        piece->length = start + got - piece->offset;
    if (got == 0)
        return 0;
    if (piece->count == piece->room) {
        size_t larger = piece->room == 0 ? SEVERAL : piece->room * 2;
        struct extent *moved = realloc(piece->extents, larger * sizeof *moved);
        if (moved == NULL)
            return ENOMEM;
        piece->extents = moved;
        piece->room = larger;
    }
    piece->extents[piece->count++] = (struct extent){start - piece->offset, got};
    return 0;
}

/* None when there is no hole. */
static PyObject *
extents_tuple(const struct piece *piece)
{
    const struct extent *extents = piece->extents;
    if (piece->count == 1 && extents[0].offset == 0 && extents[0].length == piece->length)
        return PyTuple_New(0);
    PyObject *tuple = PyTuple_New((Py_ssize_t)piece->count);
    for (size_t i = 0; tuple != NULL && i < piece->count; i++) {
        PyObject *pair = tuple_of(2, PyLong_FromLongLong(extents[i].offset), PyLong_FromLongLong(extents[i].length));
        if (put(tuple, (Py_ssize_t)i, pair) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}
