/* Small files that came in one frame: whether they are what was asked for, and what they were said to be. */
#include "native.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "hash.h"
#include "sha256.h"

/* Of how a file was sent (smc.wire.messages.Sent). */
static struct field index_field = FIELD("index"), size_field = FIELD("size"), hash_field = FIELD("hash"),
                    settled_field = FIELD("settled"), entry_field = FIELD("entry");

static PyObject *match_sent(PyObject *module, PyObject *arguments);
static PyObject *check_contents(PyObject *module, PyObject *arguments);
static int matches(PyObject *sent, PyObject *items, PyObject **item);
static int is_as_listed(PyObject *sent, PyObject *entry);
static int is_field(PyObject *object, struct field *field, PyObject *value);
static int add_content(PyObject *sent, struct strand *content, uint8_t *hash, const uint8_t **at, size_t *left);
static Py_ssize_t first_wrong(PyObject *files, const uint8_t *hashes);

PyMethodDef arrived_methods[] = {
    {"match_sent", match_sent, METH_VARARGS, "The items that were sent, if all are as they were listed."},
    {"check_contents", check_contents, METH_VARARGS, "The first whose content is not what its hash says."},
    {NULL, NULL, 0, NULL},
};

static PyObject *
match_sent(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *items, *files;
    if (!PyArg_ParseTuple(arguments, "O!O!:match_sent", &PyDict_Type, &items, &PyTuple_Type, &files))
        return NULL;
    PyObject *found = PyList_New(PyTuple_Size(files));
    for (Py_ssize_t i = 0; found != NULL && i < PyTuple_Size(files); i++) {
        PyObject *item;
        int fits = matches(PyTuple_GetItem(files, i), items, &item);
        if (fits <= 0) {
            Py_DECREF(found);
            return fits < 0 ? NULL : Py_NewRef(Py_None);
        }
        if (PyList_SetItem(found, i, Py_NewRef(item)) < 0)
            Py_CLEAR(found);
    }
    return found;
}

/* 1 with a borrowed item, 0, or -1 with an exception. */
static int
matches(PyObject *sent, PyObject *items, PyObject **item)
{
    PyObject *index = field_of(sent, &index_field);
    if (index == NULL)
        return -1;
    *item = PyDict_GetItemWithError(items, index);
    Py_DECREF(index);
    if (*item == NULL)
        return PyErr_Occurred() ? -1 : 0;
    if (!PyTuple_Check(*item) || PyTuple_Size(*item) != 3) {
        PyErr_SetString(PyExc_TypeError, "an item must be a tuple of 3");
        return -1;
    }
    return is_as_listed(sent, PyTuple_GetItem(*item, 2));
}

static int
is_as_listed(PyObject *sent, PyObject *entry)
{
    static struct field listed_size = FIELD("size");
    int plain = is_field(sent, &entry_field, Py_None);
    if (plain == 1)
        plain = is_field(sent, &settled_field, Py_True);
    if (plain != 1)
        return plain;
    PyObject *said = field_of(sent, &size_field), *listed = field_of(entry, &listed_size);
    int same = said == NULL || listed == NULL ? -1 : PyObject_RichCompareBool(said, listed, Py_EQ);
    Py_XDECREF(said);
    Py_XDECREF(listed);
    return same;
}

static int
is_field(PyObject *object, struct field *field, PyObject *value)
{
    PyObject *found = field_of(object, field);
    int same = found == NULL ? -1 : found == value;
    Py_XDECREF(found);
    return same;
}

static PyObject *
check_contents(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *files, *answer = NULL;
    Py_buffer data;
    if (!PyArg_ParseTuple(arguments, "y*O!:check_contents", &data, &PyTuple_Type, &files))
        return NULL;
    Py_ssize_t count = PyTuple_Size(files), i = 0;
    struct strand *contents = malloc((size_t)(count + 1) * sizeof *contents);
    uint8_t *hashes = malloc((size_t)(count + 1) * SHA256_SIZE);
    const uint8_t *at = data.buf;
    size_t left = (size_t)data.len;
    enum failure failure = NO_MEMORY;
    if (contents != NULL && hashes != NULL) {
        while (i < count &&
               add_content(PyTuple_GetItem(files, i), &contents[i], hashes + i * SHA256_SIZE, &at, &left) == 0)
            i++;
        if (i == count && left > 0)
            PyErr_SetString(PyExc_ValueError, "the sizes are not those of the data");
        failure = NO_FAILURE;
    }
    if (failure == NO_FAILURE && !PyErr_Occurred()) {
        Py_BEGIN_ALLOW_THREADS
        failure = hash_contents_at(contents, (size_t)count, BEST);
        Py_END_ALLOW_THREADS
        Py_ssize_t wrong = failure == NO_FAILURE ? first_wrong(files, hashes) : 0;
        answer = failure == NO_FAILURE && !PyErr_Occurred() ? PyLong_FromSsize_t(wrong) : NULL;
    }
    raise_failure(failure);
    free(contents);
    free(hashes);
    PyBuffer_Release(&data);
    return answer;
}

/* The next of the contents that follow one another; -1 with an exception when it does not fit. */
static int
add_content(PyObject *sent, struct strand *content, uint8_t *hash, const uint8_t **at, size_t *left)
{
    PyObject *said = field_of(sent, &size_field);
    Py_ssize_t size = said == NULL ? -1 : PyLong_AsSsize_t(said);
    Py_XDECREF(said);
    if (PyErr_Occurred())
        return -1;
    if (size < 0 || (size_t)size > *left || (size_t)size > PIECE) {
        PyErr_SetString(PyExc_ValueError, "the sizes are not those of the data");
        return -1;
    }
    *content = (struct strand){*at, (size_t)size, hash};
    *at += size;
    *left -= (size_t)size;
    return 0;
}

/* -1 when all are right, or with an exception. */
static Py_ssize_t
first_wrong(PyObject *files, const uint8_t *hashes)
{
    for (Py_ssize_t i = 0; i < PyTuple_Size(files); i++) {
        PyObject *said = field_of(PyTuple_GetItem(files, i), &hash_field);
        if (said == NULL)
            return -1;
        bool right = PyBytes_Check(said) && PyBytes_Size(said) == SHA256_SIZE &&
                     memcmp(PyBytes_AsString(said), hashes + i * SHA256_SIZE, SHA256_SIZE) == 0;
        Py_DECREF(said);
        if (!right)
            return i;
    }
    return -1;
}
