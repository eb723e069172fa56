/* The hashes of contents that lie in one buffer, in one go without the interpreter's lock. */
#include "native.h"

#include "sha256.h"

/* 0 when all went well. `sizes` are those of contents that follow one another. */
static int
hash_all(const unsigned char *data, const Py_ssize_t *sizes, Py_ssize_t count, unsigned char *hashes)
{
    struct hashing hashing;
    int failed = begin_hashing(&hashing);
    for (Py_ssize_t i = 0; i < count && !failed; i++) {
        failed = hash_content(&hashing, data, (size_t)sizes[i], hashes + i * SHA256_SIZE);
        data += sizes[i];
    }
    end_hashing(&hashing);
    return failed;
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

/* The sizes as numbers; -1 with an exception when they do not fit into `length` bytes. */
static int
read_sizes(PyObject *list, Py_ssize_t *sizes, Py_ssize_t count, Py_ssize_t length)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyList_GetItem(list, i);
        Py_ssize_t size = item == NULL ? -1 : PyLong_AsSsize_t(item);
        if (size == -1 && PyErr_Occurred())
            return -1;
        if (size < 0 || size > length || size > (Py_ssize_t)PIECE) {
            PyErr_SetString(PyExc_ValueError, "the sizes are not those of the data");
            return -1;
        }
        sizes[i] = size;
        length -= size;
    }
    return 0;
}

static PyObject *
hash_contents(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *list, *answer = NULL;
    Py_buffer data;
    if (!PyArg_ParseTuple(arguments, "y*O:hash_contents", &data, &list))
        return NULL;
    Py_ssize_t count = PyList_Check(list) ? PyList_Size(list) : -1;
    if (count < 0) {
        PyBuffer_Release(&data);
        return PyErr_Format(PyExc_TypeError, "sizes must be a list");
    }
    Py_ssize_t *sizes = PyMem_Malloc((size_t)(count + 1) * sizeof *sizes);
    unsigned char *hashes = PyMem_Malloc((size_t)(count + 1) * SHA256_SIZE);
    if (sizes == NULL || hashes == NULL) {
        PyErr_NoMemory();
    } else if (read_sizes(list, sizes, count, data.len) == 0) {
        int failed;
        Py_BEGIN_ALLOW_THREADS
        failed = hash_all(data.buf, sizes, count, hashes);
        Py_END_ALLOW_THREADS
        if (failed)
            PyErr_SetString(PyExc_RuntimeError, "OpenSSL has no SHA-256");
        else
            answer = as_list(hashes, count);
    }
    PyMem_Free(sizes);
    PyMem_Free(hashes);
    PyBuffer_Release(&data);
    return answer;
}

static PyObject *
hash_piece(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    unsigned char hash[SHA256_SIZE];
    Py_buffer data;
    int failed = 0;
    if (!PyArg_ParseTuple(arguments, "y*:hash_piece", &data))
        return NULL;
    int fits = data.len <= (Py_ssize_t)PIECE;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        failed = hash_all(data.buf, &data.len, 1, hash);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&data);
    if (!fits)
        return PyErr_Format(PyExc_ValueError, "a piece is at most 1 MiB");
    if (failed)
        return PyErr_Format(PyExc_RuntimeError, "OpenSSL has no SHA-256");
    return PyBytes_FromStringAndSize((const char *)hash, SHA256_SIZE);
}

PyMethodDef hash_methods[] = {
    {"hash_contents", hash_contents, METH_VARARGS, "The hashes of contents that follow one another."},
    {"hash_piece", hash_piece, METH_VARARGS, "The hash of one content."},
    {NULL, NULL, 0, NULL},
};
