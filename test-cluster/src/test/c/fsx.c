/*
 * One file, random operations, a copy of it in memory: fsx FILE SEED OPERATIONS. After each reading operation, and at the end,
 * the bytes must be those of the copy. On a difference the last operations are printed. The idea is Apple's and Linux's fsx;
 * this one is written for a filesystem with 2 MiB tiles: lengths and offsets gather around tile and page borders.
 */
#include "check.h"
#include <linux/falloc.h>
#include <sys/mman.h>

#define TILE (2L * 1024 * 1024)
#define LIMIT (3 * TILE + 12345)
#define HISTORY 40

static char model[LIMIT], buffer[LIMIT], *aligned;
static long size, step;
static int fd, direct;
static const char *file;
static uint64_t state;
static char history[HISTORY][120];

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static long below(long n) { return n <= 0 ? 0 : (long)(next_random() % (uint64_t)n); }

static void note(const char *what, long at, long length)
{
	snprintf(history[step % HISTORY], sizeof history[0], "%ld: %s at %ld (%#lx), length %ld (%#lx), size %ld", step, what, at,
		 at, length, length, size);
}

static void give_up(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	printf("FAIL fsx: ");
	vprintf(format, args);
	printf("\nlast operations:\n");
	for (long i = step < HISTORY ? 0 : step - HISTORY + 1; i <= step; i++)
		printf("  %s\n", history[i % HISTORY]);
	fflush(stdout);
	_exit(1);
}

