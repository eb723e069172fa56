/* Python values made of the kernel's, and the kernel's of Python's. */
#ifndef SMC_NATIVE_VALUES_H
#define SMC_NATIVE_VALUES_H

#include "native.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define SECOND_NS 1000000000LL
#define SECTOR 512 /* st_blocks counts these */

/* Put `value`, whose reference is taken over, at `at` of a new tuple; -1 when there is no value. */
int put(PyObject *tuple, Py_ssize_t at, PyObject *value);

/* A tuple of `count` values whose references are taken over even on failure; NULL when one of them is NULL. */
PyObject *tuple_of(Py_ssize_t count, ...);

PyObject *bytes_of(const char *bytes, size_t length);

/* Nanoseconds since 1970, exact for whatever a filesystem claims. */
PyObject *ns_of(struct timespec at);

/* -1 with TypeError or ValueError (beyond 64 bits of seconds). */
int parse_ns(PyObject *value, struct timespec *at);

/* -1 with TypeError, or ValueError outside of `least` to `most`; `what` names the value in the message. */
int parse_number(PyObject *value, const char *what, long long least, long long most, long long *number);

/* Converters for PyArg_ParseTuple's O&: an open handle; a count of bytes from 0. */
int to_handle(PyObject *value, void *handle);
int to_size(PyObject *value, void *size);

/* Pairs of name and value. */
struct xattrs;
PyObject *xattrs_tuple(const struct xattrs *xattrs);

/* Raise OSError (MemoryError for ENOMEM), with a name when it is not NULL; returns NULL. */
PyObject *raise_errno(int error, const char *name, size_t length);

#endif
