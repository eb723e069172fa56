/* Python values made of the kernel's, and the kernel's of Python's. */
#include "values.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>

#include "entry.h"

static PyObject *ns_far_away(struct timespec at);
static int parse_ns_far_away(PyObject *value, struct timespec *at);

int
put(PyObject *tuple, Py_ssize_t at, PyObject *value)
{
    if (value == NULL)
        return -1;
    return PyTuple_SetItem(tuple, at, value);
}

PyObject *
tuple_of(Py_ssize_t count, ...)
{
    PyObject *tuple = PyTuple_New(count);
    bool failed = tuple == NULL;
    va_list values;
    va_start(values, count);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *value = va_arg(values, PyObject *);
        if (failed)
            Py_XDECREF(value);
        else
            failed = put(tuple, i, value) < 0;
    }
    va_end(values);
    if (failed)
        Py_CLEAR(tuple);
    return tuple;
}

PyObject *
bytes_of(const char *bytes, size_t length)
{
    return PyBytes_FromStringAndSize(bytes, (Py_ssize_t)length);
}

PyObject *
ns_of(struct timespec at)
{
    long long seconds = at.tv_sec;
    if (seconds > LLONG_MAX / SECOND_NS - 1 || seconds < LLONG_MIN / SECOND_NS + 1)
        return ns_far_away(at);
    return PyLong_FromLongLong(seconds * SECOND_NS + at.tv_nsec);
}

/* After 2262: some filesystems keep such times, and `touch` makes them. */
static PyObject *
ns_far_away(struct timespec at)
{
    PyObject *ns = NULL, *whole = NULL;
    PyObject *seconds = PyLong_FromLongLong(at.tv_sec);
    PyObject *second = PyLong_FromLongLong(SECOND_NS);
    PyObject *rest = PyLong_FromLong(at.tv_nsec);
    if (seconds != NULL && second != NULL && rest != NULL)
        whole = PyNumber_Multiply(seconds, second);
    if (whole != NULL)
        ns = PyNumber_Add(whole, rest);
    Py_XDECREF(whole);
    Py_XDECREF(rest);
    Py_XDECREF(second);
    Py_XDECREF(seconds);
    return ns;
}

int
parse_ns(PyObject *value, struct timespec *at)
{
    if (!PyLong_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a time must be an int of nanoseconds");
        return -1;
    }
    int overflow;
    long long ns = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow)
        return parse_ns_far_away(value, at);
    if (ns == -1 && PyErr_Occurred())
        return -1;
    long long seconds = ns / SECOND_NS, rest = ns % SECOND_NS;
    at->tv_sec = (time_t)(rest < 0 ? seconds - 1 : seconds);
    at->tv_nsec = (long)(rest < 0 ? rest + SECOND_NS : rest);
    return 0;
}

static int
parse_ns_far_away(PyObject *value, struct timespec *at)
{
    int done = -1;
    PyObject *second = PyLong_FromLongLong(SECOND_NS);
    PyObject *parts = second == NULL ? NULL : PyNumber_Divmod(value, second);
    if (parts != NULL) {
        int overflow;
        long long seconds = PyLong_AsLongLongAndOverflow(PyTuple_GetItem(parts, 0), &overflow);
        long rest = PyLong_AsLong(PyTuple_GetItem(parts, 1));
        if (overflow || (long long)(time_t)seconds != seconds) {
            PyErr_SetString(PyExc_ValueError, "a time is too far away");
        } else if (!PyErr_Occurred()) {
            at->tv_sec = (time_t)seconds;
            at->tv_nsec = rest;
            done = 0;
        }
    }
    Py_XDECREF(parts);
    Py_XDECREF(second);
    return done;
}

int
parse_number(PyObject *value, const char *what, long long least, long long most, long long *number)
{
    if (!PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be an int", what);
        return -1;
    }
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow && *number == -1 && PyErr_Occurred())
        return -1;
    if (overflow || *number < least || *number > most) {
        PyErr_Format(PyExc_ValueError, "%s is out of range", what);
        return -1;
    }
    return 0;
}

int
to_handle(PyObject *value, void *handle)
{
    long long number;
    if (parse_number(value, "a handle", 0, INT_MAX, &number) < 0)
        return 0;
    *(int *)handle = (int)number;
    return 1;
}

int
to_size(PyObject *value, void *size)
{
    return parse_number(value, "a size or offset", 0, LLONG_MAX, (long long *)size) == 0;
}

PyObject *
xattrs_tuple(const struct xattrs *xattrs)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)xattrs->count);
    for (size_t i = 0; tuple != NULL && i < xattrs->count; i++) {
        const struct xattr *one = &xattrs->items[i];
        PyObject *pair = tuple_of(2, bytes_of(one->name, one->name_length), bytes_of(one->value, one->size));
        if (put(tuple, (Py_ssize_t)i, pair) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

PyObject *
raise_errno(int error, const char *name, size_t length)
{
    if (error == ENOMEM)
        return PyErr_NoMemory();
    PyObject *file = NULL;
    if (name != NULL && (file = bytes_of(name, length)) == NULL)
        return NULL;
    errno = error;
    PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, file);
    Py_XDECREF(file);
    return NULL;
}
