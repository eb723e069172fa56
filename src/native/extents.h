/* Where the data of an open file lies, and reading of it. Nothing here needs the interpreter. */
#ifndef SMC_NATIVE_EXTENTS_H
#define SMC_NATIVE_EXTENTS_H

#include <sys/types.h>

#define NO_DATA (-1) /* of next_data: a hole up to the end of the file */

/* Of the first data from `offset`, NO_DATA or -errno - 1; `offset` where the filesystem cannot tell. */
off_t next_data(int handle, off_t offset);

/* 1 when the first `size` bytes have no hole, 0 when there is one, or -errno. */
int is_full(int handle, off_t size);

/* Of the first hole behind `offset`, where data is, or -errno; `end` at the latest. */
off_t next_hole(int handle, off_t offset, off_t end);

/* All `length` bytes, or up to the end of the file; how many, or -errno. */
ssize_t read_range(int handle, char *into, size_t length, off_t offset);

#endif
