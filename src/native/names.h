/* Names of entries: those that Python gives, and those that a folder has. */
#ifndef SMC_NATIVE_NAMES_H
#define SMC_NATIVE_NAMES_H

#include "native.h"

#define LONGEST_NAME 255 /* bytes, of a name that is copied: other filesystems than Linux's own have longer ones */

struct name {
    const char *bytes; /* ends with NUL */
    size_t length;
};

/* From Python; `held` keeps the bytes alive. */
struct names {
    PyObject *held;
    size_t count;
    struct name *items;
};

/* A growing list of copies. */
struct copies {
    char *bytes;
    size_t used, room;
    size_t *starts;
    size_t count, slots;
};

/* -1 with TypeError, ValueError (what is not the name of one entry) or MemoryError. */
int parse_names(PyObject *sequence, struct names *names);
int parse_name(PyObject *value, struct name *name);
void free_names(struct names *names);

/* 0, or ENOMEM. */
int add_copy(struct copies *copies, const char *name, size_t length);
void free_copies(struct copies *copies);

/* A list of bytes in byte order; of such, `most` (at least 1) in each with a NUL between them. */
PyObject *sorted_copies(struct copies *copies);
PyObject *sorted_parts(struct copies *copies, size_t most);

/* Bytewise, a shorter name before its continuations: as Python orders bytes. */
int compare_names(const struct name *one, const struct name *other);

/* Call `each` with every name of an open folder but . and .., in no order and wherever its handle stands;
   stops at the first answer that is not 0. Returns that, or the errno of the reading, or 0. */
int each_name(int folder, int (*each)(void *context, const char *name, size_t length), void *context);

#endif
