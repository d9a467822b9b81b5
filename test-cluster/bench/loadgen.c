/*
 * The load of ./bench: one measurement of one row in one directory, the same program for every filesystem.
 *
 *   loadgen prepare DIR FILE_MIB FILES ENTRIES   makes what the rows need
 *   loadgen ROW DIR SECONDS                      prints "ROW OPERATIONS SECONDS BYTES"
 *
 * A row runs for about SECONDS (data rows) or over a fixed number of files (metadata rows); only the operations named are
 * timed, not what prepares for them. One thread, so a number is a latency in disguise: 1 / (operations per second).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KIB 1024L
#define MIB (1024L * 1024L)
#define PAGE 4096L

static const char *dir;
static char path_buffer[2][4096];

static void fail(const char *what)
{
	fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t state = 88172645463325252ULL;
static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static const char *in_dir(int slot, const char *format, long number)
{
	int n = snprintf(path_buffer[slot], sizeof path_buffer[slot], "%s/", dir);
	snprintf(path_buffer[slot] + n, sizeof path_buffer[slot] - n, format, number);
	return path_buffer[slot];
}

static char *aligned(long bytes)
{
	void *p;
	if (posix_memalign(&p, 4096, bytes))
		fail("posix_memalign");
	memset(p, 0x5a, bytes);
	return p;
}

static int open_big(int flags)
{
	int fd = open(in_dir(0, "big", 0), flags, 0644);
	if (fd < 0)
		fail("open big");
	return fd;
}

static long size_of(int fd)
{
	struct stat st;
	if (fstat(fd, &st))
		fail("fstat");
	return st.st_size;
}

/* Drops the mount's cached pages of the file: what follows must come from the daemon. */
static void drop_pages(int fd)
{
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		fail("posix_fadvise");
}

static void must_be(long expected, long got, const char *what)
{
	if (expected != got)
		fail(what);
}

static void report(const char *row, long operations, double seconds, long bytes)
{
	printf("%s %ld %.6f %ld\n", row, operations, seconds, bytes);
}

