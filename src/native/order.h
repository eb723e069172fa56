/* What write_files is told to make, and how that ended. */
#ifndef SMC_NATIVE_ORDER_H
#define SMC_NATIVE_ORDER_H

#include "native.h"

#include <sys/types.h>
#include <time.h>

#include "entry.h"
#include "names.h"

/* Where a file failed. */
enum step { NOTHING, CREATING, WRITING, OWNING, CHANGING_MODE, ATTRIBUTING, TIMING, RENAMING };

struct order {
    struct name temporary, name;
    size_t offset, size; /* in the data */
    uid_t uid;
    gid_t gid;
    mode_t mode;
    struct timespec modified;
    struct xattrs xattrs; /* points into Python's */
    PyObject *held[2];    /* what it points to: name and attributes, as the entry had them */
    int error;
    enum step step;
};

/* `held` keeps the temporary names alive. */
struct orders {
    PyObject *held;
    size_t count;
    struct order *items;
};

/* Of tuples (temporary name, entry, offset); -1 with TypeError, ValueError (also what lies outside of `available` bytes
   of data), AttributeError or MemoryError. */
int parse_orders(PyObject *files, Py_ssize_t available, struct orders *orders);
void free_orders(struct orders *orders);

/* Of each order (errno, step). */
PyObject *answers_list(const struct orders *orders);

#endif