#define DO(call) \
	({ \
		long do_result = (long)(call); \
		if (do_result == -1) \
			give_up("%s: %s", #call, strerror(errno)); \
		do_result; \
	})

/* An offset: anywhere, or near a border of a page or tile. */
static long place(long limit)
{
	long at = below(limit);
	switch (below(4)) {
	case 0:
		at = at / TILE * TILE + below(9) - 4;
		break;
	case 1:
		at = at / 4096 * 4096 + below(9) - 4;
		break;
	case 2:
		at = below(20000);
		break;
	}
	return at < 0 ? 0 : at >= limit ? limit - 1 : at;
}

static long length_from(long at, long limit)
{
	long n = below(6) == 0 ? below(TILE + 5000) : below(6) == 0 ? 4096 * (1 + below(8)) : 1 + below(20000);
	return at + n > limit ? limit - at : n < 1 ? 1 : n;
}

static void compare(const char *what, const char *got, long at, long n)
{
	if (!memcmp(got, model + at, n))
		return;
	long first = 0, last = n - 1, wrong = 0;
	while (got[first] == model[at + first])
		first++;
	while (got[last] == model[at + last])
		last--;
	for (long i = first; i <= last; i++)
		wrong += got[i] != model[at + i];
	give_up("%s: %ld wrong bytes between %ld (%#lx) and %ld (%#lx); first is %#x, expected %#x", what, wrong, at + first,
		at + first, at + last, at + last, (unsigned char)got[first], (unsigned char)model[at + first]);
}

static void check_size(void)
{
	struct stat st;
	DO(fstat(fd, &st));
	if (st.st_size != size)
		give_up("fstat says %ld bytes, expected %ld", (long)st.st_size, size);
}

static void fill(long n)
{
	char c = (char)(1 + step % 250);
	for (long i = 0; i < n; i++)
		buffer[i] = (char)(c + (i >> 9));
}

static void grow_to(long end)
{
	if (end > size)
		size = end;
}

static void do_read(void)
{
	long at = place(size + 1000 > LIMIT ? LIMIT : size + 1000), n = length_from(at, LIMIT);
	if (direct) {
		at = at / 4096 * 4096;
		n = (n + 4095) / 4096 * 4096;
	}
	note(direct ? "direct read" : "read", at, n);
	long expected = at >= size ? 0 : at + n > size ? size - at : n, got = DO(pread(fd, aligned, n, at));
	if (got != expected)
		give_up("read gave %ld bytes, expected %ld", got, expected);
	if (got)
		compare("read", aligned, at, got);
}

static void do_write(void)
{
	long at = place(LIMIT), n = length_from(at, LIMIT);
	if (direct) {
		at = at / 4096 * 4096;
		n = n / 4096 * 4096;
		if (n == 0)
			return;
	}
	note(direct ? "direct write" : "write", at, n);
	fill(n);
	memcpy(aligned, buffer, n);
	long got = DO(pwrite(fd, aligned, n, at));
	if (got != n)
		give_up("write took %ld of %ld bytes", got, n);
	memcpy(model + at, buffer, n);
	grow_to(at + n);
}

static void do_map(int writing)
{
	if (size == 0)
		return;
	long at = place(size), n = length_from(at, size), skip = at % 4096;
	note(writing ? "mapped write" : "mapped read", at, n);
	char *map = mmap(NULL, n + skip, PROT_READ | (writing ? PROT_WRITE : 0), MAP_SHARED, fd, at - skip);
	if (map == MAP_FAILED)
		give_up("mmap: %s", strerror(errno));
	if (writing) {
		fill(n);
		memcpy(map + skip, buffer, n);
		memcpy(model + at, buffer, n);
		if (below(2))
			DO(msync(map, n + skip, MS_SYNC));
	} else {
		compare("mapping", map + skip, at, n);
		long end = at + n, rest = (4096 - end % 4096) % 4096;
		for (long i = 0; end == size && i < rest; i++)
			if (map[skip + n + i])
				give_up("byte %ld after the end of the file is %#x in the mapping", i, map[skip + n + i]);
	}
	DO(munmap(map, n + skip));
}

static void do_truncate(void)
{
	long to = below(8) == 0 ? 0 : place(LIMIT);
	note("truncate", to, 0);
	DO(below(2) ? ftruncate(fd, to) : truncate(file, to));
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

static void do_allocate(void)
{
	static const struct {
		int mode;
		const char *name;
	} kinds[] = {{0, "fallocate"},
		     {FALLOC_FL_KEEP_SIZE, "fallocate keep size"},
		     {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "punch hole"},
		     {FALLOC_FL_ZERO_RANGE, "zero range"},
		     {FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, "zero range keep size"}};
	int kind = (int)below(5), mode = kinds[kind].mode;
	long at = place(LIMIT), n = length_from(at, LIMIT), end = at + n;
	note(kinds[kind].name, at, n);
	DO(fallocate(fd, mode, at, n));
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		memset(model + at, 0, n);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		grow_to(end);
}

static void do_copy(void)
{
	if (size == 0 || direct) /* Linux copies between O_DIRECT files by aligned reads, where it must */
		return;
	long from = place(size), n = length_from(from, size), to = place(LIMIT);
	if (to + n > LIMIT)
		n = LIMIT - to;
	if (to < from + n && from < to + n)
		return;
	note("copy range from", from, n);
	off_t a = from, b = to;
	while (a < from + n) {
		long got = DO(copy_file_range(fd, &a, fd, &b, from + n - a, 0));
		if (got == 0)
			give_up("copy_file_range to %ld stopped", to);
	}
	memcpy(model + to, model + from, n);
	grow_to(to + n);
}

static void reopen(void)
{
	DO(close(fd));
	direct = below(5) == 0;
	note(direct ? "open direct" : "open", 0, 0);
	fd = (int)DO(open(file, O_RDWR | (direct ? O_DIRECT : 0)));
}

static void do_seek(void)
{
	if (size == 0)
		return;
	long at = place(size);
	note("seek data", at, 0);
	long data = lseek(fd, at, SEEK_DATA), end = data == -1 ? size : data;
	if (data == -1 && errno != ENXIO)
		give_up("SEEK_DATA: %s", strerror(errno));
	for (long i = at; i < end; i++)
		if (model[i])
			give_up("SEEK_DATA from %ld says %ld, but byte %ld is written", at, data, i);
	long hole = DO(lseek(fd, at, SEEK_HOLE));
	if (hole < at || hole > size)
		give_up("SEEK_HOLE from %ld says %ld, size %ld", at, hole, size);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: fsx FILE SEED OPERATIONS\n");
		return 2;
	}
	file = argv[1];
	state = 0x9e3779b97f4a7c15ULL * (strtoull(argv[2], NULL, 10) + 1);
	if (posix_memalign((void **)&aligned, 4096, LIMIT + 8192))
		return 2;
	fd = (int)DO(open(file, O_CREAT | O_TRUNC | O_RDWR, 0644));
	long operations = atol(argv[3]);
	for (step = 0; step < operations; step++) {
		note("nothing", 0, 0);
		switch (below(16)) {
		case 0: case 1: case 2:
			do_read();
			break;
		case 3: case 4: case 5: case 6:
			do_write();
			break;
		case 7:
			do_map(0);
			break;
		case 8: case 9:
			do_map(1);
			break;
		case 10:
			do_truncate();
			break;
		case 11:
			do_allocate();
			break;
		case 12:
			do_copy();
			break;
		case 13:
			reopen();
			break;
		case 14:
			do_seek();
			break;
		default:
			note("sync and drop", 0, 0);
			DO(below(2) ? fsync(fd) : fdatasync(fd));
			DO(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		}
		check_size();
	}
	note("final read", 0, size);
	direct = 0;
	reopen();
	DO(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	if (DO(pread(fd, aligned, LIMIT, 0)) != size)
		give_up("the last read is short");
	compare("last read", aligned, 0, size);
	close(fd);
	printf("ok fsx seed %s, %ld operations\n", argv[2], operations);
	return 0;
}
