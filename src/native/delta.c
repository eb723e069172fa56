/* The Python face of signatures and of finding the blocks of an older content in a newer one. */
#include "native.h"

#include "blocks.h"
#include "matching.h"

#include <errno.h>

#define MOST_SIGNED ((long long)1 << 32)

typedef struct {
    PyObject_HEAD
    struct matching matching;
    PyObject *root; /* of a fork: whose tables it uses; NULL: it has its own */
    int ready;
    int busy; /* in `match` without the interpreter's lock */
} Matcher;

static PyObject *list_copies(const struct copy *copies, size_t count);

static PyObject *
signature(PyObject *module, PyObject *args)
{
    (void)module;
    int fd;
    long long offset, length, block;
    unsigned long long seed;
    if (!PyArg_ParseTuple(args, "iLLLK:signature", &fd, &offset, &length, &block, &seed))
        return NULL;
    if (offset < 0 || length < 0 || length > MOST_SIGNED || offset > INT64_MAX - MOST_SIGNED || block < LEAST_BLOCK ||
        block > MOST_BLOCK) {
        PyErr_SetString(PyExc_ValueError, "no such part, or no such block size");
        return NULL;
    }
    Py_ssize_t count = (Py_ssize_t)((length + block - 1) / block);
    PyObject *answer = PyBytes_FromStringAndSize(NULL, count * RECORD);
    if (answer == NULL)
        return NULL;
    uint8_t *records = (uint8_t *)PyBytes_AsString(answer);
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = sign_blocks(fd, (uint64_t)offset, (uint64_t)length, (size_t)block, seed, records);
    Py_END_ALLOW_THREADS
    if (error == 0)
        return answer;
    Py_DECREF(answer);
    errno = error;
    return error == ENOMEM ? PyErr_NoMemory() : PyErr_SetFromErrno(PyExc_OSError);
}

static int
matcher_init(PyObject *object, PyObject *args, PyObject *keywords)
{
    Matcher *self = (Matcher *)object;
    Py_buffer records;
    long long size, block;
    unsigned long long seed;
    if (keywords != NULL && PyDict_Size(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "Matcher() takes no keyword arguments");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "y*LLK:Matcher", &records, &size, &block, &seed))
        return -1;
    int error = EINVAL;
    if (size >= 0 && block >= 0 && !self->ready) {
        free_matching(&self->matching);
        error = begin_matching(&self->matching, records.buf, (size_t)records.len, (uint64_t)size, (uint64_t)block,
                               seed);
    }
    PyBuffer_Release(&records);
    if (error == ENOMEM)
        PyErr_NoMemory();
    else if (error != 0)
        PyErr_SetString(PyExc_ValueError, "not a signature of a content of that size");
    self->ready = self->ready || error == 0;
    return error == 0 ? 0 : -1;
}

static void
matcher_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Matcher *self = (Matcher *)object;
    if (self->root == NULL)
        free_matching(&self->matching);
    Py_XDECREF(self->root);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyObject *
matcher_match(PyObject *object, PyObject *args)
{
    Matcher *self = (Matcher *)object;
    Py_buffer data;
    Py_ssize_t piece;
    if (!PyArg_ParseTuple(args, "y*n:match", &data, &piece))
        return NULL;
    PyObject *answer = NULL;
    struct copy *copies = NULL;
    if (!self->ready || self->busy || piece < 0 || piece > data.len)
        PyErr_SetString(PyExc_ValueError, "no such piece, or another one is being matched");
    else if ((copies = PyMem_Malloc(most_copies(&self->matching, (size_t)piece) * sizeof *copies)) == NULL)
        PyErr_NoMemory();
    else {
        size_t count;
        self->busy = 1;
        Py_BEGIN_ALLOW_THREADS
        count = match(&self->matching, data.buf, (size_t)piece, (size_t)data.len, copies);
        Py_END_ALLOW_THREADS
        self->busy = 0;
        answer = list_copies(copies, count);
    }
    PyBuffer_Release(&data);
    PyMem_Free(copies);
    return answer;
}

static PyObject *
matcher_carried(PyObject *object, PyObject *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Matcher *)object)->matching.carried);
}

/* The tables do not change once they are made, so several may use them at once. */
static PyObject *
matcher_fork(PyObject *object, PyObject *unused)
{
    (void)unused;
    Matcher *self = (Matcher *)object;
    if (!self->ready || self->busy)
        return PyErr_Format(PyExc_ValueError, "no signature, or a piece is being matched");
    allocfunc allocate = (allocfunc)PyType_GetSlot(Py_TYPE(object), Py_tp_alloc);
    Matcher *fork = (Matcher *)allocate(Py_TYPE(object), 0);
    if (fork == NULL)
        return NULL;
    fork->matching = self->matching;
    fork->root = Py_NewRef(self->root != NULL ? self->root : object);
    fork->ready = 1;
    return (PyObject *)fork;
}

static PyObject *
matcher_seek(PyObject *object, PyObject *args)
{
    Matcher *self = (Matcher *)object;
    long long position;
    if (!PyArg_ParseTuple(args, "L:seek", &position))
        return NULL;
    if (position < 0 || self->busy) {
        PyErr_SetString(PyExc_ValueError, "no such position, or a piece is being matched");
        return NULL;
    }
    seek_matching(&self->matching, (uint64_t)position);
    Py_RETURN_NONE;
}

static PyObject *
list_copies(const struct copy *copies, size_t count)
{
    PyObject *answer = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; answer != NULL && i < count; i++) {
        PyObject *one = Py_BuildValue("(KKK)", (unsigned long long)copies[i].start,
                                      (unsigned long long)copies[i].length, (unsigned long long)copies[i].from);
        if (one == NULL || PyList_SetItem(answer, (Py_ssize_t)i, one) < 0)
            Py_CLEAR(answer);
    }
    return answer;
}

static PyMethodDef matcher_methods[] = {
    {"match", matcher_match, METH_VARARGS, NULL},
    {"carried", matcher_carried, METH_NOARGS, NULL},
    {"seek", matcher_seek, METH_VARARGS, NULL},
    {"fork", matcher_fork, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot matcher_slots[] = {
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, matcher_init},
    {Py_tp_dealloc, matcher_dealloc},
    {Py_tp_methods, matcher_methods},
    {0, NULL},
};

PyType_Spec matcher_spec = {
    .name = "smc.transfer.native.Matcher",
    .basicsize = sizeof(Matcher),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = matcher_slots,
};

PyMethodDef delta_methods[] = {
    {"signature", signature, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
