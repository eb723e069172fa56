/* The hashes of contents that lie in one buffer, in one go without the interpreter's lock. */
#include "native.h"

#include "hash.h"
#include "sha256.h"

int
raise_failure(enum failure failure)
{
    switch (failure) {
    case NO_FAILURE:
        return 0;
    case NO_MEMORY:
        PyErr_NoMemory();
        return -1;
    case NO_LANES:
        PyErr_SetString(PyExc_ValueError, "this processor has no such lanes");
        return -1;
    default:
        PyErr_SetString(PyExc_RuntimeError, "OpenSSL has no SHA-256");
        return -1;
    }
}

static PyObject *
as_list(const unsigned char *hashes, Py_ssize_t count)
{
    PyObject *answer = PyList_New(count);
    for (Py_ssize_t i = 0; answer != NULL && i < count; i++) {
        PyObject *one = PyBytes_FromStringAndSize((const char *)hashes + i * SHA256_SIZE, SHA256_SIZE);
        if (one == NULL || PyList_SetItem(answer, i, one) < 0)
            Py_CLEAR(answer);
    }
    return answer;
}

/* The contents that follow one another in `data`; -1 with an exception when they do not fit. */
static int
read_contents(PyObject *sizes, struct strand *contents, Py_ssize_t count, const Py_buffer *data, unsigned char *hashes)
{
    const unsigned char *at = data->buf;
    Py_ssize_t length = data->len;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyList_GetItem(sizes, i);
        Py_ssize_t size = item == NULL ? -1 : PyLong_AsSsize_t(item);
        if (size == -1 && PyErr_Occurred())
            return -1;
        if (size < 0 || size > length || size > (Py_ssize_t)PIECE) {
            PyErr_SetString(PyExc_ValueError, "the sizes are not those of the data");
            return -1;
        }
        contents[i] = (struct strand){at, (size_t)size, hashes + i * SHA256_SIZE};
        at += size;
        length -= size;
    }
    return 0;
}

/* Without the interpreter's lock; -1 with an exception. */
static int
hash_freely(const struct strand *contents, Py_ssize_t count, int lanes)
{
    enum failure failure;
    Py_BEGIN_ALLOW_THREADS
    failure = hash_contents_at(contents, (size_t)count, (enum lanes)lanes);
    Py_END_ALLOW_THREADS
    return raise_failure(failure);
}

static PyObject *
hash_contents(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *sizes, *answer = NULL;
    Py_buffer data;
    int lanes = BEST;
    if (!PyArg_ParseTuple(arguments, "y*O|i:hash_contents", &data, &sizes, &lanes))
        return NULL;
    Py_ssize_t count = PyList_Check(sizes) ? PyList_Size(sizes) : -1;
    if (count < 0) {
        PyBuffer_Release(&data);
        return PyErr_Format(PyExc_TypeError, "sizes must be a list");
    }
    struct strand *contents = PyMem_Malloc((size_t)(count + 1) * sizeof *contents);
    unsigned char *hashes = PyMem_Malloc((size_t)(count + 1) * SHA256_SIZE);
    if (contents == NULL || hashes == NULL)
        PyErr_NoMemory();
    else if (read_contents(sizes, contents, count, &data, hashes) == 0 && hash_freely(contents, count, lanes) == 0)
        answer = as_list(hashes, count);
    PyMem_Free(contents);
    PyMem_Free(hashes);
    PyBuffer_Release(&data);
    return answer;
}

static PyObject *
hash_piece(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    unsigned char hash[SHA256_SIZE];
    Py_buffer data;
    if (!PyArg_ParseTuple(arguments, "y*:hash_piece", &data))
        return NULL;
    const struct strand content = {data.buf, (size_t)data.len, hash};
    int failed = -1;
    if (data.len > (Py_ssize_t)PIECE)
        PyErr_SetString(PyExc_ValueError, "a piece is at most 1 MiB");
    else
        failed = hash_freely(&content, 1, BEST);
    PyBuffer_Release(&data);
    return failed ? NULL : PyBytes_FromStringAndSize((const char *)hash, SHA256_SIZE);
}

PyMethodDef hash_methods[] = {
    {"hash_contents", hash_contents, METH_VARARGS, "The hashes of contents that follow one another."},
    {"hash_piece", hash_piece, METH_VARARGS, "The hash of one content."},
    {NULL, NULL, 0, NULL},
};
