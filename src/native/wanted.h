/* Files of one folder as their listing has them, and what became of each when it was read. */
#ifndef SMC_NATIVE_WANTED_H
#define SMC_NATIVE_WANTED_H

#include "native.h"

#include <stdbool.h>
#include <time.h>

#include "entry.h"
#include "names.h"

/* Not read yet; read; not as it was listed, not whole, or not to be read: with all care, by another way. */
enum outcome { WAITING, TAKEN, OTHERWISE };

/* A listing may leave out the flags and attributes of files: where it has none they are read with the content. */
struct wanted {
    struct name name;
    long long index, size;
    unsigned long long inode;
    struct timespec modified, changed;
    bool is_plain; /* the listing has neither flags nor attributes */
    unsigned flags;
    struct xattrs xattrs;
    enum outcome outcome;
};

/* `held` keeps the names alive. */
struct wanted_files {
    PyObject *held;
    struct wanted *files;
    size_t count;
};

/* The items (index, folder, entry) from `first` on that have the same object for a folder; -1 with TypeError,
   ValueError, IndexError or MemoryError. */
int parse_wanted(PyObject *items, Py_ssize_t first, struct wanted_files *wanted);
void free_wanted(struct wanted_files *wanted);

/* The place of the first that waits; places of those to be sent otherwise, and of those taken whose ctime is `old` or
   later; of those taken that have more than was listed (place, flags, attributes). */
PyObject *outcome_of(const struct wanted_files *wanted, Py_ssize_t first, struct timespec old);

bool is_same_time(struct timespec one, struct timespec other);

#endif