static long count_of(const char *name)
{
	char text[32] = {0};
	int fd = open(in_dir(0, name, 0), O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
		fail(name);
	close(fd);
	return atol(text);
}

static void put_count(const char *name, long count)
{
	FILE *f = fopen(in_dir(0, name, 0), "w");
	if (!f || fprintf(f, "%ld\n", count) < 0 || fclose(f))
		fail(name);
}

static void create_files(long files, const char *format, long bytes, const char *data)
{
	for (long i = 0; i < files; i++) {
		int fd = open(in_dir(0, format, i), O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd < 0)
			fail("create");
		if (bytes)
			must_be(bytes, write(fd, data, bytes), "write");
		close(fd);
	}
}

static void prepare(long file_mib, long files, long entries)
{
	char *data = aligned(MIB);
	int fd = open_big(O_CREAT | O_TRUNC | O_WRONLY);
	for (long i = 0; i < file_mib; i++)
		must_be(MIB, write(fd, data, MIB), "write big");
	close(fd);
	for (long i = 0; i < 3; i++)
		if (mkdir(in_dir(0, i == 0 ? "small" : i == 1 ? "many" : "made", 0), 0755) && errno != EEXIST)
			fail("mkdir");
	create_files(files, "small/f%ld", KIB, data);
	create_files(entries, "many/entry-%ld", 0, data);
	put_count("files", files);
	put_count("entries", entries);
}

/* pread or pwrite of `block` bytes at random or ascending offsets for `seconds`. */
static void data_row(const char *row, int flags, long block, int write_it, int random, double seconds)
{
	int fd = open_big((write_it ? O_WRONLY : O_RDONLY) | flags);
	long blocks = size_of(fd) / block, done = 0;
	char *data = aligned(block);
	drop_pages(fd);
	double began = now(), ended;
	do {
		long batch = block >= MIB ? 8 : 256;
		for (long i = 0; i < batch; i++, done++) {
			long at = (random ? (long)(next_random() % blocks) : done % blocks) * block;
			must_be(block, write_it ? pwrite(fd, data, block, at) : pread(fd, data, block, at), row);
		}
		ended = now();
	} while (ended - began < seconds);
	report(row, done, ended - began, done * block);
	close(fd);
}

/* Buffered reads through the page cache, which is dropped before each pass over the file (not timed). */
static void cold_row(const char *row, double seconds)
{
	int fd = open_big(O_RDONLY);
	long blocks = size_of(fd) / MIB, done = 0;
	char *data = aligned(MIB);
	double spent = 0;
	while (spent < seconds) {
		drop_pages(fd);
		double began = now();
		for (long i = 0; i < blocks; i++, done++)
			must_be(MIB, pread(fd, data, MIB, i * MIB), row);
		spent += now() - began;
	}
	report(row, done, spent, done * MIB);
	close(fd);
}

/* Writes a new file of the big file's size, again and again; creation and removal are not timed. */
static void new_file_row(const char *row, double seconds)
{
	int big = open_big(O_RDONLY);
	long blocks = size_of(big) / MIB, done = 0;
	char *data = aligned(MIB);
	double spent = 0;
	close(big);
	while (spent < seconds) {
		int fd = open(in_dir(0, "fresh", 0), O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd < 0)
			fail("create fresh");
		double began = now();
		for (long i = 0; i < blocks; i++, done++)
			must_be(MIB, pwrite(fd, data, MIB, i * MIB), row);
		spent += now() - began;
		close(fd);
		unlink(in_dir(0, "fresh", 0));
	}
	report(row, done, spent, done * MIB);
}

/* One load per page, pages in random order, no page twice before the cache is dropped; no read-ahead (MADV_RANDOM). */
static void mmap_row(const char *row, double seconds)
{
	int fd = open_big(O_RDONLY);
	long size = size_of(fd), pages = size / PAGE, done = 0;
	uint32_t *order = malloc(pages * sizeof *order);
	volatile char sink;
	double spent = 0;
	for (long i = 0; i < pages; i++)
		order[i] = i;
	for (long i = pages - 1; i > 0; i--) {
		long j = next_random() % (i + 1);
		uint32_t swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	while (spent < seconds) {
		drop_pages(fd);
		char *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		if (map == MAP_FAILED || madvise(map, size, MADV_RANDOM))
			fail("mmap");
		double began = now();
		for (long i = 0; i < pages && spent + now() - began < seconds; ) {
			for (long last = i + 256 < pages ? i + 256 : pages; i < last; i++, done++)
				sink = map[order[i] * PAGE];
		}
		spent += now() - began;
		munmap(map, size);
	}
	(void)sink;
	report(row, done, spent, done * PAGE);
	close(fd);
}

static void shuffled(long *order, long files)
{
	for (long i = 0; i < files; i++)
		order[i] = i;
	for (long i = files - 1; i > 0; i--) {
		long j = next_random() % (i + 1), swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
}

/* create, rename and unlink work on the files of "made"; "stat" and "openread" on those of "small", in random order. */
static void files_row(const char *row)
{
	long files = count_of("files");
	long *order = malloc(files * sizeof *order);
	char *data = aligned(PAGE);
	struct stat st;
	shuffled(order, files);
	double began = now();
	if (!strcmp(row, "create1k")) {
		create_files(files, "made/f%ld", KIB, data);
	} else if (!strcmp(row, "rename")) {
		for (long i = 0; i < files; i++)
			if (rename(in_dir(0, "made/f%ld", i), in_dir(1, "made/renamed-%ld", i)))
				fail(row);
	} else if (!strcmp(row, "unlink")) {
		for (long i = 0; i < files; i++)
			if (unlink(in_dir(0, "made/renamed-%ld", i)))
				fail(row);
	} else if (!strcmp(row, "stat")) {
		for (long i = 0; i < files; i++)
			if (stat(in_dir(0, "small/f%ld", order[i]), &st) || st.st_size != KIB)
				fail(row);
	} else {
		for (long i = 0; i < files; i++) {
			int fd = open(in_dir(0, "small/f%ld", order[i]), O_RDONLY);
			if (fd < 0)
				fail(row);
			must_be(KIB, read(fd, data, PAGE), row);
			close(fd);
		}
	}
	report(row, files, now() - began, 0);
}

static void readdir_row(const char *row)
{
	long entries = count_of("entries"), seen = 0;
	struct dirent *entry;
	double began = now();
	DIR *many = opendir(in_dir(0, "many", 0));
	if (!many)
		fail("opendir");
	while ((entry = readdir(many)))
		seen += entry->d_name[0] != '.';
	closedir(many);
	double spent = now() - began;
	must_be(entries, seen, "readdir: wrong number of entries");
	report(row, entries, spent, 0);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		goto usage;
	const char *row = argv[1];
	dir = argv[2];
	if (!strcmp(row, "prepare") && argc == 6) {
		prepare(atol(argv[3]), atol(argv[4]), atol(argv[5]));
		return 0;
	}
	if (argc != 4)
		goto usage;
	double seconds = atof(argv[3]);
	if (!strcmp(row, "randread4k"))
		data_row(row, O_DIRECT, 4 * KIB, 0, 1, seconds);
	else if (!strcmp(row, "write4k"))
		data_row(row, 0, 4 * KIB, 1, 0, seconds);
	else if (!strcmp(row, "read1m"))
		data_row(row, O_DIRECT, MIB, 0, 0, seconds);
	else if (!strcmp(row, "read1m-cold"))
		cold_row(row, seconds);
	else if (!strcmp(row, "write1m"))
		data_row(row, 0, MIB, 1, 0, seconds);
	else if (!strcmp(row, "write1m-new"))
		new_file_row(row, seconds);
	else if (!strcmp(row, "mmapread"))
		mmap_row(row, seconds);
	else if (!strcmp(row, "readdir"))
		readdir_row(row);
	else if (!strcmp(row, "create1k") || !strcmp(row, "stat") || !strcmp(row, "openread") || !strcmp(row, "rename") ||
		 !strcmp(row, "unlink"))
		files_row(row);
	else
		goto usage;
	return 0;
usage:
	fprintf(stderr, "usage: loadgen prepare DIR FILE_MIB FILES ENTRIES | loadgen ROW DIR SECONDS\n");
	return 2;
}
