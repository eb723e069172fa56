/* One entry of a folder: opened without a trace, its inode flags and extended attributes.

   As smc/transfer/files/entry.py does it; nothing here needs the interpreter. */
#ifndef SMC_NATIVE_ENTRY_H
#define SMC_NATIVE_ENTRY_H

#include <stddef.h>

struct xattr {
    const char *name; /* ends with NUL */
    size_t name_length;
    const char *value;
    size_t size;
};

/* In byte order of their names. `list` holds the names; the values belong to each. */
struct xattrs {
    char *list;
    struct xattr *items;
    size_t count;
};

/* An open file or folder, or (handle -1) a path whose last name is not followed. */
struct place {
    int handle;
    const char *path;
};

/* Open for reading without touching the access time, where we may; never blocks, never a link.
   Returns the handle or -errno. */
int open_quietly(int folder, const char *name, int flags);

/* The flags that are kept, none where the filesystem knows none. All return 0 or an errno. */
int read_flags(int handle, unsigned *flags);

/* The attributes that are kept; on an error there is nothing to free. */
int read_xattrs(struct place place, struct xattrs *xattrs);
void free_xattrs(struct xattrs *xattrs);

/* Make the kept attributes of an open file exactly `wanted`. */
int write_xattrs(int handle, const struct xattrs *wanted);

#endif
